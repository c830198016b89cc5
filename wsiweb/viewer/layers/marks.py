"""Stored annotations and reports as layers of shapes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb.results.reading.segments import color_at
from wsiweb.results.shapes.shapes import Shapes
from wsiweb.viewer.layers.layer import About, Part, hexadecimal
from wsiweb.viewer.layers.shapes import ShapeLayer
from wsiweb.words import unit_of

if TYPE_CHECKING:
    from wsiweb.pixels.pyramid import Pyramid
    from wsiweb.results.reading.annotation_group import AnnotationGroup
    from wsiweb.results.reading.annotations import Annotations
    from wsiweb.results.reading.report import Report
    from wsiweb.results.reports.findings import Finding
    from wsiweb.results.shapes.shapes import ShapeKind

__all__ = ["annotation_layer", "report_layer"]

_LEAST: dict[str, int] = {"point": 1, "polyline": 2, "polygon": 3, "ellipse": 4}


# Annotations --------------------------------------------------------------------------------


def annotation_layer(pyramid: Pyramid, found: Annotations) -> ShapeLayer:
    """Return annotations as a layer: each group is a part."""
    algorithms = (group.algorithm for group in found.groups)
    about = About(
        id=found.instance_uid,
        kind="annotations",
        title=found.name,
        creator=next(filter(None, algorithms), ""),
        created=found.created,
        series_uid=found.series_uid,
        instance_uids=(found.instance_uid,),
        parts=tuple(
            Part(
                id=str(place),
                name=group.label or group.type.meaning or group.kind,
                color=hexadecimal(color_at(group.color, place)),
                count=len(group),
            )
            for place, group in enumerate(found.groups)
        ),
    )
    return ShapeLayer(about, pyramid, [_Group(group) for group in found.groups])


class _Group:
    """The annotations of a group."""

    def __init__(self, group: AnnotationGroup) -> None:
        self._group = group

    async def load(self) -> Shapes:
        return await self._group.shapes_async()

    def said(self, shapes: Shapes, row: int) -> dict[str, Any]:
        units = [unit_of(*unit) for _, unit in self._group.quantities]
        measured = zip(shapes.measurements.items(), units, strict=True)
        return {
            "index": row,
            "name": self._group.label or self._group.type.meaning,
            "measurements": [
                {"name": name, "value": float(values[row]), "unit": unit}
                for (name, values), unit in measured
                if math.isfinite(values[row])
            ],
        }


# Reports ------------------------------------------------------------------------------------


def report_layer(pyramid: Pyramid, found: Report) -> ShapeLayer:
    """Return a report as a layer: the findings of one type, and drawn alike, are a part.

    Findings without a region on the slide are not shown.
    """
    sorted_out: dict[tuple[str, ShapeKind], list[int]] = {}
    for number, finding in enumerate(found.findings):
        kind = _drawable(finding)
        if kind is not None:
            sorted_out.setdefault((_meaning(finding.type), kind), []).append(number)
    names = list(dict.fromkeys(name for name, _ in sorted_out))
    about = About(
        id=found.instance_uid,
        kind="report",
        title=found.name or found.title.meaning,
        creator=", ".join(one.name for one in found.observers if one.name),
        created=found.created,
        series_uid=found.series_uid,
        instance_uids=(found.instance_uid,),
        parts=tuple(
            Part(
                id=str(place),
                name=name or "Findings",
                color=hexadecimal(color_at(None, names.index(name))),
                count=len(numbers),
            )
            for place, ((name, _), numbers) in enumerate(sorted_out.items())
        ),
    )
    parts = [
        _Findings(kind, {number: found.findings[number] for number in numbers})
        for (_, kind), numbers in sorted_out.items()
    ]
    return ShapeLayer(about, pyramid, parts)


def _drawable(finding: Finding) -> ShapeKind | None:
    """Return what is drawn of a finding; None where it has no region, or a damaged one."""
    region = finding.region
    if region is None or region.kind not in _LEAST:
        return None
    count = len(region.points)
    fits = count == _LEAST["ellipse"] if region.kind == "ellipse" else count >= _LEAST[region.kind]
    return region.kind if fits and np.isfinite(region.points).all() else None


def _meaning(term: Any) -> str:
    """Return a coded term, (value, scheme, meaning), as people read it."""
    return "" if term is None else term[2] or term[0]


def _unit(term: Any) -> str:
    return unit_of(term[0], term[1], term[2])


class _Findings:
    """Findings of one type and kind, by number."""

    def __init__(self, kind: ShapeKind, findings: dict[int, Finding]) -> None:
        points = [finding.region.points for finding in findings.values()]
        counts = [1 if kind != "point" else len(one) for one in points]
        lengths = [1] * sum(counts) if kind == "point" else [len(one) for one in points]
        self._findings = findings
        self._owners = np.repeat(list(findings), counts)
        self._shapes = Shapes(
            kind=kind,
            coordinates=np.concatenate(points),
            index=np.cumsum([0, *lengths[:-1]]),
            class_of=np.zeros(len(lengths), np.int32),
        )

    async def load(self) -> Shapes:
        return self._shapes

    def said(self, shapes: Shapes, row: int) -> dict[str, Any]:
        del shapes
        number = int(self._owners[row])
        finding = self._findings[number]
        judged = [
            {"name": _meaning(name), "value": _meaning(value), "unit": ""}
            for name, value in finding.evaluations
        ]
        measured = [
            {"name": _meaning(name), "value": value, "unit": _unit(unit)}
            for name, value, unit in finding.measurements
        ]
        name = finding.label or _meaning(finding.type)
        return {"index": number, "name": name, "measurements": measured + judged}
