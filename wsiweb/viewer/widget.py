"""The Jupyter widget: the viewer in a notebook, its tiles over the widget's own channel.

There is no port and no server, so it works where the kernel runs elsewhere. The kernel answers in
the library's own loop; a message only has to be taken by it. JupyterLab 4.4 and later hand messages
of widgets to a thread of their own (a subshell), so that tiles come while a cell runs.
"""

from __future__ import annotations

import functools
import importlib.resources
import math
import threading
import uuid
from typing import TYPE_CHECKING, Any

import traitlets
from anywidget import AnyWidget

from wsiweb.arguments import positive, shown, whole_number
from wsiweb.viewer.channel import Channel
from wsiweb.viewer.feed import Feed
from wsiweb.viewer.still import Still, still_of
from wsiweb.viewer.unsaved import overlays_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsiweb.pixels.pyramid import Pyramid
    from wsiweb.viewer.viewed import Viewed

__all__ = ["View", "view_of"]

Pair = tuple[int, int]

_PLACE = {"x", "y", "downsample"}
_HEIGHTS = range(120, 4001)  # CSS pixels


@functools.cache
def _built(name: str) -> str:
    """Return a file of the front end, as it was built.

    Raises
    ------
    RuntimeError
        When it was not: in a bare checkout that nobody has installed.
    """
    built = importlib.resources.files("wsiweb.viewer") / "static" / name
    try:
        return built.read_text("utf-8")
    except FileNotFoundError:
        raise RuntimeError(
            "The viewer's front end is not built. `pip install .` in the checkout builds it, and "
            "so does `npm ci && npm run build` in wsiweb/viewer/frontend."
        ) from None


def view_of(slide: Viewed, overlays: Any = None, *, height: int = 480) -> View:
    """Return a slide as a widget; see `wsiweb.Slide.show`.

    Parameters
    ----------
    slide : Viewed
        Such as a `wsiweb.Slide`.
    overlays, height
        As of `wsiweb.Slide.show`.

    Raises
    ------
    ValueError
        For overlays that cannot be shown, or a height that makes no sense.
    """
    # Not by the widget itself, which would be a widget already when it refuses something.
    height = _checked_height(height)
    taken = overlays_of(slide, overlays)
    return View(slide.pyramid, Feed(slide, taken), overlays=taken is not False, height=height)


class View(AnyWidget):
    """A slide to look around in, in a notebook; from `wsiweb.Slide.show`.

    Where one looks is known on both sides: `x`, `y` and `downsample` follow the mouse, and the
    picture follows them. They can be observed and linked as those of any widget (so two slides
    can be moved together); they are None until the view has been seen.

    Parameters
    ----------
    pyramid : Pyramid
        The slide.
    feed : Feed
        All that is shown of it.
    overlays : bool
        Whether what lies over it is shown from the beginning.
    height : int
        In CSS pixels; it is as wide as there is room.

    Attributes
    ----------
    x, y : float or None
        The middle of what is seen, in pixels of level 0.
    downsample : float or None
        Pixels of level 0 along the edge of one of the screen's (CSS) pixels: 1 is one to one.
    height : int
        May be changed.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    x = traitlets.CFloat(None, allow_none=True).tag(sync=True)
    y = traitlets.CFloat(None, allow_none=True).tag(sync=True)
    downsample = traitlets.CFloat(None, allow_none=True).tag(sync=True)
    height = traitlets.Int(480).tag(sync=True)
    _overlays = traitlets.Bool(True).tag(sync=True)
    _name = traitlets.Unicode().tag(sync=True)  # of the picture that stands for it
    _screen = traitlets.List(traitlets.CFloat(), [0.0, 0.0]).tag(sync=True)

    def __init__(self, pyramid: Pyramid, feed: Feed, *, overlays: bool, height: int) -> None:
        self._pyramid = pyramid
        self._feed = feed
        self._channel = Channel(self._feed, self.send)
        self._moving = threading.Lock()
        super().__init__(
            _esm=_built("widget.js"),
            _css=_built("widget.css"),
            _name=uuid.uuid4().hex,
            height=height,
            _overlays=overlays,
        )
        self.on_msg(self._receive)

    def __repr__(self) -> str:
        name = self._pyramid.container_id or self._pyramid.series_uid
        if self.x is None or self.y is None or self.downsample is None:
            return f"<View of {name}>"
        return f"<View of {name}: x={self.x:.0f}, y={self.y:.0f}, downsample={self.downsample:.3g}>"

    def _receive(self, _: object, content: object, __: object) -> None:
        """Take a message of the front end, in whatever thread."""
        if isinstance(content, dict) and "begin" in content:
            self._begin(content["begin"])
        else:
            self._channel.receive(content)

    def _begin(self, place: dict[str, float]) -> None:
        """Take over where a view begins, unless somebody has said where to look.

        A trait that both sides set at once would get the value of the front end.
        """
        with self._moving:
            if self.x is None and self.y is None and self.downsample is None:
                self._move(place)

    def _move(self, place: Mapping[str, float]) -> None:
        with self.hold_sync():  # one message, and one movement
            for name in _PLACE & place.keys():
                setattr(self, name, place[name])

    # Where one looks ------------------------------------------------------------------------

    @property
    def mpp(self) -> float | None:
        """Micrometres of the slide along the edge of a screen pixel; may be set.

        None until the view has been seen, or for a slide whose headers do not say their scale.
        """
        own = self._pyramid.mpp
        return None if own is None or self.downsample is None else self.downsample * own[0]

    @mpp.setter
    def mpp(self, mpp: float) -> None:
        self.downsample = self._downsample_at(mpp)

    def goto(
        self,
        x: float | None = None,
        y: float | None = None,
        *,
        downsample: float | None = None,
        mpp: float | None = None,
    ) -> None:
        """Look somewhere else; see `wsiweb.Slide.goto`."""
        if downsample is not None and mpp is not None:
            raise ValueError("goto takes downsample= or mpp=, and not both: they say the same.")
        new: dict[str, float] = {}
        for name, value in (("x", x), ("y", y)):
            if value is not None:
                new[name] = _finite(value, name)
        if downsample is not None:
            new["downsample"] = positive(downsample, "downsample", "level-0 pixels per pixel")
        elif mpp is not None:
            new["downsample"] = self._downsample_at(mpp)
        with self._moving:
            self._move(new)

    def _downsample_at(self, mpp: float) -> float:
        own = self._pyramid.mpp
        if own is None:
            raise ValueError(
                "This slide has no scale (PixelSpacing is missing); give downsample= instead."
            )
        return positive(mpp, "mpp", "micrometres per pixel") / own[0]

    def region(self) -> tuple[Pair, int, Pair]:
        """Return what is in view, as `wsiweb.Slide.read_region` takes it.

        Returns
        -------
        tuple
            Location (x, y) in pixels of level 0, level, and size (width, height) in pixels of that
            level: the coarsest level that has at least the pixels of the screen. What is in view
            beside the slide is part of it.

        Raises
        ------
        ValueError
            Before the view has been seen, when nobody knows how large it is.

        Examples
        --------
        >>> tissue = slide.read_region(*slide.view.region())  # doctest: +SKIP
        """
        width, height = self._screen
        if self.x is None or self.y is None or self.downsample is None or not width * height:
            raise ValueError(
                "This view has not been seen yet, so there is no region in view. (What is seen is "
                "known once the cell that shows it has run.)"
            )
        across, down = width * self.downsample, height * self.downsample
        level = self._pyramid.level_for_downsample(max(self.downsample, 1.0))
        location = round(self.x - across / 2), round(self.y - down / 2)
        size = round(across / level.downsample), round(down / level.downsample)
        return location, level.index, (max(1, size[0]), max(1, size[1]))

    # How it is shown ------------------------------------------------------------------------

    @functools.cached_property
    def still(self) -> Still | None:
        """A picture of the slide; None when it cannot be had soon enough."""
        return still_of(self._feed)

    def bundle(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the widget, and a picture for those who show no widgets, by media type.

        Returns
        -------
        tuple of dict
            Data and metadata, as Jupyter knows them.
        """
        data, metadata = super()._repr_mimebundle_() or ({}, {})
        still = {} if self.still is None else self.still.bundle
        return {**data, "text/plain": repr(self), **still}, metadata

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.bundle()

    def display(self) -> None:
        """Show it in the output of the cell that runs, as at the end of a cell it shows itself."""
        # A picture, and the widget that hides it; see `wsiweb.viewer.still`. With both in one
        # output, JupyterLab would show neither once the kernel is gone: it takes the widget, and
        # says that it does not find its model.
        from IPython.display import display

        data, metadata = super()._repr_mimebundle_() or ({}, {})
        if self.still is not None:
            figure = self.still.html(repr(self), self._name)
            display({"text/html": figure, "text/plain": repr(self)}, raw=True)
            # For exports, in which the picture stands already.
            data = {**data, "text/html": "", "text/plain": ""}
        display(data, metadata=metadata, raw=True)

    _ipython_display_ = display

    def close(self) -> None:
        """Take it from the page; what it has under way is given up. May be repeated."""
        self._channel.close()
        super().close()


def _checked_height(height: Any) -> int:
    number = whole_number(height, "height")
    if number not in _HEIGHTS:
        first, last = _HEIGHTS[0], _HEIGHTS[-1]
        raise ValueError(f"height is {first} to {last} CSS pixels, not {number}.")
    return number


def _finite(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name} is a place in pixels of level 0, not {shown(value)}.")
    return number
