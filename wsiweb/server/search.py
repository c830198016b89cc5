"""Searches of the index: which rows match, and what is said of them (PS3.18 10.6.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from wsiweb.wire.dicomjson import Attributes, tag_of
from wsiweb.wire.query import DEFAULT_FIELDS, Query, matches
from wsiweb.wire.uris import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsiweb.server.index import Group, Index

__all__ = ["Found", "search"]

_LARGEST_PAGE = 5000  # matches in one answer
_TOGETHER = 100  # rows that are read together

_STUDY = "0020000D"
_SERIES = "0020000E"
_INSTANCE = "00080018"
_COUNT = "00201209"  # NumberOfSeriesRelatedInstances
_TRANSFER_SYNTAX = "00083002"
_FIELDS = {
    level: frozenset(map(tag_of, keywords)) | {"00080005"}
    for level, keywords in DEFAULT_FIELDS.items()
}
# Tables 10.6.3-3 to -5: a search below nothing says of each match what lies above it, too.
_ABOVE = {"studies": (), "series": ("studies",), "instances": ("studies", "series")}
_EXTRA = {"series": frozenset({_STUDY}), "instances": frozenset({_STUDY, _SERIES})}
_model = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Found:
    """One page of matches.

    Attributes
    ----------
    body : bytes
        A JSON array of datasets.
    cut : bool
        Whether there were more than the server gives at once.
    """

    body: bytes
    cut: bool


@dataclass(slots=True)
class _Candidate:
    """What may match: the row that speaks for it, and what is computed about it."""

    key: int
    resource: Resource
    computed: dict[str, Any] = field(default_factory=dict[str, Any])
    series: tuple[str, str] | None = None  # study and series that the row speaks for
    summary: bytes | None = None  # where it was read together with others

    def text(self, index: Index, base: str) -> bytes | None:
        """Return the summary with what is computed, as one JSON object; None if it has gone."""
        summary = index.summary(self.key) if self.summary is None else self.summary
        if summary is None and self.series is not None:  # another row may speak for the series
            for group in index.groups(*self.series):
                self.key = group.key
                summary = index.summary(self.key)
        if summary is None:
            return None
        computed = {
            **self.computed,
            "00080056": {"vr": "CS", "Value": ["ONLINE"]},
            "00081190": {"vr": "UR", "Value": [f"{base}/{self.resource.path}"]},
        }
        comma = b"," if len(summary) > 2 else b""
        return summary[:-1] + comma + msgspec.json.encode(computed)[1:]


def search(index: Index, query: Query, base: str) -> Found:
    """Answer a query.

    Parameters
    ----------
    index : Index
        What the folder holds.
    query : Query
        What is wanted. A study or a series matches when any of its series does.
    base : str
        URL of the service, without a trailing slash.
    """
    limit = _LARGEST_PAGE if query.limit is None else min(query.limit, _LARGEST_PAGE)
    named = _named(query)
    filters = tuple(
        (tag, value)
        for tag, value in query.filters
        if value.strip("*") and (named is None or tag != _INSTANCE)  # which the index looks for
    )
    wanted = _wanted(query)
    passed = 0
    page: list[bytes] = []
    # Where every one matches, those of earlier pages need not be read again: listing would take the
    # square of their number, half a minute for 10,000 studies.
    skip = query.offset if not filters and named is None else 0
    passed += skip
    for choices in _candidates(index, query, named, skip):
        texts = (choice.text(index, base) for choice in choices)
        text = next((one for one in texts if one is not None and _passes(one, filters)), None)
        if text is None:
            continue
        passed += 1
        if passed <= query.offset:
            continue
        if len(page) == limit:
            return Found(_array(page), cut=query.limit is None or query.limit > limit)
        page.append(_chosen(index, choices[0].key, text, query, wanted))
    return Found(_array(page), cut=False)


def _passes(text: bytes, filters: tuple[tuple[str, str], ...]) -> bool:
    return not filters or matches(Attributes.decode(text)[0], filters)


def _array(items: list[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"


def _wanted(query: Query) -> frozenset[str]:
    """Return the tags to be returned: the usual ones, those asked for, those filtered by."""
    tags = _FIELDS[query.level] | _EXTRA.get(query.level, frozenset())
    if query.study is None:
        for level in _ABOVE[query.level]:
            tags |= _FIELDS[level]
    if query.level == "instances":
        tags |= {_TRANSFER_SYNTAX}
    asked = {path.split(".")[0] for path in query.fields}
    return tags | asked | {path.split(".")[0] for path, _ in query.filters}


def _chosen(index: Index, key: int, text: bytes, query: Query, wanted: frozenset[str]) -> bytes:
    """Return the JSON of one match with the attributes that are wanted."""
    if query.all_fields:
        return text
    model = _model.decode(text)
    missing = {path.split(".")[0] for path in query.fields} - model.keys()
    if missing and query.level == "instances":  # too large for the summary
        header = _model.decode(index.header(key) or b"{}")
        model |= {tag: header[tag] for tag in missing & header.keys() if not _is_bulk(header[tag])}
    return msgspec.json.encode({tag: model[tag] for tag in sorted(wanted & model.keys())})


def _is_bulk(element: msgspec.Raw) -> bool:
    return b'"BulkDataURI":"' in bytes(element)


def _candidates(
    index: Index, query: Query, named: set[str] | None, skip: int
) -> Iterator[list[_Candidate]]:
    """Yield what may match, in the order of UIDs; of a study one candidate for each series.

    The first ones are left out, as many as are to be skipped.
    """
    study, series = _narrowed(query)
    if named is not None:
        yield from _by_uid(index, named, study, series, counted=_counted(query))
        return
    groups = index.groups(study, series)
    if query.level == "studies":
        yield from _studies(groups, skip)
        return
    if query.level == "series":
        for group in groups[skip:]:
            resource = Resource(study=group.study, series=group.series)
            yield [_Candidate(group.key, resource, _count(group), (group.study, group.series))]
        return
    for group in groups:
        if skip >= group.count:
            skip -= group.count
            continue
        place = (group.study, group.series)
        yield from _instances(index, place, index.keys(*place)[skip:], _count(group))
        skip = 0


def _by_uid(
    index: Index, uids: set[str], study: str | None, series: str | None, *, counted: bool
) -> Iterator[list[_Candidate]]:
    """Yield the instances of some UIDs: whoever asks for one shall not wait for 10,000 others."""
    for place in index.places_of(uids):
        if study not in {None, place[0]} or series not in {None, place[1]}:
            continue
        count: dict[str, Any] = {}
        for group in index.groups(*place) if counted else ():
            count = _count(group)
        yield from _instances(index, place, index.keys(*place, uids), count)


def _instances(
    index: Index, place: tuple[str, str], keys: list[tuple[int, str]], count: dict[str, Any]
) -> Iterator[list[_Candidate]]:
    """Yield instances of a series; read some together, for each question waits for its turn."""
    for at in range(0, len(keys), _TOGETHER):
        some = keys[at : at + _TOGETHER]
        summaries = index.summaries([key for key, _ in some])
        for key, uid in some:
            yield [_Candidate(key, Resource(*place, uid), count, summary=summaries.get(key))]


def _named(query: Query) -> set[str] | None:
    """Return the SOP Instance UIDs that a search for instances names; None if it names none."""
    lists = [
        {uid.strip() for uid in value.replace("\\", ",").split(",")}
        for tag, value in query.filters
        if tag == _INSTANCE and value.strip("*")
    ]
    return set.intersection(*lists) if lists and query.level == "instances" else None


def _counted(query: Query) -> bool:
    """Tell whether instances are to say how many there are in their series: that takes its time."""
    return query.all_fields or _COUNT in _wanted(query)


def _count(group: Group) -> dict[str, Any]:
    return {_COUNT: _integer(group.count)}


def _narrowed(query: Query) -> tuple[str | None, str | None]:
    """Return study and series that the search is in, from its path or its filters."""
    study, series = query.study, query.series
    for tag, value in query.filters:
        single = value.strip() if not set(value) & set("*?,\\") else ""
        if single and tag == _STUDY and study is None:
            study = single
    for tag, value in query.filters:
        single = value.strip() if not set(value) & set("*?,\\") else ""
        if single and tag == _SERIES and series is None and study is not None:
            series = single
    return study, series


def _studies(groups: list[Group], skip: int) -> Iterator[list[_Candidate]]:
    start = number = 0
    while start < len(groups):
        end = start
        while end < len(groups) and groups[end].study == groups[start].study:
            end += 1
        members = groups[start:end]
        start = end
        number += 1
        if number <= skip:
            continue
        resource = Resource(study=members[0].study)
        modalities = sorted({group.modality for group in members} - {""})
        computed = {
            "00080061": {"vr": "CS", "Value": modalities} if modalities else {"vr": "CS"},
            "00201206": _integer(len(members)),
            "00201208": _integer(sum(group.count for group in members)),
        }
        yield [
            _Candidate(group.key, resource, computed, (group.study, group.series))
            for group in members
        ]


def _integer(value: int) -> dict[str, Any]:
    return {"vr": "IS", "Value": [value]}
