"""What a slide does in a notebook: it shows itself, and can be looked around in.

`Showing` is the part of `wsiweb.Slide` that stands on the viewer. It has a room of its own so that
`slide` stays short; whatever the viewer needs is imported when something is shown.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsiweb.frames import Frames
    from wsiweb.pixels.pyramid import Pyramid
    from wsiweb.viewer.still import Still
    from wsiweb.viewer.widget import View

__all__ = ["Showing"]


class Showing:
    """Shows a slide in notebooks; `wsiweb.Slide` has these methods."""

    _view: View | None = None

    @property
    def pyramid(self) -> Pyramid:
        """What was made of the headers; an error for a slide that is closed."""
        raise NotImplementedError

    @property
    def frames(self) -> Frames:
        """Where its pixels come from."""
        raise NotImplementedError

    def show(self, overlays: Any = None, *, height: int = 480) -> View:
        """Return the slide as a widget to look around in, with what is known about it on top.

        It shows itself at the end of a cell; elsewhere, pass it to ``display``. Wants the extra
        ``wsiweb[viewer]``.

        Parameters
        ----------
        overlays : optional
            What lies over the slide. By default all results that the archive holds for it, looked
            for in the background once the slide is seen; False for nothing. Else one of these, a
            list of them, or a mapping of names to them:

            - what `segmentations`, `annotations`, `heatmaps` and `reports` return;
            - a mask: a numpy array of the size of a level, of truth values, of labels (0 is
              nothing, up to 255), or with a third axis of planes that may overlap;
            - a map: a numpy array of floats of the size of a level, in which NaN is nothing;
            - geometries of shapely, or a table with ``.geometry``, in pixels of level 0;
            - a session of `results`, stored or not, with all that was added to it.

            Masks, maps and geometries are written as DICOM objects in a temporary folder first,
            which takes a while for masks of the finest level. Nothing is sent.
        height : int
            In CSS pixels, 120 to 4000. It is as wide as there is room.

        Returns
        -------
        View
            A widget; also `view`.

        Raises
        ------
        ValueError
            For overlays that cannot be shown, or a height that makes no sense.
        ImportError
            When anywidget is not installed.

        Examples
        --------
        >>> slide.show({"tissue": mask}, height=600)  # doctest: +SKIP
        """
        try:
            from wsiweb.viewer.widget import view_of
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0].startswith("wsiweb"):
                raise
            raise ImportError(
                f'The widget wants {error.name}: pip install "wsiweb[viewer]", and reload the '
                "page. (A slide at the end of a cell shows itself as a picture without it.)"
            ) from error
        self._view = view_of(self, overlays, height=height)
        return self._view

    @property
    def view(self) -> View:
        """The widget that was shown last; one is made if there is none. See `show`."""
        return self.show() if self._view is None else self._view

    def goto(
        self,
        x: float | None = None,
        y: float | None = None,
        *,
        downsample: float | None = None,
        mpp: float | None = None,
    ) -> None:
        """Move the `view` to a place of the slide; what is not said stays.

        Parameters
        ----------
        x, y : float, optional
            What comes into the middle, in pixels of level 0.
        downsample : float, optional
            Pixels of level 0 along the edge of a (CSS) pixel of the screen: 1 is one to one.
        mpp : float, optional
            The same in micrometres per pixel of the screen.

        Raises
        ------
        ValueError
            For both `downsample` and `mpp`, for numbers that make no sense, or `mpp` of a slide
            whose scale is unknown.
        """
        self.view.goto(x, y, downsample=downsample, mpp=mpp)

    # How notebooks ask ----------------------------------------------------------------------

    def _ipython_display_(self) -> None:
        """Show the widget; IPython goes on to the next way when this is not implemented."""
        if not _in_notebook():
            raise NotImplementedError
        try:
            view = self.view
        except ImportError:
            raise NotImplementedError from None
        view.display()

    def _display_(self) -> Any:
        """Return what marimo shows."""
        try:
            return self.view
        except ImportError:
            still = self._still()
            return repr(self) if still is None else _Picture(still.html(repr(self), "alone"))

    def _repr_mimebundle_(self, **_: Any) -> Any:
        """Return the widget with a picture, or the picture alone, or in a terminal the words."""
        words = {"text/plain": repr(self)}
        if _in_terminal():
            return words
        try:
            data, metadata = self.view.bundle()
        except ImportError:
            still = self._still()
            return words if still is None else {**words, **still.bundle}
        return {**data, **words}, metadata

    def _still(self) -> Still | None:
        from wsiweb.viewer.feed import Feed
        from wsiweb.viewer.still import still_of

        return still_of(Feed(self, False))


@dataclass(frozen=True, slots=True)
class _Picture:
    html: str

    def _repr_html_(self) -> str:
        return self.html


def _shell() -> Any:
    """Return IPython's shell; None where there is none, or nobody has imported it."""
    ipython: Any = sys.modules.get("IPython")
    return ipython.get_ipython() if hasattr(ipython, "get_ipython") else None


def _in_notebook() -> bool:
    return getattr(_shell(), "kernel", None) is not None


def _in_terminal() -> bool:
    return _shell() is not None and not _in_notebook()
