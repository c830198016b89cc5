"""The front door: one function, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

from wsiweb.synthetic.recipe import Recipe, Tiling
from wsiweb.synthetic.writing import Writer

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from wsiweb.synthetic.headers import Flavor
    from wsiweb.writing.encoders import Photometric
    from wsiweb.writing.part10 import Offsets

__all__ = ["SyntheticSlide", "write_slide"]

_RAW_LIMIT = 2**32  # from here on, a basic offset table might not suffice


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticSlide:
    """A slide that was written.

    Attributes
    ----------
    study_uid, series_uid : str
        Of all its instances.
    levels : tuple of Path
        The VOLUME instances, finest first.
    label, overview, thumbnail : Path or None
        The other instances, where asked for.
    """

    study_uid: str
    series_uid: str
    levels: tuple[Path, ...]
    label: Path | None = None
    overview: Path | None = None
    thumbnail: Path | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files: the levels, finest first, then thumbnail, label and overview."""
        others = (self.thumbnail, self.label, self.overview)
        return self.levels + tuple(path for path in others if path is not None)


def write_slide(  # noqa: PLR0913 - slides differ in this many ways, and each has a default
    folder: str | os.PathLike[str],
    width: int,
    height: int,
    *,
    seed: int = 0,
    tile_size: int | tuple[int, int] = 256,
    tiling: Tiling = "TILED_FULL",
    transfer_syntax: str = JPEGBaseline8Bit,
    photometric: Photometric | None = None,
    bits: int = 8,
    quality: int = 87,
    levels: Sequence[int] | None = None,
    offsets: Offsets | None = None,
    mpp: float = 0.5,
    label: bool = True,
    overview: bool = True,
    thumbnail: bool = True,
    patient_id: str | None = None,
    patient_name: str = "Synthetic^Slide",
    accession_number: str | None = None,
    container_id: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> SyntheticSlide:
    """Write a made-up whole slide as DICOM VL Whole Slide Microscopy instances (PS3.3 A.32.8).

    Tissue stained with haematoxylin and eosin on pure white. Memory grows with the width of the
    slide only. The same arguments give the same files, UIDs included, on the same machine with
    the same libraries; other arguments give other UIDs.

    Parameters
    ----------
    folder : path
        Made when it is missing. Each file appears in it when it is complete; files of the same
        slide are replaced.
    width, height : int
        Of the finest level, in pixels.
    seed : int
        Another seed, another tissue.
    tile_size : int or (int, int)
        Tile width and height in pixels.
    tiling : "TILED_FULL" or "TILED_SPARSE"
        Sparse slides leave out the tiles that no tissue touches.
    transfer_syntax : str
        JPEG Baseline or native explicit VR little endian, as UID.
    photometric : "YBR_FULL_422", "RGB" or "MONOCHROME2", optional
        By default YBR_FULL_422 for JPEG (4:2:2 subsampled), RGB for native. RGB in JPEG is
        stored without an Adobe marker, as scanners do. MONOCHROME2 looks like fluorescence.
    bits : int
        8, or 16 for native pixels.
    quality : int
        Of JPEG, 1 to 100; at 87 tissue takes some 21 KB per tile of 256 pixels.
    levels : sequence of int, optional
        Downsample factors, beginning with 1, each a multiple of the one before. By default
        powers of 2 until the level fits into one tile. Level sizes are rounded up; each pixel
        is the exact mean of those below it on the level before, halves rounded up.
    offsets : "basic", "extended" or "none", optional
        Offset table of JPEG frames; by default basic below 4 GB of pixels, else extended.
    mpp : float
        Micrometres per pixel as the header states it; the tissue is drawn as at 0.5.
    label, overview, thumbnail : bool
        Whether to write these instances.
    patient_id, patient_name, accession_number, container_id : str, optional
        Identity; made from the seed by default. Slides with the same patient and accession
        number are of one study.
    progress : callable, optional
        Told the tiles done and the tiles in all, after each row of tiles.

    Returns
    -------
    SyntheticSlide

    Raises
    ------
    ValueError
        For arguments that are out of range or that DICOM does not allow together.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     slide = write_slide(folder, 600, 400, seed=3)
    ...     [path.name for path in slide.paths[:3]]
    ['WSI-3-volume-1.dcm', 'WSI-3-volume-2.dcm', 'WSI-3-volume-4.dcm']
    """
    tile = (tile_size, tile_size) if isinstance(tile_size, int) else tile_size
    native = transfer_syntax == ExplicitVRLittleEndian
    recipe = Recipe(
        width=width,
        height=height,
        tile=(int(tile[0]), int(tile[1])),
        tiling=tiling,
        transfer_syntax=str(transfer_syntax),
        photometric=photometric or ("RGB" if native else "YBR_FULL_422"),
        bits=bits,
        quality=quality,
        offsets=offsets or ("basic" if 3 * width * height < _RAW_LIMIT else "extended"),
        factors=_powers(width, height, tile) if levels is None else tuple(levels),
        mpp=mpp,
        seed=seed,
        patient_id=f"SYN-{seed}" if patient_id is None else patient_id,
        patient_name=patient_name,
        accession_number=f"A{seed % 10**15}" if accession_number is None else accession_number,
        container_id=f"WSI-{seed}" if container_id is None else container_id,
    )
    wanted: dict[Flavor, bool] = {"THUMBNAIL": thumbnail, "LABEL": label, "OVERVIEW": overview}
    others: list[Flavor] = [flavor for flavor, asked in wanted.items() if asked]
    files = Writer(recipe, Path(folder)).write(others, progress)
    return SyntheticSlide(
        study_uid=recipe.study_uid,
        series_uid=recipe.uid("series"),
        levels=tuple(path for name, path in files.items() if name.startswith("volume-")),
        label=files.get("label"),
        overview=files.get("overview"),
        thumbnail=files.get("thumbnail"),
    )


def _powers(width: int, height: int, tile: tuple[int, int]) -> tuple[int, ...]:
    factors = [1]
    while width > tile[0] * factors[-1] or height > tile[1] * factors[-1]:
        factors.append(factors[-1] * 2)
    return tuple(factors)
