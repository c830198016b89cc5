"""Whether the coded data of a JPEG go on to the end of its picture (ISO/IEC 10918-1 Annexes F, H).

libjpeg makes what is missing grey and says nothing of it that a caller could see. Here codes are
counted, without decoding them: 0.5 microseconds each, so only where a picture ends in grey.
Sequential and lossless processes with Huffman codes are known; the progressive one is not.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

import numpy as np

from wsiweb.pixels.codestream import NEXT_IN_JPEG

__all__ = ["is_complete"]

_DHT, _SOS, _DRI, _EOI, _LOSSLESS = 0xC4, 0xDA, 0xDD, 0xD9, 0xC3
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_FRAMES = frozenset({0xC0, 0xC1, _LOSSLESS})
_ZEROS, _REST = 0xF0, 64  # a run of 16 zeros; any beyond the 64 coefficients of a block


@dataclass(frozen=True, slots=True)
class _Table:
    """What the next 16 bits begin with.

    Attributes
    ----------
    bits : bytes
        Bits of the code and of the number after it; 0 where no code begins so.
    steps : bytes
        Coefficients that it stands for; at least 64 for all that are left of the block.
    """

    bits: bytes
    steps: bytes


@dataclass(slots=True)
class _Outline:
    """What has been read before a scan."""

    lossless: bool = False
    size: tuple[int, int] = (0, 0)
    factors: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])
    tables: dict[int, _Table] = field(default_factory=dict[int, _Table])
    interval: int = 0

    def see(self, marker: int, body: bytes) -> None:
        if marker in _FRAMES:
            self.lossless = marker == _LOSSLESS
            height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            self.size = (width, height)
            self.factors = {body[at]: divmod(body[at + 1], 16) for at in range(6, len(body), 3)}
        elif marker == _DHT:
            while len(body) > 16:
                end = 17 + sum(body[1:17])
                self.tables[body[0]] = _table(body[:end], lossless=self.lossless)
                body = body[end:]
        elif marker == _DRI:
            self.interval = int.from_bytes(body[:2], "big")

    def units(self, names: bytes) -> int:
        """Return of how many units a scan consists: blocks of one component, or MCUs of several."""
        edge = 1 if self.lossless else 8
        most = [max(axis) for axis in zip(*self.factors.values(), strict=True)]
        own = self.factors[names[0]] if len(names) == 1 else (1, 1)
        count = 1
        for size, factor, highest in zip(self.size, own, most, strict=True):
            # A component of its own ends with the picture, several together with their MCU.
            count *= math.ceil(math.ceil(size * factor / highest) / edge)
        return count


def is_complete(data: bytes | bytearray | memoryview) -> bool:
    """Tell whether there are codes for all of the picture.

    Parameters
    ----------
    data : bytes, bytearray or memoryview
        A codestream that `wsiweb.pixels.codestream.read_jpeg` has found sound, and a decoder
        has decoded; baseline, extended or lossless.
    """
    whole = bytes(data)
    outline, position = _Outline(), 2
    while (marker := whole[position + 1]) != _EOI:
        if marker == 0xFF or 0xD0 <= marker <= 0xD8 or marker == 0x01:
            position += 1 if marker == 0xFF else 2
            continue
        end = position + 2 + int.from_bytes(whole[position + 2 : position + 4], "big")
        body = whole[position + 4 : end]
        position = end
        if marker == _SOS:
            found = NEXT_IN_JPEG.search(whole, end)
            position = len(whole) if found is None else found.start()
            if not _is_scan_complete(outline, body, whole[end:position]):
                return False
        else:
            outline.see(marker, body)
    return True


def _is_scan_complete(outline: _Outline, body: bytes, coded: bytes) -> bool:
    names, chosen = body[1 : 1 + 2 * body[0] : 2], body[2 : 2 + 2 * body[0] : 2]
    plan: list[tuple[_Table, _Table]] = []
    for name, tables in zip(names, chosen, strict=True):
        first, rest = outline.tables.get(tables >> 4), outline.tables.get(0x10 | tables & 15)
        if first is None:
            return True  # the decoder's own tables, as of a film's pictures: not known here
        across, down = outline.factors[name] if len(names) > 1 else (1, 1)
        plan += [(first, first if rest is None else rest)] * (across * down)
    left = outline.units(names)
    for stuffed in _RESTART.split(coded):
        count = min(left, outline.interval or left)
        if not _has(count, stuffed.replace(b"\xff\x00", b"\xff"), plan):
            return False
        left -= count
    return left == 0


def _has(count: int, coded: bytes, plan: list[tuple[_Table, _Table]]) -> bool:
    """Tell whether there are so many units in coded data."""
    position, end = 0, 8 * len(coded)
    coded += b"\0\0\0"
    for _ in range(count):
        for first, rest in plan:
            table, done = first, 0
            while done < _REST:
                byte = position >> 3
                ahead = int.from_bytes(coded[byte : byte + 3], "big") >> 8 - (position & 7) & 0xFFFF
                bits = table.bits[ahead]
                position += bits
                if not bits or position > end:
                    return False
                done += table.steps[ahead]
                table = rest
    return True


def _table(segment: bytes, *, lossless: bool) -> _Table:
    """Expand a table of a DHT segment: its class and number, 16 counts of codes, their symbols."""
    counts, symbols = segment[1:17], np.frombuffer(segment[17:], np.uint8).astype(int)
    lengths = np.repeat(np.arange(1, 17), list(counts))[: len(symbols)]
    spans = 1 << 16 - lengths  # how many values of 16 bits begin with each code
    if segment[0] >> 4 == 0:  # a difference: of that many bits, but for 16 of them
        bits = lengths + np.where(symbols < 16, symbols, 0)
        steps = np.full(len(symbols), _REST if lossless else 1)
    else:
        bits = lengths + symbols % 16
        steps = np.where(symbols % 16, symbols // 16 + 1, np.where(symbols == _ZEROS, 16, _REST))
    rest = bytes(max(0, 2**16 - int(spans.sum())))
    return _Table(
        *(
            np.repeat(values, spans).astype(np.uint8).tobytes()[: 2**16] + rest
            for values in (bits, steps)
        )
    )
