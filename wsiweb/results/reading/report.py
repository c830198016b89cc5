"""Reports read back: Structured Reports of the template Measurement Report (PS3.16 TID 1500).

Everything stands in the metadata, so that nothing is fetched but what was found. What this template
does not have, such as free text elsewhere in the document, is passed over.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb import loop
from wsiweb.arguments import folder_of
from wsiweb.errors import ProtocolError, SlideError
from wsiweb.pixels.optional import if_readable
from wsiweb.results.reading.concepts import Concept
from wsiweb.results.reading.find import find
from wsiweb.results.reports.findings import Evaluation, Finding, Measurement, Region
from wsiweb.wire.dicomjson import Attributes

if TYPE_CHECKING:
    import datetime
    import os
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from wsiweb.frames import Frames
    from wsiweb.pixels.pyramid import Pyramid
    from wsiweb.results.reading.find import Stored

__all__ = ["Observer", "Report", "read_reports"]

# What items are called (PS3.16 annex D), as (value, scheme).
_GROUP = ("125007", "DCM")
_TRACKING_LABEL = ("112039", "DCM")
_TRACKING_UID = ("112040", "DCM")
_FINDING = ("121071", "DCM")
_CATEGORIES = {("276214006", "SCT"), ("276214006", "SRT"), ("G-C171", "SRT")}
_SITES = {("363698007", "SCT"), ("G-C0E3", "SRT")}
_METHOD = ("370129005", "SCT")
_PURPOSE = ("130400", "DCM")  # geometric purpose of the region
_OBSERVER_TYPE = ("121005", "DCM")
_OBSERVER_NAMES = {("121008", "DCM"), ("121013", "DCM")}  # of a person, of a device
_PERSON = ("121006", "DCM")
# Codes of a group that are no judgement of it.
_NO_EVALUATIONS = {_FINDING, _METHOD, _PURPOSE} | _CATEGORIES | _SITES
# What outlines a finding without coordinates: a segment, a frame of one, a region in space.
_OUTLINES = {("121191", "DCM"), ("121214", "DCM"), ("130488", "DCM")}
_UNKNOWN = Region("unknown", np.empty((0, 2)))
_KINDS = {"POINT": "point", "POLYLINE": "polyline", "POLYGON": "polygon", "ELLIPSE": "ellipse"}
_DEEPEST = 16  # levels of the tree in which groups are looked for

Code = tuple[str, str]


@dataclass(frozen=True)
class Observer:
    """Who observed.

    Attributes
    ----------
    kind : str
        ``"person"`` or ``"device"``.
    name : str
        As a DICOM person name, or as the device is called; may be empty.
    """

    kind: str
    name: str


async def read_reports(pyramid: Pyramid, connect: Callable[[], Frames]) -> list[Report]:
    """Return the reports about a slide that an archive holds.

    Parameters
    ----------
    pyramid : Pyramid
        The slide; to be called on the library's event loop.
    connect : callable
        Returns the frames of the archive, as for `wsiweb.results.reading.heatmap.read_heatmaps`.

    Returns
    -------
    list of Report
        The newest first. One that cannot be read is left out, and a warning says why.

    Raises
    ------
    ArchiveError
        When the archive does not answer.
    """
    found: list[Report] = []
    for stored in await find(connect().client, pyramid, "report"):
        try:
            found.append(Report(pyramid, stored, connect))
        except SlideError as error:
            warnings.warn(
                f"The report in instance {stored.instance_uid} is left out: {error}", stacklevel=2
            )
    return found


class Report:
    """A report about a slide in an archive; all of it is there.

    From `wsiweb.Slide.reports`. It can be pickled.

    Parameters
    ----------
    pyramid : Pyramid
        The slide.
    stored : Stored
        The object.
    connect : callable
        Returns the frames of the archive.

    Raises
    ------
    SlideError
        For a document that cannot be read; names the instance.
    """

    def __init__(self, pyramid: Pyramid, stored: Stored, connect: Callable[[], Frames]) -> None:
        self._pyramid = pyramid
        self._stored = stored
        self._connect = connect
        try:
            self._title = Concept.of(stored.header.item("ConceptNameCodeSequence"))
            self._observers = tuple(_observers(stored.header))
            reader = _Groups(pyramid, stored.instance_uid)
            self._findings = tuple(reader.finding(group) for group in _groups(stored.header))
        except ProtocolError as error:
            raise SlideError(f"Instance {stored.instance_uid}: {error.message}") from error

    def __reduce__(self) -> tuple[Any, ...]:
        return (Report, (self._pyramid, self._stored, self._connect))

    def __repr__(self) -> str:
        return f"<Report {self.name!r}: {self.title.meaning}, {len(self.findings)} findings>"

    @property
    def name(self) -> str:
        """Name of the result."""
        return self._stored.name

    @property
    def created(self) -> datetime.datetime | None:
        """When it was made, if that is said."""
        return self._stored.created

    @property
    def series_uid(self) -> str:
        """Series Instance UID: that of the report, not of the slide."""
        return self._stored.series_uid

    @property
    def instance_uid(self) -> str:
        """SOP Instance UID."""
        return self._stored.instance_uid

    @property
    def title(self) -> Concept:
        """What the document is called."""
        return self._title

    @property
    def observers(self) -> tuple[Observer, ...]:
        """Who observed: persons and devices, in the order of the document."""
        return self._observers

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found, in the order of the document.

        Each has its region as a `Region` in level-0 pixels, or None for the whole slide; terms are
        (value, scheme, meaning). They may be given to `wsiweb.results.ResultSession.add_report`
        again, except those with a region of kind ``"unknown"``: outlined by a segmentation, or by
        coordinates that are not on this slide.
        """
        return self._findings

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain values, such as JSON can hold.

        Returns
        -------
        dict
            ``title``, ``observers`` and ``findings``; terms are dicts of value, scheme and meaning,
            points are lists [x, y] in level-0 pixels.
        """
        return {
            "name": self.name,
            "title": self.title._asdict(),
            "observers": [{"kind": one.kind, "name": one.name} for one in self.observers],
            "findings": [_as_dict(finding) for finding in self.findings],
        }

    def save(self, folder: str | os.PathLike[str]) -> tuple[Path]:
        """Fetch its object into a folder, which is made if it is not there, as it is stored.

        Returns
        -------
        tuple of Path
            The file, named by its SOPInstanceUID; one of that name is replaced.

        Raises
        ------
        ArchiveError
            When the archive does not send it.
        """
        one = self._stored
        path = folder_of(folder, "save") / f"{one.instance_uid}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        client = self._connect().client
        loop.run(client.instance(one.study_uid, one.series_uid, one.instance_uid, path))
        return (path,)


def _as_dict(finding: Finding) -> dict[str, Any]:
    region: Region | None = finding.region
    return {
        "label": finding.label,
        "uid": finding.uid,
        "kind": "slide" if region is None else region.kind,
        "points": [] if region is None else region.points.tolist(),
        "type": _term(finding.type),
        "category": _term(finding.category),
        "sites": [_term(site) for site in finding.sites],
        "measurements": [
            {"name": _term(name), "value": value, "unit": _term(unit)}
            for name, value, unit in finding.measurements
        ],
        "evaluations": [
            {"name": _term(name), "value": _term(value)} for name, value in finding.evaluations
        ],
    }


def _term(concept: Any) -> dict[str, str] | None:
    return None if concept is None else concept._asdict()


# The tree of items (PS3.3 C.17.3) ------------------------------------------------------------


def _items(item: Attributes) -> tuple[Attributes, ...]:
    return item.items("ContentSequence")


def _name(item: Attributes) -> Code:
    return Concept.of(item.item("ConceptNameCodeSequence"))[:2]


def _kind(item: Attributes) -> str:
    return item.text("ValueType").strip().upper()


def _coded(item: Attributes) -> Concept:
    return Concept.of(item.item("ConceptCodeSequence"))


def _groups(item: Attributes, depth: int = 0) -> Iterator[Attributes]:
    """Yield all measurement groups, wherever they stand."""
    for one in _items(item):
        if _kind(one) != "CONTAINER":
            continue
        if _name(one) == _GROUP:
            yield one
        elif depth < _DEEPEST:
            yield from _groups(one, depth + 1)


def _observers(document: Attributes) -> Iterator[Observer]:
    """Yield who observed: the items that follow an observer's type are about this observer."""
    kind, name = "", ""
    for item in _items(document):
        if _name(item) == _OBSERVER_TYPE:
            if kind:
                yield Observer(kind, name)
            kind, name = ("person" if _coded(item)[:2] == _PERSON else "device"), ""
        elif _name(item) in _OBSERVER_NAMES:
            name = name or (item.text("PersonName") or item.text("TextValue")).strip()
    if kind:
        yield Observer(kind, name)


class _Groups:
    """Measurement groups (TID 1410, 1411, 1501) to findings."""

    def __init__(self, pyramid: Pyramid, uid: str) -> None:
        self._pyramid = pyramid
        self._uid = uid

    def finding(self, group: Attributes) -> Finding:
        """Read one group."""
        items = _items(group)
        codes = [(_name(item), _coded(item)) for item in items if _kind(item) == "CODE"]
        regions = [item for item in items if _kind(item) in {"SCOORD", "SCOORD3D"}]
        outlined = any(_name(item) in _OUTLINES for item in items)
        region = self._region(regions[0]) if regions else None
        return Finding(
            region=region or (_UNKNOWN if regions or outlined else None),
            type=next((value for name, value in codes if name == _FINDING), None),
            category=next((value for name, value in codes if name in _CATEGORIES), None),
            sites=tuple(value for name, value in codes if name in _SITES),
            measurements=tuple(_measurements(items)),
            evaluations=tuple(
                Evaluation(Concept.of(item.item("ConceptNameCodeSequence")), _coded(item))
                for item in items
                if _kind(item) == "CODE"
                and _name(item) not in _NO_EVALUATIONS
                and item.text("RelationshipType").strip().upper() == "CONTAINS"
            ),
            label=_text(items, _TRACKING_LABEL, "TextValue"),
            uid=_text(items, _TRACKING_UID, "UID"),
        )

    def _region(self, item: Attributes) -> Region | None:
        """Return where it is; None for graphics that are no region, or of another slide."""
        kind = _KINDS.get(item.text("GraphicType").strip().upper())
        numbers = np.array(if_readable(item.numbers, "GraphicData", ()))
        dimensions = 3 if _kind(item) == "SCOORD3D" else 2
        if item.text("GraphicType").strip().upper() == "CIRCLE" and numbers.size == 4:
            kind, numbers = "ellipse", _as_ellipse(numbers.reshape(2, 2)).ravel()
        if kind is None or not numbers.size or numbers.size % dimensions:
            return None
        points = numbers.reshape(-1, dimensions)
        placed = self._from_slide(item, points) if dimensions == 3 else self._from(item, points)
        if placed is None:
            return None
        if kind in {"polygon", "polyline"} and len(points) > 3 and (points[0] == points[-1]).all():
            # In pixels, a polyline that ends where it begins is a polygon (PS3.3 C.18.6.1.2).
            kind = "polygon" if dimensions == 2 else kind
            placed = placed[:-1] if kind == "polygon" else placed
        return Region(kind, placed)  # type: ignore[arg-type] - one of _KINDS

    def _from_slide(self, item: Attributes, points: NDArray[Any]) -> NDArray[np.float64] | None:
        geometry = self._pyramid.levels[0].geometry
        if geometry is None:
            raise SlideError(
                f"Instance {self._uid} gives regions in millimetres, and the headers of the slide "
                "do not say where on the glass it lies."
            )
        own = self._pyramid.frame_of_reference_uid
        if item.text("ReferencedFrameOfReferenceUID").strip() not in {own, ""}:
            return None
        return geometry.to_pixel(points)

    def _from(self, item: Attributes, points: NDArray[Any]) -> NDArray[np.float64] | None:
        """Turn pixels of the image that is referred to into those of level 0."""
        images = [one for one in _items(item) if _kind(one) == "IMAGE"]
        reference = images[0].item("ReferencedSOPSequence") if images else Attributes()
        uid = reference.text("ReferencedSOPInstanceUID").strip()
        level = self._pyramid.level_of(uid)
        if level is None:
            return None
        frame = reference.integer("ReferencedFrameNumber")
        if frame is None or item.text("PixelOriginInterpretation").strip().upper() != "FRAME":
            return points * level.downsample
        try:
            column, row, _, _ = level.place(uid, frame)
        except IndexError:
            return None
        corner = np.array([column, row]) * level.tile_size
        return (points + corner) * level.downsample


def _as_ellipse(circle: NDArray[Any]) -> NDArray[Any]:
    """Return a circle, given by its centre and a point of its edge, by the ends of two axes."""
    centre, edge = circle
    across = edge - centre
    down = np.array([-across[1], across[0]])
    return np.stack([centre + across, centre - across, centre + down, centre - down])


def _measurements(items: tuple[Attributes, ...]) -> Iterator[Measurement]:
    """Yield what was measured; what has no number (but a reason why) is passed over."""
    for item in items:
        if _kind(item) != "NUM":
            continue
        measured = item.item("MeasuredValueSequence")
        value = measured.number("FloatingPointValue")
        value = measured.number("NumericValue") if value is None else value
        if value is not None:
            unit = Concept.of(measured.item("MeasurementUnitsCodeSequence"))
            yield Measurement(Concept.of(item.item("ConceptNameCodeSequence")), value, unit)


def _text(items: tuple[Attributes, ...], name: Code, keyword: str) -> str:
    found = (item.text(keyword).strip() for item in items if _name(item) == name)
    return next(found, "")
