"""multipart/related bodies, read incrementally and strictly, and written (RFC 2046 5.1, RFC 2387).

Strict where silence would lose data: a body without its closing delimiter, or a part that is not
as long as its Content-Length says, is an error. Lenient where nothing is lost: line ends may be
bare LF, a preamble and an epilogue are passed over, spaces may follow a delimiter, and a line that
merely starts like the delimiter is data. So is one that goes on after the closing delimiter: what
closes a body by mistake would lose all parts that follow.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from wsiweb.errors import ProtocolError
from wsiweb.wire.media import OCTETS, RELATED, parse_content_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "MultipartEvents",
    "MultipartReader",
    "Part",
    "PartBegin",
    "PartData",
    "PartEnd",
    "closing",
    "content_type",
    "encode",
    "new_boundary",
    "part_head",
]

_MOST_HEADERS = 64 * 1024
_MOST_PREAMBLE = 64 * 1024
_MOST_PADDING = 128
_LONGEST_BOUNDARY = 256
_SLICE = 256 * 1024  # of a longer chunk no more is copied at a time: it stays in the cache
# What follows the boundary on its line, as far as it has come.
_OPENING_END = re.compile(rb"[ \t]*\r?\n")
_CLOSING_END = re.compile(rb"--[ \t]*\r?\n")
_LAST_END = re.compile(rb"--[ \t]*\r?\n?\Z")  # where nothing can follow any more
_UNDECIDED = re.compile(rb"(?:-|(?:--)?[ \t]*\r?)\Z")
_FOLD = re.compile(r"\r?\n[ \t]+")


@dataclass(frozen=True, slots=True)
class PartBegin:
    """The headers of a part have come; names are in lower case."""

    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PartData:
    """Some of the body of the part that began last."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part that began last is whole."""


Event = PartBegin | PartData | PartEnd


@dataclass(frozen=True, slots=True)
class Part:
    """A whole part.

    Attributes
    ----------
    headers : mapping of str to str
        Names in lower case.
    body : bytes
        Its content.
    """

    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """Its Content-Type as sent; empty when it has none. Servers get it wrong: sniff."""
        return self.headers.get("content-type", "")

    @property
    def location(self) -> str:
        """Its Content-Location; empty when it has none."""
        return self.headers.get("content-location", "")


class _State(Enum):
    PREAMBLE = auto()
    DELIMITER = auto()  # the boundary has been read, the rest of its line has not
    HEADERS = auto()
    BODY = auto()  # up to the next delimiter
    COUNTED = auto()  # as many bytes as Content-Length says
    COUNTED_END = auto()  # where a delimiter must follow
    EPILOGUE = auto()


class MultipartEvents:
    r"""A multipart body as events, for parts larger than memory.

    Parameters
    ----------
    boundary : str
        From the Content-Type of the body.

    Raises
    ------
    ProtocolError
        When the boundary is empty or absurdly long.

    Examples
    --------
    >>> reader = MultipartEvents("b")
    >>> [type(one).__name__ for one in reader.feed(b"--b\r\n\r\nhello\r\n--b--\r\n")]
    ['PartBegin', 'PartData', 'PartEnd']
    """

    def __init__(self, boundary: str) -> None:
        if not 0 < len(boundary) <= _LONGEST_BOUNDARY:
            raise ProtocolError(f"{boundary[:80]!r} is not a multipart boundary.")
        self._dashes = b"--" + boundary.encode("latin-1", "replace")
        self._line_end = b"\r\n"
        self._buffer = bytearray()
        self._state = _State.PREAMBLE
        self._scanned = 0  # where to go on looking, in a preamble or in headers
        self._left = 0  # bytes of a counted body still to come
        self._body_begins = False  # a delimiter right here ends a part without a body
        self._ended = False  # no bytes will follow

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Take the next bytes and yield what they complete.

        All events must be taken before the next call.

        Raises
        ------
        ProtocolError
            When the body breaks the rules.
        """
        whole = memoryview(chunk)
        for begin in range(0, len(chunk), _SLICE):
            if self._state is _State.EPILOGUE:
                return
            self._buffer += whole[begin : begin + _SLICE]
            yield from self._steps()

    def close(self) -> list[Event]:
        """Say that the body has ended.

        Returns
        -------
        list of event
            The end of the last part, if the closing delimiter had no line end: only now is it
            certain that it closes the body. Never data.

        Raises
        ------
        ProtocolError
            When it ended before its closing delimiter: something is missing.
        """
        self._ended = True
        events = [] if self._state is _State.EPILOGUE else list(self._steps())
        if self._state is not _State.EPILOGUE:
            raise ProtocolError(
                "The multipart body ended before its closing delimiter: it was cut off."
            )
        return events

    def _steps(self) -> Iterator[Event]:
        """Go on until more bytes are needed."""
        before = None
        while before != (self._state, len(self._buffer)):
            before = (self._state, len(self._buffer))
            yield from self._step()

    def _step(self) -> Iterator[Event]:
        match self._state:
            case _State.PREAMBLE:
                self._preamble()
            case _State.DELIMITER:
                self._delimiter()
            case _State.HEADERS:
                headers = self._headers()
                if headers is not None:
                    yield PartBegin(headers)
            case _State.BODY:
                yield from self._body()
            case _State.COUNTED:
                yield from self._counted()
            case _State.COUNTED_END:
                yield from self._counted_end()
            case _State.EPILOGUE:
                self._buffer.clear()

    def _preamble(self) -> None:
        buffer, dashes = self._buffer, self._dashes
        furthest = _MOST_PREAMBLE + len(dashes)
        while (at := buffer.find(dashes, self._scanned, furthest)) >= 0:
            self._scanned = at
            if at == 0 or buffer[at - 1] == 0x0A:
                verdict = self._rest_of_line(at + len(dashes))
                if verdict is None:
                    return
                if verdict:
                    del buffer[: at + len(dashes)]
                    self._scanned = 0
                    self._state = _State.DELIMITER
                    return
            self._scanned += 1
        if len(buffer) >= furthest:
            raise ProtocolError("The multipart body does not begin with its boundary.")
        self._scanned = max(self._scanned, len(buffer) - len(dashes) + 1)

    def _rest_of_line(self, position: int) -> bool | None:
        """Tell whether the boundary ends at a position; None when more bytes must tell."""
        rest = bytes(self._buffer[position : position + _MOST_PADDING])
        if _OPENING_END.match(rest) or _CLOSING_END.match(rest):
            return True
        if self._ended:
            return _LAST_END.match(rest) is not None
        return None if _UNDECIDED.match(rest) and len(rest) < _MOST_PADDING else False

    def _delimiter(self) -> None:
        """Read the rest of a delimiter's line: the end of all, or the start of a part."""
        if self._buffer.startswith(b"--"):
            self._state = _State.EPILOGUE
            return
        end = self._buffer.find(b"\n")
        if end < 0:
            return
        self._line_end = b"\r\n" if end > 0 and self._buffer[end - 1] == 0x0D else b"\n"
        del self._buffer[: end + 1]
        self._state = _State.HEADERS

    def _headers(self) -> Mapping[str, str] | None:
        end = self._end_of_headers()
        if end is None:
            return None
        text = bytes(self._buffer[: end[0]]).decode("latin-1")
        del self._buffer[: end[1]]
        self._scanned = 0
        headers: dict[str, str] = {}
        for line in _FOLD.sub(" ", text).split("\n") if text else ():
            name, colon, value = line.partition(":")
            if not colon:
                raise ProtocolError(f"{line[:80]!r} is not a header of a part.")
            headers.setdefault(name.strip().lower(), value.strip())
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit() and len(length) < 20:
            self._left = int(length)
            self._state = _State.COUNTED
        else:
            self._body_begins = True
            self._state = _State.BODY
        return headers

    def _end_of_headers(self) -> tuple[int, int] | None:
        """Return where the headers end and where the body begins, whatever their line ends."""
        buffer = self._buffer
        for line_end in (b"\r\n", b"\n"):
            if buffer.startswith(line_end):
                return 0, len(line_end)
        blanks = (b"\n\r\n", b"\n\n") if len(self._line_end) == 2 else (b"\n\n", b"\n\r\n")
        found: tuple[int, int] | None = None
        limit = _MOST_HEADERS
        for blank in blanks:  # the likely one first, so that the other is not sought in the body
            at = buffer.find(blank, self._scanned, limit)
            if at >= 0:
                found = at, at + len(blank)
                limit = at + 1  # which "\n\n" may overlap: it still begins before
        if found is not None:
            return found
        if len(buffer) >= _MOST_HEADERS:
            raise ProtocolError("The headers of a part have no end.")
        self._scanned = max(0, len(buffer) - 2)
        return None

    def _body(self) -> Iterator[Event]:
        buffer, dashes = self._buffer, self._dashes
        at = 0
        if self._body_begins:
            if len(buffer) < len(dashes) and dashes.startswith(buffer):
                return
            if buffer.startswith(dashes):
                verdict = self._rest_of_line(len(dashes))
                if verdict is None:
                    return
                if verdict:
                    yield from self._end_of_part(0, len(dashes))
                    return
            self._body_begins = False
        mark = self._line_end + dashes
        while (at := buffer.find(mark, at)) >= 0:
            verdict = self._rest_of_line(at + len(mark))
            if verdict:
                yield from self._end_of_part(at, len(mark))
                return
            if verdict is None:
                break
            at += 1
        # What cannot be the start of a delimiter is data.
        safe = at if at >= 0 else len(buffer) - len(mark) + 1
        if safe > 0:
            data = bytes(memoryview(buffer)[:safe])
            del buffer[:safe]
            yield PartData(data)

    def _end_of_part(self, at: int, mark: int) -> Iterator[Event]:
        data = bytes(memoryview(self._buffer)[:at])
        del self._buffer[: at + mark]
        self._body_begins = False
        self._state = _State.DELIMITER
        if data:
            yield PartData(data)
        yield PartEnd()

    def _counted(self) -> Iterator[Event]:
        if self._left:
            data = bytes(memoryview(self._buffer)[: self._left])
            del self._buffer[: len(data)]
            self._left -= len(data)
            if data:
                yield PartData(data)
        if not self._left:
            self._state = _State.COUNTED_END

    def _counted_end(self) -> Iterator[Event]:
        """Find the delimiter right after a counted body; its own line end may be missing."""
        for prefix in (self._line_end, b""):
            mark = prefix + self._dashes
            if self._buffer.startswith(mark):
                verdict = self._rest_of_line(len(mark))
                if verdict:
                    yield from self._end_of_part(0, len(mark))
                if verdict is not False:
                    return
            elif len(self._buffer) < len(mark) and mark.startswith(self._buffer):
                return
        raise ProtocolError("A part is not as long as its Content-Length says.")


class MultipartReader:
    r"""A body as whole parts, each as soon as it is complete.

    A body that is not multipart is one part: some archives answer so when one thing was asked for.

    Parameters
    ----------
    content_type : str
        The Content-Type header of the body.
    max_part : int
        Longest part that is taken, in bytes; a longer one is an error, not a full memory.

    Raises
    ------
    ProtocolError
        When a multipart type names no boundary.

    Examples
    --------
    >>> reader = MultipartReader("multipart/related; boundary=b")
    >>> [part.body for part in reader.feed(b"--b\r\n\r\nhello\r\n--b--\r\n")]
    [b'hello']
    """

    def __init__(self, content_type: str, *, max_part: int = 2**31) -> None:
        self._max_part = max_part
        self._events: MultipartEvents | None = None
        self._headers: Mapping[str, str] = {"content-type": content_type}
        self._pieces: list[bytes] = []
        self._size = 0
        kind = parse_content_type(content_type or OCTETS)
        if kind.type.startswith("multipart/"):
            boundary = kind.parameters.get("boundary")
            if boundary is None:
                raise ProtocolError(f"{content_type[:80]!r} names no boundary.")
            self._events = MultipartEvents(boundary)

    def feed(self, chunk: bytes) -> list[Part]:
        """Take the next bytes; return the parts that they complete.

        Raises
        ------
        ProtocolError
            When the body breaks the rules, or a part is too long.
        """
        if self._events is None:
            self._take(chunk)
            return []
        parts: list[Part] = []
        for event in self._events.feed(chunk):
            match event:
                case PartBegin(headers):
                    self._headers = headers
                case PartData(data):
                    self._take(data)
                case PartEnd():
                    parts.append(self._whole())
        return parts

    def close(self) -> list[Part]:
        """Say that the body has ended; return the part that only this completes, if one does.

        That is the one part of a body that is not multipart, or the last one of a body whose
        closing delimiter has no line end.

        Raises
        ------
        ProtocolError
            When a multipart body was cut off.
        """
        if self._events is None:
            return [self._whole()]
        return [self._whole() for _ in self._events.close()]

    def _take(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._max_part:
            raise ProtocolError(f"A part is longer than {self._max_part:,} bytes.")
        self._pieces.append(data)

    def _whole(self) -> Part:
        body = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces, self._size = [], 0
        return Part(self._headers, body)


# Writing --------------------------------------------------------------------------------------


def new_boundary() -> str:
    """Return a boundary that no content holds by chance (128 random bits)."""
    return secrets.token_hex(16)


def content_type(part_type: str, boundary: str) -> str:
    """Return the Content-Type of a multipart/related body.

    Examples
    --------
    >>> content_type("application/dicom", "b")
    'multipart/related; type="application/dicom"; boundary=b'
    """
    return f'{RELATED}; type="{part_type}"; boundary={boundary}'


def part_head(boundary: str, headers: Mapping[str, str]) -> bytes:
    """Return what stands before the content of a part; each but the first begins a new line.

    The leading line end before the first part is an empty preamble, which every reader skips.

    Raises
    ------
    ValueError
        For a header that holds a line end: it would become two headers, or content.
    """
    if any(mark in text for pair in headers.items() for text in pair for mark in "\r\n"):
        raise ValueError("A header of a part must not hold a line end.")
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"\r\n--{boundary}\r\n{lines}\r\n".encode("latin-1")


def closing(boundary: str) -> bytes:
    """Return what stands after the last part."""
    return f"\r\n--{boundary}--\r\n".encode("latin-1")


def encode(parts: Iterable[Part], boundary: str) -> Iterator[bytes]:
    r"""Yield a multipart body piece by piece.

    Examples
    --------
    >>> b"".join(encode([Part({}, b"hello")], "b"))
    b'\r\n--b\r\n\r\nhello\r\n--b--\r\n'
    """
    for part in parts:
        yield part_head(boundary, part.headers)
        yield part.body
    yield closing(boundary)
