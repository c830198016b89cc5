"""The attainable limit: the same bytes by libcurl, decoded by libjpeg-turbo while more arrive.

This is no library. It is told the pyramid (`Source.slide`), takes its settings from the condition
(a sweep found them), knows one layout (TILED_FULL), and is told beforehand which tiles a loop will
ask for. A library that has to find all that out comes as close as it can.
"""

from __future__ import annotations

import io
import math
import os
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import numpy as np
import pycurl
import simplejpeg
from PIL import Image

from wsiweb_benchmarks.model import Way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from wsiweb_benchmarks.model import LevelInfo, Source

    Tile = tuple[int, int]
    Span = tuple[int, int]
    # Takes bytes with whole frames in them, where each is, and which one is the first.
    Use = Callable[[bytes, list[Span], int], Any]

__all__ = ["ADAPTERS", "Reference", "Transport"]

_ACCEPT = 'Accept: multipart/related; type="application/octet-stream"; transfer-syntax=*'
_BUFFER = 128 * 1024  # bytes: a chunk holds some tiles, so that both threads soon have work
_JPEG = "1.2.840.10008.1.2.4.50"
_NATIVE = "1.2.840.10008.1.2.1"
_ADOBE_RGB = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"


class _Number(msgspec.Struct, gc=False):
    Value: list[int]


class _Position(msgspec.Struct, gc=False):
    column: _Number = msgspec.field(name="0048021E")
    row: _Number = msgspec.field(name="0048021F")


class _Positions(msgspec.Struct, gc=False):
    Value: list[_Position]


class _Frame(msgspec.Struct, gc=False):
    position: _Positions = msgspec.field(name="0048021A")


class _Frames(msgspec.Struct, gc=False):
    Value: list[_Frame]


class _Header(msgspec.Struct, gc=False):
    frames: _Frames = msgspec.field(name="52009230")


class Reference:
    """Batched lists over several connections, decoded in threads as they come."""

    way: ClassVar[Way] = Way(
        library="reference",
        name="fast",
        how="libcurl's multi interface (pycurl) with long lists of frames, cut out of the body "
        "with bytes.find as it arrives and decoded by libjpeg-turbo (simplejpeg) in one thread "
        "per core straight into place; told the pyramid, the settings that a sweep found best "
        "for the condition, and the tiles of a loop beforehand",
    )

    def __init__(self, source: Source) -> None:
        slide = source.slide
        self._levels = slide.levels
        self._sparse = slide.tiling == "TILED_SPARSE"
        self._series = f"{source.url}/studies/{slide.study_uid}/series/{slide.series_uid}"
        self._headers = [f"{name}: {value}" for name, value in source.headers.items()]
        self._longest = source.settings.get("frames_per_request", 256)
        self._connections = source.settings.get("connections", 4)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, self._connections)
        self._multi.setopt(pycurl.M_MAXCONNECTS, self._connections)
        self._pool = ThreadPoolExecutor(os.cpu_count())
        self._fetcher = ThreadPoolExecutor(1)
        self._foreseen: Iterator[np.ndarray] | None = None

    def open(self) -> None:
        """Fetch the headers of the series; decode nothing but the positions of sparse ones."""
        body: list[bytes] = []
        accept = "Accept: application/dicom+json"
        request = self._request(f"{self._series}/metadata", accept, body.append)
        request.setopt(pycurl.ENCODING, "gzip")
        self._transfer([request])
        if self._sparse:
            for header in msgspec.json.decode(b"".join(body), type=list[_Header]):
                places = [frame.position.Value[0] for frame in header.frames.Value]
                np.array([place.column.Value[0] for place in places])
                np.array([place.row.Value[0] for place in places])

    def thumbnail(self, size: int) -> np.ndarray:
        """Reduce the smallest level that is large enough."""
        enough = [at for at, level in enumerate(self._levels) if max(level.size) >= size]
        level = enough[-1] if enough else 0
        whole = Image.fromarray(self.region(level, (0, 0), self._levels[level].size))
        whole.thumbnail((size, size), Image.Resampling.BOX)
        return np.asarray(whole)

    def region(self, level: int, location: Tile, size: Tile) -> np.ndarray:
        """Decode every tile into the output, each as soon as it is there."""
        info = self._levels[level]
        (left, top), (width, height), (wide, high) = location, size, info.tile_size
        output = np.empty((height, width, info.samples), np.uint8)
        tiles = [
            (column, row)
            for row in range(top // high, (top + height - 1) // high + 1)
            for column in range(left // wide, (left + width - 1) // wide + 1)
        ]
        decode = _decoder(info)

        def place(data: bytes, spans: list[Span], first: int) -> None:
            for (start, end), (column, row) in zip(spans, tiles[first:], strict=False):
                pixels = decode(data[start:end])
                x, y = column * wide - left, row * high - top
                seen = pixels[max(-y, 0) : height - y, max(-x, 0) : width - x]
                x, y = max(x, 0), max(y, 0)
                output[y : y + seen.shape[0], x : x + seen.shape[1]] = seen

        lists = self._lists(info, tiles, place)
        self._perform(lists)
        for one in lists:
            list(one.results())
        return output

    def tiles(self, level: int, tiles: Sequence[Tile]) -> Iterator[np.ndarray]:
        """Fetch in a thread, decode in others, and hand on in order."""
        info = self._levels[level]
        decode = _decoder(info)

        def all_of(data: bytes, spans: list[Span], _: int) -> list[np.ndarray]:
            return [decode(data[start:end]) for start, end in spans]

        lists = self._lists(info, tiles, all_of)
        fetching = self._fetcher.submit(self._perform, lists)
        for one in lists:
            for group in one.results():
                group.reverse()
                while group:  # what is handed on is the caller's, to keep or to let go
                    yield group.pop()
        fetching.result()

    def foresee(self, level: int, tiles: Sequence[Tile]) -> None:
        """Hear which tiles a loop is going to ask for."""
        self._foreseen = self.tiles(level, tiles)

    def tile(self, level: int, column: int, row: int) -> np.ndarray:
        """Return the next of the tiles that were foreseen; else this one."""
        if self._foreseen is not None:
            return next(self._foreseen)
        return next(self.tiles(level, [(column, row)]))

    def close(self) -> None:
        """End the threads, close the connections."""
        self._fetcher.shutdown()
        self._pool.shutdown()
        self._multi.close()

    def _lists(self, info: LevelInfo, tiles: Sequence[Tile], use: Use) -> list[_List]:
        """Cut tiles into lists of frames, one request each, so that no connection is idle."""
        numbers = [row * info.grid[0] + column + 1 for column, row in tiles]
        length = max(1, min(self._longest, -(-len(numbers) // self._connections)))
        frames = f"{self._series}/instances/{info.instance_uid}/frames/"
        return [
            _List(
                frames + ",".join(map(str, numbers[start : start + length])),
                start,
                lambda *group: self._pool.submit(use, *group),
            )
            for start in range(0, len(numbers), length)
        ]

    def _request(self, url: str, accept: str, take: Callable[[bytes], object]) -> pycurl.Curl:
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.HTTPHEADER, [accept, *self._headers])
        curl.setopt(pycurl.BUFFERSIZE, _BUFFER)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.WRITEFUNCTION, take)
        if "SSL_CERT_FILE" in os.environ:  # as OpenSSL has it, and so Python
            curl.setopt(pycurl.CAINFO, os.environ["SSL_CERT_FILE"])
        return curl

    def _perform(self, lists: Sequence[_List]) -> None:
        try:
            self._transfer([self._request(one.url, _ACCEPT, one.feed) for one in lists])
        finally:
            for one in lists:
                one.end()

    def _transfer(self, requests: Sequence[pycurl.Curl]) -> None:
        """Do all requests; libcurl queues those that there is no connection for."""
        multi = self._multi
        for curl in requests:
            multi.add_handle(curl)
        running = len(requests)
        while running:
            _, running = multi.perform()
            _, _, failed = multi.info_read()
            for curl, _, message in failed:
                raise RuntimeError(f"{message}: {curl.getinfo(pycurl.EFFECTIVE_URL)[:200]}")
            # Told 0, libcurl has a request for a connection that has just become free.
            wait = multi.timeout()
            if running and wait:
                multi.select(wait / 1000 if 0 < wait < 1000 else 1.0)
        for curl in requests:
            multi.remove_handle(curl)
            if (status := curl.getinfo(pycurl.RESPONSE_CODE)) != 200:
                raise RuntimeError(f"HTTP {status}: {curl.getinfo(pycurl.EFFECTIVE_URL)[:200]}")


class Transport(Reference):
    """The same requests, and nothing else: what the transport alone costs."""

    way: ClassVar[Way] = Way(
        library="reference",
        name="transport",
        how="the reference without decoding: the bytes are fetched and thrown away, so its time "
        "is that of server and transport; there are no pixels",
    )

    def _lists(self, info: LevelInfo, tiles: Sequence[Tile], use: Use) -> list[_List]:
        """Cut tiles into the same lists, of which nothing is used."""
        del use
        return super()._lists(info, tiles, lambda *_: [])

    def tiles(self, level: int, tiles: Sequence[Tile]) -> Iterator[np.ndarray]:
        """Fetch all tiles."""
        list(super().tiles(level, tiles))
        return iter([np.empty((1, 1, 3), np.uint8)] * len(tiles))


ADAPTERS = (Reference, Transport)


class _List:
    """One request for a list of frames, which are cut out of the body as it comes.

    Parameters
    ----------
    url : str
        What is asked for.
    first : int
        Which of all frames is the first of this list.
    submit : callable
        Takes each group of whole frames, and gives it to the threads.
    """

    def __init__(self, url: str, first: int, submit: Callable[..., Future[Any]]) -> None:
        self.url = url
        self._next = first
        self._submit = submit
        self._rest = b""
        self._boundary = b""
        self._groups: SimpleQueue[Future[Any] | None] = SimpleQueue()

    def results(self) -> Iterator[Any]:
        """Yield what comes of each group, in order."""
        while (group := self._groups.get()) is not None:
            yield group.result()

    def end(self) -> None:
        """Hear that there is no more."""
        self._groups.put(None)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes; called by libcurl."""
        data = self._rest + chunk
        if not self._boundary:
            # The body begins with its boundary: no need to look into the headers.
            end = data.find(b"\r\n", 2)
            if end < 0:
                self._rest = data
                return
            self._boundary = b"\r\n" + data[:end].strip()
        spans: list[Span] = []
        at = 0
        while (body := data.find(b"\r\n\r\n", at) + 4) > 3:
            end = data.find(self._boundary, body)
            if end < 0:
                break
            spans.append((body, end))
            at = end + len(self._boundary)
        if spans:
            self._groups.put(self._submit(data, spans, self._next))
            self._next += len(spans)
        self._rest = data[at:]


class _Buffers:
    """Arrays that are used again once nobody holds them: fresh memory costs as much as decoding."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._arrays: deque[np.ndarray] = deque()

    def take(self) -> np.ndarray:
        """Return an array that nobody else holds."""
        array = self._arrays.popleft() if self._arrays else np.empty(self._shape, np.uint8)
        if sys.getrefcount(array) > 2:  # this name, and the argument
            self._arrays.append(array)
            array = np.empty(self._shape, np.uint8)
        self._arrays.append(array)
        return array


def _decoder(info: LevelInfo) -> Callable[[bytes], np.ndarray]:
    """Return what decodes a frame."""
    shape = (info.tile_size[1], info.tile_size[0], info.samples)
    if info.transfer_syntax == _NATIVE:
        return lambda data: np.frombuffer(data, np.uint8, math.prod(shape)).reshape(shape)
    if info.transfer_syntax != _JPEG:
        return lambda data: np.asarray(Image.open(io.BytesIO(data))).reshape(shape)
    color = "RGB" if info.samples == 3 else "GRAY"
    take = _Buffers(shape).take

    def jpeg(data: bytes) -> np.ndarray:
        return simplejpeg.decode_jpeg(data, color, False, False, buffer=take())

    def rgb(data: bytes) -> np.ndarray:
        # Nothing in such a stream says that it is RGB; the codec believes the Adobe marker.
        return jpeg(data[:2] + _ADOBE_RGB + data[2:])

    return rgb if info.photometric == "RGB" and info.samples == 3 else jpeg
