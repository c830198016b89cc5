"""Look for studies and slides in an archive (QIDO-RS, PS3.18 10.6)."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any, TypeVar

from wsiweb.client.originals import original_among
from wsiweb.errors import NotFound
from wsiweb.wire.query import Query, matches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from wsiweb.client.client import DicomwebClient
    from wsiweb.wire.dicomjson import Attributes

__all__ = ["only_slide_of", "pages", "slides_query", "studies_query"]

T = TypeVar("T")

# What a user may say for a DICOM keyword; keywords themselves are understood as well.
_FILTERS = {
    "accession_number": "AccessionNumber",
    "container_id": "ContainerIdentifier",
    "date": "StudyDate",
    "description": "StudyDescription",
    "modality": "ModalitiesInStudy",
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "series_description": "SeriesDescription",
    "series_uid": "SeriesInstanceUID",
    "study_id": "StudyID",
    "study_uid": "StudyInstanceUID",
}
_DATES = re.compile(r"\d{8}|\d{8}-(\d{8})?|-\d{8}")
_STUDY_FIELDS = (
    "StudyDescription",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)
_SLIDE_FIELDS = (
    "PatientID",
    "PatientName",
    "StudyDate",
    "StudyDescription",
    "AccessionNumber",
    "SeriesDescription",
    "ContainerIdentifier",
    "NumberOfSeriesRelatedInstances",
)


def studies_query(limit: int | None, filters: dict[str, Any]) -> Query:
    """Return what to ask for studies, by filters as `Archive.studies` takes them."""
    return Query.build("studies", fields=_STUDY_FIELDS, limit=limit, **_keywords(filters))


def slides_query(limit: int | None, filters: dict[str, Any]) -> Query:
    """Return what to ask for slides, series of modality SM, by filters of `Archive.slides`."""
    keywords: dict[str, Any] = {"Modality": "SM", **_keywords(filters)}
    if "ModalitiesInStudy" in keywords:
        keywords["Modality"] = keywords.pop("ModalitiesInStudy")
    study = keywords.pop("StudyInstanceUID", None)
    return Query.build("series", study=study, fields=_SLIDE_FIELDS, limit=limit, **keywords)


async def pages(
    client: DicomwebClient, query: Query, make: Callable[[Attributes], T]
) -> AsyncIterator[list[T]]:
    """Yield what a search finds, a page at a time, made into values."""

    def keep(match: Attributes) -> bool:
        return _really_matches(match, query)

    async for page in client.search_pages(query, keep):
        yield [make(match) for match in page]


async def only_slide_of(client: DicomwebClient, study: str) -> str:
    """Return the one slide of a study, besides images that were made of it.

    Raises
    ------
    NotFound
        When the study has no slide.
    ValueError
        When it has several.
    """
    fields = ("ContainerIdentifier",)
    query = Query.build("series", fields=fields, study=study, Modality="SM")
    found = [match async for page in client.search_pages(query) for match in page]
    found = [match for match in found if _really_matches(match, query)]
    uids = [match.text("SeriesInstanceUID") for match in found]
    if not uids:
        raise NotFound(f"The archive has no slide in the study {study}.")
    if len(uids) == 1:
        return uids[0]
    # What was made of a slide is of the same glass; so others need not be looked at.
    glasses = {match.text("ContainerIdentifier").strip() for match in found} - {""}
    own = await original_among(client, study, uids) if len(glasses) < 2 else None
    if own is None:
        raise ValueError(
            f"The study {study} has {len(uids)} slides; say which series: {', '.join(uids)}."
        )
    return own


def _keywords(filters: dict[str, Any]) -> dict[str, Any]:
    date = filters.get("date")
    if isinstance(date, str) and _DATES.fullmatch(date) is None:
        raise ValueError(
            f"{date!r} is no date: write 20260131, 20260101-20261231, 20260101- or -20261231."
        )
    return {_FILTERS.get(name, name): value for name, value in filters.items()}


def _really_matches(match: Attributes, query: Query) -> bool:
    """Filter again what the archive says it filtered: some ignore what they do not support.

    A filter on an attribute that the archive does not return cannot be checked; that is said
    in a warning instead of passing over it.
    """
    checkable = tuple(one for one in query.filters if one[0].split(".")[0] in match.tags())
    if len(checkable) < len(query.filters):
        unseen = [tag for tag, _ in query.filters if tag.split(".")[0] not in match.tags()]
        warnings.warn(
            f"The archive does not return the attributes {', '.join(unseen)}, so it cannot be "
            "checked whether it filtered by them.",
            stacklevel=2,
        )
    return matches(match, checkable)
