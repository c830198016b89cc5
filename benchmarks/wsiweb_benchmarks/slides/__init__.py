"""The slides that are measured on: one module per kind, made once and kept in a folder.

Adding one means adding a module here with `SLIDES`, and naming it in `MODULES`.
"""

from __future__ import annotations

import functools
import importlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec
import pydicom

from wsiweb_benchmarks.model import LevelInfo, SlideInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MODULES", "Absent", "SlideKind", "described", "made", "slides"]

MODULES = ("mosaic", "sparse", "cmu")
_EDITION = "2"  # to be raised when a slide of the same name becomes another


class Absent(Exception):
    """The slide cannot be had here; the words say why."""


class SlideKind(Protocol):
    """A slide that can be made, or found.

    Attributes
    ----------
    name : str
        On the command line and in the report.
    """

    name: str

    def make(self, folder: Path, *, small: bool) -> tuple[Path, str]:
        """Write the slide below a folder, a tiny one if `small`.

        Returns
        -------
        path
            The folder where the files are; another one if nothing had to be written.
        str
            What the slide is, in one sentence.

        Raises
        ------
        Absent
            When it cannot be had here.
        """
        ...


@functools.cache
def slides() -> Mapping[str, SlideKind]:
    """Return all kinds by name."""
    modules = (importlib.import_module(f"{__name__}.{name}") for name in MODULES)
    return {one.name: one for module in modules for one in module.SLIDES}


def made(name: str, work: Path, *, small: bool = False) -> SlideInfo:
    """Return a slide, which is made on first use.

    Parameters
    ----------
    name : str
        Of the slide.
    work : Path
        Where slides are kept between runs.
    small : bool
        A tiny slide of the same kind, for tests.

    Raises
    ------
    LookupError
        When there is no slide of this name.
    Absent
        When it cannot be had here.
    """
    if name not in slides():
        raise LookupError(f"There is no slide {name!r}, only {', '.join(slides())}.")
    folder = work / "slides" / f"{name}-{_EDITION}{'-small' if small else ''}"
    note = folder.with_suffix(".json")
    if note.is_file():
        info = msgspec.json.decode(note.read_bytes(), type=SlideInfo)
        if Path(info.folder).is_dir():
            return info
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        path, about = slides()[name].make(part, small=small)
        if path == part:
            shutil.rmtree(folder, ignore_errors=True)
            path = part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    info = described(name, about, path)
    note.write_bytes(msgspec.json.format(msgspec.json.encode(info)))
    return info


def described(name: str, about: str, folder: Path) -> SlideInfo:
    """Read from the headers of its files what a slide is made of."""
    headers = [
        pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))
        for path in sorted(folder.rglob("*.dcm"))
    ]
    volumes = [header for header in headers if header.ImageType[2] == "VOLUME"]
    volumes.sort(key=lambda header: -header.TotalPixelMatrixColumns)
    return SlideInfo(
        name=name,
        description=about,
        study_uid=str(volumes[0].StudyInstanceUID),
        series_uid=str(volumes[0].SeriesInstanceUID),
        levels=tuple(map(_level, volumes)),
        tiling=volumes[0].get("DimensionOrganizationType", "TILED_FULL"),
        folder=str(folder.resolve()),
    )


_TAGS = (
    "ImageType",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "DimensionOrganizationType",
    "TotalPixelMatrixColumns",
    "TotalPixelMatrixRows",
    "Columns",
    "Rows",
    "SamplesPerPixel",
    "PhotometricInterpretation",
)


def _level(header: pydicom.Dataset) -> LevelInfo:
    size = int(header.TotalPixelMatrixColumns), int(header.TotalPixelMatrixRows)
    tile = int(header.Columns), int(header.Rows)
    return LevelInfo(
        instance_uid=str(header.SOPInstanceUID),
        size=size,
        tile_size=tile,
        grid=(-(-size[0] // tile[0]), -(-size[1] // tile[1])),
        samples=int(header.SamplesPerPixel),
        transfer_syntax=str(header.file_meta.TransferSyntaxUID),
        photometric=header.PhotometricInterpretation,
    )
