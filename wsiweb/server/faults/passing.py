"""One request on its way to the server, and its answer on the way back.

What a fault may do to either is here, and nothing of what it does: look at a request, change it,
have it answered, answer it otherwise, or close the connection.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import urlencode

import msgspec

from wsiweb.wire.media import DICOM_JSON
from wsiweb.wire.uris import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HANG_UP", "Answer", "Call", "Gone", "Kind"]

HANG_UP = "wsiweb.hang_up"
"""The ASGI extension by which our server lets an application close the connection: what is under
this name has a function `close`. HTTP knows no other answer than an answer."""

Kind = Literal["store", "search", "metadata", "frames", "objects", "rendered", "bulkdata", "other"]
"""What a request wants."""

_OWN = "wsiweb.own"  # marks a fault's own questions, which other faults leave alone
_KINDS: dict[str, Kind] = {
    "": "objects",
    "studies": "search",
    "series": "search",
    "instances": "search",
    "metadata": "metadata",
    "frames": "frames",
    "rendered": "rendered",
    "thumbnail": "rendered",
    "bulkdata": "bulkdata",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer.

    Attributes
    ----------
    status : int
        HTTP status.
    headers : mapping of str to str
        Names in lower case. Content-Length is made anew when the answer is sent.
    body : bytes
        Its content.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    @classmethod
    def text(cls, status: int, words: str, **headers: str) -> Self:
        """Return an answer in words; header names with ``_`` for ``-``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return cls(status, {"content-type": "text/plain", **named}, words.encode())

    @classmethod
    def json(cls, status: int, model: object, content_type: str = DICOM_JSON) -> Self:
        """Return an answer in JSON."""
        return cls(status, {"content-type": content_type}, msgspec.json.encode(model))

    def changed(
        self,
        *,
        status: int | None = None,
        headers: Mapping[str, str | None] | None = None,
        body: bytes | None = None,
    ) -> Self:
        """Return the answer with another status, body, or headers; a header of None is left out."""
        named = {**self.headers, **(headers or {})}
        if body is not None:
            named.pop("content-length", None)
        kept = {name: value for name, value in named.items() if value is not None}
        return type(self)(
            self.status if status is None else status, kept, self.body if body is None else body
        )

    def model(self) -> dict[str, Any] | None:
        """Return the DICOM JSON object that a request to store was answered with, if one was.

        It may not be one any more: other faults come first.
        """
        if not self.headers.get("content-type", "").startswith(DICOM_JSON):
            return None
        try:
            return msgspec.json.decode(self.body, type=dict[str, Any])
        except msgspec.DecodeError:
            return None

    def models(self) -> list[dict[str, Any]]:
        """Return the DICOM JSON objects that a question of the fault's own found."""
        return msgspec.json.decode(self.body, type=list[dict[str, Any]])

    def with_model(self, status: int, model: object) -> Self:
        """Return the answer with another DICOM JSON object."""
        return self.changed(status=status, body=msgspec.json.encode(model))


class Gone(Exception):
    """The connection was closed by a fault further on: there is nobody to be answered."""


class Call:
    """A request, and the way back to who sent it.

    Parameters
    ----------
    scope, receive, send
        As an ASGI application is given them.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.send = send
        self._receive = receive
        self._ended = False

    async def receive(self) -> Message:
        """Return the next event of the request, as ASGI has it."""
        event = await self._receive()
        self._ended = not event.get("more_body", False)
        return event

    @property
    def own(self) -> bool:
        """Whether a fault asks this, not a client."""
        return _OWN in self.scope

    @property
    def kind(self) -> Kind:
        """What is wanted."""
        if self.scope["method"] == "POST":
            return "store"
        try:
            path: str = self.scope["path"]
            return _KINDS[Resource.parse(path.removeprefix("/dicom-web")).aspect]
        except ValueError:
            return "other"

    def header(self, name: str) -> str:
        """Return a header of the request, by its name in lower case; empty where there is none."""
        values = [value for key, value in self.scope["headers"] if key == name.encode()]
        return b",".join(values).decode("latin-1")

    def changed(
        self,
        *,
        headers: Mapping[str, str | None] | None = None,
        query: Sequence[tuple[str, str]] | None = None,
        receive: Receive | None = None,
    ) -> Call:
        """Return the request with other headers (None leaves one out), query, or body."""
        scope = dict(self.scope)
        if headers is not None:
            names = {name.encode() for name in headers}
            scope["headers"] = [
                *(pair for pair in scope["headers"] if pair[0] not in names),
                *(
                    (name.encode(), value.encode("latin-1"))
                    for name, value in headers.items()
                    if value is not None
                ),
            ]
        if query is not None:
            scope["query_string"] = urlencode(query).encode()
        return Call(scope, receive or self.receive, self.send)

    def carrying(self, body: bytes) -> Call:
        """Return the request with a body that is here already."""
        return self.changed(
            headers={"content-length": str(len(body)), "transfer-encoding": None},
            receive=_giving(body, self.receive),
        )

    async def body(self) -> bytes | None:
        """Take what there is of the body, in memory; None if the client goes before its end."""
        pieces: list[bytes] = []
        while not self._ended:
            event = await self.receive()
            if event["type"] == "http.disconnect":
                return None
            pieces.append(event.get("body", b""))
        return b"".join(pieces)

    async def pass_on(self, app: ASGIApp) -> None:
        """Have an application answer it."""
        await app(self.scope, self.receive, self.send)

    async def answer(self, app: ASGIApp) -> Answer:
        """Return the whole answer of an application, which is not sent.

        Raises
        ------
        Gone
            When the application hung up instead.
        """
        events: list[Message] = []

        async def keep(event: Message) -> None:
            events.append(event)

        await app(self.scope, self.receive, keep)
        if not events:
            raise Gone
        headers = {key.decode(): value.decode("latin-1") for key, value in events[0]["headers"]}
        body = b"".join(event.get("body", b"") for event in events[1:])
        return Answer(events[0]["status"], headers, body)

    async def ask(self, app: ASGIApp, path: str, query: Sequence[tuple[str, str]]) -> Answer:
        """Return the answer to a question of the fault's own, a search, about what is stored."""
        scope = {
            **self.scope,
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": urlencode(query).encode(),
            "headers": [pair for pair in self.scope["headers"] if pair[0] == b"host"],
            _OWN: True,
        }
        return await Call(scope, _giving(b"", self.receive), self.send).answer(app)

    async def respond(self, answer: Answer, *, length: int | None = None) -> None:
        """Send an answer.

        Parameters
        ----------
        answer : Answer
            All of it.
        length : int, optional
            What Content-Length says instead of the truth. Where more is promised than there is,
            the answer is left unfinished: `hang_up` after it.
        """
        true = len(answer.body)
        headers = {**answer.headers, "content-length": str(true if length is None else length)}
        if answer.status == 204:
            del headers["content-length"]
        pairs = [(key.encode(), value.encode("latin-1")) for key, value in headers.items()]
        await self.send({"type": "http.response.start", "status": answer.status, "headers": pairs})
        unfinished = length is not None and length > true
        await self.send(
            {"type": "http.response.body", "body": answer.body, "more_body": unfinished}
        )

    async def hang_up(self) -> None:
        """Close the connection, after what was sent on it, and return when it is closed.

        Raises
        ------
        ConnectionAbortedError
            Where there is no connection to close: the application runs without a server of ours.
        """
        extensions = self.scope.get("extensions", {})
        if HANG_UP not in extensions:
            raise ConnectionAbortedError("This fault closes the connection, and there is none.")
        extensions[HANG_UP]["close"]()
        while (await self.receive())["type"] != "http.disconnect":
            pass


def _giving(body: bytes, after: Receive) -> Receive:
    """Return what gives a body at once, and then only tells whether the client is there."""
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            return await after()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
