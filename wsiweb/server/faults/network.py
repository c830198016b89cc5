"""Faults of the way, and of any server: slow, overloaded, gone, in want of a new login."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from wsiweb.server.faults.fault import Fault, StoreFault
from wsiweb.server.faults.options import option
from wsiweb.server.faults.passing import Answer

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from wsiweb.server.faults.fault import Befall
    from wsiweb.server.faults.passing import Call

__all__ = [
    "BODIES",
    "BODY_WORDS",
    "Busy",
    "CrashAfterStore",
    "Dropped",
    "Expired",
    "Failing",
    "LateAnswer",
    "Moved",
    "Refusing",
    "ShortAnswer",
    "Slow",
    "TooMany",
    "Truncated",
]

BODIES = ("discarded", "unread", "read")
BODY_WORDS = (
    "the request's body is discarded (answered at once, the rest thrown away), unread (answered at "
    "once, and the connection closed), or read (answered after it)"
)


@dataclass(frozen=True, kw_only=True)
class Slow(Fault):
    """Waits before a request is looked at."""

    name: ClassVar[str] = "slow"
    seconds: float = option(1.0, "how long")

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Wait."""
        await asyncio.sleep(self.seconds)
        await call.pass_on(app)


@dataclass(frozen=True, kw_only=True)
class LateAnswer(Fault):
    """Does what is asked at once, and answers late: who waited less has stored all the same."""

    name: ClassVar[str] = "late-answer"
    seconds: float = option(1.0, "how long")

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Do it, wait, answer."""
        answer = await call.answer(app)
        await asyncio.sleep(self.seconds)
        await call.respond(answer)


@dataclass(frozen=True, kw_only=True)
class Refusing(Fault):
    """A fault that answers without asking the server."""

    body: str = option("discarded", BODY_WORDS, choices=BODIES)

    async def refuse(self, call: Call, answer: Answer) -> None:
        """Answer a request, and see to its body."""
        if self.body == "read" and await call.body() is None:
            return  # nobody is there to be answered
        if self.body == "unread":
            # Bytes that come after the close are answered by the system with a reset.
            answer = answer.changed(headers={"connection": "close"})
        await call.respond(answer)


@dataclass(frozen=True, kw_only=True)
class Busy(Refusing):
    """503 with Retry-After, as of an overloaded archive."""

    name: ClassVar[str] = "busy"
    retry_after: int = option(1, "seconds that it asks for")

    async def befall(self, app: ASGIApp, call: Call) -> None:  # noqa: ARG002 - it is not asked
        """Refuse."""
        after = str(self.retry_after)
        await self.refuse(call, Answer.text(503, "Service Unavailable", retry_after=after))


@dataclass(frozen=True, kw_only=True)
class TooMany(Refusing):
    """429 with Retry-After, as of an archive that counts requests."""

    name: ClassVar[str] = "too-many"
    retry_after: int = option(1, "seconds that it asks for")

    async def befall(self, app: ASGIApp, call: Call) -> None:  # noqa: ARG002 - it is not asked
        """Refuse."""
        after = str(self.retry_after)
        await self.refuse(call, Answer.text(429, "Too Many Requests", retry_after=after))


@dataclass(frozen=True, kw_only=True)
class Failing(Refusing):
    """500, or another status, with words that are no DICOM."""

    name: ClassVar[str] = "failing"
    status: int = option(500, "the status", least=400, most=599)

    async def befall(self, app: ASGIApp, call: Call) -> None:  # noqa: ARG002 - it is not asked
        """Refuse."""
        words = "<html><body><h1>Something went wrong.</h1></body></html>"
        answer = Answer(self.status, {"content-type": "text/html"}, words.encode())
        await self.refuse(call, answer)


@dataclass(frozen=True, kw_only=True)
class Moved(Refusing):
    """Redirects to the same place below /dicom-web, where requests are answered."""

    name: ClassVar[str] = "moved"
    status: int = option(307, "the status", choices=(301, 302, 303, 307, 308))

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Redirect what does not come below /dicom-web yet."""
        path: bytes = call.scope["raw_path"]
        if path.startswith(b"/dicom-web/"):
            await call.pass_on(app)
            return
        query: bytes = call.scope["query_string"]
        target = b"/dicom-web" + path + (b"?" + query if query else b"")
        await self.refuse(call, Answer(self.status, {"location": target.decode()}))


@dataclass(frozen=True, kw_only=True)
class Expired(Refusing):
    """401 once credentials were used some times, until other ones come."""

    name: ClassVar[str] = "expired"
    lasts: int = option(3, "requests that each credentials are good for")

    def start(self) -> Befall:
        """Count the uses of each credentials."""
        uses: Counter[str] = Counter()
        challenge = {"www-authenticate": 'Bearer error="invalid_token"'}

        async def befall(app: ASGIApp, call: Call) -> None:
            credentials = call.header("authorization")
            uses[credentials] += 1
            if uses[credentials] <= self.lasts:
                await call.pass_on(app)
            else:
                await self.refuse(call, Answer(401, challenge))

        return befall


@dataclass(frozen=True, kw_only=True)
class Dropped(Fault):
    """Closes the connection without an answer, after some bytes of the request's body."""

    name: ClassVar[str] = "dropped"
    taken: int = option(0, "bytes of the body that are taken first")

    async def befall(self, app: ASGIApp, call: Call) -> None:  # noqa: ARG002 - it is not asked
        """Take some bytes and hang up; the server sees none of it."""
        left = self.taken
        while left > 0:
            event = await call.receive()
            if event["type"] == "http.disconnect":
                return
            left -= len(event.get("body", b""))
            if not event.get("more_body", False):
                break
        await call.hang_up()


@dataclass(frozen=True, kw_only=True)
class CrashAfterStore(StoreFault):
    """Stores what is sent, and closes the connection before the answer."""

    name: ClassVar[str] = "crash-after-store"

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Store and hang up."""
        await call.answer(app)
        await call.hang_up()


@dataclass(frozen=True, kw_only=True)
class _Cutting(Fault):
    keep: int = option(100, "bytes of the answer's body that come; one less where it has no more")

    async def cut(self, app: ASGIApp, call: Call) -> tuple[Answer, bytes]:
        """Return the answer, and what is left of its body."""
        answer = await call.answer(app)
        return answer, answer.body[: max(0, min(self.keep, len(answer.body) - 1))]


@dataclass(frozen=True, kw_only=True)
class Truncated(_Cutting):
    """Closes the connection in the middle of the answer; an answer without a body stays whole."""

    name: ClassVar[str] = "truncated"

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Promise all, send some, hang up."""
        answer, left = await self.cut(app, call)
        await call.respond(answer.changed(body=left), length=len(answer.body))
        if answer.body:
            await call.hang_up()


@dataclass(frozen=True, kw_only=True)
class ShortAnswer(_Cutting):
    """Cuts the end of the answer off, and pretends that this was all."""

    name: ClassVar[str] = "short-answer"

    async def befall(self, app: ASGIApp, call: Call) -> None:
        """Send some as if it were all."""
        answer, left = await self.cut(app, call)
        await call.respond(answer.changed(body=left))
