"""One STOW request (PS3.18 10.5): objects streamed from their files, and the answer read.

One attempt and no more: whether and when to send again is for those to decide who can ask the
archive what it holds, because some archives lose what they have when they get it twice.
"""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from wsiweb.client.refusals import refusal
from wsiweb.errors import WsiwebError
from wsiweb.loop import in_pool, submit
from wsiweb.wire.media import DICOM, DICOM_JSON
from wsiweb.wire.multipart import closing, content_type, new_boundary, part_head
from wsiweb.wire.receipts import read_answer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
    from pathlib import Path

    from wsiweb.client.exchange import Exchange
    from wsiweb.wire.receipts import Answer

__all__ = ["Body", "FileChanged", "Sendable", "send_objects"]

_PIECE = 2**20  # bytes that are read at once
_LONGEST_ANSWER = 2**24  # bytes; an answer on 50 objects has some 20,000
# 400 is an answer if it says of the objects what became of them; Orthanc stores those that it
# understands and answers 400 for the others. 201 and 204 are in no table of the standard: they
# mean success, and that nothing is said.
_GOOD = frozenset({200, 201, 202, 204, 400, 409})
_HEADERS = {"Accept": DICOM_JSON}  # else many answer in XML


class FileChanged(WsiwebError):
    """A file is not, or is no longer, what was to be sent; nothing of its request is stored.

    Attributes
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path} cannot be sent: {what}.")
        self.path = path
        self._what = what

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.path, self._what))


@dataclass(frozen=True, slots=True)
class Sendable:
    """A DICOM file that can be sent.

    Attributes
    ----------
    path : Path
        The file; it must stay as it is until it was sent.
    size : int
        Its bytes.

    Examples
    --------
    >>> from pathlib import Path
    >>> Sendable(Path("a.dcm"), 1024).size
    1024
    """

    path: Path
    size: int


class Body:
    """A multipart/related body of DICOM files, read while it is sent (PS3.18 8.7.1).

    Memory holds two pieces of 1 MiB. The boundary is random; what is sent again gets a new `Body`.

    Parameters
    ----------
    files : sequence of Sendable
        What is sent, in this order.
    on_bytes : callable, optional
        Told on the event loop how many bytes of the body have left so far; the count begins at 0
        each time that the body does.

    Attributes
    ----------
    content_type : str
        The header, with the boundary.
    length : int
        Bytes of the whole body, the heads of its parts included.
    sent : int
        Bytes that have left since `chunks` was called last.
    """

    def __init__(
        self, files: Sequence[Sendable], on_bytes: Callable[[int], None] | None = None
    ) -> None:
        boundary = new_boundary()
        self.content_type = content_type(DICOM, boundary)
        self.sent = 0
        self._files = tuple(files)
        self._on_bytes = on_bytes
        # Type parameters would be right as well; Orthanc then answers 200 and stores nothing.
        head = part_head(boundary, {"Content-Type": DICOM})
        # Not every archive knows that a line may come before the first delimiter.
        self._heads = [head.removeprefix(b"\r\n"), *[head] * (len(self._files) - 1)]
        self._end = closing(boundary)
        self.length = sum(map(len, self._heads)) + len(self._end)
        self.length += sum(file.size for file in self._files)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the body from its start; the next piece is read while one is on its way.

        Raises
        ------
        FileChanged
            Before the body is complete: nobody can take it for whole.
        """
        self._count(-self.sent)
        pieces = self._pieces()

        def close(_: object) -> None:
            pieces.close()

        reading = submit(next, pieces, None)
        try:
            while (piece := await asyncio.wrap_future(reading)) is not None:
                reading = submit(next, pieces, None)
                yield piece
                self._count(len(piece))
        finally:
            # When the thread that reads is done with it: a generator at work cannot be closed.
            reading.add_done_callback(close)

    def _count(self, more: int) -> None:
        self.sent += more
        if self._on_bytes is not None:
            self._on_bytes(self.sent)

    def _pieces(self) -> Generator[bytes]:
        """Yield the body in pieces that are worth a change of threads, many small files in one."""
        held: list[bytes] = []
        size = 0
        for data in self._parts():
            held.append(data)
            size += len(data)
            if size >= _PIECE:
                yield b"".join(held)
                held.clear()
                size = 0
        yield b"".join(held)

    def _parts(self) -> Iterator[bytes]:
        for head, file in zip(self._heads, self._files, strict=True):
            yield head
            yield from _content(file)
        yield self._end


def _content(file: Sendable) -> Iterator[bytes]:
    """Yield the bytes of a file, which must be as many as were announced, and all of one state."""
    try:
        with file.path.open("rb", buffering=0) as handle:
            before = os.fstat(handle.fileno())
            _check_size(file, before)
            left = file.size
            while left:
                data = handle.read(min(left, _PIECE))
                if not data:
                    raise FileChanged(file.path, "it became shorter while it was sent")
                left -= len(data)
                yield data
            after = os.fstat(handle.fileno())
    except OSError as error:
        raise _unreadable(file, error) from error
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise FileChanged(file.path, "it was changed while it was sent")


def _check(files: Sequence[Sendable]) -> None:
    """Look at all files before the first byte is sent."""
    for file in files:
        try:
            _check_size(file, file.path.stat())
        except OSError as error:
            raise _unreadable(file, error) from error


def _check_size(file: Sendable, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise FileChanged(file.path, "it is no file")
    if found.st_size != file.size:
        what = f"it has {found.st_size:,} bytes, and had {file.size:,}"
        raise FileChanged(file.path, what)


def _unreadable(file: Sendable, error: OSError) -> FileChanged:
    return FileChanged(file.path, f"it cannot be read ({error.strerror or type(error).__name__})")


async def send_objects(
    exchange: Exchange,
    url: str,
    files: Sequence[Sendable],
    on_bytes: Callable[[int], None] | None = None,
) -> Answer:
    """Send objects in one request and return what the archive says of them.

    Parameters
    ----------
    exchange : Exchange
        With credentials that may store.
    url : str
        Address of all studies, or of the one that all objects belong to.
    files, on_bytes
        As of `Body`.

    Raises
    ------
    ArchiveError
        For a status that is no answer, or no answer at all. Some of the objects may be stored
        nevertheless.
    FileChanged
        When a file is not what it was said to be. Nothing is stored then, as far as archives wait
        for the end of a request.
    ValueError
        When there is nothing to send.
    """
    if not files:
        raise ValueError("There is nothing to send: the list of files is empty.")
    await in_pool(_check, files)
    async with exchange.post(url, _HEADERS, partial(Body, files, on_bytes), _GOOD) as response:
        data = await response.read(limit=_LONGEST_ANSWER)
    answer = read_answer(response.status, response.headers.get("content-type", ""), data)
    if answer.status == 400 and answer.silent:
        text = data[:2000].decode("utf-8", "replace")
        raise refusal(400, response.headers, text, method="POST", url=url)
    return answer
