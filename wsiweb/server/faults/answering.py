"""Faults of answers to requests that store: what became of each object, told wrongly (STOW-RS).

The objects are stored, or refused, as they should be; the answer is a DICOM JSON object still
(PS3.18 10.5.3). `wording` has those whose answers are in another form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from wsiweb.server.faults.fault import StoreFault
from wsiweb.server.faults.objects import objects_in
from wsiweb.server.faults.options import option
from wsiweb.server.stow import CANNOT_UNDERSTAND, DUPLICATE, PROCESSING_FAILURE, WRONG_STUDY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.types import ASGIApp

    from wsiweb.server.faults.passing import Call

__all__ = [
    "Duplicate",
    "EmptySequences",
    "Liar409",
    "Nameless",
    "Partial400",
    "StaleDuplicate",
    "WrongStudy",
]

_FAILED, _REFERENCED, _OTHER = "00081198", "00081199", "0008119A"
_CLASS, _INSTANCE, _REASON, _URL, _COMMENT = (
    "00081150",
    "00081155",
    "00081197",
    "00081190",
    "00000902",
)
_LARGEST = 0xFFFF  # what a code (US) can be

_Model = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Telling(StoreFault):
    """A fault that changes what an answer says, where it is a DICOM JSON object."""

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Store, and tell something else."""
        answer = await call.answer(app)
        model = answer.model()
        if model is not None:
            answer = answer.with_model(*self.told(answer.status, model))
        await call.respond(answer)

    def told(self, status: int, model: _Model) -> tuple[int, _Model]:
        """Return what is told instead."""
        return status, model


@dataclass(frozen=True, kw_only=True)
class Liar409(_Telling):
    """Stores what is sent, and answers 409 as if nothing had been (dcm4chee-arc, issue 4773)."""

    name: ClassVar[str] = "liar-409"
    code: int = option(PROCESSING_FAILURE, "FailureReason of each object", least=1, most=_LARGEST)

    def told(self, status: int, model: _Model) -> tuple[int, _Model]:  # noqa: ARG002 - it is a lie
        """Call stored objects failed."""
        failed = [_failed(item, self.code) for item in _items(model, _REFERENCED)]
        return 409, _with_items(model, {_REFERENCED: (), _FAILED: _items(model, _FAILED) + failed})


@dataclass(frozen=True, kw_only=True)
class Partial400(_Telling):
    """400 where a part cannot be read; the others are stored and listed, it is not (Orthanc)."""

    name: ClassVar[str] = "partial-400"

    def told(self, status: int, model: _Model) -> tuple[int, _Model]:
        """Leave out what could not be read."""
        if not _items(model, _OTHER):
            return status, model
        return 400, _with_items(model, {_OTHER: ()})


@dataclass(frozen=True, kw_only=True)
class Nameless(_Telling):
    """Parts that cannot be read are among the failures, which then do not say of what (Azure)."""

    name: ClassVar[str] = "nameless"
    code: int = option(CANNOT_UNDERSTAND, "their FailureReason", least=1, most=_LARGEST)

    def told(self, status: int, model: _Model) -> tuple[int, _Model]:
        """Move them from OtherFailuresSequence to FailedSOPSequence."""
        nameless = [_failed(item, self.code) for item in _items(model, _OTHER)]
        return status, _with_items(model, {_OTHER: (), _FAILED: _items(model, _FAILED) + nameless})


@dataclass(frozen=True, kw_only=True)
class WrongStudy(_Telling):
    """An object of another study than the path names fails with a code of the archive's own."""

    name: ClassVar[str] = "wrong-study"
    code: int = option(
        PROCESSING_FAILURE, "its FailureReason: 272 Orthanc, 43265 Azure", least=1, most=_LARGEST
    )
    conflict: bool = option(False, "whether that is 409 even if other objects were stored")

    def told(self, status: int, model: _Model) -> tuple[int, _Model]:
        """Say it with the other code."""
        failed = _items(model, _FAILED)
        wrong = [item for item in failed if _reason(item) == WRONG_STUDY]
        if not wrong:
            return status, model
        failed = [_failed(item, self.code) if item in wrong else item for item in failed]
        return (409 if self.conflict else status), _with_items(model, {_FAILED: failed})


@dataclass(frozen=True, kw_only=True)
class StaleDuplicate(StoreFault):
    """200 for an object whose UID is taken by another one, which stays (Orthanc)."""

    name: ClassVar[str] = "stale-duplicate"

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Call refused duplicates stored."""
        answer = await call.answer(app)
        model = answer.model()
        taken = [item for item in _items(model, _FAILED) if _reason(item) == DUPLICATE]
        if model is not None and taken:
            failed = [item for item in _items(model, _FAILED) if item not in taken]
            stored = [await self._stored(app, call, item) for item in taken]
            told = {_FAILED: failed, _REFERENCED: _items(model, _REFERENCED) + stored}
            model = _with_items(model, told)
            answer = answer.with_model(_status_of(model), model)
        await call.respond(answer)

    async def _stored(self, app: ASGIApp, call: Call, item: _Model) -> _Model:
        """Return what is said of an object that was stored."""
        found = await _held(app, call, [_uid(item)])
        kept = {tag: item[tag] for tag in (_CLASS, _INSTANCE)}
        return {**kept, _URL: found[_uid(item)]} if found else kept


@dataclass(frozen=True, kw_only=True)
class Duplicate(StoreFault):
    """An object that is there already is refused with a code of the archive's own; it stays."""

    name: ClassVar[str] = "duplicate"
    code: int = option(45070, "its FailureReason: 45070 Azure, 272 Google", least=1, most=_LARGEST)
    equal: bool = option(True, "whether that holds for the very same object too: yes for Azure")

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Look what is there, store, and call that failed."""
        body = await call.body()
        if body is None:
            return
        call = call.carrying(body)
        sent = objects_in(body, call.header("content-type")) if self.equal else []
        held = await _held(app, call, (one.instance_uid for one in sent))
        answer = await call.answer(app)
        model = answer.model()
        if model is not None:
            model = self._refused(model, held)
            answer = answer.with_model(_status_of(model), model)
        await call.respond(answer)

    def _refused(self, model: _Model, held: Iterable[str]) -> _Model:
        stored = _items(model, _REFERENCED)
        again = [item for item in stored if _uid(item) in held]
        failed = [
            _failed(item, self.code) if _reason(item) == DUPLICATE else item
            for item in _items(model, _FAILED)
        ]
        return _with_items(
            model,
            {
                _REFERENCED: [item for item in stored if item not in again],
                _FAILED: failed + [_failed(item, self.code) for item in again],
            },
        )


@dataclass(frozen=True, kw_only=True)
class EmptySequences(_Telling):
    """Both sequences are in each answer, without a Value where they are empty (Orthanc)."""

    name: ClassVar[str] = "empty-sequences"

    def told(self, status: int, model: _Model) -> tuple[int, _Model]:
        """Add what is missing."""
        return status, {_FAILED: {"vr": "SQ"}, _REFERENCED: {"vr": "SQ"}, **model}


def _status_of(model: _Model) -> int:
    """Return the status that goes with an answer: 200, 202 or 409 (PS3.18 table 10.5.3-1)."""
    if not _items(model, _FAILED) and not _items(model, _OTHER):
        return 200
    return 202 if _items(model, _REFERENCED) else 409


def _with_items(model: _Model, items: Mapping[str, Iterable[_Model]]) -> _Model:
    """Return an answer with other items in its sequences, of which empty ones are left out."""
    rest = {tag: value for tag, value in model.items() if tag not in items}
    filled = {tag: list(values) for tag, values in items.items()}
    return rest | {tag: {"vr": "SQ", "Value": values} for tag, values in filled.items() if values}


def _items(model: _Model | None, tag: str) -> list[_Model]:
    return [] if model is None else list(model.get(tag, {}).get("Value", ()))


def _reason(item: _Model) -> int:
    return item.get(_REASON, {}).get("Value", [0])[0]


def _uid(item: _Model) -> str:
    return item.get(_INSTANCE, {}).get("Value", [""])[0]


def _failed(item: _Model, code: int) -> _Model:
    """Return an object's item as one of FailedSOPSequence."""
    kept = {tag: item[tag] for tag in (_COMMENT, _CLASS, _INSTANCE) if tag in item}
    return {**kept, _REASON: {"vr": "US", "Value": [code]}}


async def _held(app: ASGIApp, call: Call, uids: Iterable[str]) -> dict[str, _Model]:
    """Return which objects the archive holds, and the RetrieveURL that it has for each."""
    held: dict[str, _Model] = {}
    for uid in uids:
        answer = await call.ask(app, "/instances", [("SOPInstanceUID", uid)])
        for found in answer.models():
            held[uid] = found[_URL]
    return held
