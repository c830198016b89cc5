"""A whole object, streamed from an answer into a file: whole, or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from wsiweb.errors import ProtocolError
from wsiweb.loop import in_pool
from wsiweb.wire.media import DICOM, OCTETS, RELATED, parse_content_type
from wsiweb.wire.multipart import MultipartEvents, PartBegin, PartData, PartEnd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsiweb.client.transport import Response

__all__ = ["OBJECT_ACCEPTS", "save_object"]

OBJECT_ACCEPTS = (
    f'{RELATED}; type="{DICOM}"; transfer-syntax=*',
    f'{RELATED}; type="{DICOM}"',  # some archives do not know the parameter, and keep the syntax
)
"""What is asked for, in turn (PS3.18 10.4.1.1.1): an object as it is stored."""

_PIECE = 2**20  # bytes that are worth a change of threads
_MARK = slice(128, 132)  # of a DICOM file (PS3.10 7.1)


async def save_object(answer: Response, path: Path) -> None:
    """Write the one object of an answer to a file, which appears when all of it is there.

    Parameters
    ----------
    answer : Response
        Multipart or not; memory holds a piece of it at a time.
    path : Path
        The file, in a folder that exists; one of that name is replaced.

    Raises
    ------
    ProtocolError
        When the answer is not one whole DICOM object.
    OSError
        When the file cannot be written.
    """
    handle, name = await in_pool(_temporary_beside, path)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            await _copy(answer, file)
        await in_pool(temporary.replace, path)
    finally:
        temporary.unlink(missing_ok=True)  # noqa: ASYNC240 - also when this is cancelled


def _temporary_beside(path: Path) -> tuple[int, str]:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    mask = os.umask(0)
    os.umask(mask)
    Path(name).chmod(0o666 & ~mask)  # mkstemp makes files that only the owner reads
    return handle, name


async def _copy(answer: Response, file: IO[bytes]) -> None:
    body = _Body(answer.headers.get("content-type", ""))
    held: list[bytes] = []
    size = begun = 0

    async def write() -> None:
        nonlocal begun
        data = b"".join(held)
        held.clear()
        if data and not begun and data[_MARK] != b"DICM":
            start = data[:200].decode("utf-8", "replace")
            raise ProtocolError(
                "A DICOM object was asked for, and something else came.", body=start
            )
        begun += len(data)
        await in_pool(file.write, data)

    async for chunk in answer.chunks:
        for data in body.feed(chunk):
            held.append(data)
            size += len(data)
        if size >= _PIECE:
            await write()
            size = 0
    body.close()
    await write()
    if not begun:
        raise ProtocolError("A DICOM object was asked for, and nothing came.")


class _Body:
    """The bytes of the one part of a body; of a body that is not multipart, all of it."""

    def __init__(self, content_type: str) -> None:
        kind = parse_content_type(content_type or OCTETS)
        self._events: MultipartEvents | None = None
        self._parts = 0
        if kind.type.startswith("multipart/"):
            self._events = MultipartEvents(kind.parameters.get("boundary", ""))

    def feed(self, chunk: bytes) -> Iterable[bytes]:
        if self._events is None:
            yield chunk
            return
        for event in self._events.feed(chunk):
            match event:
                case PartBegin():
                    self._parts += 1
                    if self._parts > 1:
                        raise ProtocolError("One object was asked for, and several came.")
                case PartData(data):
                    yield data
                case PartEnd():
                    pass

    def close(self) -> None:
        if self._events is not None:
            self._events.close()
