"""Faults of requests that store: what archives do not take, or say that they took (STOW-RS).

What the body holds must be known for most of them; it is then held in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.requests import Request

from wsiweb.errors import ProtocolError
from wsiweb.server.faults.fault import StoreFault
from wsiweb.server.faults.network import BODIES, BODY_WORDS, Refusing
from wsiweb.server.faults.objects import objects_in, parts_in
from wsiweb.server.faults.options import option
from wsiweb.server.faults.passing import Answer
from wsiweb.server.origin import base_url
from wsiweb.server.stow import Outcome
from wsiweb.wire.media import DICOM, JSON, RELATED, parse_content_type
from wsiweb.wire.multipart import encode

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message

    from wsiweb.server.faults.objects import Parts
    from wsiweb.server.faults.passing import Call
    from wsiweb.wire.multipart import Part

__all__ = ["BlindToGzip", "CutAccepted", "Forgetful", "NeedsType", "SkipsOddParts", "TooLarge"]

_NOTHING = {"00081198": {"vr": "SQ"}, "00081199": {"vr": "SQ"}}
"""Orthanc's answer where it stored nothing and found nothing wrong."""


@dataclass(frozen=True, kw_only=True)
class Forgetful(StoreFault):
    """200, and nothing is stored."""

    name: ClassVar[str] = "forgetful"
    named: bool = option(True, "whether the answer lists what was sent, as if it were stored")

    async def befall(self, app: ASGIApp, call: Call) -> None:  # noqa: ARG002 - it is not asked
        """Take it all, and forget it."""
        body = await call.body()
        if body is None:
            return
        model: dict[str, Any] = _NOTHING
        if self.named:
            outcome = Outcome(stored=objects_in(body, call.header("content-type")))
            model = outcome.model(base_url(Request(call.scope)))
        await call.respond(Answer.json(200, model))


@dataclass(frozen=True, kw_only=True)
class TooLarge(StoreFault, Refusing):
    """413 for a body that is longer than the archive, or a proxy before it, takes."""

    name: ClassVar[str] = "too-large"
    most: int = option(1_000_000, "bytes of the longest that is taken")
    body: str = option("unread", BODY_WORDS, choices=BODIES)

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Refuse by the length that is stated, else once too much has come."""
        refusal = Answer.text(413, "Request Entity Too Large")
        stated = call.header("content-length")
        if stated.isdigit() and int(stated) > self.most:
            await self.refuse(call, refusal)
            return
        left = self.most

        async def counted() -> Message:
            nonlocal left
            if left >= 0:
                event = await call.receive()
                left -= len(event.get("body", b""))
                if left >= 0:
                    return event
            # To the server it is as if the client had gone away: it stores nothing.
            return {"type": "http.disconnect"}

        answer = await call.changed(receive=counted).answer(app)
        if left >= 0:
            await call.respond(answer)
        else:
            await self.refuse(call, refusal)


@dataclass(frozen=True, kw_only=True)
class NeedsType(StoreFault):
    """415 for a Content-Type that is not multipart/related with type= (Orthanc)."""

    name: ClassVar[str] = "needs-type"

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Look at the header."""
        try:
            kind = parse_content_type(call.header("content-type"))
        except ProtocolError:
            kind = None
        if kind is not None and kind.type == RELATED and kind.parameters.get("type") == DICOM:
            await call.pass_on(app)
        elif await call.body() is not None:
            words = {"HttpError": "Unsupported Media Type", "HttpStatus": 415}
            await call.respond(Answer.json(415, words, JSON))


@dataclass(frozen=True, kw_only=True)
class BlindToGzip(StoreFault):
    """200 for a body with a Content-Encoding, and nothing of it is stored (Orthanc)."""

    name: ClassVar[str] = "blind-to-gzip"

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Look at the header."""
        if not call.header("content-encoding"):
            await call.pass_on(app)
        elif await call.body() is not None:
            await call.respond(Answer.json(200, _NOTHING))


@dataclass(frozen=True, kw_only=True)
class _Choosing(StoreFault):
    """A fault that takes some parts of a body, and answers as if these were all."""

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Leave the others out of the body."""
        body = await call.body()
        if body is None:
            return
        found = parts_in(body, call.header("content-type"))
        kept = [] if found is None else self.kept(found)
        if found is not None and not kept:
            await call.respond(Answer.json(200, _NOTHING))
            return
        if found is not None and not (found.whole and kept == found.parts):
            body = b"".join(encode(kept, found.boundary))
        await call.carrying(body).pass_on(app)

    def kept(self, found: Parts) -> list[Part]:
        """Return the parts that are taken."""
        return found.parts


@dataclass(frozen=True, kw_only=True)
class SkipsOddParts(_Choosing):
    """A part of another type than application/dicom ends the body, silently (Orthanc)."""

    name: ClassVar[str] = "skips-odd-parts"

    def kept(self, found: Parts) -> list[Part]:
        """Take those of just that type, without parameters; one without a type is skipped alone."""
        types = [part.content_type for part in found.parts]
        end = next((at for at, kind in enumerate(types) if kind not in {"", DICOM}), len(types))
        return [part for part in found.parts[:end] if part.content_type]


@dataclass(frozen=True, kw_only=True)
class CutAccepted(_Choosing):
    """200 for a body without its end: the parts that are whole are stored (Orthanc)."""

    name: ClassVar[str] = "cut-accepted"
