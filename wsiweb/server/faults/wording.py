"""Faults of the form of an answer: what it says is true, and hard to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from wsiweb.server.faults.fault import Fault, StoreFault
from wsiweb.server.faults.native import native_xml
from wsiweb.server.faults.options import option
from wsiweb.wire.media import DICOM_JSON, JSON

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from wsiweb.server.faults.passing import Answer, Call

__all__ = ["Charset", "InAList", "NoContentType", "Silent", "TextAnswer", "Xml"]

_DICOM_XML = "application/dicom+xml"


@dataclass(frozen=True, kw_only=True)
class _Rewording(Fault):
    """A fault that changes an answer, whatever it says."""

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Answer in another form."""
        await call.respond(self.reworded(await call.answer(app), call))

    def reworded(self, answer: Answer, call: Call) -> Answer:  # noqa: ARG002 - some look at it
        """Return the answer in another form."""
        return answer


@dataclass(frozen=True, kw_only=True)
class Xml(_Rewording, StoreFault):
    """What became of the objects is told in XML, the Native DICOM Model (PS3.19 A.1)."""

    name: ClassVar[str] = "xml"
    obeys: bool = option(False, "whether JSON comes where Accept names it, as from Google")

    def reworded(self, answer: Answer, call: Call) -> Answer:
        """Write XML."""
        model = answer.model()
        if model is None or (self.obeys and "json" in call.header("accept")):
            return answer
        return answer.changed(headers={"content-type": _DICOM_XML}, body=native_xml(model))


@dataclass(frozen=True, kw_only=True)
class InAList(_Rewording, StoreFault):
    """The JSON object that tells what became of the objects comes in an array."""

    name: ClassVar[str] = "in-a-list"

    def reworded(self, answer: Answer, call: Call) -> Answer:  # noqa: ARG002 - nothing is asked
        """Put it in an array."""
        model = answer.model()
        return answer if model is None else answer.with_model(answer.status, [model])


@dataclass(frozen=True, kw_only=True)
class TextAnswer(_Rewording, StoreFault):
    """Objects are stored, and the answer is the text: success (DCM.js dicomweb-server)."""

    name: ClassVar[str] = "text-answer"

    def reworded(self, answer: Answer, call: Call) -> Answer:  # noqa: ARG002 - nothing is asked
        """Say it in a word, whatever it was."""
        if answer.model() is None:
            return answer
        return answer.changed(
            status=200, headers={"content-type": "text/plain; charset=utf-8"}, body=b"success"
        )


@dataclass(frozen=True, kw_only=True)
class Silent(_Rewording, StoreFault):
    """Objects are stored, and the answer is 200 without a body."""

    name: ClassVar[str] = "silent"

    def reworded(self, answer: Answer, call: Call) -> Answer:  # noqa: ARG002 - nothing is asked
        """Say nothing, whatever it was."""
        if answer.model() is None:
            return answer
        return answer.changed(status=200, headers={"content-type": None}, body=b"")


@dataclass(frozen=True, kw_only=True)
class NoContentType(_Rewording):
    """Answers come without a Content-Type."""

    name: ClassVar[str] = "no-content-type"
    errors: bool = option(False, "whether only those from 400 on do, as Orthanc's")

    def reworded(self, answer: Answer, call: Call) -> Answer:  # noqa: ARG002 - nothing is asked
        """Leave the header out."""
        if self.errors and answer.status < 400:
            return answer
        return answer.changed(headers={"content-type": None})


@dataclass(frozen=True, kw_only=True)
class Charset(_Rewording):
    """The Content-Type of JSON has a charset, which it needs not (static-wado and others)."""

    name: ClassVar[str] = "charset"

    def reworded(self, answer: Answer, call: Call) -> Answer:  # noqa: ARG002 - nothing is asked
        """Add it."""
        kind = answer.headers.get("content-type", "")
        if kind not in {DICOM_JSON, JSON}:
            return answer
        return answer.changed(headers={"content-type": f"{kind}; charset=utf-8"})
