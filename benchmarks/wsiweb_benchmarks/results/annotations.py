"""A million polygons to Microscopy Bulk Simple Annotations, by wsiweb and by highdicom.

``python -m wsiweb_benchmarks.results.annotations [--polygons 1000000]`` makes flat arrays of
nuclei, 25 corners each, and writes them, each time in a fresh process: with wsiweb as they are,
with highdicom split into an array for each nucleus, as it wants them. Time is that of the call
alone, splitting included; imports and the making of the arrays come before. Memory is the peak of
the whole process, in which the arrays are. A last line is of GeoJSON: read, and written as DICOM.
"""

from __future__ import annotations

import datetime
import json
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

__all__ = ["WAYS", "Figures", "main", "measured", "nuclei", "prepare", "table"]

_MODULE = "wsiweb_benchmarks.results.annotations"  # which is __main__ while it runs
_SLIDE, _GEOJSON = "slide.json", "nuclei.geojson"
_SIDE = 40_000  # pixels of the slide, along an edge
_CORNERS = 25
_RADII = (5.0, 15.0)
_AT_ONCE = 50_000
_WINDOW = 2000  # pixels along an edge


class Figures(msgspec.Struct, frozen=True):
    """What came out of one process.

    Attributes
    ----------
    seconds : float
        Of the call alone.
    peak : int
        Most bytes that were resident, of the whole process.
    size : int
        Bytes of the file.
    window : float
        Seconds in which the polygons in a window are found; 0 where that is not offered.
    path : str
        The file.
    """

    seconds: float
    peak: int
    size: int
    window: float
    path: str


def nuclei(count: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return corners, shape (25 count, 2), and the first corner of each nucleus."""
    random = np.random.default_rng(0)
    corners = np.empty((count, _CORNERS, 2))
    angles = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    turned = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    for start in range(0, count, _AT_ONCE):
        part = corners[start : start + _AT_ONCE]
        centres = random.uniform(_RADII[1], _SIDE - _RADII[1], (len(part), 1, 2))
        radii = random.uniform(*_RADII, (len(part), _CORNERS, 1))
        part[:] = centres + radii * turned
    return corners.reshape(-1, 2), np.arange(count) * _CORNERS


def _slide_header() -> dict[str, Any]:
    """Return the header of a slide of that size as DICOM JSON; nothing else of it exists."""
    import pydicom

    from wsiweb import synthetic

    with tempfile.TemporaryDirectory() as folder:
        made = synthetic.write_slide(
            folder, 256, 256, seed=1, levels=(1,), label=False, overview=False, thumbnail=False
        )
        header = pydicom.dcmread(made.levels[0], stop_before_pixels=True)
    header.TotalPixelMatrixColumns = header.TotalPixelMatrixRows = _SIDE
    header.NumberOfFrames = (-(-_SIDE // int(header.Columns))) ** 2
    return header.to_json_dict()


def prepare(place: Path, count: int, *, geojson: bool = True) -> None:
    """Make what the ways are given beside arrays, in a folder."""
    from wsiweb.results.shapes.features import write_geojson
    from wsiweb.results.shapes.shapes import Shapes

    place.mkdir(parents=True, exist_ok=True)
    (place / _SLIDE).write_text(json.dumps([_slide_header()]))
    if geojson and not (place / _GEOJSON).exists():
        write_geojson(place / _GEOJSON, Shapes.of("polygon", *nuclei(count)))


class Wsiweb:
    """Writes flat arrays."""

    name = "wsiweb"

    def __init__(self, count: int, place: Path, folder: Path) -> None:
        import highdicom.ann  # noqa: F401 - imports are no part of the time
        from pydicom.sr import codedict  # noqa: F401

        from wsiweb.pixels.headers import read_pyramid
        from wsiweb.results.identity import Algorithm
        from wsiweb.results.objects import Maker, Objects
        from wsiweb.results.shapes import annotations  # noqa: F401
        from wsiweb.results.source import Source
        from wsiweb.wire.dicomjson import Attributes

        attributes = Attributes.decode((place / _SLIDE).read_bytes())
        pyramid = read_pyramid(attributes)
        self._source = Source(pyramid, attributes)
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
        self._given: Any = self._prepared(count, place)
        self._shapes: Any = None

    def _prepared(self, count: int, place: Path) -> Any:  # noqa: ARG002 - the other way's
        return nuclei(count)

    def _read(self) -> Any:
        from wsiweb.results.shapes.shapes import Shapes

        return Shapes.of("polygon", *self._given)

    def run(self) -> Path:
        """Write the object, and return it."""
        from wsiweb.results.shapes.annotations import add_annotations

        self._shapes = self._read()
        (made,) = add_annotations(self._source, self._objects, self._shapes, type="Nucleus")
        return made.path

    def window(self) -> float:
        """Return the seconds that a window takes, when it is not the first."""
        from wsiweb.results.shapes.places import Places

        places = Places(self._shapes)
        start = time.perf_counter()
        found = places.window((_SIDE / 3, _SIDE / 3), (_WINDOW, _WINDOW))
        seconds = time.perf_counter() - start
        share = len(found) / len(self._shapes)
        if len(self._shapes) > 10_000 and not 0.5 < share / (_WINDOW / _SIDE) ** 2 < 2:
            raise RuntimeError(f"The window has {len(found)} polygons.")
        return seconds


class WsiwebGeojson(Wsiweb):
    """Reads GeoJSON, and writes it."""

    name = "wsiweb, from GeoJSON"

    def _prepared(self, count: int, place: Path) -> Any:  # noqa: ARG002 - the other way's
        return place / _GEOJSON

    def _read(self) -> Any:
        from wsiweb.results.shapes.geojson import read_geojson

        (shapes,) = read_geojson(self._given)
        return shapes


class Highdicom:
    """Has an array for each polygon."""

    name = "highdicom"

    def __init__(self, count: int, place: Path, folder: Path) -> None:
        import highdicom.ann  # noqa: F401 - as above
        from pydicom.dataset import Dataset
        from pydicom.sr import codedict  # noqa: F401

        self._header: Dataset = Dataset.from_json(json.loads((place / _SLIDE).read_text())[0])
        self._given = nuclei(count)
        self._folder = folder

    def run(self) -> Path:
        """Write the object, and return it."""
        import highdicom
        from pydicom.sr.codedict import codes

        corners, index = self._given
        group = highdicom.ann.AnnotationGroup(
            number=1,
            uid=highdicom.UID(),
            label="nuclei",
            annotated_property_category=codes.SCT.AnatomicalStructure,
            annotated_property_type=codes.SCT.Nucleus,
            graphic_type="POLYGON",
            graphic_data=np.split(corners, index[1:]),
            algorithm_type="MANUAL",
        )
        made = highdicom.ann.MicroscopyBulkSimpleAnnotations(
            source_images=[self._header],
            annotation_coordinate_type="2D",
            annotation_groups=[group],
            series_instance_uid=highdicom.UID(),
            series_number=1,
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer="measured",
            manufacturer_model_name="measured",
            software_versions="1",
            device_serial_number="0",
        )
        path = self._folder / "highdicom.dcm"
        made.save_as(path)
        return path

    def window(self) -> float:
        """Return nothing: it has no such thing."""
        return 0.0


WAYS: dict[str, Any] = {way.name: way for way in (Wsiweb, Highdicom, WsiwebGeojson)}
"""What is compared, by name."""


def measured(name: str, count: int, place: Path, folder: Path) -> Figures:
    """Measure one way in a process of its own; the file is left in a folder."""
    job = json.dumps([name, count, str(place), str(folder)])
    command = [sys.executable, "-m", _MODULE, "--child", job]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if ran.returncode:
        raise RuntimeError(f"{name} failed: {ran.stderr.strip()[-500:]}")
    return msgspec.json.decode(ran.stdout.splitlines()[-1], type=Figures)


def _measure(name: str, count: int, place: Path, folder: Path) -> Figures:
    way = WAYS[name](count, place, folder)
    start = time.perf_counter()
    path = way.run()
    seconds = time.perf_counter() - start
    peak = memory.peak()  # before the window is looked at, which highdicom does not do
    return Figures(seconds, peak, path.stat().st_size, way.window(), str(path))


def table(count: int, found: dict[str, Sequence[Figures]]) -> str:
    """Return a table in Markdown: a line for each way, medians of its repeats."""
    lines = [
        f"{count} polygons of {_CORNERS} corners each ({count * _CORNERS} in all):",
        "",
        "| way | seconds | peak memory, MB | file, MB | a window, ms |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, figures in found.items():
        seconds = summarise([one.seconds for one in figures])
        peak = max(one.peak for one in figures) / 2**20
        window = summarise([one.window for one in figures]).median * 1000
        lines.append(
            f"| {name} | {seconds.median:.2f} ± {seconds.spread:.2f} | {peak:.0f} | "
            f"{figures[0].size / 1e6:.1f} | {f'{window:.1f}' if window else '-'} |"
        )
    return "\n".join(lines)


def _compared(count: int, place: Path, repeats: int, ways: Sequence[str]) -> str:
    found: dict[str, list[Figures]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name in ways:
            with tempfile.TemporaryDirectory(dir=place) as folder:
                found[name].append(measured(name, count, place, Path(folder)))
    return table(count, dict(found))


@click.command(help=__doc__)
@click.option("--polygons", type=click.IntRange(min=1), default=1_000_000, help="How many.")
@click.option("--repeats", default=3, help="How often each is measured, in turn.")
@click.option("--way", "ways", multiple=True, type=click.Choice(list(WAYS)), help="Only these.")
@click.option("--child", hidden=True, default="")
def main(polygons: int, repeats: int, ways: tuple[str, ...], child: str) -> None:
    """Measure, and print a table."""
    if child:
        name, count, place, folder = json.loads(child)
        figures = _measure(name, count, Path(place), Path(folder))
        click.echo(msgspec.json.encode(figures).decode())
        return
    chosen = ways or tuple(WAYS)
    with tempfile.TemporaryDirectory() as own:
        prepare(Path(own), polygons, geojson=WsiwebGeojson.name in chosen)
        click.echo(_compared(polygons, Path(own), repeats, chosen))


if __name__ == "__main__":
    main()
