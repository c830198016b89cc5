"""What archives say of series: in their lists, and in the headers of objects.

An archive's list of series says little of a slide. The rest is asked for with one search of each
series' instances; where an archive does not answer that with the attributes that were asked for,
the headers of the series are read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from typing import TYPE_CHECKING, Any

from wsiweb import loop
from wsiweb.browse.shapes import Kind
from wsiweb.browse.stains import stain_of
from wsiweb.client.headers import series_headers
from wsiweb.errors import WsiwebError
from wsiweb.pixels.optional import if_readable
from wsiweb.searching import pages
from wsiweb.wire.dicomjson import Attributes
from wsiweb.wire.query import Query
from wsiweb.wire.records import SlideRecord
from wsiweb.wire.uris import is_uid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsiweb.browse.sources import Source
    from wsiweb.client.client import DicomwebClient

__all__ = ["OF_MODALITIES", "headers_say", "result_says", "series_of"]

_SERIES_FIELDS = (
    "PatientID",
    "PatientName",
    "StudyDate",
    "StudyDescription",
    "AccessionNumber",
    "SeriesDescription",
    "ContainerIdentifier",
    "NumberOfSeriesRelatedInstances",
)
_SAYING = "TotalPixelMatrixColumns"  # where this is said, what else was asked for is, too
_INSTANCE_FIELDS = (
    _SAYING,
    "TotalPixelMatrixRows",
    "ImagedVolumeWidth",
    "ImageType",
    "SpecimenDescriptionSequence",
    "OpticalPathSequence",
    "ContainerIdentifier",
    "SeriesDescription",
)
_EVIDENCE = "CurrentRequestedProcedureEvidenceSequence"  # where reports list what they are about
_RESULT_FIELDS = ("ReferencedSeriesSequence", "ContentLabel", "ContentDescription")
_STORAGE = "1.2.840.10008.5.1.4.1.1"
_KINDS: dict[str, Kind] = {  # SOP classes of results, PS3.4 table B.5-1
    f"{_STORAGE}.66.4": "segmentation",
    f"{_STORAGE}.66.7": "segmentation",
    f"{_STORAGE}.91.1": "annotations",
    f"{_STORAGE}.30": "heatmap",
    **dict[str, Kind].fromkeys(
        [f"{_STORAGE}.88.{number}" for number in (11, 22, 33, 34, 35)], "report"
    ),
}
OF_MODALITIES: dict[str, Kind] = {"SEG": "segmentation", "ANN": "annotations", "SR": "report"}
_OBJECTIVES = (1.25, 2.5, 5.0, 10.0, 20.0, 40.0, 60.0, 80.0, 100.0)
_ROLES = re.compile(r"LABEL|OVERVIEW|LOCALIZER|THUMBNAIL")


async def series_of(source: Source, study: str) -> list[SlideRecord]:
    """Return all series of a study, whatever they are, as an archive lists them.

    Raises
    ------
    ArchiveError
        When it does not answer.
    """
    archive = await source.archive()
    query = Query.build("series", study=study, fields=_SERIES_FIELDS)

    async def listed() -> list[SlideRecord]:
        found = pages(archive.client, query, SlideRecord.from_json)
        return [dataclasses.replace(one, study_uid=study) async for page in found for one in page]

    return [one for one in await loop.wait(listed()) if is_uid(one.series_uid)]


async def _instances(
    client: DicomwebClient, study: str, series: str, fields: tuple[str, ...]
) -> list[Attributes]:
    query = Query.build("instances", study=study, series=series, fields=fields)
    return [match async for page in client.search_pages(query) for match in page]


async def headers_say(client: DicomwebClient, study: str, series: str) -> dict[str, Any]:
    """Return what the headers of a slide say, as a part of `SlideRow`."""
    headers: Sequence[Attributes] = []
    with contextlib.suppress(WsiwebError):  # some archives cannot search for instances
        headers = await _instances(client, study, series, _INSTANCE_FIELDS)
    # Some leave sequences out of what they find (Orthanc); each slide has specimens (C.7.6.22).
    if not any(_columns(one) and _specimens(one) for one in headers):
        headers = await series_headers(client, study, series)
    volumes = [header for header in headers if not _ROLES.search(_kind(header))]
    base = max(volumes or headers, key=_columns, default=Attributes())
    size = [_columns(base), if_readable(base.integer, "TotalPixelMatrixRows", None) or 0]
    mpp = _mpp(base)
    said: dict[str, Any] = {
        "known": True,
        "stain": stain_of(base),
        "size": size if all(size) else None,
        "mpp": None if mpp is None else round(mpp, 4),
        "magnification": _magnification(base, mpp),
        "channels": len(if_readable(base.items, "OpticalPathSequence", ())) or None,
        "instances": len(headers),
    }
    container = if_readable(base.text, "ContainerIdentifier", "").strip()
    return {**said, "container": container} if container else said


def _columns(header: Attributes) -> int:
    return if_readable(header.integer, _SAYING, None) or 0


def _specimens(header: Attributes) -> Sequence[Attributes]:
    nothing: tuple[Attributes, ...] = ()
    return if_readable(header.items, "SpecimenDescriptionSequence", nothing)


def _kind(header: Attributes) -> str:
    return "\\".join(if_readable(header.texts, "ImageType", ()))


def _mpp(header: Attributes) -> float | None:
    """Return micrometres per pixel, of the width in millimetres that was imaged."""
    columns = _columns(header)
    width = if_readable(header.numbers, "ImagedVolumeWidth", ())
    return width[0] * 1000 / columns if columns and width and width[0] > 0 else None


def _magnification(header: Attributes, mpp: float | None) -> float | None:
    for path in if_readable(header.items, "OpticalPathSequence", ()):
        power = if_readable(path.numbers, "ObjectiveLensPower", ())
        if power and power[0] > 0:
            return power[0]
    if mpp is None:
        return None
    return min(_OBJECTIVES, key=lambda usual: max(usual * mpp / 10, 10 / mpp / usual))


async def result_says(
    client: DicomwebClient, one: SlideRecord
) -> tuple[Kind | None, str, list[str]]:
    """Return what a series that may hold results is, its title, and of which series it is."""
    found = await _instances(client, one.study_uid, one.series_uid, _RESULT_FIELDS)
    kind = _KINDS.get(found[0].text("SOPClassUID").strip()) if found else None
    if kind is None:
        return None, "", []
    if not if_readable(found[0].items, "ReferencedSeriesSequence", ()):
        uid = found[0].text("SOPInstanceUID").strip()
        found = await client.metadata(one.study_uid, one.series_uid, uid)
    of = {
        item.text("SeriesInstanceUID").strip(): None
        for header in found
        for holder in (header, *if_readable(header.items, _EVIDENCE, ()))
        for item in if_readable(holder.items, "ReferencedSeriesSequence", ())
    }
    titles = [
        if_readable(header.text, keyword, "").strip()
        for header in found
        for keyword in ("ContentDescription", "ContentLabel")
    ]
    return kind, next(filter(None, titles), ""), [uid for uid in of if is_uid(uid)]
