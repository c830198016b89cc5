"""The lines of Python that show what a viewer shows."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from wsiweb.wire.uris import shown

if TYPE_CHECKING:
    from wsiweb.pixels.pyramid import Pyramid

__all__ = ["lines"]

_SIZE = 1024  # pixels along a side of the region


def lines(
    pyramid: Pyramid,
    base_url: str,
    at: tuple[float, float] | None = None,
    downsample: float = 1.0,
) -> str:
    """Return Python that opens a slide and reads what is looked at.

    Parameters
    ----------
    pyramid : Pyramid
        The slide.
    base_url : str
        Of the archive; secrets in it are not repeated.
    at : tuple of float, optional
        The middle of the view (x, y) in pixels of level 0; without it, a thumbnail is read.
    downsample : float
        Pixels of level 0 along the edge of one that is looked at.
    """
    opened = [
        "import wsiweb",
        "",
        f"archive = wsiweb.connect({_target(base_url)!r})",
        "slide = archive.open_slide(",
        f"    {pyramid.study_uid!r},",
        f"    {pyramid.series_uid!r},",
        ")",
    ]
    if at is None:
        read = "image = slide.thumbnail(1024)"
    else:
        level = pyramid.level_for_downsample(max(downsample, 1.0))
        x, y = (round(value - _SIZE / 2 * level.downsample) for value in at)
        size = f"({_SIZE}, {_SIZE})"
        read = f"image = slide.read_region(({x}, {y}), level={level.index}, size={size})"
    return "\n".join([*opened, read, ""])


def _target(base_url: str) -> str:
    """Return what `wsiweb.connect` takes for an archive: its URL, or a folder."""
    parts = urlsplit(base_url)
    return url2pathname(parts.path) if parts.scheme == "file" else shown(base_url)
