"""One result of each kind, about any slide: for what all of them have to fulfil."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from results.masks.drawn import labels

from wsiweb.results.heatmaps.heatmap import add_heatmap
from wsiweb.results.images.image import add_image
from wsiweb.results.masks.mask import add_mask
from wsiweb.results.masks.segments import Segment
from wsiweb.results.reports.findings import Finding
from wsiweb.results.reports.report import add_report
from wsiweb.results.shapes.annotations import add_annotations
from wsiweb.results.shapes.shapes import Shapes

if TYPE_CHECKING:
    from wsiweb.results.objects import Objects, ResultObject
    from wsiweb.results.source import Source

__all__ = ["KINDS", "make"]

TERM = ("T1", "99TEST", "Größe ≥ 3, Опухоль, 面積")
"""A text that Latin-1 lacks, wherever a text may be."""

SHAPES = {
    "polygon": [[1, 2], [30, 4], [20, 25]],
    "point": [[1, 2], [3, 4]],
    "ellipse": [[1, 15], [29, 15], [15, 10], [15, 20]],
}


def _size(source: Source) -> tuple[int, int]:
    return source.pyramid.levels[0].size


def _mask(source, objects, **told):
    segments = [Segment(label=TERM[2], type=TERM), "Necrosis", "Inflammation"]
    mask = labels(_size(source), 3)
    if told.get("kind") == "fractional":
        mask = np.stack([mask == number for number in (1, 2, 3)], axis=-1) / 2
    return add_mask(
        source, objects, mask, segments=segments, description=TERM[2], tile_size=(40, 33), **told
    )


def _annotations(source, objects, **told):
    counts = {"point": 2}
    groups = [
        Shapes.of(
            kind,
            points,
            classes=TERM[2],
            measurements={TERM[2]: [1.5] * counts.get(kind, 1)},
        )
        for kind, points in SHAPES.items()
    ]
    return add_annotations(source, objects, groups, type=TERM, description=TERM[2], **told)


def _map(source, objects, **told):
    width, height = _size(source)
    values = np.linspace(0, 1, width * height).reshape(height, width)
    values[0, 0] = np.nan
    told |= {"label": TERM[2][:15], "description": TERM[2]}
    return add_heatmap(source, objects, values, level=0, quantity=TERM, tile_size=64, **told)


def _report(source, objects, **told):
    area = ("SCT:Area", 1.25, "UCUM:SquareMicrometer")
    findings = [
        Finding(region=[[1, 2], [30, 4], [20, 25]], type=TERM, label=TERM[2], measurements=[area]),
        Finding(region=[1, 2], evaluations=[(TERM, TERM)]),
        Finding(measurements=[area]),
    ]
    return add_report(source, objects, findings, **told)


def _image(source, objects, **told):
    width, height = _size(source)
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return add_image(source, objects, pixels, description=TERM[2], tile_size=64, **told)


KINDS = {
    "binary mask": (_mask, {}),
    "label map": (_mask, {"profile": "standard"}),
    "fractional mask": (_mask, {"kind": "fractional"}),
    "annotations 2D": (_annotations, {}),
    "annotations 3D": (_annotations, {"coordinates": "3d"}),
    "map of 16 bits": (_map, {}),
    "map of floats": (_map, {"encoding": "float32", "palette": None}),
    "report 2D": (_report, {"coordinates": "2d"}),
    "report 3D": (_report, {}),
    "image": (_image, {}),
    "image in JPEG": (_image, {"encoding": "jpeg"}),
}


def make(kind: str, source: Source, objects: Objects) -> tuple[ResultObject, ...]:
    """Make one of `KINDS` about a slide of at least 40 x 40 pixels."""
    add, told = KINDS[kind]
    return add(source, objects, **told)
