"""QIDO-RS queries: built, sent, parsed, and matched against an instance (PS3.18 8.3.4, 10.6).

The same rules serve both sides: the client filters again what an archive returned, because some
ignore the filters that they do not support and return everything.
"""

from __future__ import annotations

import datetime
import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self
from urllib.parse import quote

from wsiweb.wire.dicomjson import Attributes, tag_of
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

    def __post_init__(self) -> None:
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
        limit: int | None = None,
        **filters: Any,
    ) -> Self:
        """Build a query from keywords.

        Parameters
        ----------
        level, study, series, limit
            As the attributes.
        fields : iterable of str
            Keywords of further attributes.
        **filters
            Keyword and value: text (with ``*`` and ``?`` as wildcards), a number, a
            `datetime.date`, a pair of dates (either may be None: open range), or a list of UIDs.
            A value of None is left out.

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
            limit=limit,
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

        Raises
        ------
        ValueError
            For a keyword that DICOM does not know, or a number that is none.
        """
        filters: list[tuple[str, str]] = []
        fields: list[str] = []
        numbers: dict[str, int] = {}
        fuzzy = all_fields = False
        for name, value in parameters:
            match name.lower():
                case "limit" | "offset" as which:
                    if not (value.isascii() and value.isdigit()):
                        raise ValueError(f"{which} must be a whole number, not {value!r}.")
                    numbers[which] = int(value[:12])
                case "fuzzymatching":
                    if value not in {"true", "false"}:
                        raise ValueError(f"fuzzymatching is true or false, not {value!r}.")
                    fuzzy = value == "true"
                case "includefield":
                    wanted = [one.strip() for one in value.split(",") if one.strip()]
                    all_fields = all_fields or "all" in wanted
                    fields += [tag_path(one) for one in wanted if one != "all"]
                case _:
                    filters.append((tag_path(name), value))
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
        )


def _as_text(value: Any) -> str:
    match value:
        case str():
            return value
        case datetime.datetime():
            return value.strftime("%Y%m%d%H%M%S")
        case datetime.date():
            return value.strftime("%Y%m%d")
        case (first, last) if all(
            one is None or isinstance(one, datetime.date) for one in (first, last)
        ):
            return "-".join("" if one is None else _as_text(one) for one in (first, last))
        case Sequence():
            return ",".join(_as_text(one) for one in value)
        case _:
            return str(value)


# Matching (PS3.4 C.2.2.2) ---------------------------------------------------------------------

_RANGED = frozenset({"DA", "TM", "DT"})
_RANGE = re.compile(r"([0-9.:+]*)-([0-9.:+]*)")


def matches(attributes: Attributes, filters: Iterable[tuple[str, str]]) -> bool:
    """Tell whether a dataset matches all filters (PS3.4 C.2.2.2).

    Parameters
    ----------
    attributes : Attributes
        The dataset.
    filters : iterable of (str, str)
        Tag paths and values, as in `Query.filters`.

    Returns
    -------
    bool
        An empty value, and ``*``, match everything. A list of UIDs matches any of them; dates and
        times match by range; names regardless of case; a multi-valued attribute when any of its
        values does; an attribute inside a sequence when it does in any item.
    """
    return all(_matches(attributes, tags.split("."), wanted) for tags, wanted in filters)


def _matches(attributes: Attributes, tags: list[str], wanted: str) -> bool:
    if not wanted.strip("*"):
        return True
    tag, *inner = tags
    if inner:
        return any(_matches(item, inner, wanted) for item in attributes.items(tag))
    kind = attributes.vr(tag)
    values = attributes.texts(tag)
    if kind == "UI":
        return not set(wanted.replace("\\", ",").split(",")).isdisjoint(values)
    if kind in _RANGED and (limits := _RANGE.fullmatch(wanted)):
        return any(_within(value, *limits.groups()) for value in values)
    if kind in _RANGED:
        return any(_plain(value) == _plain(wanted) for value in values)
    if kind == "PN":
        return any(_wildcard(_name(value), _name(wanted)) for value in values)
    if kind in {"DS", "IS", "US", "UL", "SS", "SL", "FL", "FD"}:
        return any(_equal_numbers(value, wanted) for value in values)
    return any(_wildcard(value.strip(), wanted.strip()) for value in values)


def _within(value: str, first: str, last: str) -> bool:
    # Dates and times of lower precision stand for their whole span: 2026 ends with its December.
    first, last, value = _plain(first), _plain(last), _plain(value)
    return bool(value) and value[: len(first)] >= first and value[: len(last)] <= (last or value)


def _plain(moment: str) -> str:
    """Return the digits of a date or time; fractions and zones are beyond what is compared."""
    return re.sub(r"[^0-9]", "", re.split(r"[.+]", moment)[0])


def _name(value: str) -> str:
    """Fold a person's name: case and trailing empty components do not count (PS3.4 C.2.2.2.1)."""
    return value.strip().rstrip("^").casefold()


def _equal_numbers(value: str, wanted: str) -> bool:
    try:
        return float(value) == float(wanted)
    except ValueError:
        return value == wanted


def _wildcard(value: str, wanted: str) -> bool:
    if "*" not in wanted and "?" not in wanted:
        return value == wanted
    return fnmatch.fnmatchcase(value, wanted.replace("[", "[[]"))
