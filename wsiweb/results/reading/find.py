"""The results that an archive holds about a slide.

Results lie in the study of their slide, in series of their own, and say what they are about in one
of two ways: they refer to the slide's series, or they have its frame of reference and its
container, as a result has that was made for another scan of the same glass. So the series of the
study are listed, and of those that may hold results the headers are read and looked at.
"""

from __future__ import annotations

import asyncio
import datetime
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wsiweb.client.headers import series_headers
from wsiweb.errors import NotFound
from wsiweb.pixels.optional import if_readable
from wsiweb.wire.query import Query
from wsiweb.wire.uris import Resource, is_uid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsiweb.client.client import DicomwebClient
    from wsiweb.pixels.pyramid import Pyramid
    from wsiweb.wire.dicomjson import Attributes

__all__ = ["Stored", "StoredKind", "find", "instant"]

StoredKind = Literal["segmentation", "annotations", "heatmap", "report"]

_STORAGE = "1.2.840.10008.5.1.4.1.1"
_CLASSES: dict[StoredKind, frozenset[str]] = {  # SOP classes, PS3.4 table B.5-1
    "segmentation": frozenset({f"{_STORAGE}.66.4", f"{_STORAGE}.66.7"}),
    "annotations": frozenset({f"{_STORAGE}.91.1"}),
    "heatmap": frozenset({f"{_STORAGE}.30"}),
    "report": frozenset(f"{_STORAGE}.88.{number}" for number in (11, 22, 33, 34, 35)),
}
_MODALITIES: dict[StoredKind, frozenset[str]] = {
    "segmentation": frozenset({"SEG"}),
    "annotations": frozenset({"ANN"}),
    "heatmap": frozenset({"OT", "SM"}),  # a parametric map has none of its own
    "report": frozenset({"SR"}),
}
# Series of these hold other things, too: slides among them, whose headers may be large.
_MIXED = frozenset({"OT", "SM"})

# Where objects list the series that they refer to, and sequences that hold such lists
# (PS3.3 C.12.1.2, C.17.2).
_SERIES_LIST = "ReferencedSeriesSequence"
_HOLDERS = (
    "StudiesContainingOtherReferencedInstancesSequence",
    "CurrentRequestedProcedureEvidenceSequence",
    "PertinentOtherEvidenceSequence",
)
# Where the moment stands at which an object was made, the most telling first.
_MOMENTS = (
    ("ContentDate", "ContentTime"),
    ("InstanceCreationDate", "InstanceCreationTime"),
    ("SeriesDate", "SeriesTime"),
)
_DATE = re.compile(r"(\d{4})\.?(\d\d)\.?(\d\d)", re.ASCII)  # with dots in files of old
_TIME = re.compile(r"(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,6}))?)?)?", re.ASCII)
_ZONE = re.compile(r"([+-])(\d\d)(\d\d)", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One object that is about the slide.

    Attributes
    ----------
    header : Attributes
        Its metadata.
    study_uid, series_uid, instance_uid, class_uid : str
        Its UIDs.
    name : str
        SeriesDescription, else ContentDescription, else ContentLabel; may be empty.
    label : str
        ContentLabel; empty where there is none.
    created : datetime.datetime or None
        When it was made, with its time zone where that is stated; None when not said readably.
    number : int
        InstanceNumber; 0 when not said.
    document_url : str
        Address of the metadata: what a BulkDataURI in `header` is relative to.
    """

    header: Attributes
    study_uid: str
    series_uid: str
    instance_uid: str
    class_uid: str
    name: str
    label: str
    created: datetime.datetime | None
    number: int
    document_url: str


async def find(client: DicomwebClient, pyramid: Pyramid, kind: StoredKind) -> list[Stored]:
    """Return the objects of one kind that are about a slide.

    Parameters
    ----------
    client : DicomwebClient
        The archive; to be called on the library's event loop.
    pyramid : Pyramid
        The slide.
    kind : {"segmentation", "annotations", "heatmap", "report"}
        What is looked for.

    Returns
    -------
    list of Stored
        The newest first; of one moment, those with the highest SeriesNumber and InstanceNumber.
        Empty when the archive has none.

    Raises
    ------
    ValueError
        For another kind.
    ArchiveError
        When the archive does not answer.
    """
    if kind not in _CLASSES:
        raise ValueError(f"{', '.join(_CLASSES)} can be found, not {kind!r}.")
    series = await _series_of(client, pyramid, kind)
    found = await asyncio.gather(*(_read(client, pyramid, kind, *one) for one in series))
    return sorted((one for stored in found for one in stored), key=_newest_first)


async def _series_of(
    client: DicomwebClient, pyramid: Pyramid, kind: StoredKind
) -> list[tuple[str, bool]]:
    """Return the series that may hold results of a kind, and whether they may hold others."""
    # Modality is not asked for in the query: a query for each would take as long as this one.
    query = Query.build("series", study=pyramid.study_uid)
    listed: dict[str, bool] = {}
    async for page in client.search_pages(query):
        for match in page:
            uid = match.text("SeriesInstanceUID").strip()
            modality = match.text("Modality").strip()
            if is_uid(uid) and uid != pyramid.series_uid and modality in _MODALITIES[kind]:
                listed[uid] = modality in _MIXED
    return list(listed.items())


async def _read(
    client: DicomwebClient, pyramid: Pyramid, kind: StoredKind, series_uid: str, mixed: bool
) -> list[Stored]:
    """Return what a series holds about the slide."""
    try:
        if mixed and not await _may_hold(client, pyramid.study_uid, series_uid, kind):
            return []
        headers = await series_headers(client, pyramid.study_uid, series_uid)
    except NotFound:  # it has been removed since it was listed
        return []
    resource = Resource(study=pyramid.study_uid, series=series_uid, aspect="metadata")
    url = f"{client.base_url}/{resource.path}"
    kept: list[Stored] = []
    for header in headers:
        own = header.text("SOPClassUID").strip() in _CLASSES[kind]
        if own and is_uid(header.text("SOPInstanceUID").strip()) and _is_about(header, pyramid):
            kept.append(_stored(header, pyramid.study_uid, series_uid, url))
    return kept


async def _may_hold(
    client: DicomwebClient, study_uid: str, series_uid: str, kind: StoredKind
) -> bool:
    """Whether a series has objects of a kind; also when the archive does not tell."""
    query = Query.build("instances", study=study_uid, series=series_uid)
    async for page in client.search_pages(query):
        for match in page:
            class_uid = match.text("SOPClassUID").strip()
            if not class_uid or class_uid in _CLASSES[kind]:
                return True
    return False


def _is_about(header: Attributes, pyramid: Pyramid) -> bool:
    if any(uid == pyramid.series_uid for uid in _series_referred_to(header)):
        return True
    frame_of_reference = header.text("FrameOfReferenceUID").strip()
    container = header.text("ContainerIdentifier").strip()
    own = pyramid.frame_of_reference_uid, pyramid.container_id
    return bool(frame_of_reference) and (frame_of_reference, container) == own


def _series_referred_to(header: Attributes) -> Iterator[str]:
    nothing: tuple[Attributes, ...] = ()
    holders = [header]
    for keyword in _HOLDERS:
        holders += if_readable(header.items, keyword, nothing)
    for holder in holders:
        for item in if_readable(holder.items, _SERIES_LIST, nothing):
            yield item.text("SeriesInstanceUID").strip()


def _stored(header: Attributes, study_uid: str, series_uid: str, url: str) -> Stored:
    label = header.text("ContentLabel").strip()
    names = (header.text("SeriesDescription"), header.text("ContentDescription"), label)
    return Stored(
        header=header,
        study_uid=study_uid,
        series_uid=series_uid,
        instance_uid=header.text("SOPInstanceUID").strip(),
        class_uid=header.text("SOPClassUID").strip(),
        name=next((name.strip() for name in names if name.strip()), ""),
        label=label,
        created=_created(header),
        number=if_readable(header.integer, "InstanceNumber", None) or 0,
        document_url=url,
    )


def _newest_first(stored: Stored) -> tuple[float, int, str, int, str]:
    series = if_readable(stored.header.integer, "SeriesNumber", None) or 0
    own = stored.series_uid, -stored.number, stored.instance_uid
    return -instant(stored.created), -series, *own


def instant(created: datetime.datetime | None) -> float:
    """Return a moment as a number to sort by; without a time zone it is taken to be UTC."""
    if created is None:
        return -math.inf
    return (created if created.tzinfo else created.replace(tzinfo=datetime.UTC)).timestamp()


def _created(header: Attributes) -> datetime.datetime | None:
    zone = _zone(header.text("TimezoneOffsetFromUTC"))
    for day, time in _MOMENTS:
        moment = _moment(header.text(day), header.text(time))
        if moment is not None:
            return moment.replace(tzinfo=zone)
    return None


def _moment(day: str, time: str) -> datetime.datetime | None:
    """Understand a date and a time (PS3.5 6.2, DA and TM); a time may be missing or cut short."""
    date = _DATE.fullmatch(day.strip())
    if date is None:
        return None
    year, month, number = (int(part) for part in date.groups())
    found = _TIME.fullmatch(time.strip())
    parts = found.groups(default="0") if found else ("0", "0", "0", "0")
    hour, minute, second = (int(part) for part in parts[:3])
    try:
        # A leap second is written as 60. The time zone is added by the caller.
        return datetime.datetime(  # noqa: DTZ001
            year, month, number, hour, minute, min(second, 59), int(parts[3].ljust(6, "0"))
        )
    except ValueError:
        return None


def _zone(text: str) -> datetime.tzinfo | None:
    found = _ZONE.fullmatch(text.strip())
    if found is None:
        return None
    offset = datetime.timedelta(hours=int(found[2]), minutes=int(found[3]))
    try:
        return datetime.timezone(-offset if found[1] == "-" else offset)
    except ValueError:
        return None
