"""What a JPEG 2000 codestream says about itself (ISO/IEC 15444-1 Annex A).

The same holds for high-throughput JPEG 2000, which has another block coder within the same
frame. All that decoders divide by, allocate by or count up to is checked here: an origin of
tiles behind the picture has sent some into endless loops, a tile of no width into a division
by zero. And they leave tiles that did not come black; here each has to be there.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from wsiweb.pixels.codestream import CodestreamError, Stream, cut_short

__all__ = ["read_jpeg2000", "without_boxes"]

_SOC_SIZ = b"\xff\x4f\xff\x51"  # how each codestream begins
_COD, _SOT, _EOC = 0xFF52, 0xFF90, b"\xff\xd9"
_BOXES = 4096  # within which the codestream of a JP2 file begins
_PADDING = 64
_LEAST_PART = 14  # bytes of a tile-part without data: its header, and the marker of its data


def without_boxes(data: bytes | memoryview) -> memoryview:
    """Return the codestream of a JP2 file, as some scanners store one for a frame."""
    view = memoryview(data)
    start = bytes(view[:_BOXES]).find(_SOC_SIZ)
    return view[start:] if start > 0 else view


def read_jpeg2000(data: bytes | memoryview) -> Stream:
    """Read the main header of a JPEG 2000 or HTJ2K codestream, and walk through its tiles.

    Raises
    ------
    CodestreamError
        If it is no such codestream, its sizes cannot be, or it has not all of its tiles and an
        end-of-codestream marker at its end.
    """
    view = memoryview(data)
    if bytes(view[:4]) != _SOC_SIZ:
        raise CodestreamError("it does not begin as a JPEG 2000 codestream")
    ending = bytes(view[-_PADDING:]).rstrip(b"\x00")
    if not ending.endswith(_EOC):
        raise cut_short(len(view))
    end = len(view) - min(len(view), _PADDING) + len(ending) - len(_EOC)
    try:
        length, _, right, bottom, left, top = struct.unpack_from(">HH4I", view, 4)
        (samples,) = struct.unpack_from(">H", view, 40)
        components = {struct.unpack_from(">3B", view, 42 + 3 * index) for index in range(samples)}
        tiles = _tiles(struct.unpack_from(">8I", view, 8))
        mixed, position = _past_header(view, 4 + length)
    except struct.error:
        raise CodestreamError("its header is too short") from None
    if len(components) != 1:
        raise CodestreamError("its components differ in size or depth")
    depth, *steps = components.pop()
    if steps != [1, 1]:
        raise CodestreamError("its components are subsampled")
    _walk_tiles(view[:end], position, tiles)
    return Stream(
        rows=bottom - top,
        columns=right - left,
        samples=samples,
        precision=(depth & 0x7F) + 1,
        signed=bool(depth & 0x80),
        process=0x51,
        colour="RGB" if mixed else "",
    )


def _tiles(sizes: tuple[int, ...]) -> int:
    """Return how many tiles there are, after a check of what places them (A.5.1, B.3)."""
    count = 1
    for axis in (0, 1):
        end, begin, tile, origin = sizes[axis::2]
        if not begin < end:
            raise CodestreamError("its size is not positive")
        if not (tile > 0 and origin <= begin < origin + tile):
            raise CodestreamError("its first tile does not lie at the start of the picture")
        count *= -((origin - end) // tile)
    return count


def _past_header(view: memoryview, position: int) -> tuple[bool, int]:
    """Return whether components are mixed (then RGB comes out), and where the first tile begins."""
    mixed: bool | None = None
    while True:
        marker, length = struct.unpack_from(">HH", view, position)
        if marker == _SOT:
            break
        if marker < 0xFF00 or length < 2:
            raise CodestreamError(f"there is no marker at byte {position}")
        if marker == _COD:
            mixed = struct.unpack_from(">BBHB", view, position + 4)[3] == 1
        position += 2 + length
    if mixed is None:
        raise CodestreamError("its header has no coding style")
    return mixed, position


@dataclass(slots=True)
class _Tile:
    """What came of a tile, and of how many parts it spoke."""

    parts: int = 0
    promised: int = 1


def _walk_tiles(view: memoryview, position: int, count: int) -> None:
    """Go from tile-part to tile-part (A.4.2): all tiles have to be there, up to the end."""
    end = len(view)
    if count * _LEAST_PART > end - position:
        raise CodestreamError(f"it is cut short: {end} bytes cannot hold its {count} tiles")
    found: dict[int, _Tile] = {}
    while position < end:
        if end - position < _LEAST_PART:
            raise CodestreamError(f"there is no tile at byte {position}")
        marker, _, index, length, _, parts = struct.unpack_from(">HHHIBB", view, position)
        if marker != _SOT or index >= count:
            raise CodestreamError(f"there is no tile of the picture at byte {position}")
        length = length or end - position  # of the last one it need not be written
        if not _LEAST_PART <= length <= end - position:
            raise CodestreamError(f"it is cut short: tile {index} has not all of its bytes")
        tile = found.setdefault(index, _Tile())
        tile.parts += 1
        tile.promised = max(tile.promised, parts)
        position += length
    if len(found) < count:
        raise CodestreamError(f"it is cut short: {len(found)} of {count} tiles are there")
    for index, tile in found.items():
        if tile.parts < tile.promised:
            raise CodestreamError(
                f"it is cut short: tile {index} has {tile.parts} of {tile.promised} parts"
            )
