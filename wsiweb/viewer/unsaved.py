"""Overlays that no archive holds yet: masks, maps, shapes and sessions, read as if one did.

Whatever was given is written as the DICOM objects that it would be stored as, into a temporary
folder, and read back from there. So what is seen is what would be stored, and there is one way to
draw a segmentation and not two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb import loop
from wsiweb.arguments import shown
from wsiweb.results.reading.annotations import Annotations, read_annotations
from wsiweb.results.reading.heatmap import HeatMap, read_heatmaps
from wsiweb.results.reading.report import Report, read_reports
from wsiweb.results.reading.segmentation import Segmentation, read_segmentations
from wsiweb.results.session import ResultSession, begin_session
from wsiweb.results.temporary import temporary_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from wsiweb.frames import Frames
    from wsiweb.viewer.layers import Overlay
    from wsiweb.viewer.viewed import Viewed

__all__ = ["overlays_of"]

_STORED = (Segmentation, Annotations, HeatMap, Report)
_READERS = (read_segmentations, read_annotations, read_heatmaps, read_reports)
_MOST_LABELS = 255  # of a mask of numbers; more are instances and no classes
_ACCEPTED = (
    "Overlays are what slide.segmentations(), .annotations(), .heatmaps() and .reports() return, "
    "masks (arrays of truth values or labels, of the size of a level), maps of numbers (arrays of "
    "floats, of the size of a level), shapely geometries in pixels of level 0, and sessions of "
    "slide.results()"
)


def overlays_of(slide: Viewed, given: Any) -> list[Overlay] | bool | None:
    """Return overlays as a feed takes them; see `wsiweb.Slide.show` for what they may be.

    Parameters
    ----------
    slide : Viewed
        What they lie over.
    given : object
        As the user said it. What has to be written first is written now, which may take a while.

    Raises
    ------
    ValueError
        For what cannot be shown, in words.
    """
    if given is None or given is True:
        return None
    if given is False:
        return False
    made = _Made(slide)
    return [reader for name, one in _named(given) for reader in made.readers(name, one)]


def _named(given: Any) -> Iterator[tuple[str, Any]]:
    """Yield overlays with the names that they have, or get."""
    if isinstance(given, Mapping):
        yield from ((str(name), one) for name, one in given.items())
    elif _is_one(given):
        yield "Overlay", given
    elif isinstance(given, Iterable) and not isinstance(given, (str, bytes)):
        # Geometries beside each other are one overlay: nobody wants ten thousand switches.
        listed: list[Any] = list(given)
        shapes = [one for one in listed if _is_geometry(one)]
        others = [one for one in listed if not _is_geometry(one)]
        if shapes:
            others.append(shapes)
        for number, one in enumerate(others, 1):
            yield f"Overlay {number}", one
    else:
        raise ValueError(f"{_ACCEPTED}; not {shown(given)}.")


def _is_one(given: Any) -> bool:
    known = isinstance(given, (*_STORED, ResultSession, np.ndarray))
    return known or _is_geometry(given) or hasattr(given, "geometry")


def _is_geometry(given: Any) -> bool:
    return hasattr(given, "geom_type")


class _Made:
    """Writes what was given; the headers of the slide are read once, and only if need be."""

    def __init__(self, slide: Viewed) -> None:
        self._slide = slide
        self._first: ResultSession | None = None

    def readers(self, name: str, given: Any) -> list[Overlay]:
        """Return one overlay as what shows it."""
        if isinstance(given, _STORED):
            return [given]
        if isinstance(given, ResultSession):
            return _read_back(given, self._slide)
        session = self._session(name)
        if isinstance(given, np.ndarray) and given.dtype.kind in "biuf":
            _add_array(session, name, given)
        elif _is_geometry(given) or hasattr(given, "geometry") or _all_geometries(given):
            session.add_annotations(given, label=name, multi="split", holes="drop")
        else:
            raise ValueError(f"{_ACCEPTED}; not {shown(given)}.")
        return _read_back(session, self._slide)

    def _session(self, name: str) -> ResultSession:
        if self._first is None:
            begun = begin_session(self._slide.frames.client, self._slide.pyramid, name)
            self._first = loop.run(begun)
            return self._first
        return ResultSession(self._first.source, name)


def _all_geometries(given: Any) -> bool:
    return isinstance(given, (list, tuple)) and bool(given) and all(map(_is_geometry, given))


def _add_array(session: ResultSession, name: str, array: np.ndarray) -> None:
    """Write an array as what its numbers are: truth values, labels, or quantities."""
    from wsiweb.results.masks.segments import Segment

    if array.dtype.kind == "f":
        if array.ndim != 2:
            raise ValueError(f"A map of numbers has 2 axes, not the shape {array.shape}.")
        level = _level_of(session, array)
        session.add_heatmap(
            array, level=level, quantity=("overlay", "99WSIWEB", name), label=_label(name)
        )
        return
    count = 1 if array.dtype.kind == "b" else int(array.max(initial=0))
    count = array.shape[2] if array.ndim == 3 else max(count, 1)
    if count > _MOST_LABELS:
        raise ValueError(
            f"This mask has labels up to {count}, and up to {_MOST_LABELS} are shown, each as a "
            "layer of its own. If they number single objects, show mask > 0, or their outlines."
        )
    if not array.any():
        raise ValueError(f"The mask {name!r} is empty: no pixel of it would be seen.")
    names = [name] if count == 1 else [f"{name} {number}" for number in range(1, count + 1)]
    session.add_mask(array, segments=[Segment(label=one, type="SCT:Tissue") for one in names])


def _level_of(session: ResultSession, array: np.ndarray) -> int:
    height, width = array.shape
    for level in session.source.pyramid.levels:
        if level.size == (width, height):
            return level.index
    raise ValueError(
        f"A map of {width} x {height} numbers is of the size of no level of the slide. If each "
        "stands for a patch, give a session: slide.results(...).add_heatmap(array, patch=...)."
    )


def _label(name: str) -> str:
    return name[:16]


# Reading back -----------------------------------------------------------------------------------


def _read_back(session: ResultSession, slide: Viewed) -> list[Overlay]:
    """Return what a session has made, as an archive would return it."""
    if not session.objects:
        raise ValueError(f"{session!r} cannot be shown: nothing was added to it.")
    connection = _Connection(session)
    made = {one.instance_uid for one in session.objects}

    async def read() -> list[Overlay]:
        found = await asyncio.gather(*(read(slide.pyramid, connection) for read in _READERS))
        return [one for kind in found for one in kind]

    # Other files may lie in a folder that the user chose.
    return [one for one in loop.run(read()) if made.issuperset(_uids(one))]


def _uids(reader: Overlay) -> tuple[str, ...]:
    """Return the instances that a result is made of; a segmentation has one for each level."""
    if isinstance(reader, Segmentation):
        return reader.instance_uids
    return (reader.instance_uid,)


class _Connection:
    """Returns the frames of a session's files; whoever holds it keeps these from being removed."""

    def __init__(self, session: ResultSession) -> None:
        self._session = session
        self._index = temporary_folder(self, "shown") / "index.sqlite"
        self._frames = _frames_over(session.folder, self._index)

    def __call__(self) -> Frames:
        return self._frames


def _frames_over(folder: Path, index: Path) -> Frames:
    """Return frames of the files in a folder; nothing is written there."""
    from wsiweb.client.auth import NoAuth
    from wsiweb.client.client import DicomwebClient
    from wsiweb.client.in_process import AsgiTransport
    from wsiweb.frames import Frames
    from wsiweb.server import create_app
    from wsiweb.settings import Settings

    def start() -> tuple[Any, Callable[[], None]]:
        app = create_app(folder, index=index)
        return app, app.state.store.close

    settings = Settings()
    client = DicomwebClient(AsgiTransport(start, folder.as_uri()), NoAuth(), settings)
    return Frames(client, settings)
