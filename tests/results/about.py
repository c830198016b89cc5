"""What results are made about, and where they are put: for the tests of all rooms."""

from __future__ import annotations

import datetime
from pathlib import Path

import pydicom

from wsiweb.pixels.headers import read_pyramid
from wsiweb.results.identity import Algorithm
from wsiweb.results.objects import Maker, Objects
from wsiweb.results.source import Source
from wsiweb.wire.dicomjson import Attributes

CREATED = datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.UTC)
ALGORITHM = Algorithm(name="Nuclear-Möhre", version="1.2", parameters={"threshold": 0.5})

# Along a row and down a column: all eight ways in which a slide can lie with its edges along the
# axes, turned by quarters, and mirrored.
ORIENTATIONS = {
    "upright": (1, 0, 0, 0, 1, 0),
    "quarter": (0, 1, 0, -1, 0, 0),
    "half": (-1, 0, 0, 0, -1, 0),
    "three quarters": (0, -1, 0, 1, 0, 0),
    "mirrored": (-1, 0, 0, 0, 1, 0),
    "upside down": (1, 0, 0, 0, -1, 0),
    "transposed": (0, 1, 0, 1, 0, 0),
    "usual": (0, -1, 0, -1, 0, 0),
}


def headers_of(paths) -> list[pydicom.Dataset]:
    """The headers of files, without pixels."""
    return [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]


def source_of(headers) -> Source:
    """The slide that headers, or the files of a folder, describe."""
    if isinstance(headers, Path):
        headers = headers_of(sorted(headers.glob("*.dcm")))
    attributes = [Attributes.of(header.to_json_dict()) for header in headers]
    return Source(read_pyramid(attributes), attributes)


def turned(headers, orientation) -> list[pydicom.Dataset]:
    """Headers of the same slide, had it lain otherwise on the glass."""
    for header in headers:
        header.ImageOrientationSlide = list(orientation)
    return headers


def objects_in(folder: Path, source: Source, *, deterministic=False, creator="Doe^Jäne") -> Objects:
    """A place for what is made of a slide."""
    maker = Maker(
        study_uid=source.pyramid.study_uid,
        source_series_uid=source.pyramid.series_uid,
        name="Tumor-Wahrscheinlichkeit ≥ 0,5",
        created=CREATED,
        algorithm=ALGORITHM,
        creator=creator,
        deterministic=deterministic,
    )
    return Objects(folder, maker, {})
