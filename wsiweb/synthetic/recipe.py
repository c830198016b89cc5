"""What a made-up slide shall be: checked once, then a value that everything follows from."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, get_args

from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGBaseline8Bit, generate_uid

from wsiweb.writing.encoders import Photometric
from wsiweb.writing.part10 import Offsets

__all__ = ["Recipe", "Tiling", "level_size"]

Tiling = Literal["TILED_FULL", "TILED_SPARSE"]

# Part of every UID. To be raised with each change of what a seed looks like: two different
# objects must never bear the same SOP Instance UID.
_EDITION = "wsiweb synthetic slide 1"
_LARGEST = 2**32 - 2  # bytes in one native PixelData element (PS3.5 7.1.1), even
_GIGAPIXELS = 2**31 - 1  # pixels along one side that the header could still state (SL positions)
_TEXT = {"patient_id": 64, "patient_name": 64, "accession_number": 16, "container_id": 64}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All choices behind one slide; see `wsiweb.synthetic.write_slide` for their meaning.

    Raises
    ------
    ValueError
        For choices that DICOM does not allow together, or sizes that cannot be.
    """

    width: int
    height: int
    tile: tuple[int, int]
    tiling: Tiling
    transfer_syntax: str
    photometric: Photometric
    bits: int
    quality: int
    offsets: Offsets
    factors: tuple[int, ...]
    mpp: float
    seed: int
    patient_id: str
    patient_name: str
    accession_number: str
    container_id: str

    def __post_init__(self) -> None:
        for name, value in (("width", self.width), ("height", self.height)):
            if not 1 <= value <= _GIGAPIXELS:
                raise ValueError(f"The {name} must be 1 to {_GIGAPIXELS} pixels, not {value}.")
        if not all(16 <= side <= 65_535 for side in self.tile):
            raise ValueError(f"A tile must be 16 to 65535 pixels wide and high, not {self.tile}.")
        if self.seed < 0:
            raise ValueError(f"The seed must be 0 or more, not {self.seed}.")
        if not self.mpp > 0:
            raise ValueError(f"Micrometres per pixel must be more than 0, not {self.mpp}.")
        for kind, value in (
            (Tiling, self.tiling),
            (Photometric, self.photometric),
            (Offsets, self.offsets),
        ):
            if value not in get_args(kind):
                raise ValueError(f"{value!r} is not one of {', '.join(get_args(kind))}.")
        for name, longest in _TEXT.items():
            text = getattr(self, name)
            if len(text) > longest or "\\" in text or not text.isprintable():
                raise ValueError(
                    f"{name} must be at most {longest} printable characters without a "
                    f"backslash, not {text!r}."
                )
        self._check_factors()
        self._check_encoding()

    def _check_factors(self) -> None:
        if not self.factors or self.factors[0] != 1:
            raise ValueError(f"The finest level has the factor 1; got {self.factors}.")
        for finer, coarser in zip(self.factors, self.factors[1:], strict=False):
            if coarser <= finer or coarser % finer or coarser // finer > 256:
                raise ValueError(
                    "Each factor must be a multiple (2 to 256 times) of the one before; "
                    f"got {coarser} after {finer}."
                )

    def _check_encoding(self) -> None:
        if self.transfer_syntax not in {JPEGBaseline8Bit, ExplicitVRLittleEndian}:
            raise ValueError(
                f"Slides are made as JPEG Baseline ({JPEGBaseline8Bit}) or native little endian "
                f"({ExplicitVRLittleEndian}), not {self.transfer_syntax!r}."
            )
        if self.bits not in {8, 16}:
            raise ValueError(f"Bits must be 8 or 16, not {self.bits}.")
        if self.native and self.photometric == "YBR_FULL_422":
            raise ValueError("Native pixels are RGB or MONOCHROME2; YBR_FULL_422 is for JPEG.")
        if not self.native and self.bits != 8:
            raise ValueError("JPEG Baseline holds 8 bits; 16 need the native transfer syntax.")
        if not 1 <= self.quality <= 100:
            raise ValueError(f"The quality must be 1 to 100, not {self.quality}.")
        if self.native:
            across, down = self.grid(1)
            frame = self.tile[0] * self.tile[1] * self.samples * self.bits // 8
            if across * down * frame > _LARGEST:
                raise ValueError("Native pixels beyond 4 GB fit in no DICOM element: use JPEG.")

    @property
    def native(self) -> bool:
        """Whether frames are stored as plain pixels."""
        return self.transfer_syntax == ExplicitVRLittleEndian

    @property
    def samples(self) -> int:
        """Numbers per pixel: 3, or 1 for MONOCHROME2."""
        return 1 if self.photometric == "MONOCHROME2" else 3

    def grid(self, factor: int) -> tuple[int, int]:
        """Columns and rows of tiles of the level with a factor."""
        width, height = level_size((self.width, self.height), factor)
        return -(-width // self.tile[0]), -(-height // self.tile[1])

    def uid(self, *role: str) -> UID:
        """Return the UID of one thing of this slide; another recipe gives another UID."""
        choices = [f"{field.name}={getattr(self, field.name)!r}" for field in fields(self)]
        return generate_uid(entropy_srcs=[_EDITION, *choices, *role])

    @property
    def study_uid(self) -> UID:
        """UID of the study: slides of one patient and accession share it."""
        return generate_uid(entropy_srcs=[_EDITION, self.patient_id, self.accession_number])


def level_size(size: tuple[int, int], factor: int) -> tuple[int, int]:
    """Width and height of a level: rounded up, so that no pixel of the finest is lost."""
    return -(-size[0] // factor), -(-size[1] // factor)
