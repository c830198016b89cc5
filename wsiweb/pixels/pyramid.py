"""The slide model: what a series of instances amounts to, as frozen values.

A `Pyramid` has levels, the finest first, and may have a label, an overview and a thumbnail.
Each of them is a `TiledImage`: it knows its size, its pixels' format, where it lies on the
slide, and which frame of which instance holds each tile. `wsiweb.pixels.headers` makes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from wsiweb.errors import SlideError

if TYPE_CHECKING:
    from wsiweb.pixels.framemap import FrameMap
    from wsiweb.pixels.geometry import Geometry

__all__ = [
    "MOST_PIXELS",
    "Flavor",
    "FrameAddress",
    "LeftOut",
    "Level",
    "PixelFormat",
    "Pyramid",
    "TiledImage",
]

Flavor = Literal["VOLUME", "LABEL", "OVERVIEW", "THUMBNAIL"]

MOST_PIXELS = 2**26
"""Most pixels of one frame that is read: decoded, it has to fit in memory several times."""

# What objectives are sold as; a computed magnification is rounded to the nearest.
_OBJECTIVES = (1.25, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 80.0, 100.0)
_MPP_SLACK = 1.01  # a level 1 % coarser than asked is still what was meant


_DTYPES: dict[tuple[str, int], np.dtype[Any]] = {  # by kind and bits
    ("u", 1): np.dtype("u1"),  # a byte for each pixel: 0 or 1
    ("u", 8): np.dtype("u1"),
    ("i", 8): np.dtype("i1"),
    ("u", 16): np.dtype("u2"),
    ("i", 16): np.dtype("i2"),
    ("f", 32): np.dtype("f4"),
    ("f", 64): np.dtype("f8"),
}


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How one frame's pixels are stored (PS3.3 C.7.6.3).

    Attributes
    ----------
    rows, columns : int
        Size of a frame in pixels.
    samples : int
        SamplesPerPixel: 1 or 3.
    bits_allocated, bits_stored : int
        Bits of each sample's cell, and how many of them count: 8 or 16 of images, 1 of binary
        segmentations, 32 or 64 of floating point numbers.
    signed : bool
        PixelRepresentation is 1.
    photometric : str
        PhotometricInterpretation as stored, such as ``"YBR_FULL_422"``. Decoded frames of
        three samples are always RGB.
    planar : int
        PlanarConfiguration: 0 when samples alternate, 1 when each has a plane of its own.
    floating : bool
        Whether they are FloatPixelData or DoubleFloatPixelData (PS3.3 C.7.6.24 and C.7.6.25).

    Raises
    ------
    ValueError
        For numbers that are no format, or one that cannot be read here.
    """

    rows: int
    columns: int
    samples: int = 3
    bits_allocated: int = 8
    bits_stored: int = 8
    signed: bool = False
    photometric: str = "RGB"
    planar: int = 0
    floating: bool = False

    def __post_init__(self) -> None:
        if not (0 < self.rows < 2**16 and 0 < self.columns < 2**16):
            raise ValueError(f"A frame cannot be {self.columns} x {self.rows} pixels.")
        if self.samples not in {1, 3}:
            raise ValueError(f"SamplesPerPixel is {self.samples}: 1 and 3 can be read.")
        if (self._kind, self.bits_allocated) not in _DTYPES:
            known = ", ".join(str(bits) for kind, bits in _DTYPES if kind == self._kind)
            what = {"u": "", "i": " of signed numbers", "f": " of floating point numbers"}
            raise ValueError(
                f"BitsAllocated is {self.bits_allocated}: {known}{what[self._kind]} can be read."
            )
        if self.samples != 1 and (self.floating or self.bits_allocated == 1):
            raise ValueError(f"SamplesPerPixel is {self.samples}, with {self.bits_allocated} bits.")
        if not 0 < self.bits_stored <= self.bits_allocated:
            raise ValueError(f"BitsStored is {self.bits_stored} of {self.bits_allocated}.")
        if self.planar not in {0, 1}:
            raise ValueError(f"PlanarConfiguration is {self.planar}, not 0 or 1.")

    @property
    def _kind(self) -> str:
        if self.floating:
            return "f"
        return "i" if self.signed else "u"

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a decoded sample, in the byte order of this machine."""
        return _DTYPES[self._kind, self.bits_allocated]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of a decoded frame: (rows, columns, samples)."""
        return self.rows, self.columns, self.samples

    @property
    def nbytes(self) -> int:
        """Bytes of a decoded frame."""
        return self.rows * self.columns * self.samples * self.dtype.itemsize

    @property
    def native_nbytes(self) -> int:
        """Bytes of a frame stored without compression.

        Chroma of YBR_FULL_422 is halved; single bits are packed, and the last byte is filled up.
        """
        if self.bits_allocated == 1:
            return -(-self.rows * self.columns // 8)
        if self.photometric == "YBR_FULL_422" and self.samples == 3:
            return self.nbytes // 3 * 2
        return self.nbytes


class FrameAddress(NamedTuple):
    """One frame of one instance.

    Attributes
    ----------
    instance_uid : str
        SOPInstanceUID.
    number : int
        One-based frame number, as DICOMweb counts.
    """

    instance_uid: str
    number: int


@dataclass(frozen=True, kw_only=True)
class TiledImage:
    """An image in tiles.

    Attributes
    ----------
    study_uid, series_uid : str
        Where it is kept.
    instance_uids : tuple of str
        The instance that holds it; several, in order, when it is a concatenation, or when
        optical paths are in instances of their own.
    transfer_syntax : str or None
        How frames are stored, if the archive says so (AvailableTransferSyntaxUID).
    flavor : str
        ``"VOLUME"``, ``"LABEL"``, ``"OVERVIEW"`` or ``"THUMBNAIL"``.
    size : tuple of int
        Width and height in pixels: TotalPixelMatrixColumns and -Rows.
    format : PixelFormat
        How the pixels of a frame are stored.
    channels : tuple of str
        OpticalPathIdentifier of each channel, in the order of OpticalPathSequence; of their
        identifiers, where they are in instances of their own. In a segmentation with frames for
        each segment, SegmentNumber of each, in the order of SegmentSequence.
    focal_planes : int
        Number of focal planes; `z` counts them from the slide to the cover slip.
    mpp : tuple of float or None
        Micrometres per pixel (x, y), if stated.
    geometry : Geometry or None
        Where it lies on the slide, if stated.
    absent : tuple of float
        Colour of tiles that a sparse image lacks, one number per sample as decoded:
        RecommendedAbsentPixelCIELabValue where stated, else white for colour and
        brightfield, dark for others; nan for floating point numbers.
    frames : FrameMap
        Which frame holds which tile.
    """

    study_uid: str
    series_uid: str
    instance_uids: tuple[str, ...]
    transfer_syntax: str | None = None
    flavor: Flavor = "VOLUME"
    size: tuple[int, int]
    format: PixelFormat
    channels: tuple[str, ...] = ("1",)
    focal_planes: int = 1
    mpp: tuple[float, float] | None = None
    geometry: Geometry | None = None
    absent: tuple[float, ...] = ()
    frames: FrameMap = field(compare=False, repr=False)

    @property
    def tile_size(self) -> tuple[int, int]:
        """Width and height of a frame in pixels."""
        return self.format.columns, self.format.rows

    @property
    def grid(self) -> tuple[int, int]:
        """Number of tiles across and down."""
        return self.frames.columns, self.frames.rows

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a decoded sample."""
        return self.format.dtype

    @property
    def samples(self) -> int:
        """Samples of a pixel: 3 for colour (RGB), 1 for a single channel."""
        return self.format.samples

    @property
    def frame_count(self) -> int:
        """Number of frames that exist, in all parts."""
        return len(self.frames)

    @property
    def sparse(self) -> bool:
        """Whether tiles are missing."""
        return not self.frames.complete

    @property
    def background(self) -> np.ndarray:
        """Colour of missing tiles: shape (samples,), of the image's dtype."""
        return np.array(self.absent or (0,) * self.samples, dtype=self.dtype)

    def frame(self, column: int, row: int, channel: int = 0, z: int = 0) -> FrameAddress | None:
        """Return where a tile is kept.

        Parameters
        ----------
        column, row : int
            Zero-based place in the grid.
        channel, z : int
            Zero-based optical path and focal plane.

        Returns
        -------
        FrameAddress or None
            None for a tile that a sparse image does not hold: show `background`.

        Raises
        ------
        IndexError
            For a place outside the grid, or a channel or focal plane that does not exist.
        """
        found = self.frames.find(column, row, channel, z)
        return None if found is None else FrameAddress(self.instance_uids[found[0]], found[1])

    def crop(self, column: int, row: int) -> tuple[int, int]:
        """Return width and height of what a tile holds of the image; the rest is padding.

        Raises
        ------
        IndexError
            For a place outside the grid.
        """
        columns, rows = self.grid
        if not (0 <= column < columns and 0 <= row < rows):
            raise IndexError(f"There is no tile at column {column}, row {row} of {self.grid}.")
        width, height = self.tile_size
        return (
            min(width, self.size[0] - column * width),
            min(height, self.size[1] - row * height),
        )

    def crop_of(self, address: FrameAddress) -> tuple[int, int]:
        """Return width and height of what a frame holds of the image; the rest is padding.

        Raises
        ------
        IndexError
            For a frame that is not one of this image.
        """
        if address.instance_uid not in self.instance_uids:
            raise IndexError(f"Instance {address.instance_uid} is no part of this image.")
        part = self.instance_uids.index(address.instance_uid)
        column, row, _, _ = self.frames.place(part, address.number)
        return self.crop(column, row)


@dataclass(frozen=True, kw_only=True)
class Level(TiledImage):
    """One level of a pyramid.

    Attributes
    ----------
    index : int
        Zero-based; 0 is the finest.
    downsample : float
        Level-0 pixels that one pixel spans along an edge. A whole number where one explains
        the sizes, whichever way they were rounded.
    """

    index: int
    downsample: float

    @classmethod
    def of(cls, image: TiledImage, index: int, base: TiledImage) -> Level:
        """Return `image` as a level of the pyramid whose finest level is `base`."""
        values = {each.name: getattr(image, each.name) for each in fields(TiledImage)}
        return cls(**values, index=index, downsample=_downsample(base, image))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An instance of the series that is no part of the pyramid, and why.

    Attributes
    ----------
    instance_uid : str
        SOPInstanceUID.
    reason : str
        In words, for a person.
    """

    instance_uid: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Pyramid:
    """A slide, as the headers of its series describe it.

    Attributes
    ----------
    study_uid, series_uid : str
        Where it is kept.
    levels : tuple of Level
        Finest first; at least one.
    label, overview, thumbnail : TiledImage or None
        The images beside the pyramid.
    left_out : tuple of LeftOut
        Instances of the series that were not used, and why.
    frame_of_reference_uid : str
        The slide coordinate system that all levels share; may be empty.
    container_id : str
        ContainerIdentifier, what is written on the glass; may be empty.
    objective_power : float or None
        ObjectiveLensPower, if stated.
    """

    study_uid: str
    series_uid: str
    levels: tuple[Level, ...]
    label: TiledImage | None = None
    overview: TiledImage | None = None
    thumbnail: TiledImage | None = None
    left_out: tuple[LeftOut, ...] = ()
    frame_of_reference_uid: str = ""
    container_id: str = ""
    objective_power: float | None = None

    @property
    def mpp(self) -> tuple[float, float] | None:
        """Micrometres per pixel (x, y) of the finest level, if stated."""
        return self.levels[0].mpp

    @property
    def magnification(self) -> float | None:
        """ObjectiveLensPower; else what spacing suggests (10 / mpp, to a usual objective)."""
        if self.objective_power is not None:
            return self.objective_power
        if self.mpp is None:
            return None
        power = 20 / sum(self.mpp)
        return min(_OBJECTIVES, key=lambda usual: abs(math.log(usual / power)))

    def level_for_downsample(self, downsample: float) -> Level:
        """Return the coarsest level that is not coarser than a downsample.

        The same choice as OpenSlide's ``get_best_level_for_downsample``.

        Raises
        ------
        ValueError
            If `downsample` is not a positive number.
        """
        if not downsample > 0:
            raise ValueError(f"A downsample is a positive number, not {downsample!r}.")
        fine = [level for level in self.levels if level.downsample <= downsample]
        return fine[-1] if fine else self.levels[0]

    def level_for_mpp(self, mpp: float) -> Level:
        """Return the coarsest level that still has the detail of `mpp`.

        Parameters
        ----------
        mpp : float
            Micrometres per pixel that are wanted. A level up to 1 % coarser still counts.

        Raises
        ------
        ValueError
            If `mpp` is not a positive number.
        SlideError
            If the slide does not state its spacing.
        """
        if not mpp > 0:
            raise ValueError(f"Micrometres per pixel are a positive number, not {mpp!r}.")
        if self.mpp is None:
            raise SlideError(
                f"Series {self.series_uid} does not state its PixelSpacing, so there is no level "
                "for a given mpp; ask for a level or a downsample."
            )
        return self.level_for_downsample(mpp * _MPP_SLACK / (sum(self.mpp) / 2))


def _downsample(base: TiledImage, image: TiledImage) -> float:
    """Return how much coarser `image` is than `base`.

    Sizes are whole, so their ratio is only near the factor that a scanner divided by; spacing
    may be written with few decimals. A whole factor that explains both edges is taken to be
    the true one: first what spacing says, then a power of two, then the nearest.
    """
    ratios = [whole / part for whole, part in zip(base.size, image.size, strict=True)]
    mean = sum(ratios) / 2
    spacing = None
    if base.mpp is not None and image.mpp is not None:
        spacing = (image.mpp[0] / base.mpp[0] + image.mpp[1] / base.mpp[1]) / 2
        if abs(spacing / mean - 1) > 0.1:
            spacing = None  # far from what the sizes say: one of the two is wrong, and sizes rule
    candidates: list[int] = []
    if spacing is not None and abs(spacing - round(spacing)) < 1e-4 * spacing:
        candidates.append(round(spacing))
    power = math.floor(math.log2(max(mean, 1)))
    candidates += sorted((2**power, 2 ** (power + 1)), key=lambda factor: abs(factor - mean))
    candidates += sorted({math.floor(mean), math.ceil(mean)}, key=lambda whole: abs(whole - mean))
    for factor in candidates:
        if factor >= 1 and _explains(factor, base.size, image.size):
            return float(factor)
    return mean if spacing is None else spacing


def _explains(factor: int, whole: tuple[int, int], part: tuple[int, int]) -> bool:
    """Whether dividing `whole` by `factor` gives `part`, rounded down or up."""
    return all(b in {a // factor, -(-a // factor)} for a, b in zip(whole, part, strict=True))
