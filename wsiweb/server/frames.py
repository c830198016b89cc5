"""Frames as they are asked for (WADO-RS, PS3.18 10.4.1.1.6): the hot path of the service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wsiweb.server import render
from wsiweb.server.answers import Refusal, made_in_thread
from wsiweb.server.files import check_frames, frames_at_once
from wsiweb.server.negotiate import FrameAnswer, choose_frames
from wsiweb.server.routing import accept_of, no_such_method, resource_of
from wsiweb.wire.multipart import closing, content_type, new_boundary, part_head

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from wsiweb.server.index import Instance
    from wsiweb.server.store import Store

__all__ = ["Frames"]


class Frames:
    """WADO-RS frames (PS3.18 10.4.1.1.6), as a bare ASGI application: the hot path.

    Starlette's request and response objects would double what a warm frame costs.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request: at once what is held and warm, else in a thread."""
        if scope["method"] not in {"GET", "HEAD"}:
            await no_such_method(scope["method"])(scope, receive, send)
            return
        resource = resource_of(scope)
        uids = resource.study or "", resource.series or "", resource.instance or ""
        numbers, accept = resource.frames, accept_of(scope)
        held = self._store.held(*uids)
        if held is not None:
            answer = choose_frames(accept, held.transfer_syntax, single=len(numbers) == 1)
            if answer is not None and not answer.decoded:
                frames = frames_at_once(held, numbers)
                if frames is not None:
                    await _send(frames, answer, send)
                    return
        # Whatever stands against it may be so of a file that is no longer there: look.
        instance = await asyncio.to_thread(self._store.instance, *uids)
        check_frames(instance, numbers)
        answer = choose_frames(accept, instance.transfer_syntax, single=len(numbers) == 1)
        if answer is None:
            raise Refusal(406, _offer(instance.transfer_syntax))
        response = await self._in_thread(instance, numbers, answer)
        await response(scope, receive, send)

    async def _in_thread(
        self, instance: Instance, numbers: tuple[int, ...], answer: FrameAnswer
    ) -> Response:
        head, tail, media_type = _envelope(answer)

        def pieces() -> Iterator[bytes]:
            for frame in self._store.frames(instance, numbers):
                yield head
                yield _bare(frame, instance) if answer.decoded else frame
            yield tail

        return await made_in_thread(pieces(), media_type)


async def _send(frames: list[bytearray], answer: FrameAnswer, send: Send) -> None:
    head, tail, media_type = _envelope(answer)
    body = b"".join([piece for frame in frames for piece in (head, frame)]) + tail
    headers = [
        (b"content-length", str(len(body)).encode()),
        (b"content-type", media_type.encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _envelope(answer: FrameAnswer) -> tuple[bytes, bytes, str]:
    """Return what stands before each frame and after the last, and the Content-Type."""
    part_type = f"{answer.media_type}; transfer-syntax={answer.transfer_syntax}"
    if not answer.multipart:
        return b"", b"", part_type
    boundary = new_boundary()
    head = part_head(boundary, {"Content-Type": part_type})
    return head, closing(boundary), content_type(answer.media_type, boundary)


def _bare(frame: bytes, instance: Instance) -> bytes:
    """Return the pixels of a frame without compression, in little endian."""
    pixels = render.decoded(frame, instance)
    return pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes()


def _offer(stored: str) -> str:
    return (
        'Frames are to be had as multipart/related; type="application/octet-stream": with '
        f"transfer-syntax=* as they are stored ({stored}), without it as bare pixels."
    )
