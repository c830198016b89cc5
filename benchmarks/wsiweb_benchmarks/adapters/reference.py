"""The attainable limit: the same bytes by libcurl, decoded by libjpeg-turbo while more arrive.

This is no library. It is told the pyramid (`Source.slide`), takes its settings from the condition
(a sweep found them), knows one layout (TILED_FULL), and is told beforehand which tiles a loop will
ask for. A library that has to find all that out comes as close as it can.
"""

from __future__ import annotations

import io
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pycurl
import simplejpeg
from PIL import Image

from wsiweb_benchmarks.model import Way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wsiweb_benchmarks.model import LevelInfo, Source

    Tile = tuple[int, int]
    # Bytes with whole frames in them, where each is, and which one is the first.
    Group = Callable[[bytes, list[tuple[int, int]], int], None]

__all__ = ["ADAPTERS", "Reference", "Transport"]

_ACCEPT = 'Accept: multipart/related; type="application/octet-stream"; transfer-syntax=*'
_BUFFER = 128 * 1024  # bytes: a chunk holds some tiles, so that both threads soon have work
_JPEG = "1.2.840.10008.1.2.4.50"
_NATIVE = "1.2.840.10008.1.2.1"
_ADOBE_RGB = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"


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
        self._series = f"{source.url}/studies/{slide.study_uid}/series/{slide.series_uid}"
        self._headers = [f"{name}: {value}" for name, value in source.headers.items()]
        self._longest = source.settings.get("frames_per_request", 256)
        self._connections = source.settings.get("connections", 4)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, self._connections)
        self._multi.setopt(pycurl.M_MAXCONNECTS, self._connections)
        self._pool = ThreadPoolExecutor(os.cpu_count())
        self._foreseen: Iterator[np.ndarray] | None = None

    def open(self) -> None:
        """Fetch the headers of the series, and leave them as they are."""
        body: list[bytes] = []
        accept = "Accept: application/dicom+json"
        self._perform([self._request(f"{self._series}/metadata", accept, body.append)])

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

        def place(data: bytes, spans: list[tuple[int, int]], first: int) -> None:
            buffer = np.empty((high, wide, info.samples), np.uint8)
            for (start, end), (column, row) in zip(spans, tiles[first:], strict=False):
                pixels = decode(data[start:end], buffer)
                x, y = column * wide - left, row * high - top
                seen = pixels[max(-y, 0) : height - y, max(-x, 0) : width - x]
                x, y = max(x, 0), max(y, 0)
                output[y : y + seen.shape[0], x : x + seen.shape[1]] = seen

        self._fetch(info, tiles, place)
        return output

    def tiles(self, level: int, tiles: Sequence[Tile]) -> Iterator[np.ndarray]:
        """Fetch in a thread, decode in others, and hand on in order."""
        info = self._levels[level]
        decode = _decoder(info)
        ready = [Future[np.ndarray]() for _ in tiles]

        def keep(data: bytes, spans: list[tuple[int, int]], first: int) -> None:
            for (start, end), slot in zip(spans, ready[first:], strict=False):
                slot.set_result(decode(data[start:end], None))

        def fetch() -> None:
            try:
                self._fetch(info, tiles, keep)
            except BaseException as error:
                for slot in ready:
                    if not slot.done():
                        slot.set_exception(error)
                raise

        thread = threading.Thread(target=fetch)
        thread.start()
        ready.reverse()
        while ready:
            yield ready[-1].result()
            ready.pop()
        thread.join()

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
        self._pool.shutdown()
        self._multi.close()

    def _fetch(self, info: LevelInfo, tiles: Sequence[Tile], use: Group) -> None:
        """Fetch tiles; hand groups of them to the threads, and wait for these."""
        columns = info.grid[0]
        numbers = [row * columns + column + 1 for column, row in tiles]
        length = max(1, min(self._longest, len(numbers)))
        frames = f"{self._series}/instances/{info.instance_uid}/frames/"
        work: list[Future[None]] = []

        def submit(data: bytes, spans: list[tuple[int, int]], first: int) -> None:
            work.append(self._pool.submit(use, data, spans, first))

        starts = range(0, len(numbers), length)
        parts = [_Parts(start, submit) for start in starts]
        self._perform(
            self._request(
                frames + ",".join(map(str, numbers[start : start + length])), _ACCEPT, part.feed
            )
            for start, part in zip(starts, parts, strict=True)
        )
        if sum(part.count for part in parts) != len(numbers):
            raise RuntimeError("the server sent another number of frames than were asked for")
        for task in work:
            task.result()

    def _request(self, url: str, accept: str, take: Callable[[bytes], object]) -> pycurl.Curl:
        curl = pycurl.Curl()
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.HTTPHEADER, [accept, *self._headers])
        curl.setopt(pycurl.BUFFERSIZE, _BUFFER)
        curl.setopt(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1)
        curl.setopt(pycurl.WRITEFUNCTION, take)
        return curl

    def _perform(self, requests: Iterator[pycurl.Curl] | list[pycurl.Curl]) -> None:
        """Do all requests; libcurl queues those that there is no connection for."""
        multi = self._multi
        under_way = list(requests)
        for curl in under_way:
            multi.add_handle(curl)
        running = len(under_way)
        while running:
            _, running = multi.perform()
            _, _, failed = multi.info_read()
            for curl, _, message in failed:
                raise RuntimeError(f"{message}: {curl.getinfo(pycurl.EFFECTIVE_URL)[:200]}")
            if running:
                multi.select(1.0)
        for curl in under_way:
            status = curl.getinfo(pycurl.RESPONSE_CODE)
            multi.remove_handle(curl)
            if status != 200:
                raise RuntimeError(f"HTTP {status}: {curl.getinfo(pycurl.EFFECTIVE_URL)[:200]}")


class Transport(Reference):
    """The same requests, and nothing else: what the transport alone costs."""

    way: ClassVar[Way] = Way(
        library="reference",
        name="transport",
        how="the reference without decoding: the bytes are fetched and thrown away, so its time "
        "is that of server and transport; there are no pixels",
    )

    def region(self, level: int, location: Tile, size: Tile) -> np.ndarray:
        """Fetch every tile that the region touches."""
        info = self._levels[level]
        (left, top), (width, height), (wide, high) = location, size, info.tile_size
        tiles = [
            (column, row)
            for row in range(top // high, (top + height - 1) // high + 1)
            for column in range(left // wide, (left + width - 1) // wide + 1)
        ]
        self._fetch(info, tiles, lambda *_: None)
        return np.empty((1, 1, info.samples), np.uint8)

    def tiles(self, level: int, tiles: Sequence[Tile]) -> Iterator[np.ndarray]:
        """Fetch all tiles."""
        self._fetch(self._levels[level], tiles, lambda *_: None)
        return iter([np.empty((1, 1, 3), np.uint8)] * len(tiles))


ADAPTERS = (Reference, Transport)


class _Parts:
    """Cuts frames out of a multipart body as it comes.

    Parameters
    ----------
    first : int
        Which of all frames is the first of this body.
    submit : callable
        Takes each group of whole frames.
    """

    def __init__(self, first: int, submit: Group) -> None:
        self._first = first
        self._submit = submit
        self._rest = b""
        self._boundary = b""
        self.count = 0

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
        boundary, skip = self._boundary, len(self._boundary)
        spans: list[tuple[int, int]] = []
        at = 0
        while True:
            body = data.find(b"\r\n\r\n", at) + 4
            if body < 4:
                break
            end = data.find(boundary, body)
            if end < 0:
                break
            spans.append((body, end))
            at = end + skip
        if spans:
            self._submit(data, spans, self._first + self.count)
            self.count += len(spans)
        self._rest = data[at:]


def _decoder(info: LevelInfo) -> Callable[[bytes, np.ndarray | None], np.ndarray]:
    """Return what decodes a frame, into a buffer if one is given."""
    shape = (info.tile_size[1], info.tile_size[0], info.samples)
    if info.transfer_syntax == _NATIVE:
        return lambda data, _: np.frombuffer(data, np.uint8, np.prod(shape)).reshape(shape)
    if info.transfer_syntax != _JPEG:
        return lambda data, _: np.asarray(Image.open(io.BytesIO(data))).reshape(shape)
    color = "RGB" if info.samples == 3 else "GRAY"

    def jpeg(data: bytes, buffer: np.ndarray | None) -> np.ndarray:
        return simplejpeg.decode_jpeg(data, color, False, False, buffer=buffer)  # noqa: FBT003

    def rgb(data: bytes, buffer: np.ndarray | None) -> np.ndarray:
        # Nothing in such a stream says that it is RGB; the codec believes the Adobe marker.
        return jpeg(data[:2] + _ADOBE_RGB + data[2:], buffer)

    return rgb if info.photometric == "RGB" and info.samples == 3 else jpeg
