"""Per-frame attributes as columns.

A sparse slide says of each frame where it belongs (PS3.3 C.8.12.6.1), which for 100,000 frames
is 100 MB of JSON. Here only what is needed is decoded, by types that are known beforehand, and
goes straight into arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["FrameColumns", "read_columns"]


@dataclass(frozen=True, slots=True, eq=False)
class FrameColumns:
    """One entry per frame, in frame order.

    Attributes
    ----------
    column, row : numpy.ndarray
        One-based position in pixels of the frame's top left pixel in the total pixel matrix;
        int64.
    height : numpy.ndarray
        Z offset in the slide coordinate system, as written; float64, nan where not stated.
    channel : list of str
        Optical path identifier, or the number of the segment that the frame is of; empty where
        not stated.
    """

    column: NDArray[np.int64]
    row: NDArray[np.int64]
    height: NDArray[np.float64]
    channel: list[str]


class _Scalar(msgspec.Struct, gc=False):
    Value: list[int | float | str | None] | None = None


class _Position(msgspec.Struct, gc=False):
    column: _Scalar | None = msgspec.field(name="0048021E", default=None)
    row: _Scalar | None = msgspec.field(name="0048021F", default=None)
    height: _Scalar | None = msgspec.field(name="0040074A", default=None)


class _Positions(msgspec.Struct, gc=False):
    Value: list[_Position | None] | None = None


class _Path(msgspec.Struct, gc=False):
    identifier: _Scalar | None = msgspec.field(name="00480106", default=None)


class _Paths(msgspec.Struct, gc=False):
    Value: list[_Path | None] | None = None


class _Segment(msgspec.Struct, gc=False):
    number: _Scalar | None = msgspec.field(name="0062000B", default=None)


class _Segments(msgspec.Struct, gc=False):
    Value: list[_Segment | None] | None = None


class _Frame(msgspec.Struct, gc=False):
    positions: _Positions | None = msgspec.field(name="0048021A", default=None)
    paths: _Paths | None = msgspec.field(name="00480207", default=None)
    segments: _Segments | None = msgspec.field(name="0062000A", default=None)


_frames = msgspec.json.Decoder(list[_Frame | None])
_BEGINNING = 65_536  # bytes, which hold many frames
_LETTERED = (
    b'"0048021A"',
    b'"0048021E"',
    b'"0048021F"',
    b'"0040074A"',
    b'"0062000A"',
    b'"0062000B"',
)


def read_columns(raw: bytes) -> FrameColumns | None:
    """Decode the items of a PerFrameFunctionalGroupsSequence.

    Parameters
    ----------
    raw : bytes
        JSON array of its items.

    Returns
    -------
    FrameColumns or None
        None if no frame has a PlanePositionSlideSequence.

    Raises
    ------
    ValueError
        If it is not DICOM JSON, or frames have no position or none in whole numbers.

    Examples
    --------
    >>> place = b'{"0048021E": {"Value": [1]}, "0048021F": {"Value": [9]}}'
    >>> read_columns(b'[{"0048021A": {"Value": [' + place + b"]}}]").row
    array([9])
    """
    beginning = raw[:_BEGINNING]
    for tag in _LETTERED:
        if tag.lower() in beginning:  # some archives write hexadecimal digits small, all of them
            raw = raw.replace(tag.lower(), tag)
    try:
        frames = _frames.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"it cannot be read ({error})") from error
    positions = [_first(frame.positions) if frame is not None else None for frame in frames]
    if not any(positions):
        return None
    if not all(positions):
        raise ValueError(f"frame {positions.index(None) + 1} has no PlanePositionSlideSequence")
    places = cast("list[_Position]", positions)
    return FrameColumns(
        column=_whole(_values([place.column for place in places]), "Column"),
        row=_whole(_values([place.row for place in places]), "Row"),
        height=_numbers(_values([place.height for place in places]), "ZOffset"),
        channel=[_identifier(frame) for frame in frames],
    )


def _first(sequence: _Positions | None) -> _Position | None:
    return sequence.Value[0] if sequence is not None and sequence.Value else None


def _value(scalar: _Scalar | None) -> int | float | str | None:
    return scalar.Value[0] if scalar is not None and scalar.Value else None


def _values(scalars: list[_Scalar | None]) -> list[Any]:
    """Return the value of each; the plain way first, which is twice as quick where all have one."""
    try:
        return [scalar.Value[0] for scalar in scalars]  # type: ignore[union-attr,index]
    except (AttributeError, TypeError, IndexError):
        return [_value(scalar) for scalar in scalars]


def _identifier(frame: _Frame | None) -> str:
    if frame is None:
        return ""
    value = None
    if frame.paths is not None and frame.paths.Value:
        path = frame.paths.Value[0]
        value = None if path is None else _value(path.identifier)
    elif frame.segments is not None and frame.segments.Value:
        segment = frame.segments.Value[0]
        value = None if segment is None else _value(segment.number)
    return "" if value is None else str(value).strip()


def _numbers(values: list[Any], name: str) -> NDArray[np.float64]:
    """Make a column; numbers may be written as text, and what is absent becomes nan."""
    try:
        return np.array(values, dtype=np.float64)
    except (ValueError, OverflowError, TypeError):
        raise ValueError(f"{name} positions are not all numbers") from None


def _whole(values: list[Any], name: str) -> NDArray[np.int64]:
    numbers = _numbers(values, name)
    odd = np.flatnonzero(~(np.abs(numbers) < 2**53) | (numbers != np.floor(numbers)))
    if odd.size:
        raise ValueError(
            f"frame {int(odd[0]) + 1} has no {name}PositionInTotalImagePixelMatrix in whole pixels"
        )
    return numbers.astype(np.int64)
