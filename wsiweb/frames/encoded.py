"""Frames as they came: what they are, and what is not taken for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsiweb.errors import NotAcceptable
from wsiweb.wire import media

if TYPE_CHECKING:
    from wsiweb.pixels.image import FrameAddress, TiledImage

__all__ = ["EncodedImage", "Received", "encoded_image", "refuse_reencoded"]


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """A frame's bytes as the archive sent them; nothing was decoded or encoded again.

    Attributes
    ----------
    data : bytes
        The codestream, or the bare pixels of a native frame.
    codec : Codec
        How it is encoded, told from the bytes themselves.
    media_type : str
        Its media type, such as ``"image/jpeg"``.
    size : tuple of int
        Width and height of the whole frame in pixels, padding of edge tiles included.
    photometric : str
        PhotometricInterpretation of the instance. ``"RGB"`` with a JPEG that has no Adobe
        marker means that most viewers would show false colours.
    """

    data: bytes
    codec: media.Codec
    media_type: str
    size: tuple[int, int]
    photometric: str


@dataclass(frozen=True, slots=True)
class Received:
    """A frame as it came."""

    data: bytes
    step: media.Step  # what it was asked for as: bare pixels may not be what is stored


def encoded_image(image: TiledImage, address: FrameAddress, received: Received) -> EncodedImage:
    """Say what the bytes of a frame are.

    Raises
    ------
    NotAcceptable
        When they are bare pixels, and that is not how they are known to be stored.
    """
    stored = media.TRANSFER_SYNTAXES.get(image.transfer_syntax or "")
    if received.step is media.Step.BARE and (stored is None or stored.encapsulated):
        raise NotAcceptable(
            f"The archive does not give frame {address.number} of instance {address.instance_uid} "
            "as it is stored, only decompressed; read_region can still read it."
        )
    codec = media.sniff(received.data) or _unmarked_codec(image, received.data)
    return EncodedImage(
        data=received.data,
        codec=codec,
        media_type=media.media_type_of(codec),
        size=image.tile_size,
        photometric=image.format.photometric,
    )


def _unmarked_codec(image: TiledImage, data: bytes) -> media.Codec:
    """Codec of bytes that show no marker: bare pixels, if their length says so."""
    if len(data) in {image.format.native_nbytes, image.format.native_nbytes + 1}:
        return media.Codec.NATIVE
    syntax = media.TRANSFER_SYNTAXES.get(image.transfer_syntax or "")
    return media.Codec.NATIVE if syntax is None else syntax.codec


def refuse_reencoded(image: TiledImage, number: int, data: bytes) -> None:
    """Refuse a frame that the archive has encoded anew: lossless pixels may have become lossy.

    Raises
    ------
    NotAcceptable
        When the bytes are in another encoding than the instance is stored in.
    """
    stored = media.TRANSFER_SYNTAXES.get(image.transfer_syntax or "")
    if stored is None:
        return
    came = media.sniff(data)
    if came is not None and came is not stored.codec:
        raise NotAcceptable(
            f"Frame {number} is stored as {stored.name} and was sent as {came}: the archive "
            "encodes anew, which may lose detail, and that is not accepted silently."
        )
