"""QIDO-RS queries: built, written as text, and parsed (PS3.18 8.3.4, 10.6)."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args
from urllib.parse import quote

from wsiweb.wire.matching import matches
from wsiweb.wire.tags import is_tag, tag_of
from wsiweb.wire.uris import Resource

__all__ = ["DEFAULT_FIELDS", "Level", "Query", "matches", "tag_path"]

Level = Literal["studies", "series", "instances"]

# Sent as they are: Orthanc 1.10 does not decode them in values (see PS3.18 8.3.4, RFC 3986 3.4).
_RAW = "*,^:@/-._~"

_STUDY = (
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "InstanceAvailability",
    "ModalitiesInStudy",
    "ReferringPhysicianName",
    "TimezoneOffsetFromUTC",
    "RetrieveURL",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyInstanceUID",
    "StudyID",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)
_SERIES = (
    "Modality",
    "SeriesDescription",
    "RetrieveURL",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "NumberOfSeriesRelatedInstances",
    "PerformedProcedureStepStartDate",
    "PerformedProcedureStepStartTime",
    "RequestAttributesSequence",
)
_INSTANCES = (
    "SOPClassUID",
    "SOPInstanceUID",
    "InstanceAvailability",
    "RetrieveURL",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "InstanceNumber",
    "Rows",
    "Columns",
    "BitsAllocated",
    "NumberOfFrames",
)
DEFAULT_FIELDS: Mapping[Level, tuple[str, ...]] = {
    "studies": _STUDY,
    "series": _SERIES,
    "instances": _INSTANCES,
}
"""Keywords that a server returns unasked (PS3.18 tables 10.6.3-3 to 10.6.3-5)."""

_LONGEST_PAGE = 2**31
_MOMENTS = (datetime.date, datetime.time)  # a datetime is a date


def tag_path(name: str) -> str:
    """Return the tags of an attribute, or of one inside sequences, joined by dots.

    Parameters
    ----------
    name : str
        Keywords or tags, joined by dots: ``"PatientID"``, ``"00400560.SpecimenIdentifier"``.

    Raises
    ------
    ValueError
        For a keyword that DICOM does not know.

    Examples
    --------
    >>> tag_path("PatientID")
    '00100020'
    """
    return ".".join(tag_of(part) for part in name.split("."))


@dataclass(frozen=True, slots=True)
class Query:
    """A search for studies, series or instances.

    Attributes
    ----------
    level : {"studies", "series", "instances"}
        What is looked for.
    study, series : str or None
        Where it is looked for; None is anywhere.
    filters : tuple of (str, str)
        Tag path and value of each filter.
    fields : tuple of str
        Tag paths of attributes wanted besides the usual ones (``includefield``).
    all_fields : bool
        Whether all attributes are wanted.
    limit : int or None
        Most matches to return; None leaves it to the archive.
    offset : int
        Matches to pass over.
    fuzzy : bool
        Whether names may match by sound, where the archive can.
    ignored : tuple of str
        Names of parameters of a request that are not known here, and are no attributes: they
        are passed over (PS3.18 8.3.4), but who answers can say so.
    """

    level: Level
    study: str | None = None
    series: str | None = None
    filters: tuple[tuple[str, str], ...] = ()
    fields: tuple[str, ...] = ()
    all_fields: bool = False
    limit: int | None = None
    offset: int = 0
    fuzzy: bool = False
    ignored: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.level not in get_args(Level):
            raise ValueError(f"{', '.join(get_args(Level))} can be searched, not {self.level!r}.")
        if self.limit is not None and not 0 <= self.limit <= _LONGEST_PAGE:
            raise ValueError(f"limit must be 0 or more, not {self.limit}.")
        if not 0 <= self.offset <= _LONGEST_PAGE:
            raise ValueError(f"offset must be 0 or more, not {self.offset}.")
        _ = self.resource  # refuses UIDs that are none

    @classmethod
    def build(
        cls,
        level: Level,
        *,
        study: str | None = None,
        series: str | None = None,
        fields: Iterable[str] = (),
        all_fields: bool = False,
        limit: int | None = None,
        offset: int = 0,
        fuzzy: bool = False,
        **filters: Any,
    ) -> Self:
        """Build a query from keywords.

        Parameters
        ----------
        level, study, series, all_fields, limit, offset, fuzzy
            As the attributes.
        fields : iterable of str
            Keywords of further attributes.
        **filters
            Keyword and value: text (with ``*`` and ``?`` as wildcards), a number, a date, time or
            datetime, a pair of them (either may be None: open range), or a list of UIDs. A value
            of None is left out.

        Raises
        ------
        ValueError
            For a keyword that DICOM does not know.

        Examples
        --------
        >>> Query.build("studies", PatientID="P1*", limit=5).query_string()
        '00100020=P1*&limit=5'
        """
        return cls(
            level=level,
            study=study,
            series=series,
            filters=tuple(
                (tag_path(name), _as_text(value))
                for name, value in filters.items()
                if value is not None
            ),
            fields=tuple(tag_path(name) for name in fields),
            all_fields=all_fields,
            limit=limit,
            offset=offset,
            fuzzy=fuzzy,
        )

    @property
    def resource(self) -> Resource:
        """The resource that is searched."""
        return Resource(study=self.study, series=self.series, aspect=self.level)

    def query_string(self) -> str:
        """Return the query part of the URL, percent-encoded where that is needed."""
        pairs = list(self.filters)
        if self.all_fields:
            pairs.append(("includefield", "all"))
        elif self.fields:
            # One parameter for each: some archives drop a list joined by commas.
            pairs += [("includefield", name) for name in self.fields]
        if self.fuzzy:
            pairs.append(("fuzzymatching", "true"))
        if self.limit is not None:
            pairs.append(("limit", str(self.limit)))
        if self.offset:
            pairs.append(("offset", str(self.offset)))
        return "&".join(f"{name}={quote(value, safe=_RAW)}" for name, value in pairs)

    @classmethod
    def parse(
        cls,
        level: Level,
        parameters: Iterable[tuple[str, str]],
        *,
        study: str | None = None,
        series: str | None = None,
    ) -> Self:
        """Understand the parameters of a request, decoded.

        Parameters that are not known are `ignored`. What is written like a keyword is one,
        though, and a misspelt one is refused: without it, everything would match.

        Raises
        ------
        ValueError
            For a keyword that DICOM does not know, or a number that is none.

        Examples
        --------
        >>> Query.parse("studies", [("PatientID", "7"), ("orderby", "StudyDate")]).ignored
        ('orderby',)
        """
        filters: list[tuple[str, str]] = []
        fields: list[str] = []
        ignored: list[str] = []
        numbers: dict[str, int] = {}
        fuzzy = all_fields = False
        for name, value in parameters:
            match name.lower():
                case "limit" | "offset" as which:
                    if not (value.isascii() and value.isdigit() and len(value) <= 12):
                        raise ValueError(f"{which} must be a whole number, not {value[:40]!r}.")
                    numbers[which] = int(value)
                case "fuzzymatching":
                    if value.lower() not in {"true", "false"}:
                        raise ValueError(f"fuzzymatching is true or false, not {value[:40]!r}.")
                    fuzzy = value.lower() == "true"
                case "accept" | "charset":
                    pass  # of any DICOMweb request (PS3.18 8.3.3); no filters
                case "includefield":
                    wanted = [one.strip() for one in value.split(",") if one.strip()]
                    all_fields = all_fields or "all" in wanted
                    fields += [tag_path(one) for one in wanted if one != "all"]
                case _ if _is_attribute(name):
                    filters.append((tag_path(name), value))
                case _:
                    ignored.append(name)
        return cls(
            level=level,
            study=study,
            series=series,
            filters=tuple(filters),
            fields=tuple(fields),
            all_fields=all_fields,
            limit=numbers.get("limit"),
            offset=numbers.get("offset", 0),
            fuzzy=fuzzy,
            ignored=tuple(dict.fromkeys(ignored)),
        )


def _is_attribute(name: str) -> bool:
    """Whether a parameter is meant for an attribute: a tag, or written as keywords are."""
    first = name.partition(".")[0]
    return is_tag(first) or (first[:1].isupper() and first.isascii() and first.isalnum())


def _as_text(value: Any) -> str:
    match value:
        case str():
            return value
        case datetime.datetime():
            return f"{value.year:04}{value:%m%d%H%M%S}{value:%z}"
        case datetime.date():
            return f"{value.year:04}{value:%m%d}"  # strftime writes early years short
        case datetime.time():
            return value.strftime("%H%M%S")
        case (first, last) if all(one is None or isinstance(one, _MOMENTS) for one in value):
            return "-".join("" if one is None else _as_text(one) for one in (first, last))
        case Iterable():
            return ",".join(map(_as_text, value))
        case _:
            return str(value)
