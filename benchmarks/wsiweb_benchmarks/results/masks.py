"""A mask of a whole slide to a Segmentation, by wsiweb and by highdicom.

``python -m wsiweb_benchmarks.results.masks [--side 40000] [--segments 1|3]`` makes a label mask in
zarr and writes it, each time in a fresh process: with wsiweb from the zarr array, with its
pyramid; with highdicom's constructor and ``save_as``, given the whole array in memory, without
one. Three segments become a label map in JPEG-LS, a single one becomes a binary segmentation. Time
is that of the call alone: imports, and for highdicom the reading of the array, come before. Memory
is the peak of the whole process.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
import numpy as np

from wsiweb_benchmarks import memory
from wsiweb_benchmarks.statistics import summarise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

__all__ = ["WAYS", "Case", "Figures", "main", "measured", "prepare", "table"]

_MODULE = "wsiweb_benchmarks.results.masks"  # which is __main__ while it runs
_MASK, _SLIDE = "mask.zarr", "slide.json"
_CHUNK = 1024
_NAMES = ("Neoplasm", "Necrosis", "Inflammation")
_PATTERNS = 16  # different chunks that a mask is made of
_GRAIN = 32  # pixels: size of what a mask shows
_SHARE = 0.45  # of tiles that are not empty


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured.

    Attributes
    ----------
    side : int
        Width and height of the slide in pixels.
    segments : int
        1 to 3.
    tile : int
        Width and height of a tile.
    factors : tuple of int
        Downsamples of the slide's levels.
    """

    side: int
    segments: int = 1
    tile: int = 512
    factors: tuple[int, ...] = (1, 2, 4, 8, 16, 32)


class Figures(msgspec.Struct, frozen=True):
    """What came out of one process.

    Attributes
    ----------
    seconds : float
        Of the call alone.
    peak : int
        Most bytes that were resident, of the whole process.
    objects, size : int
        How many files were made, and their bytes.
    """

    seconds: float
    peak: int
    objects: int
    size: int


def _make_mask(path: Path, case: Case, seed: int = 0) -> None:
    """Write a label mask as a zarr array: blots in a region that has 45 % of all tiles.

    Parameters
    ----------
    path : Path
        Where to.
    case : Case
        Of what size.
    seed : int
        Of what it shows.
    """
    import zarr

    random = np.random.default_rng(seed)
    patterns = [_pattern(random, case.segments) for _ in range(_PATTERNS)]
    count = -(-case.side // _CHUNK)
    field = _smooth(random.random((count, count)), 3)
    array = zarr.create_array(
        path, shape=(case.side, case.side), chunks=(_CHUNK, _CHUNK), dtype=np.uint8, fill_value=0
    )
    for row, column in np.argwhere(field >= np.quantile(field, 1 - _SHARE)):
        y, x = row * _CHUNK, column * _CHUNK
        part = patterns[random.integers(_PATTERNS)]
        array[y : y + _CHUNK, x : x + _CHUNK] = part[: case.side - y, : case.side - x]


def _pattern(random: np.random.Generator, segments: int) -> NDArray[np.uint8]:
    """Return a chunk of blots with rough edges."""
    coarse = _smooth(random.random((_CHUNK // _GRAIN,) * 2), 1)
    field = np.kron(coarse, np.ones((_GRAIN, _GRAIN))) + random.normal(0, 0.01, (_CHUNK,) * 2)
    field = _smooth(field, 2)
    edges = np.quantile(field, np.linspace(0.5, 1, segments + 1)[:-1])
    return np.digitize(field, edges).astype(np.uint8)


def _smooth(field: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    for axis in (0, 1):
        shifted = [np.roll(field, shift, axis) for shift in range(-radius, radius + 1)]
        field = np.mean(shifted, axis=0)
    return field


def _make_slide(path: Path, case: Case) -> None:
    """Write the headers of a slide of that size as DICOM JSON; nothing else of it exists."""
    import pydicom

    from wsiweb import synthetic

    with tempfile.TemporaryDirectory() as folder:
        made = synthetic.write_slide(
            folder, 256, 256, seed=1, tile_size=256, label=False, overview=False, thumbnail=False
        )
        first = pydicom.dcmread(made.levels[0], stop_before_pixels=True)
    levels = [_enlarged(first, case, number) for number in range(len(case.factors))]
    path.write_text(json.dumps([level.to_json_dict() for level in levels]))


def _enlarged(header: Dataset, case: Case, number: int) -> Dataset:
    factor = case.factors[number]
    side = -(-case.side // factor)
    level = copy.deepcopy(header)
    level.SOPInstanceUID = f"{header.SOPInstanceUID[:50]}.{number}"
    level.InstanceNumber = number + 1
    level.TotalPixelMatrixColumns = level.TotalPixelMatrixRows = side
    level.NumberOfFrames = (-(-side // int(level.Columns))) ** 2
    level.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED" if number else "NONE"]
    measures = level.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    measures.PixelSpacing = [float(step) * factor for step in measures.PixelSpacing]
    return level


class Wsiweb:
    """Reads the array block by block, and writes the pyramid too."""

    name = "wsiweb"
    pyramid = True

    def __init__(self, case: Case, place: Path, folder: Path) -> None:
        import datetime

        import highdicom.seg  # noqa: F401 - imports are no part of the time
        import jpeg_ls  # noqa: F401
        import zarr

        from wsiweb.pixels.headers import read_pyramid
        from wsiweb.results.identity import Algorithm
        from wsiweb.results.objects import Maker, Objects
        from wsiweb.results.source import Source
        from wsiweb.wire.dicomjson import Attributes

        attributes = Attributes.decode((place / _SLIDE).read_bytes())
        pyramid = read_pyramid(attributes)
        self._case = case
        self._source = Source(pyramid, attributes)
        self._mask = zarr.open_array(place / _MASK, mode="r")
        maker = Maker(
            study_uid=pyramid.study_uid,
            source_series_uid=pyramid.series_uid,
            name="measured",
            created=datetime.datetime.now(datetime.UTC),
            algorithm=Algorithm(name="measured", version="1"),
            creator="",
            deterministic=False,
        )
        self._objects = Objects(folder / "objects", maker, {})

    def run(self) -> list[Path]:
        """Write the objects, and return them."""
        from wsiweb.results.masks.mask import add_mask

        made = add_mask(
            self._source,
            self._objects,
            self._mask,
            segments=_NAMES[: self._case.segments],
            profile="slim" if self._case.segments == 1 else "standard",
            tile_size=self._case.tile,
            pyramid=self.pyramid,
        )
        return [one.path for one in made]


class WsiwebAlone(Wsiweb):
    """Writes one level, as highdicom does."""

    name = "wsiweb, one level"
    pyramid = False


class Highdicom:
    """Has all of the array in memory, and writes one level."""

    name = "highdicom, one level"

    def __init__(self, case: Case, place: Path, folder: Path) -> None:
        import highdicom
        import jpeg_ls  # noqa: F401 - as above
        import zarr
        from pydicom.dataset import Dataset
        from pydicom.sr.codedict import codes

        self._case = case
        self._header = Dataset.from_json(json.loads((place / _SLIDE).read_text())[0])
        self._mask: Any = zarr.open_array(place / _MASK, mode="r")[:]
        self._folder = folder
        self._described = [
            highdicom.seg.SegmentDescription(
                segment_number=number,
                segment_label=name,
                segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
                segmented_property_type=getattr(codes.SCT, name),
                algorithm_type="MANUAL",
            )
            for number, name in enumerate(_NAMES[: case.segments], 1)
        ]

    def run(self) -> list[Path]:
        """Write the object, and return it."""
        import highdicom
        from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless

        labels = self._case.segments > 1
        made = highdicom.seg.Segmentation(
            [self._header],
            self._mask,
            "LABELMAP" if labels else "BINARY",
            self._described,
            series_instance_uid=highdicom.UID(),
            series_number=1,
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer="measured",
            manufacturer_model_name="measured",
            software_versions="1",
            device_serial_number="0",
            tile_pixel_array=True,
            tile_size=(self._case.tile, self._case.tile),
            transfer_syntax_uid=JPEGLSLossless if labels else ExplicitVRLittleEndian,
            dimension_organization_type="TILED_FULL" if labels else "TILED_SPARSE",
            omit_empty_frames=not labels,
        )
        path = self._folder / "highdicom.dcm"
        made.save_as(path)
        return [path]


WAYS = {way.name: way for way in (Wsiweb, WsiwebAlone, Highdicom)}
"""What is compared, by name."""


def prepare(place: Path, case: Case) -> None:
    """Make what all ways are given, in a folder, if it is not there."""
    place.mkdir(parents=True, exist_ok=True)
    if not (place / _MASK).exists():
        _make_mask(place / _MASK, case)
    _make_slide(place / _SLIDE, case)


def measured(name: str, case: Case, place: Path) -> Figures:
    """Measure one way in a process of its own, with what `prepare` made."""
    job = json.dumps([name, msgspec.to_builtins(case), str(place)])
    command = [sys.executable, "-m", _MODULE, "--child", job]
    known = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ran = subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, check=False, env=known
    )
    if ran.returncode:
        raise RuntimeError(f"{name} failed: {ran.stderr.strip()[-500:]}")
    return msgspec.json.decode(ran.stdout.splitlines()[-1], type=Figures)


def _measure(name: str, case: Case, place: Path) -> Figures:
    with tempfile.TemporaryDirectory(dir=place) as folder:
        way = WAYS[name](case, place, Path(folder))
        start = time.perf_counter()
        paths = way.run()
        seconds = time.perf_counter() - start
        sizes = [path.stat().st_size for path in paths]
        return Figures(seconds, memory.peak(), len(paths), sum(sizes))


def table(case: Case, found: dict[str, Sequence[Figures]]) -> str:
    """Return a table in Markdown: a line for each way, medians of its repeats."""
    kind = "binary" if case.segments == 1 else f"label map of {case.segments} segments, JPEG-LS"
    lines = [
        f"A mask of {case.side} x {case.side} pixels from zarr, {kind}, tiles of {case.tile}:",
        "",
        "| way | seconds | peak memory, MB | objects | MB |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, figures in found.items():
        seconds = summarise([one.seconds for one in figures])
        peak = max(one.peak for one in figures) / 2**20
        first = figures[0]
        lines.append(
            f"| {name} | {seconds.median:.2f} ± {seconds.spread:.2f} | {peak:.0f} | "
            f"{first.objects} | {first.size / 1e6:.1f} |"
        )
    return "\n".join(lines)


def _compared(case: Case, place: Path, repeats: int, ways: Sequence[str]) -> str:
    found: dict[str, list[Figures]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name in ways:
            found[name].append(measured(name, case, place))
    return table(case, dict(found))


@click.command(help=__doc__)
@click.option("--side", default=40_000, help="Width and height of the slide in pixels.")
@click.option(
    "--segments", type=click.IntRange(1, 3), default=1, help="1: binary; else a label map."
)
@click.option("--tile", default=512, help="Width and height of a tile.")
@click.option("--repeats", default=3, help="How often each is measured, in turn.")
@click.option("--way", "ways", multiple=True, type=click.Choice(list(WAYS)), help="Only these.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where masks are, or are made.")
@click.option("--child", hidden=True, default="")
def main(
    side: int,
    segments: int,
    tile: int,
    repeats: int,
    ways: tuple[str, ...],
    folder: Path | None,
    child: str,
) -> None:
    """Measure, and print a table."""
    if child:
        name, values, path = json.loads(child)
        figures = _measure(name, msgspec.convert(values, Case), Path(path))
        click.echo(msgspec.json.encode(figures).decode())
        return
    case = Case(side=side, segments=segments, tile=tile)
    with tempfile.TemporaryDirectory() as own:
        place = (folder or Path(own)) / f"{side}-{segments}"
        prepare(place, case)
        click.echo(_compared(case, place, repeats, ways or tuple(WAYS)))


if __name__ == "__main__":
    main()
