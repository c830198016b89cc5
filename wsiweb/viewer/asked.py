"""Paths of a feed, taken apart: steps and options, checked before anything is done."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl, unquote

from wsiweb.arguments import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Asked", "floats", "number"]

_DIGITS = 9  # of a whole number; no slide has as many tiles
_LONGEST = 2048  # characters of a path


@dataclass(frozen=True, slots=True)
class Asked:
    """A path.

    Attributes
    ----------
    path : str
        As it was given, for errors.
    steps : tuple of str
        What stands between the slashes.
    options : mapping of str to str
        What stands behind the question mark.
    """

    path: str
    steps: tuple[str, ...]
    options: Mapping[str, str]

    @classmethod
    def of(cls, path: str) -> Self:
        """Take a path apart.

        Raises
        ------
        ValueError
            For what is no path: empty, far too long, or with an option twice.

        Examples
        --------
        >>> asked = Asked.of("tiles/0/0/2/5/7?color=srgb")
        >>> asked.steps[0], asked.option("color", "source")
        ('tiles', 'srgb')
        """
        if not isinstance(path, str) or len(path) > _LONGEST:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValueError(f"The path of a resource is a short text, not {shown(path)}.")
        before, _, after = path.partition("?")
        steps = tuple(unquote(step) for step in before.strip("/").split("/"))
        given = parse_qsl(after, keep_blank_values=True)
        options = dict(given)
        if len(options) != len(given):
            raise ValueError(f"{shown(path)} says an option twice.")
        return cls(path, steps, options)

    def option(self, name: str, default: str = "") -> str:
        """Return an option, or the default where it is not said."""
        return self.options.get(name, default)

    def only(self, *names: str) -> None:
        """Refuse options other than these.

        Raises
        ------
        ValueError
            For another option: a misspelt one would be passed over without a word.
        """
        for name in self.options:
            if name not in names:
                known = f"knows {', '.join(names)}" if names else "takes no options"
                raise ValueError(f"{shown(self.path)}: this resource {known}, not {shown(name)}.")

    def odd(self, words: str) -> ValueError:
        """Return the error for a path that makes no sense."""
        return ValueError(f"{shown(self.path)} makes no sense: {words}.")


def number(text: str, name: str) -> int:
    """Return a whole number that stands in a path.

    Raises
    ------
    ValueError
        For anything else, negative numbers among them.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise ValueError(f"{name} is a whole number from 0, not {shown(text)}.")
    return int(text)


def floats(text: str, count: int, name: str) -> tuple[float, ...]:
    """Return numbers that stand in a path with commas between them.

    Raises
    ------
    ValueError
        For another count, and for what is no finite number.

    Examples
    --------
    >>> floats("1,2.5", 2, "a point")
    (1.0, 2.5)
    """
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if len(found) != count or not all(math.isfinite(value) for value in found):
        raise ValueError(f"{name} is {count} numbers with commas between, not {shown(text)}.")
    return found
