"""Pictures for people: rendered frames and instances, thumbnails (PS3.18 10.4.1.1.3, .4, 8.3.5).

Eight bits, JPEG or PNG. More than eight bits are spread between the darkest and the brightest value
of the picture; MONOCHROME1 is turned round. Of several optical paths or focal planes the first is
shown. Tiles are put together from one instance, scaled one by one, so memory holds the picture and
one tile; an instance of very many tiles is refused, as its coarser levels are the ones to ask.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from wsiweb.errors import NotFound, SlideError
from wsiweb.pixels.assembly import image_of
from wsiweb.pixels.decode import decode
from wsiweb.pixels.image import PixelFormat
from wsiweb.pixels.instance import Unsupported, flavor_of, read_header
from wsiweb.pixels.resample import resize
from wsiweb.server.answers import Refusal
from wsiweb.server.header import swapped
from wsiweb.wire.dicomjson import Attributes
from wsiweb.wire.media import TRANSFER_SYNTAXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wsiweb.pixels.image import TiledImage
    from wsiweb.server.index import Instance
    from wsiweb.server.store import Store

__all__ = [
    "MEDIA_TYPES",
    "THUMBNAIL",
    "decoded",
    "encoded",
    "rendered_frame",
    "rendered_instance",
    "viewport_of",
]

MEDIA_TYPES = ("image/jpeg", "image/png")
THUMBNAIL = (256, 256)  # width and height that a thumbnail fits into unless asked otherwise
_EXPLICIT = "1.2.840.10008.1.2.1"
_MOST_TILES = 4096
_MOST_PIXELS = 2**26  # of a frame, and of a picture
_LARGEST_SIDE = 2**14
_QUALITY = 90
# JPEG edge tiles that a writer cut off instead of padding are taken, whatever is left of them.
_ANY_PART = (1, 1)


def decoded(frame: bytes, instance: Instance) -> np.ndarray:
    """Return a stored frame as an array (rows, columns, samples).

    Raises
    ------
    Refusal
        406 for pixels of a kind, or a number, that is not decoded here.
    DecodeError
        When the frame is damaged.
    """
    picture = instance.picture
    if picture is None:
        raise NotFound(f"Instance {instance.uid} has no frames.")
    if picture.rows * picture.columns > _MOST_PIXELS:  # before memory is taken for them
        raise Refusal(
            406,
            f"Frames of {instance.uid} are {picture.columns} x {picture.rows} pixels: too many to "
            "be decoded here. They are to be had as they are stored.",
        )
    try:
        form = PixelFormat(**{name: getattr(picture, name) for name in picture.__struct_fields__})
    except ValueError as error:
        raise Refusal(406, f"Frames of {instance.uid} cannot be decoded: {error}") from error
    syntax = TRANSFER_SYNTAXES.get(instance.transfer_syntax)
    if syntax is not None and syntax.big_endian:
        frame = swapped(frame, picture.bits_allocated // 8) if picture.bits_allocated > 8 else frame
        return decode(frame, form, transfer_syntax=_EXPLICIT)
    return decode(frame, form, transfer_syntax=instance.transfer_syntax, crop=_ANY_PART)


def viewport_of(parameters: Mapping[str, str]) -> tuple[int, int] | None:
    """Return width and height that a picture must fit into (PS3.18 8.3.5.1.3), if stated.

    Raises
    ------
    ValueError
        For what is not two sizes.
    """
    text = parameters.get("viewport")
    if text is None:
        return None
    numbers = text.split(",")
    if len(numbers) != 2 or not all(one.isascii() and one.isdigit() for one in numbers):
        raise ValueError(f"viewport is width,height in pixels, not {text[:40]!r}.")
    width, height = (int(one[:9]) for one in numbers)
    if not (0 < width <= _LARGEST_SIDE and 0 < height <= _LARGEST_SIDE):
        raise ValueError(f"viewport is 1 to {_LARGEST_SIDE} pixels wide and high, not {text[:40]}.")
    return width, height


def encoded(array: np.ndarray, media_type: str, parameters: Mapping[str, str]) -> bytes:
    """Return a picture as JPEG or PNG.

    Parameters
    ----------
    array : numpy.ndarray
        Shape (rows, columns, 1 or 3), uint8.
    media_type : str
        ``"image/jpeg"`` or ``"image/png"``.
    parameters : mapping of str to str
        Of the request: ``quality``, 1 to 100.

    Raises
    ------
    ValueError
        For a quality that is none.
    """
    from PIL import Image

    quality = parameters.get("quality", str(_QUALITY))
    if not (quality.isascii() and quality.isdigit() and 1 <= int(quality[:4]) <= 100):
        raise ValueError(f"quality is 1 to 100, not {quality[:40]!r}.")
    image = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    buffer = io.BytesIO()
    if media_type == "image/png":
        image.save(buffer, "PNG", compress_level=3)
    else:
        image.save(buffer, "JPEG", quality=int(quality))
    return buffer.getvalue()


def rendered_frame(
    store: Store, instance: Instance, number: int, viewport: tuple[int, int] | None
) -> np.ndarray:
    """Return one frame as a picture: shape (rows, columns, 1 or 3), uint8.

    Parameters
    ----------
    store, instance : Store, Instance
        Where it is.
    number : int
        One-based.
    viewport : tuple of int or None
        Width and height to fit into; never enlarged.
    """
    (frame,) = store.frames(instance, (number,))
    array = decoded(frame, instance)
    width, height = _fitted((array.shape[1], array.shape[0]), viewport)
    if (height, width) != array.shape[:2]:
        array = resize(array, (0, 0, array.shape[1], array.shape[0]), (width, height))
    return _eight_bits(array, instance)


def rendered_instance(
    store: Store, instance: Instance, viewport: tuple[int, int] | None
) -> np.ndarray:
    """Return an instance as a picture: its tiles put together, or its first frame.

    Parameters
    ----------
    store, instance, viewport
        As of `rendered_frame`.

    Raises
    ------
    Refusal
        400 for an instance that is too large, 406 for one that cannot be put together.
    """
    text = store.index.header(instance.key)
    if text is None:
        raise NotFound(f"Instance {instance.uid} has gone.")
    header = Attributes.decode(text)[0]
    try:
        image = image_of(
            (instance.study, instance.series), [read_header(header, flavor_of(header))]
        )
    except Unsupported:
        return rendered_frame(store, instance, 1, viewport)  # no slide: a plain image
    except SlideError as error:
        raise Refusal(406, str(error)) from error
    if image.frame_count == 1:
        width, height = image.size
        array = rendered_frame(store, instance, 1, None)[:height, :width]
        size = _fitted(image.size, viewport)
        return array if size == image.size else resize(array, (0, 0, width, height), size)
    return _eight_bits(_assembled(store, instance, image, viewport), instance)


def _assembled(
    store: Store, instance: Instance, image: TiledImage, viewport: tuple[int, int] | None
) -> np.ndarray:
    columns, rows = image.grid
    width, height = _fitted(image.size, viewport)
    if columns * rows > _MOST_TILES or width * height > _MOST_PIXELS:
        raise Refusal(
            400,
            f"Instance {instance.uid} is {image.size[0]} x {image.size[1]} pixels in "
            f"{columns * rows} tiles: too many to be rendered. Pass viewport=width,height, or "
            "ask for a coarser level of the slide, or for frames.",
        )
    out = np.empty((height, width, image.samples), image.dtype)
    out[:] = image.background
    places = [(column, row) for row in range(rows) for column in range(columns)]
    found = [(place, image.frame(*place)) for place in places]
    held = [(place, address.number) for place, address in found if address is not None]
    frames = store.frames(instance, [number for _, number in held])
    for (place, _), frame in zip(held, frames, strict=True):
        _paste(out, decoded(frame, instance), image, place)
    return out


def _paste(out: np.ndarray, tile: np.ndarray, image: TiledImage, place: tuple[int, int]) -> None:
    """Put a tile where it belongs, made as small as the picture is."""
    width, height = image.crop(*place)
    x, y = place[0] * image.tile_size[0], place[1] * image.tile_size[1]
    across, down = out.shape[1] / image.size[0], out.shape[0] / image.size[1]
    left, right = round(x * across), round((x + width) * across)
    top, bottom = round(y * down), round((y + height) * down)
    if right > left and bottom > top:
        if (right - left, bottom - top) == (width, height):
            out[top:bottom, left:right] = tile[:height, :width]
        else:
            # What these pixels show, as far as it lies in this tile: no tile is stretched.
            box = (
                max(left / across - x, 0),
                max(top / down - y, 0),
                min(right / across - x, width),
                min(bottom / down - y, height),
            )
            out[top:bottom, left:right] = resize(tile, box, (right - left, bottom - top))


def _fitted(size: tuple[int, int], viewport: tuple[int, int] | None) -> tuple[int, int]:
    """Return the size that fits a viewport, in proportion and never larger than it is."""
    if viewport is None:
        return size
    scale = min(1.0, viewport[0] / size[0], viewport[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _eight_bits(array: np.ndarray, instance: Instance) -> np.ndarray:
    if instance.picture is not None and instance.picture.bits_allocated == 1:
        array = array * np.uint8(255)
    elif array.dtype != np.uint8:
        low, high = float(array.min()), float(array.max())
        scaled = (array.astype(np.float32) - low) * (255 / max(high - low, 1))
        array = np.rint(scaled).astype(np.uint8)
    if instance.picture is not None and instance.picture.photometric == "MONOCHROME1":
        array = 255 - array
    return np.ascontiguousarray(array)


def rendered_series(
    store: Store, instances: Iterable[Instance], viewport: tuple[int, int] | None
) -> np.ndarray:
    """Return a series or study as a picture: one of its instances.

    A thumbnail, else the smallest level that is large enough, else any picture but a label, which
    may name the patient. What cannot be rendered is passed over.

    Raises
    ------
    NotFound
        When none of them can be shown.
    """
    ranked = sorted(
        (rank, number, instance)
        for number, instance in enumerate(instances)
        if (rank := _rank(store, instance)) is not None
    )
    trouble = ""
    for _, _, instance in ranked:
        try:
            return rendered_instance(store, instance, viewport)
        except Refusal as error:
            trouble = trouble or f" {error.detail}"
        except SlideError as error:
            trouble = trouble or f" {error}"
    raise NotFound(f"There is no picture to be shown.{trouble}")


def _rank(store: Store, instance: Instance) -> tuple[int, int] | None:
    """Return how well an instance shows the slide, least first; None if not at all."""
    if instance.frames is None or instance.picture is None:
        return None
    summary = Attributes.decode(store.index.summary(instance.key) or b"{}")[0]
    kinds = {value.strip().upper() for value in summary.texts("ImageType")}
    if kinds & {"LABEL", "LOCALIZER"}:
        return None
    width = summary.integer("TotalPixelMatrixColumns") or instance.picture.columns
    height = summary.integer("TotalPixelMatrixRows") or instance.picture.rows
    enough = max(width, height) >= min(THUMBNAIL)
    if "THUMBNAIL" in kinds:
        rank = 0
    elif "OVERVIEW" in kinds:
        rank = 3
    else:
        rank = 1 if enough else 2
    return rank, width * height if enough else -width * height
