"""Faults of searches, headers and frames (QIDO-RS, WADO-RS)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl

import msgspec

from wsiweb.server.faults.fault import WHICH, Fault
from wsiweb.server.faults.options import option
from wsiweb.server.faults.passing import Answer
from wsiweb.wire.tags import tag_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from wsiweb.server.faults.passing import Call

__all__ = [
    "LastAccept",
    "NoBulk",
    "NoContent",
    "NoType",
    "OneFrame",
    "PageLimit",
    "PickySearch",
    "Unfiltered",
    "WrongHost",
]

_ABOUT_THE_ANSWER = {"limit", "offset", "includefield", "fuzzymatching"}
_HOST = re.compile(rb'"BulkDataURI":"https?://[^/"]*')
_TYPE = re.compile(r'type="?([^";]+)"?')
_TRANSFER_SYNTAXES, _CLASS = "00083002", "00080016"


@dataclass(frozen=True, kw_only=True)
class _SearchFault(Fault):
    on: str = option("search", "requests that it befalls", choices=WHICH)


@dataclass(frozen=True, kw_only=True)
class _MetadataFault(Fault):
    on: str = option("metadata", "requests that it befalls", choices=WHICH)

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Change the headers."""
        answer = await call.changed(headers={"accept-encoding": None}).answer(app)
        if answer.status == 200:
            answer = answer.changed(body=self.spoilt(answer.body))
        await call.respond(answer)

    def spoilt(self, body: bytes) -> bytes:
        """Return other headers."""
        return body


@dataclass(frozen=True, kw_only=True)
class NoContent(_SearchFault):
    """204 without a body where nothing is found (Google)."""

    name: ClassVar[str] = "no-content"

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Look whether nothing was found."""
        answer = await call.changed(headers={"accept-encoding": None}).answer(app)
        nothing = answer.status == 200 and answer.body == b"[]"
        await call.respond(Answer(204) if nothing else answer)


@dataclass(frozen=True, kw_only=True)
class PageLimit(_SearchFault):
    """A search lists no more than so many, whatever limit= says (Azure)."""

    name: ClassVar[str] = "page-limit"
    most: int = option(200, "the longest list", least=1)
    default: int = option(100, "the longest without limit=", least=1)

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Ask for less."""
        query = _query(call)
        asked = dict(query).get("limit", "")
        limit = int(asked) if asked.isdigit() else self.default
        rest = [(name, value) for name, value in query if name != "limit"]
        await call.changed(query=[*rest, ("limit", str(min(limit, self.most)))]).pass_on(app)


@dataclass(frozen=True, kw_only=True)
class Unfiltered(_SearchFault):
    """Filters of a search are passed over: all is found (dcm4chee-arc, static-wado)."""

    name: ClassVar[str] = "unfiltered"

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Leave the filters out."""
        kept = [pair for pair in _query(call) if pair[0] in _ABOUT_THE_ANSWER]
        await call.changed(query=kept).pass_on(app)


@dataclass(frozen=True, kw_only=True)
class PickySearch(_SearchFault):
    """400 for a filter by SOPClassUID, or asking for AvailableTransferSyntaxUID (Google)."""

    name: ClassVar[str] = "picky-search"

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Look at the query."""
        for name, value in _query(call):
            fields = value.split(",") if name == "includefield" else []
            refused = {_tag(name)} & {_CLASS} or {_TRANSFER_SYNTAXES} & set(map(_tag, fields))
            if refused:
                words = f"The attribute {refused.pop()} is not supported in searches."
                await call.respond(Answer.text(400, words))
                return
        await call.pass_on(app)


@dataclass(frozen=True, kw_only=True)
class WrongHost(_MetadataFault):
    """BulkDataURIs name a host that nobody reaches, as of an archive behind a proxy."""

    name: ClassVar[str] = "wrong-host"

    def spoilt(self, body: bytes) -> bytes:
        """Put the other host in."""
        return _HOST.sub(b'"BulkDataURI":"http://inner.invalid:8080', body)


@dataclass(frozen=True, kw_only=True)
class NoBulk(_MetadataFault):
    """Headers lack the values that are large: the ICC profile among them (Azure)."""

    name: ClassVar[str] = "no-bulk"

    def spoilt(self, body: bytes) -> bytes:
        """Leave them out, at any depth."""
        try:
            headers = msgspec.json.decode(body, type=list[dict[str, Any]])
        except msgspec.DecodeError:  # cut off by another fault
            return body
        return msgspec.json.encode([_without_bulk(one) for one in headers])


@dataclass(frozen=True, kw_only=True)
class NoType(Fault):
    """The Content-Type of parts comes without type= before its name (DCM.js dicomweb-server)."""

    name: ClassVar[str] = "no-type"
    on: str = option("read", "requests that it befalls", choices=WHICH)

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Write the bare type where type= and the type belong."""
        answer = await call.answer(app)
        kind = answer.headers.get("content-type", "")
        if kind.startswith("multipart/"):
            answer = answer.changed(headers={"content-type": _TYPE.sub(r"\1", kind, count=1)})
        await call.respond(answer)


@dataclass(frozen=True, kw_only=True)
class LastAccept(Fault):
    """Of several types in an Accept header, only the last one counts (Orthanc)."""

    name: ClassVar[str] = "last-accept"
    on: str = option("read", "requests that it befalls", choices=WHICH)

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Ask for the last one."""
        accept = call.header("accept")
        last = accept.rpartition(",")[2].strip()
        await (call.changed(headers={"accept": last}) if accept else call).pass_on(app)


@dataclass(frozen=True, kw_only=True)
class OneFrame(Fault):
    """400 for a list of frames: one is given at a time (Kheops, static-wado)."""

    name: ClassVar[str] = "one-frame"
    on: str = option("frames", "requests that it befalls", choices=WHICH)

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Look for a comma."""
        if "," in call.scope["path"]:
            await call.respond(Answer.text(400, "One frame can be asked for at a time."))
        else:
            await call.pass_on(app)


def _query(call: Call) -> list[tuple[str, str]]:
    return parse_qsl(call.scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _tag(name: str) -> str:
    """Return the tag of an attribute that a query names, or nothing."""
    try:
        return tag_of(name)
    except ValueError:
        return ""


def _without_bulk(model: dict[str, Any]) -> dict[str, Any]:
    kept = {tag: element for tag, element in model.items() if "BulkDataURI" not in element}
    for tag, element in kept.items():
        if element.get("vr") == "SQ" and "Value" in element:
            items = [_without_bulk(item) for item in element["Value"]]
            kept[tag] = {**element, "Value": items}
    return kept
