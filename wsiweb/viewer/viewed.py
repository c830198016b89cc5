"""What a viewer needs of a slide: a `wsiweb.Slide` has it, and so may other things."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from wsiweb.frames import Frames
    from wsiweb.pixels.pyramid import Pyramid

__all__ = ["Viewed"]


class Viewed(Protocol):
    """A slide to be looked at."""

    @property
    def pyramid(self) -> Pyramid:
        """What the headers say: levels, and the images beside them."""
        ...

    @property
    def frames(self) -> Frames:
        """Where its pixels come from."""
        ...
