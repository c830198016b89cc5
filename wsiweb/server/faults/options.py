"""Options of faults: what they mean, what they take, and how that is written."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any

__all__ = ["Option", "option", "options_of", "written"]

Value = bool | int | float | str | None

_TRUTH = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class Option:
    """What an option takes.

    Attributes
    ----------
    words : str
        What it means, for people.
    default : bool, int, float, str or None
        Its value where none is given; None, if it need not have one.
    kind : type
        bool, int, float or str.
    choices : tuple
        All values that it can have; empty where bounds say that.
    least, most : float
        Bounds of a number, both included.
    """

    words: str
    default: Value
    kind: type
    choices: tuple[object, ...] = ()
    least: float = 0
    most: float = math.inf

    def fits(self, value: object) -> bool:
        """Tell whether this is a value of the option."""
        if value is None:
            return self.default is None
        if isinstance(value, bool) or self.kind is bool:
            return isinstance(value, bool) and self.kind is bool
        if not isinstance(value, (int, float) if self.kind is float else self.kind):
            return False
        if self.choices:
            return value in self.choices
        if isinstance(value, float) and math.isinf(value):
            return False
        return isinstance(value, int | float) and self.least <= value <= self.most

    def read(self, text: str) -> Value:
        """Understand a value as users write it.

        Raises
        ------
        ValueError
            For what is none of its kind.
        """
        if self.kind is bool:
            if text.lower() not in _TRUTH:
                raise ValueError(text)
            return _TRUTH[text.lower()]
        return self.kind(text)

    @property
    def wanted(self) -> str:
        """What it takes, in words."""
        if self.choices:
            return "one of " + ", ".join(map(str, self.choices))
        if self.kind is bool:
            return "yes or no"
        number = "a whole number" if self.kind is int else "a number"
        return f"{number} from {self.least:g}" + (
            "" if math.isinf(self.most) else f" to {self.most:g}"
        )


def option(
    default: Value,
    words: str,
    *,
    choices: tuple[object, ...] = (),
    least: float = 0,
    most: float = math.inf,
) -> Any:
    """Return a field of a fault that users may set; see `Option`.

    It is of the kind of its default; one whose default is None is a whole number that need not be
    set.
    """
    kind = int if default is None else type(default)
    what = Option(words, default, kind, choices, least, most)
    return field(default=default, metadata={"option": what})


def options_of(kind: Any) -> dict[str, Option]:
    """Return the options of a fault, or of a kind of faults, by their names."""
    return {one.name: one.metadata["option"] for one in fields(kind)}


def written(value: Value) -> str:
    """Return a value as users write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
