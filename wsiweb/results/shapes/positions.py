"""Coordinates out of the text of GeoJSON (RFC 7946 3.1), a megabyte at a time.

To make a Python object of each corner of a million nuclei would take a gigabyte and half a minute.
Where the text is as regular as it nearly always is, brackets are taken away and what is left is
read as one long list of numbers; where it is not, it is read in full, and wrong text is refused by
the number of its feature.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

__all__ = ["Positions", "read_positions"]

_PIECE = 2**20  # bytes of text
_NUMBERS = b"0123456789.+-eE"
_SPACE = b" \t\r\n"
_list_of_numbers = msgspec.json.Decoder(list[float])

Ring = list[list[float]]
Text = bytes | msgspec.Raw


class Positions(NamedTuple):
    """The points of many geometries.

    Attributes
    ----------
    points : numpy.ndarray
        Shape (n, 2), float64.
    counts : numpy.ndarray
        Int64: how many points each geometry has; of a polygon, its outline.
    holes : numpy.ndarray
        Shape (m, 2), float64: the points of all holes.
    hole_counts : numpy.ndarray
        Int64: how many points each hole has.
    owners : numpy.ndarray
        Int64: which geometry each hole is in.
    """

    points: NDArray[np.float64]
    counts: NDArray[np.int64]
    holes: NDArray[np.float64]
    hole_counts: NDArray[np.int64]
    owners: NDArray[np.int64]


def read_positions(texts: Sequence[Text], depth: int, features: Sequence[int]) -> Positions:
    """Read the coordinates of geometries of one type.

    Parameters
    ----------
    texts : sequence of bytes or Raw
        The JSON of each one's coordinates.
    depth : int
        How many brackets stand around its points: none for a Point, 1 for a LineString, 2 for a
        Polygon.
    features : sequence of int
        The number of the feature that each belongs to, said in errors.

    Raises
    ------
    ValueError
        For what are no such coordinates.

    Examples
    --------
    >>> read_positions([b"[[[0, 0], [4, 0], [4, 3], [0, 0]]]"], 2, [0]).counts.tolist()
    [4]
    """
    points: list[NDArray[np.float64]] = []
    counts: list[int] = []
    holes: list[Ring] = []
    owners: list[int] = []
    for first, last in _pieces(texts):
        piece = [bytes(text) for text in texts[first:last]]
        lengths = [text.count(b"[") - depth for text in piece]
        numbers = _regular(piece, depth) if min(lengths) > 0 else None
        if numbers is not None:
            points.append(numbers)
            counts += lengths
            continue
        for number, text in enumerate(piece, first):
            outline, *inner = _rings(text, depth, features[number])
            points.append(np.array(outline, np.float64))
            counts.append(len(outline))
            holes += inner
            owners += [number] * len(inner)
    return Positions(
        points=np.concatenate(points) if points else np.empty((0, 2)),
        counts=np.array(counts, np.int64),
        holes=np.array(list(itertools.chain.from_iterable(holes))).reshape(-1, 2),
        hole_counts=np.array([len(ring) for ring in holes], np.int64),
        owners=np.array(owners, np.int64),
    )


def _pieces(texts: Sequence[Text]) -> Iterator[tuple[int, int]]:
    first = size = 0
    for number, text in enumerate(texts, 1):
        size += memoryview(text).nbytes
        if size >= _PIECE or number == len(texts):
            yield first, number
            first, size = number, 0


def _regular(texts: Sequence[bytes], depth: int) -> NDArray[np.float64] | None:
    """Return the points of texts that hold pairs of numbers, in one ring each; else None."""
    joined = b",".join(texts)
    frame = joined.translate(None, _NUMBERS + _SPACE)
    # A pair leaves "[,]"; without those, the brackets around the points are left, and the commas.
    around = (b"[" * depth + b"]" * depth) * len(texts)
    if frame.replace(b"[,]", b"").replace(b",", b"") != around:
        return None
    try:
        numbers = _list_of_numbers.decode(b"[" + joined.translate(None, b"[]") + b"]")
    except msgspec.DecodeError:
        return None
    flat = np.array(numbers, np.float64)
    return flat.reshape(-1, 2) if len(flat) == 2 * frame.count(b"[,]") else None


def _rings(text: bytes, depth: int, feature: int) -> list[Ring]:
    """Read one geometry in full: a list of lists of points, of which there is at least one."""
    try:
        value = msgspec.json.decode(text)
        if depth == 0:
            return [[_point(value)]]
        rings: list[Any] = [value] if depth == 1 else value
        read = [[_point(one) for one in ring] for ring in rings]
    except (msgspec.DecodeError, TypeError, ValueError):
        read = []
    if not read or not all(read):
        start = text[:60].decode("utf-8", "replace")
        raise ValueError(
            f"The coordinates of feature {feature} (counted from 0) are not those of its geometry: "
            f"{start}{'...' if len(text) > 60 else ''}"
        )
    return read


def _point(value: Any) -> list[float]:
    """Return x and y; what follows them is a height, which nothing is done with."""
    x, y, *_ = value
    if not all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in (x, y)):
        raise ValueError
    return [float(x), float(y)]
