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

_STUDY = "0020000D"
_SERIES = "0020000E"
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

    def text(self, index: Index, base: str) -> bytes | None:
        """Return the summary with what is computed, as one JSON object; None if it has gone."""
        summary = index.summary(self.key)
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
    filters = tuple((tags, value) for tags, value in query.filters if value.strip("*"))
    wanted = _wanted(query)
    passed = 0
    page: list[bytes] = []
    for choices in _candidates(index, query):
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


def _candidates(index: Index, query: Query) -> Iterator[list[_Candidate]]:
    """Yield what may match, in the order of UIDs; of a study one candidate for each series."""
    study, series = _narrowed(query)
    groups = index.groups(study, series)
    if query.level == "studies":
        yield from _studies(groups)
        return
    for group in groups:
        resource = Resource(study=group.study, series=group.series)
        count = {"00201209": _integer(group.count)}
        if query.level == "series":
            yield [_Candidate(group.key, resource, count, (group.study, group.series))]
            continue
        for key, uid in index.keys(group.study, group.series):
            instance = Resource(study=group.study, series=group.series, instance=uid)
            yield [_Candidate(key, instance, count)]


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


def _studies(groups: list[Group]) -> Iterator[list[_Candidate]]:
    start = 0
    while start < len(groups):
        end = start
        while end < len(groups) and groups[end].study == groups[start].study:
            end += 1
        members = groups[start:end]
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
        start = end


def _integer(value: int) -> dict[str, Any]:
    return {"vr": "IS", "Value": [value]}
