"""Storing what is sent (STOW-RS, PS3.18 10.5), without ever harming what is there.

A body is taken apart as it arrives, each part into a file of its own in a hidden folder beside the
others; nothing is in the archive before the whole body has come. Then each file is read, synced,
and linked to its place: under the UIDs that it states, which are checked before they become a
path. A place that is taken stays as it is.
"""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from wsiweb.errors import ProtocolError
from wsiweb.server.answers import Refusal
from wsiweb.server.index import IndexLost
from wsiweb.server.keeping import keep, make_lasting
from wsiweb.server.placing import Workspace, alone_in, sweep
from wsiweb.server.scan import Scanned, scan
from wsiweb.wire.media import DICOM, RELATED, parse_content_type
from wsiweb.wire.multipart import MultipartEvents, PartBegin, PartData, PartEnd
from wsiweb.wire.uris import Resource

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from wsiweb.server.store import Store

__all__ = ["Incoming", "Outcome", "too_large"]

# Failure reasons (PS3.4 B.2.3, PS3.18 table I.2-2).
PROCESSING_FAILURE = 0x0110  # 272
DUPLICATE = 0x0111  # 273
OUT_OF_RESOURCES = 0xA700  # 42752
WRONG_STUDY = 0xA900  # 43264
CANNOT_UNDERSTAND = 0xC000  # 49152

_FULL = {errno.ENOSPC, errno.EDQUOT}


@dataclass(slots=True)
class Outcome:
    """What became of the parts of a body.

    Attributes
    ----------
    stored : list of Scanned
        What the archive holds now; some of it perhaps before.
    failed : list of (Scanned or None, int, str)
        What it refused: the instance as far as it is known, FailureReason, and words.
    """

    stored: list[Scanned] = field(default_factory=list[Scanned])
    failed: list[tuple[Scanned | None, int, str]] = field(
        default_factory=list[tuple[Scanned | None, int, str]]
    )

    @property
    def status(self) -> int:
        """200 for all, 202 for some, 409 for none."""
        if not self.failed:
            return 200
        return 202 if self.stored else 409

    def model(self, base: str) -> dict[str, Any]:
        """Return the answer as a DICOM JSON object (PS3.18 table I.1-1).

        Parameters
        ----------
        base : str
            URL of the service, without a trailing slash.
        """
        known = [(one, reason, words) for one, reason, words in self.failed if one is not None]
        other = [(reason, words) for one, reason, words in self.failed if one is None]
        model: dict[str, Any] = {}
        studies = {one.study_uid for one in self.stored}
        if len(studies) == 1:
            model["00081190"] = _url(f"{base}/{Resource(studies.pop()).path}")
        if known:
            model["00081198"] = _sequence(
                [{**_reference(one), **_reason(reason, words)} for one, reason, words in known]
            )
        if self.stored:
            model["00081199"] = _sequence(
                [{**_reference(one), "00081190": _retrieve(one, base)} for one in self.stored]
            )
        if other:
            model["0008119A"] = _sequence([_reason(reason, words) for reason, words in other])
        return model


def _sequence(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"vr": "SQ", "Value": items}


def _url(text: str) -> dict[str, Any]:
    return {"vr": "UR", "Value": [text]}


def _retrieve(one: Scanned, base: str) -> dict[str, Any]:
    return _url(f"{base}/{Resource(one.study_uid, one.series_uid, one.instance_uid).path}")


def _reference(one: Scanned) -> dict[str, Any]:
    return {
        "00081150": {"vr": "UI", "Value": [one.class_uid]},
        "00081155": {"vr": "UI", "Value": [one.instance_uid]},
    }


def _reason(reason: int, words: str) -> dict[str, Any]:
    # ErrorComment is no part of the answer in the standard, but where others put their words too.
    return {
        "00000902": {"vr": "LO", "Value": [words[:64]]},
        "00081197": {"vr": "US", "Value": [reason]},
    }


class Incoming:
    """A body that is being received. Blocking; for one thread at a time. Close it in any case.

    Parameters
    ----------
    store : Store
        The archive.
    content_type, content_encoding : str
        Headers of the request.
    limit : int
        Most bytes that are taken.

    Raises
    ------
    Refusal
        400, 413 or 415, here and in `feed` and `finish`; 507 when the disk is full.
    """

    def __init__(
        self, store: Store, content_type: str, content_encoding: str, *, limit: int
    ) -> None:
        self._store = store
        self._left = self._limit = limit
        self._events = _events(content_type, content_encoding)
        self._files: list[Path] = []
        self._types: list[str] = []
        self._file: BinaryIO | None = None
        with _disk():
            sweep(store.folder)
            self._workspace = Workspace(store.folder)
        if self._events is None:
            self._begin(DICOM)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the body."""
        self._left -= len(chunk)
        if self._left < 0:
            raise too_large(self._limit)
        with _disk():
            if self._events is None:
                self._write(chunk)
                return
            for event in self._events.feed(chunk):
                match event:
                    case PartBegin(headers):
                        self._begin(headers.get("content-type", ""))
                    case PartData(data):
                        self._write(data)
                    case PartEnd():
                        self._end()

    def _begin(self, content_type: str) -> None:
        path = self._workspace.path / str(len(self._files))
        self._file = path.open("xb")
        self._files.append(path)
        self._types.append(content_type)

    def _write(self, data: bytes) -> None:
        if self._file is not None:
            self._file.write(data)

    def _end(self) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def finish(self, study: str | None) -> Outcome:
        """Store what has come, now that all has.

        Parameters
        ----------
        study : str or None
            UID of the study that all must belong to, if the request names one.
        """
        if self._events is not None:
            self._events.close()
        if not self._files:
            raise Refusal(400, "There is no part in the body: nothing to store.")
        outcome = Outcome()
        with _disk():
            self._end()
            self._store.refresh()
        for path, content_type in zip(self._files, self._types, strict=True):
            self._settle(path, content_type, study, outcome)
        return outcome

    def _settle(self, path: Path, content_type: str, study: str | None, outcome: Outcome) -> None:
        scanned, trouble = _understand(path, content_type)
        if scanned is None or trouble:
            outcome.failed.append((scanned, CANNOT_UNDERSTAND, trouble))
            return
        if study is not None and scanned.study_uid != study:
            words = f"it belongs to study {scanned.study_uid}"
            outcome.failed.append((scanned, WRONG_STUDY, words))
            return
        try:
            with alone_in(self._store.folder):
                failure = self._place(path, scanned)
        except (OSError, IndexLost) as error:  # the other parts may fare better
            failure = _failed(error)
        if failure is None:
            outcome.stored.append(scanned)
        else:
            outcome.failed.append((scanned, *failure))

    def _place(self, path: Path, scanned: Scanned) -> tuple[int, str] | None:
        """Put a file where it belongs; return FailureReason and words if that cannot be."""
        kept = keep(self._store, path, scanned)
        if kept.state == "added":
            make_lasting(self._store.folder, kept.path)
        if kept.state == "taken":
            return DUPLICATE, "another object with this UID is stored; it stays"
        return (PROCESSING_FAILURE, kept.words) if kept.state == "refused" else None

    def close(self) -> None:
        """Remove what was not stored."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        self._workspace.close()


def _understand(path: Path, content_type: str) -> tuple[Scanned | None, str]:
    """Read what came; return what is known of it, and what is wrong with it."""
    try:
        if content_type and parse_content_type(content_type).type != DICOM:
            return None, f"the part is {content_type}, not {DICOM}"
        with path.open("rb") as handle:
            scanned = scan(handle)
    except ProtocolError as error:
        return None, error.message
    # Frames of a kind that is not understood here are stored all the same; half an object is not.
    return scanned, "" if scanned.whole else scanned.trouble


def too_large(limit: int) -> Refusal:
    """Return the refusal of a body that is longer than the limit."""
    return Refusal(413, f"At most {limit:,} bytes are taken at once: send fewer instances.")


def _events(content_type: str, content_encoding: str) -> MultipartEvents | None:
    """Return the parser of a body; None when it is a single instance."""
    if content_encoding.strip().lower() not in {"", "identity"}:
        raise Refusal(415, f"A body in Content-Encoding {content_encoding} is not understood.")
    try:
        kind = parse_content_type(content_type)
    except ProtocolError as error:
        raise Refusal(415, f"The Content-Type is missing or odd. {error.message}") from error
    if kind.type == DICOM:
        return None
    parts = parse_content_type(kind.parameters.get("type") or DICOM)
    if kind.type != RELATED or parts.type != DICOM:
        raise Refusal(415, f'Instances are taken as {RELATED}; type="{DICOM}", not {content_type}.')
    boundary = kind.parameters.get("boundary")
    if boundary is None:
        raise Refusal(400, "The Content-Type names no boundary.")
    return MultipartEvents(boundary)


def _failed(error: OSError | IndexLost) -> tuple[int, str]:
    """Return FailureReason and words for what the disk, or the index, did to a part."""
    if isinstance(error, OSError):
        words = f"it could not be written: {error.strerror or type(error).__name__}"
        return (OUT_OF_RESOURCES if error.errno in _FULL else PROCESSING_FAILURE), words
    return PROCESSING_FAILURE, str(error)


@contextlib.contextmanager
def _disk() -> Generator[None]:
    """Turn a failing disk into an answer."""
    try:
        yield
    except OSError as error:
        words = error.strerror or type(error).__name__
        raise Refusal(
            507 if error.errno in _FULL else 500, f"It could not be written: {words}."
        ) from error
