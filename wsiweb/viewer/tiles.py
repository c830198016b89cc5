"""Tiles of a slide that a browser shows rightly, and as quickly as can be.

What browsers decode goes through as it is stored, with the few bytes that they need to see its
colours (`wsiweb.viewer.jpeg`). All else (JPEG 2000, JPEG XL, lossless JPEG, RLE, bare pixels, 16
bits) is decoded, and encoded anew without loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from wsiweb import loop, regions
from wsiweb.errors import NotAcceptable, NotFound
from wsiweb.pixels.codestream import CodestreamError, read_jpeg
from wsiweb.pixels.native import is_ybr
from wsiweb.viewer.encoding import lossless
from wsiweb.viewer.jpeg import shown_rightly
from wsiweb.viewer.resource import NOTHING, Resource, picture
from wsiweb.viewer.sharing import Shared
from wsiweb.viewer.windowing import Ranges
from wsiweb.wire.media import TRANSFER_SYNTAXES, Codec

if TYPE_CHECKING:
    from wsiweb.cache import ByteCache
    from wsiweb.frames import EncodedImage, Frames
    from wsiweb.pixels.image import FrameAddress, PixelFormat
    from wsiweb.pixels.pyramid import Level, Pyramid
    from wsiweb.viewer.colour import Profiles

__all__ = ["Color", "TilePlace", "Tiles", "as_browsers_decode"]

Color = Literal["source", "srgb"]
TilePlace = tuple[int, int, int, int, int]
"""Channel, focal plane, level, column and row, zero-based."""

_DECODED_BY_BROWSERS = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive


class Tiles:
    """The tiles of a slide; to be used on the library's event loop.

    Parameters
    ----------
    frames : Frames
        Where they come from.
    pyramid : Pyramid
        The slide.
    profiles : Profiles
        For colours in sRGB.
    cache : ByteCache
        Holds what was encoded anew; what is stored, `frames` holds.
    """

    def __init__(
        self, frames: Frames, pyramid: Pyramid, profiles: Profiles, cache: ByteCache[Resource]
    ) -> None:
        self._frames = frames
        self._pyramid = pyramid
        self._profiles = profiles
        self._cache = cache
        self._shared = Shared()
        self._ranges = Ranges(frames, pyramid)

    async def tile(self, place: TilePlace, color: Color = "source") -> Resource:
        """Return a tile.

        One at the edge is padded to the size of the others. Only where a writer has cut its frames
        off there, it comes as it is stored, with at least what it has of the slide.

        Parameters
        ----------
        place : tuple of int
            Channel, focal plane, level, column and row, zero-based.
        color : {"source", "srgb"}
            The numbers as they are stored, or converted by the ICC profile of the slide.

        Returns
        -------
        Resource
            Without data for a tile that a sparse slide does not hold.

        Raises
        ------
        NotFound
            For a place where no tile can be.
        ArchiveError, DecodeError
            When the archive does not deliver, or a frame is damaged.
        """
        channel, plane, number, column, row = place
        if number >= len(self._pyramid.levels):
            last = len(self._pyramid.levels) - 1
            raise NotFound(f"There is no level {number}; the slide has 0 to {last}.")
        level = self._pyramid.levels[number]
        try:
            address = level.frame(column, row, channel, plane)
        except IndexError as error:
            raise NotFound(f"There is no such tile: {error}") from None
        if address is None:
            return NOTHING
        if level.samples != 3:
            color = "source"  # a single channel has no colours to convert
        if color == "source" and _may_pass(level):
            stored = await self._as_stored(level, address)
            if stored is not None:
                return stored
        key = place, color
        held = self._cache.get(key)
        if held is None:
            held = await self._shared.get(key, lambda: self._anew(level, address, place, color))
            self._cache.put(key, held)
        return held

    async def _as_stored(self, level: Level, address: FrameAddress) -> Resource | None:
        """Return a tile as it is stored, if browsers can decode it."""
        try:
            frame = await self._frames.encoded(level, address)
        except NotAcceptable:  # the archive gives bare pixels only
            return None
        data = as_browsers_decode(frame, level.format, level.crop_of(address))
        return None if data is None else picture("image/jpeg", data)

    async def _anew(
        self, level: Level, address: FrameAddress, place: TilePlace, color: Color
    ) -> Resource:
        channel, plane, _, column, row = place
        across, down = level.tile_size
        canvas = regions.Canvas(
            level, (column * across, row * down), (across, down), channel, plane
        )
        stored = await regions.fill(self._frames, canvas)
        pixels = await self._ranges.eight_bits(stored, level.format, channel, plane)
        if color == "srgb":
            name = level.channels[channel]
            pixels = await self._profiles.to_srgb(pixels, address.instance_uid, name)
        return await loop.in_pool(lossless, pixels)


def _may_pass(level: Level) -> bool:
    """Whether frames of a level may be such as browsers decode, as far as its header tells."""
    if level.format.photometric == "MONOCHROME1":
        return False  # 0 is white: it has to be turned round
    stored = TRANSFER_SYNTAXES.get(level.transfer_syntax or "")
    return stored is None or stored.codec is Codec.JPEG


def as_browsers_decode(
    frame: EncodedImage, form: PixelFormat, crop: tuple[int, int]
) -> bytes | None:
    """Return a frame as a JPEG that browsers decode to what this library decodes it to.

    Parameters
    ----------
    frame : EncodedImage
        As the archive sent it.
    form : PixelFormat
        What the header promises.
    crop : tuple of int
        Width and height of what the frame holds of its image; some writers cut off the rest.

    Returns
    -------
    bytes or None
        None for what browsers do not decode, or is not what the header promises.
    """
    if frame.codec is not Codec.JPEG:
        return None
    try:
        stream = read_jpeg(frame.data)
    except CodestreamError:
        return None  # the decoder will say what is amiss
    fits = (
        crop[0] <= stream.columns <= form.columns
        and crop[1] <= stream.rows <= form.rows
        and stream.samples == form.samples
    )
    if not fits or stream.precision != 8 or stream.process not in _DECODED_BY_BROWSERS:
        return None
    colour = ""
    if stream.samples == 3:
        colour = stream.colour or ("YCC" if is_ybr(form) else "RGB")
    return shown_rightly(frame.data, colour)
