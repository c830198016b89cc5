"""Encoded frames to arrays: the only room that knows codecs.

What a frame is encoded in is told by its bytes first and by the transfer syntax second,
because servers transcode without saying so. Size, depth and completeness are compared with the
header before decoding (`wsiweb.pixels.codestream`), so a frame either becomes the picture that
its header promises or raises `DecodeError`. Some damage cannot be seen: coded data that were
altered without changing a marker, a JPEG whose coded data end within its last few pixels, and
a progressive one, or one with a scan for each component, that was cut and closed again.

Colour always comes out as RGB. What the three samples of a JPEG are is told by its Adobe
marker; else by subsampling, which only YCbCr has; else by component identifiers that spell R,
G, B; else by a JFIF marker with the identifiers 1, 2, 3; and only then by
PhotometricInterpretation. (A real slide says RGB in the headers of all its levels, and is
RGB in the first, subsampled YCbCr in the others.) MONOCHROME1 stays as stored: 0 is its white.

Decoding releases the GIL, and touches each pixel once when the array to fill is contiguous.
"""

from __future__ import annotations

import importlib
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np

from wsiweb.errors import DecodeError
from wsiweb.pixels import native
from wsiweb.pixels.codestream import (
    CodestreamError,
    OtherSize,
    Stream,
    read_jpeg,
)
from wsiweb.pixels.huffman import is_complete
from wsiweb.pixels.image import MOST_PIXELS
from wsiweb.pixels.jpeg2000 import read_jpeg2000, without_boxes
from wsiweb.wire.media import TRANSFER_SYNTAXES, Codec, TransferSyntax, sniff

if TYPE_CHECKING:
    from wsiweb.pixels.image import PixelFormat

__all__ = ["decode", "decode_into", "load_codecs", "scratch"]

Data = bytes | bytearray | memoryview

_JPEG_FAMILY = frozenset({Codec.JPEG, Codec.JPEG_LOSSLESS, Codec.JPEG_LS})
_LOSSLESS_PROCESS, _JPEG_LS_PROCESS = 0xC3, 0xF7
# Baseline, extended, progressive, lossless, JPEG-LS: the rest was never in DICOM, or is retired.
_PROCESSES = frozenset({0xC0, 0xC1, 0xC2, _LOSSLESS_PROCESS, _JPEG_LS_PROCESS})
_COUNTABLE = frozenset({0xC0, 0xC1, _LOSSLESS_PROCESS})  # processes that is_complete knows
# Huffman codes take a bit at least: one for each block of 64 pixels, or for each pixel.
_PIXELS_PER_BYTE = {0xC0: 512, 0xC1: 512, 0xC2: 512, _LOSSLESS_PROCESS: 8}
_STEP = 32  # bytes that AVX2 writes at once
# All that decoders raise for bad input; imagecodecs' own errors are RuntimeErrors.
_FOREIGN = (RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError)


def decode(
    data: Data,
    format: PixelFormat,  # noqa: A002 - what it is called in the slide model
    *,
    transfer_syntax: str | None = None,
    crop: tuple[int, int] | None = None,
    what: str = "frame",
) -> np.ndarray:
    """Decode a frame.

    Parameters
    ----------
    data : bytes, bytearray or memoryview
        The frame as it was received; padding after it does no harm.
    format : PixelFormat
        What the instance's header promises.
    transfer_syntax : str, optional
        UID that the server gave, where the bytes themselves do not tell.
    crop : tuple of int, optional
        Width and height of what the frame holds of its image (`TiledImage.crop_of`). Edge
        tiles should be padded to the size of a frame; where a writer has cut them off instead,
        a codestream is accepted that has at least this much, and the rest becomes 0. Without
        `crop`, the codestream must be as large as the frame.
    what : str
        What to call the frame in errors.

    Returns
    -------
    numpy.ndarray
        Shape (rows, columns, samples), of ``format.dtype``, C-contiguous and writable. RGB if
        there are three samples.

    Raises
    ------
    DecodeError
        If the bytes are cut short or damaged, in no encoding that is known here, or not the
        size, depth or number of samples that the header promises; or if that is more than
        `MOST_PIXELS`.

    Examples
    --------
    >>> from wsiweb.pixels.image import PixelFormat
    >>> decode(bytes(range(12)), PixelFormat(rows=2, columns=2))[1, 0].tolist()
    [6, 7, 8]
    """
    if format.rows * format.columns > MOST_PIXELS:
        raise DecodeError(
            f"Cannot decode {what}: {format.columns} x {format.rows} pixels are more than "
            f"{MOST_PIXELS}."
        )
    out = np.empty(format.shape, format.dtype)
    _decode(data, format, out, transfer_syntax, crop, what)
    return out


def decode_into(
    data: Data,
    format: PixelFormat,  # noqa: A002 - as in decode
    out: np.ndarray,
    *,
    transfer_syntax: str | None = None,
    crop: tuple[int, int] | None = None,
    what: str = "frame",
) -> None:
    """Decode a frame into an array that is there already.

    Parameters
    ----------
    data, format, transfer_syntax, crop, what
        As in `decode`.
    out : numpy.ndarray
        Shape (rows, columns, samples), of ``format.dtype``. Filled in place if it is
        C-contiguous; else, as with a tile's place in a region, through a copy. After an error
        its content is undefined.

    Raises
    ------
    DecodeError
        As in `decode`.
    ValueError
        If `out` does not have the frame's shape and dtype.
    """
    if out.shape != format.shape or out.dtype != format.dtype:
        raise ValueError(
            f"A frame of {format.shape} {format.dtype} cannot be decoded into an array of "
            f"{out.shape} {out.dtype}."
        )
    if out.flags.c_contiguous:
        _decode(data, format, out, transfer_syntax, crop, what)
    else:
        out[...] = decode(data, format, transfer_syntax=transfer_syntax, crop=crop, what=what)


def load_codecs() -> None:
    """Load what most slides are decoded and resampled with; else the first frame waits for that."""
    importlib.import_module("PIL.Image")
    imagecodecs.jpeg8_decode  # noqa: B018 - imagecodecs loads a codec when it is first looked at


def scratch(shape: tuple[int, int, int], dtype: np.dtype[Any]) -> np.ndarray:
    """Return an array to decode frame after frame into, where that is quickest.

    It does not begin at a multiple of 32 bytes: to memory that does, libjpeg-turbo writes past the
    processor's cache (with the non-temporal stores of AVX2), which makes it a fifth slower, and
    whoever reads the pixels next waits for them.

    Parameters
    ----------
    shape : tuple of int
        Rows, columns and samples.
    dtype : numpy.dtype
        Of a sample.

    Returns
    -------
    numpy.ndarray
        C-contiguous, with anything in it.
    """
    size = math.prod(shape) * dtype.itemsize
    room = np.empty(size + _STEP, np.uint8)
    start = (_STEP // 2 - room.ctypes.data) % _STEP
    return room[start : start + size].view(dtype).reshape(shape)


def _decode(
    data: Data,
    form: PixelFormat,
    out: np.ndarray,
    transfer_syntax: str | None,
    crop: tuple[int, int] | None,
    what: str,
) -> None:
    """Fill a contiguous array; map what went wrong to one error that names the frame."""
    codec = None
    try:
        syntax = TRANSFER_SYNTAXES.get(transfer_syntax or "")
        codec = _codec_of(data, form, syntax)
        _fill(codec, data, form, out, syntax)
    except OtherSize as error:
        if crop is None or not _holds(error, crop, form):
            raise DecodeError(f"Cannot decode {what}{_named(codec)}: {error}.") from None
        part = replace(form, rows=error.rows, columns=error.columns)
        out[...] = 0
        out[: part.rows, : part.columns] = decode(
            data, part, transfer_syntax=transfer_syntax, what=what
        )
    except CodestreamError as error:
        raise DecodeError(f"Cannot decode {what}{_named(codec)}: {error}.") from None
    except _FOREIGN as error:
        raise DecodeError(
            f"Cannot decode {what}{_named(codec)}: the decoder says {str(error) or error!r}."
        ) from error


def _holds(found: OtherSize, crop: tuple[int, int], form: PixelFormat) -> bool:
    """Whether a codestream of another size has what is needed, and no more than fits."""
    width, height = crop
    return width <= found.columns <= form.columns and height <= found.rows <= form.rows


def _fill(
    codec: Codec, data: Data, form: PixelFormat, out: np.ndarray, syntax: TransferSyntax | None
) -> None:
    if codec in _JPEG_FAMILY:
        _fill_from_jpeg(data, form, out)
    elif codec in {Codec.JPEG_2000, Codec.HTJ2K}:
        _fill_from_jpeg2000(data, form, out)
    elif codec is Codec.JPEG_XL:
        _fill_from_jpegxl(data, out)
    elif codec is Codec.RLE:
        native.fill_from_rle(data, form, out)
    else:
        # What the server has decompressed, it has also brought back to RGB.
        as_stored = syntax is None or syntax.codec is Codec.NATIVE
        native.fill(data, form, out, as_stored=as_stored)


def _named(codec: Codec | None) -> str:
    return "" if codec is None else f" ({codec.value})"


def _codec_of(data: Data, form: PixelFormat, syntax: TransferSyntax | None) -> Codec:
    """Tell the encoding: by bytes, then by transfer syntax, then by length."""
    if form.photometric == "PALETTE COLOR":
        raise CodestreamError("PhotometricInterpretation PALETTE COLOR is not supported")
    told = None if syntax is None else syntax.codec
    # One more byte is padding to an even length; some add it to any frame.
    bare = any(len(data) - size in {0, 1} for size in (form.native_nbytes, form.nbytes))
    if syntax is not None and told is Codec.NATIVE and bare:
        if syntax.big_endian:
            raise CodestreamError("big-endian pixels are not supported")
        return Codec.NATIVE
    if bare and _is_bare_by_kind(form, told):
        return Codec.NATIVE
    seen = sniff(memoryview(data))
    if seen is Codec.RLE and bare and told is not Codec.RLE:
        seen = None  # the RLE header is a weak sign; an exact length is a better one
    if seen is not None:
        return seen
    if bare:
        return Codec.NATIVE
    if told is not None and told is not Codec.NATIVE:
        return told  # its reader will say what is amiss
    raise CodestreamError(
        f"{len(data)} bytes came that begin as no known codestream, and uncompressed it would "
        f"be {form.native_nbytes}"
    )


def _is_bare_by_kind(form: PixelFormat, told: Codec | None) -> bool:
    """Whether pixels of this kind, of the length of bare ones, are bare whatever they look like.

    Floats have no compression of their own, and single bits hardly any: a row of a mask may well
    look like the beginning of a JPEG.
    """
    if form.floating:
        return True
    return form.bits_allocated == 1 and told not in {Codec.RLE, Codec.JPEG_2000, Codec.HTJ2K}


def _fill_from_jpeg(data: Any, form: PixelFormat, out: np.ndarray) -> None:
    stream = read_jpeg(memoryview(data))
    if stream.process not in _PROCESSES:
        raise CodestreamError(f"JPEG process 0x{stream.process:02X} is not supported")
    least = stream.rows * stream.columns // _PIXELS_PER_BYTE.get(stream.process, 2**32)
    if len(data) < least:
        raise CodestreamError(
            f"it is cut short: {len(data)} bytes cannot hold {stream.columns} x {stream.rows} "
            "pixels"
        )
    target = _target(stream, form, out)
    if stream.process == _JPEG_LS_PROCESS:
        imagecodecs.jpegls_decode(data, out=target)
    elif form.samples == 1:
        imagecodecs.jpeg8_decode(data, out=target)
    elif stream.process == _LOSSLESS_PROCESS or _is_rgb(stream, form):
        imagecodecs.jpeg8_decode(data, colorspace="RGB", outcolorspace="RGB", out=target)
    else:
        imagecodecs.jpeg8_decode(data, colorspace="YCBCR", outcolorspace="RGB", out=target)
    if stream.process in _COUNTABLE and _ends_in_grey(target, stream) and not is_complete(data):
        raise CodestreamError("it is cut short: its coded data end before its picture does")
    _settle(target, stream, form, out)
    # The lossless processes leave colour alone.
    if stream.process in {_LOSSLESS_PROCESS, _JPEG_LS_PROCESS} and not _is_rgb(stream, form):
        native.rgb_from_ybr(out, form)


def _ends_in_grey(target: np.ndarray, stream: Stream) -> bool:
    """Whether the last pixel is what libjpeg makes of one whose data are missing."""
    if target.item(-1) != 1 << (stream.precision - 1):  # mostly it is not, and that is told quickly
        return False
    return bool((target[-1, -1] == 1 << (stream.precision - 1)).all())


def _fill_from_jpeg2000(data: Any, form: PixelFormat, out: np.ndarray) -> None:
    data = without_boxes(data)
    stream = read_jpeg2000(data)
    target = _target(stream, form, out)
    # OpenJPEG for both: OpenJPH, made for HTJ2K, crashes on damaged codestreams.
    imagecodecs.jpeg2k_decode(data, out=target)
    _settle(target, stream, form, out)
    # YBR_ICT and YBR_RCT are what the codec's own transformation has just undone.
    if not _is_rgb(stream, form):
        native.rgb_from_ybr(out, form)


def _fill_from_jpegxl(data: Any, out: np.ndarray) -> None:
    # Its decoder compares size and depth with `out` before it decodes, knows where a complete
    # codestream ends, and always delivers RGB.
    imagecodecs.jpegxl_decode(data, numthreads=1, out=_flat(out))


def _is_rgb(stream: Stream, form: PixelFormat) -> bool:
    """Whether samples are RGB: three of them, or one that no conversion applies to."""
    if form.samples == 1:
        return True
    if stream.colour:
        return stream.colour == "RGB"
    return not native.is_ybr(form)


def _flat(out: np.ndarray) -> np.ndarray:
    """View as the decoders have it: without an axis for a single sample."""
    return out[:, :, 0] if out.shape[2] == 1 else out


def _target(stream: Stream, form: PixelFormat, out: np.ndarray) -> np.ndarray:
    """Compare with the header; return the array to decode into: `out` itself where it fits."""
    if stream.samples != form.samples:
        raise CodestreamError(
            f"it has {stream.samples} samples a pixel; the header promises {form.samples}"
        )
    if stream.precision > form.bits_allocated:
        raise CodestreamError(
            f"it has {stream.precision} bits a sample; the header allocates {form.bits_allocated}"
        )
    if stream.signed and not form.signed:
        raise CodestreamError("its samples are signed, and the header says unsigned")
    if (stream.rows, stream.columns) != (form.rows, form.columns):
        raise OtherSize(
            f"it is {stream.columns} x {stream.rows} pixels; the header promises {form.columns} "
            f"x {form.rows}",
            stream.rows,
            stream.columns,
        )
    kind = "i" if stream.signed else "u"
    dtype: np.dtype[Any] = np.dtype(f"{kind}{1 if stream.precision <= 8 else 2}")
    flat = _flat(out)
    return flat if flat.dtype == dtype else np.empty(flat.shape, dtype)


def _settle(target: np.ndarray, stream: Stream, form: PixelFormat, out: np.ndarray) -> None:
    """Bring what was decoded beside `out` into it: a wider type, or the sign found again."""
    flat = _flat(out)
    if target.dtype == flat.dtype:
        return
    flat[...] = target
    if form.signed and not stream.signed:
        native.extend_sign(out, stream.precision)
