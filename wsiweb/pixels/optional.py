"""Values that pixels can do without: what cannot be read of them counts as not stated."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from wsiweb.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["if_readable"]

Value = TypeVar("Value")
Default = TypeVar("Default")


def if_readable(read: Callable[[str], Value], keyword: str, default: Default) -> Value | Default:
    """Return what `read` gives for an attribute; `default` for a value of the wrong kind.

    A slide is not refused for an ObjectiveLensPower of ``"20x"``.

    Examples
    --------
    >>> from wsiweb.wire.dicomjson import Attributes
    >>> one = Attributes.of({"00480112": {"vr": "DS", "Value": ["20x"]}})
    >>> if_readable(one.number, "ObjectiveLensPower", None) is None
    True
    """
    try:
        return read(keyword)
    except ProtocolError:
        return default
