"""Optical paths in instances of their own, put together to one image.

A scanner may write each fluorescence channel as an instance (PS3.3 A.32.8 allows it): they are
of one size and pixel format, and differ in OpticalPathIdentifier.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from wsiweb.pixels.framemap import FrameMap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsiweb.pixels.image import TiledImage

__all__ = ["are_channels", "joined"]

# Beside a sparse image each frame of a full one is listed; a header can claim any number of them.
_MOST_LISTED = 2**22


def are_channels(image: TiledImage, other: TiledImage) -> bool:
    """Whether two images show the same by different optical paths."""
    maps = image.frames, other.frames
    mixed = len({one.cells is None for one in maps}) == 2
    return (
        (image.size, image.format) == (other.size, other.format)
        and image.focal_planes == other.focal_planes
        and not set(image.channels) & set(other.channels)
        and not (mixed and max(map(len, maps)) > _MOST_LISTED)
    )


def joined(images: Sequence[TiledImage]) -> TiledImage:
    """Make one image of several that are channels of each other.

    Parameters
    ----------
    images : sequence of TiledImage
        At least one; what holds for all (place on the slide, background) is that of the first.

    Returns
    -------
    TiledImage
        Its channels in the order of their identifiers, so that it is the same in all levels.
    """
    if len(images) == 1:
        return images[0]
    # Shorter ones first, so that 10 comes after 9.
    ordered = sorted(images, key=lambda image: [(len(name), name) for name in image.channels])
    syntaxes = {image.transfer_syntax for image in images}
    return replace(
        images[0],
        instance_uids=tuple(uid for image in ordered for uid in image.instance_uids),
        whole_uids=tuple(uid for image in ordered for uid in image.whole_uids),
        channels=tuple(name for image in ordered for name in image.channels),
        transfer_syntax=syntaxes.pop() if len(syntaxes) == 1 else None,
        frames=FrameMap.stacked([image.frames for image in ordered]),
    )
