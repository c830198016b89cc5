"""An image in tiles, as frozen values: what a level, a label or an overview has in common.

It knows its size, its pixels' format, where it lies on the slide, and which frame of which instance
holds each tile.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from wsiweb.pixels.framemap import FrameMap
    from wsiweb.pixels.geometry import Geometry

__all__ = ["MOST_PIXELS", "Flavor", "FrameAddress", "PixelFormat", "TiledImage"]

Flavor = Literal["VOLUME", "LABEL", "OVERVIEW", "THUMBNAIL"]

MOST_PIXELS = 2**26
"""Most pixels of one frame that is read: decoded, it has to fit in memory several times."""

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


@dataclass(frozen=True, kw_only=True, repr=False)
class TiledImage:
    """An image in tiles.

    Attributes
    ----------
    study_uid, series_uid : str
        Where it is kept.
    instance_uids : tuple of str
        The instance that holds it; several, in order, when it is a concatenation, or when
        optical paths are in instances of their own.
    whole_uids : tuple of str
        Of each of these, what a concatenation is called as a whole: its
        SOPInstanceUIDOfConcatenationSource, of which an archive holds no instance, and by which
        others may refer to it (PS3.3 C.7.6.16.1.3). Empty for an instance that is whole.
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
    whole_uids: tuple[str, ...] = ()
    transfer_syntax: str | None = None
    flavor: Flavor = "VOLUME"
    size: tuple[int, int]
    format: PixelFormat
    channels: tuple[str, ...] = ("1",)
    focal_planes: int = 1
    mpp: tuple[float, float] | None = None
    geometry: Geometry | None = None
    absent: tuple[float, ...] = ()
    frames: FrameMap = field(compare=False)

    def __repr__(self) -> str:
        return f"<{self.flavor} image: {self._in_brief()}>"

    def _in_brief(self) -> str:
        (width, height), (across, down) = self.size, self.tile_size
        scale = "unknown scale" if self.mpp is None else f"{self.mpp[0]:.4g} um/px"
        return f"{width} x {height} px, {scale}, tiles of {across} x {down}"

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

    def is_known_as(self, uid: str) -> bool:
        """Whether a SOPInstanceUID is one of its instances, or stands for several as a whole."""
        return bool(uid) and (uid in self.instance_uids or uid in self.whole_uids)

    def place(self, uid: str, number: int) -> tuple[int, int, int, int]:
        """Return where a frame belongs: the way back of `frame`.

        Parameters
        ----------
        uid : str
            SOPInstanceUID of one of its instances, or of a concatenation as a whole.
        number : int
            One-based frame number: within the instance, or through all parts of the whole.

        Returns
        -------
        tuple of int
            Zero-based column, row, channel and focal plane.

        Raises
        ------
        IndexError
            For a frame that is not one of this image.
        """
        if uid in self.instance_uids:
            return self.frames.place(self.instance_uids.index(uid), number)
        if not self.is_known_as(uid):
            raise IndexError(f"Instance {uid} is no part of this image.")
        part = self.whole_uids.index(uid)
        starts = self.frames.starts
        frame = starts[part] + number
        while part + 1 < len(starts) and starts[part + 1] < frame:
            part += 1
        if self.whole_uids[part] != uid:
            raise IndexError(f"There is no frame {number} in {uid}.")
        return self.frames.place(part, frame - starts[part])

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
        column, row, _, _ = self.place(address.instance_uid, address.number)
        return self.crop(column, row)
