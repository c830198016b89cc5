"""What the numbers of a mask mean, and which of them cannot be meant.

Whatever a mask is made of becomes small unsigned numbers here: labels, one for each pixel; or a
stack of planes, one for each segment, with 0 and 1 or with fractions in 255 steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8 | np.uint16]

__all__ = ["MOST_FRACTION", "Contents", "Fractions", "Labels", "Merged", "Stack"]

MOST_FRACTION = 255
"""What a fraction of 1 is stored as: MaximumFractionalValue."""

Overlap = Literal["NO", "YES", "UNDEFINED"]


class Contents(Protocol):
    """How the numbers of a mask are read."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what `settle` returns."""
        ...

    @property
    def planes(self) -> int | None:
        """Length of the third axis of what `settle` returns; None where there is none."""
        ...

    @property
    def overlap(self) -> Overlap:
        """SegmentsOverlap of all that was settled."""
        ...

    def settle(self, pixels: NDArray[Any], place: str) -> Pixels | None:
        """Check some pixels and return them as they are stored.

        Parameters
        ----------
        pixels : numpy.ndarray
            Shape (rows, columns) or (rows, columns, segments).
        place : str
            Where they are, said in errors.

        Returns
        -------
        numpy.ndarray or None
            Shape (rows, columns) or (rows, columns, `planes`); it may be the same memory. None
            where all of it is background.

        Raises
        ------
        ValueError
            For numbers that cannot be meant.
        """
        ...


@dataclass(frozen=True)
class Labels:
    """One number for each pixel: 0 for the background, or that of a segment.

    Attributes
    ----------
    segments : int
        How many there are.
    """

    segments: int
    planes: None = None
    overlap: Overlap = "NO"

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest type that holds all labels."""
        return np.dtype(np.uint8 if self.segments < 2**8 else np.uint16)

    def settle(self, pixels: NDArray[Any], place: str) -> Pixels | None:
        """Check labels; see `Contents`.

        Examples
        --------
        >>> Labels(2).settle(np.array([[0, 2]], np.int64), "a tile")
        array([[0, 2]], dtype=uint8)
        """
        pixels = _numbers(pixels)
        highest = int(pixels.max(initial=0))
        if highest > self.segments:
            raise ValueError(self._too_high(highest, place))
        lowest = 0 if pixels.dtype.kind == "u" else int(pixels.min(initial=0))
        if lowest < 0:
            raise ValueError(
                f"The mask holds {lowest} in {place}; 0 is the background, and segments are "
                f"numbered from 1 to {self.segments}."
            )
        return pixels.astype(self.dtype, copy=False) if highest else None

    def _too_high(self, highest: int, place: str) -> str:
        text = f"The mask holds {highest} in {place}, and {self.segments} "
        text += "segment is described" if self.segments == 1 else "segments are described"
        if self.segments == 1:
            return (
                f"{text}, whose number is 1. For a mask in which any number but 0 means the "
                "segment, such as one of 0 and 255, give mask > 0; if there are more segments, "
                "describe all of them."
            )
        return f"{text}: describe all up to the highest number, or give the mask without it."


@dataclass
class Stack:
    """A plane of 0 and 1 for each segment; they may overlap.

    Attributes
    ----------
    planes : int
        How many segments there are.
    overlap : str
        ``"YES"`` once a pixel that belongs to several has come by.
    """

    planes: int
    overlap: Overlap = "NO"

    @property
    def dtype(self) -> np.dtype[Any]:
        """One byte for each number."""
        return np.dtype(np.uint8)

    def settle(self, pixels: NDArray[Any], place: str) -> Pixels | None:
        """Check planes; see `Contents`."""
        found = _zeros_and_ones(pixels, place)
        if found is not None and self.overlap == "NO" and _overlaps(found):
            self.overlap = "YES"
        return found


@dataclass(frozen=True)
class Merged:
    """A plane of 0 and 1 for each segment, stored as labels: they may not overlap.

    Attributes
    ----------
    segments : int
        How many there are.
    """

    segments: int
    planes: None = None
    overlap: Overlap = "NO"

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest type that holds all labels."""
        return Labels(self.segments).dtype

    def settle(self, pixels: NDArray[Any], place: str) -> Pixels | None:
        """Check planes and merge them; see `Contents`."""
        found = _zeros_and_ones(pixels, place)
        if found is None:
            return None
        if _overlaps(found):
            raise ValueError(
                f"Segments overlap in {place}, and a label map has one number for each pixel: give "
                'kind="binary".'
            )
        labels = np.zeros(found.shape[:2], self.dtype)
        for plane in range(self.segments):
            labels[found[..., plane] > 0] = plane + 1
        return labels


@dataclass(frozen=True)
class Fractions:
    """A plane for each segment of numbers from 0 to 1, stored in 255 steps.

    Attributes
    ----------
    planes : int
        How many segments there are.
    """

    planes: int

    @property
    def overlap(self) -> Overlap:
        """Of fractions it cannot be said."""
        return "NO" if self.planes == 1 else "UNDEFINED"

    @property
    def dtype(self) -> np.dtype[Any]:
        """One byte for each number."""
        return np.dtype(np.uint8)

    def settle(self, pixels: NDArray[Any], place: str) -> Pixels | None:
        """Check fractions and round them to the nearest step; see `Contents`.

        Examples
        --------
        >>> Fractions(1).settle(np.array([[0.5, 1.0]]), "a tile").tolist()
        [[[128], [255]]]
        """
        if pixels.ndim == 2:
            pixels = pixels[..., np.newaxis]
        lowest, highest = float(pixels.min(initial=0)), float(pixels.max(initial=0))
        if not (lowest >= 0 and highest <= 1):  # also where one of them is NaN
            given = "NaN" if np.isnan(lowest + highest) else f"numbers of {lowest} to {highest}"
            raise ValueError(
                f"A mask of fractions goes from 0 to 1; it holds {given} in {place}."
                + (" Say 0 where there is no value." if given == "NaN" else "")
            )
        steps = np.around(pixels * float(MOST_FRACTION)).astype(np.uint8)
        return steps if steps.any() else None


def _numbers(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return truth values as 0 and 1, and numbers as they are."""
    # Cast, not viewed: the bytes of true may be others, as 255 in PIL's pictures of one bit.
    return pixels.astype(np.uint8) if pixels.dtype == np.bool_ else pixels


def _zeros_and_ones(pixels: NDArray[Any], place: str) -> NDArray[np.uint8] | None:
    pixels = _numbers(pixels)
    lowest, highest = int(pixels.min(initial=0)), int(pixels.max(initial=0))
    if lowest < 0 or highest > 1:
        raise ValueError(
            f"A mask with a plane for each segment has 0 and 1 in it; it holds "
            f"{lowest if lowest < 0 else highest} in {place}. Give mask > 0 if any number but 0 "
            "means the segment."
        )
    return pixels.astype(np.uint8, copy=False) if highest else None


def _overlaps(planes: NDArray[np.uint8]) -> bool:
    if planes.shape[2] == 1:
        return False
    counted = planes[..., 0].astype(np.uint16)
    for plane in range(1, planes.shape[2]):
        counted += planes[..., plane]
    return bool(counted.max(initial=0) > 1)
