"""Pixels without a codestream: bare ones, run lengths, and colour that is left to us.

Bare pixels are those of PS3.5 8.1.1 and 8.2, little endian; run lengths those of PS3.5 Annex G.
Single bits are packed, the first pixel in the lowest bit. In a file frames follow each other
without a gap, even within a byte; one that comes by itself begins with a byte.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np

from wsiweb.pixels.codestream import CodestreamError

if TYPE_CHECKING:
    from wsiweb.pixels.image import PixelFormat

__all__ = ["extend_sign", "fill", "fill_from_rle", "is_ybr", "rgb_from_ybr"]

Data = bytes | bytearray | memoryview

# PS3.3 C.7.6.3.1.2: R, G and B from Y and centred Cb, Cr.
_FROM_CB = (0.0, -0.114 * 1.772 / 0.587, 1.772)
_FROM_CR = (1.402, -0.299 * 1.402 / 0.587, 0.0)


def is_ybr(form: PixelFormat) -> bool:
    """Whether three samples are stored as luminance and chrominance that nothing has undone."""
    return form.samples == 3 and form.photometric.startswith(("YBR_FULL", "YBR_PARTIAL"))


def fill(data: Data, form: PixelFormat, out: np.ndarray, *, as_stored: bool = True) -> None:
    """Fill an array from bare pixels.

    Parameters
    ----------
    data : bytes, bytearray or memoryview
        ``form.native_nbytes`` bytes; or ``form.nbytes``, if that is more, of what a server
        decompressed and brought back to RGB. Padding may follow.
    form : PixelFormat
        How they are laid out.
    out : numpy.ndarray
        Shape (rows, columns, samples), of the format's dtype.
    as_stored : bool
        Whether the header's colour model is that of these bytes, and not that of the
        codestream they were decompressed from.

    Raises
    ------
    CodestreamError
        If bytes are missing, or the colour model is not one that is stored bare.
    """
    if form.bits_allocated == 1:
        _fill_from_bits(data, form, out)
        return
    halved = form.native_nbytes < form.nbytes and len(data) < form.nbytes
    length = form.native_nbytes if halved else form.nbytes
    if len(data) < length:
        raise CodestreamError(f"{len(data)} bytes came of {length}")
    stored = form.dtype.newbyteorder("<")
    samples = np.frombuffer(data, stored, length // stored.itemsize)
    if halved:
        _spread_chroma(samples, form, out)
    elif form.planar and form.samples == 3:
        out[...] = samples.reshape(3, form.rows, form.columns).transpose(1, 2, 0)
    else:
        out[...] = samples.reshape(form.shape)
    _clear_unused(form, out)
    full_chroma_of_422 = form.native_nbytes < length
    if is_ybr(form) and (halved or (as_stored and not full_chroma_of_422)):
        rgb_from_ybr(out, form)


def _fill_from_bits(data: Data, form: PixelFormat, out: np.ndarray) -> None:
    """Fill from a bit for each pixel; or a byte, of what a server has unpacked."""
    count = form.rows * form.columns
    if len(data) - count in {0, 1} and count > form.native_nbytes + 1:  # else it is padding
        out[...] = np.frombuffer(data, np.uint8, count).reshape(form.shape) != 0
        return
    if len(data) < form.native_nbytes:
        raise CodestreamError(f"{len(data)} bytes came of {form.native_nbytes}")
    packed = np.frombuffer(data, np.uint8, form.native_nbytes)
    if count % 8 and packed[-1] >> count % 8:
        # An archive that cuts frames out at whole bytes, which they do not begin at.
        raise CodestreamError("after its last pixel come bits of another frame")
    out[...] = np.unpackbits(packed, count=count, bitorder="little").reshape(form.shape)


def _spread_chroma(samples: np.ndarray, form: PixelFormat, out: np.ndarray) -> None:
    """YBR_FULL_422: two luminances, then the chrominance that both share."""
    if form.columns % 2:
        raise CodestreamError("YBR_FULL_422 pixels come in pairs, and the width is odd")
    pairs = samples.reshape(form.rows, form.columns // 2, 4)
    out[:, 0::2, 0], out[:, 1::2, 0] = pairs[..., 0], pairs[..., 1]
    for sample in (1, 2):
        out[:, 0::2, sample] = out[:, 1::2, sample] = pairs[..., sample + 1]


def fill_from_rle(data: Data, form: PixelFormat, out: np.ndarray) -> None:
    """Fill an array from run lengths.

    Each byte of each sample has a segment of its own, the most significant first.

    Raises
    ------
    CodestreamError
        If the header does not fit the format, or the runs are not as many as they should be.
    """
    view = memoryview(data)
    if len(view) < 64:
        raise CodestreamError(f"it is cut short: {len(view)} bytes came, its header has 64")
    header = np.frombuffer(view[:64], "<u4").astype(np.int64)
    segments = form.samples * form.dtype.itemsize
    if header[0] != segments:
        raise CodestreamError(f"it has {header[0]} segments, not {segments}")
    bounds = [*header[1 : segments + 1].tolist(), len(view)]
    if bounds[0] < 64 or any(here >= after for here, after in pairwise(bounds)):
        raise CodestreamError("it is cut short, or its segments are not in order")
    single_bits = form.bits_allocated == 1
    plane = form.native_nbytes if single_bits else form.rows * form.columns
    planes = np.empty((segments, plane), np.uint8)
    for number, target in enumerate(planes):
        runs: Any = view[bounds[number] : bounds[number + 1]]
        decoded = imagecodecs.packbits_decode(runs, out=target.data)
        if len(decoded) != plane:
            raise CodestreamError(f"segment {number + 1} holds {len(decoded)} of {plane} bytes")
    if single_bits:
        _fill_from_bits(planes.tobytes(), form, out)
        return
    size = form.dtype.itemsize
    # Last axis: the bytes of a sample, turned round to little endian.
    cells = planes.reshape(form.samples, size, form.rows, form.columns)[:, ::-1]
    joined = np.ascontiguousarray(cells.transpose(2, 3, 0, 1))
    out[...] = joined.view(form.dtype.newbyteorder("<"))[..., 0]
    _clear_unused(form, out)
    if is_ybr(form):
        rgb_from_ybr(out, form)


def _clear_unused(form: PixelFormat, out: np.ndarray) -> None:
    """Clear the bits that are not part of a sample."""
    if form.bits_stored == form.bits_allocated:
        return
    if form.signed:
        extend_sign(out, form.bits_stored)
    else:
        out &= out.dtype.type((1 << form.bits_stored) - 1)


def extend_sign(out: np.ndarray, bits: int) -> None:
    """Make two's complement numbers of `bits` bits whole, in place."""
    unused = out.dtype.itemsize * 8 - bits
    np.left_shift(out, unused, out=out)
    np.right_shift(out, unused, out=out)


def rgb_from_ybr(out: np.ndarray, form: PixelFormat) -> None:
    """Turn YBR_FULL samples into RGB, in place.

    Raises
    ------
    CodestreamError
        For YBR_PARTIAL, which has other ranges and is retired.
    """
    if not form.photometric.startswith("YBR_FULL"):
        raise CodestreamError(f"PhotometricInterpretation {form.photometric} is not supported")
    top = (1 << form.bits_stored) - 1
    luminance = out[..., 0].astype(np.float32)
    cb, cr = (out[..., sample].astype(np.float32) - (top + 1) / 2 for sample in (1, 2))
    for sample, (from_cb, from_cr) in enumerate(zip(_FROM_CB, _FROM_CR, strict=True)):
        colour: np.ndarray[Any, Any] = luminance + from_cb * cb + from_cr * cr
        out[..., sample] = np.floor(np.clip(colour + 0.5, 0, top))
