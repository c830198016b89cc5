"""A session of results: everything that one run makes of one slide."""

from __future__ import annotations

import asyncio
import datetime
import functools
import inspect
import shutil
from typing import TYPE_CHECKING, Any, Concatenate, NoReturn, ParamSpec, Self, TypeVar

from wsiweb import loop
from wsiweb.arguments import flag, folder_of
from wsiweb.results.heatmaps import heatmap
from wsiweb.results.identity import Algorithm
from wsiweb.results.images import image
from wsiweb.results.masks import mask
from wsiweb.results.objects import Maker, Objects, Series
from wsiweb.results.reading.find import find
from wsiweb.results.reports import report
from wsiweb.results.settling import settle
from wsiweb.results.shapes import annotations
from wsiweb.results.source import Source
from wsiweb.results.texts import check_person, check_text
from wsiweb.wire.uris import Resource
from wsiweb.writing.parts import part_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from wsiweb.client.client import DicomwebClient
    from wsiweb.pixels.pyramid import Pyramid
    from wsiweb.results.objects import Kind, ResultObject
    from wsiweb.results.reading.find import Stored

__all__ = ["ResultSession", "begin_session"]

P = ParamSpec("P")
T = TypeVar("T")

_LONGEST = 64  # characters of SeriesDescription, VR LO


async def begin_session(
    client: DicomwebClient,
    pyramid: Pyramid,
    name: str,
    *,
    channel: int | None = None,
    join: bool = False,
    **choices: Any,
) -> ResultSession:
    """Return a session about a slide, after its headers have been read; see `wsiweb.Slide.results`.

    Parameters
    ----------
    client : DicomwebClient
        The archive; to be called on the library's event loop.
    pyramid : Pyramid
        The slide.
    name : str
        Of the result.
    channel : int, optional
        Zero-based optical path that was looked at; None for all of them.
    join : bool
        Whether to add to the newest series of that name.
    **choices
        As for `ResultSession`.
    """
    check_text("the name of a result", name, _LONGEST)
    join = flag(join, "join")
    told, existing = await asyncio.gather(
        client.metadata(pyramid.study_uid, pyramid.series_uid),
        _existing(client, pyramid, name.strip()) if join else _none(),
    )
    resource = Resource(study=pyramid.study_uid, series=pyramid.series_uid, aspect="metadata")
    document_url = f"{client.base_url}/{resource.path}"

    def fetch(uri: str) -> bytes:
        return loop.run(client.bulkdata(uri, document_url=document_url))

    source = Source(pyramid, told, fetch, channel=channel)
    return ResultSession(source, name, existing=existing, **choices)


async def _none() -> dict[Kind, Series]:
    return {}


async def _existing(client: DicomwebClient, pyramid: Pyramid, name: str) -> dict[Kind, Series]:
    """Return the newest series of a name; other kinds have a series for each object."""
    marked, reports = await asyncio.gather(
        find(client, pyramid, "annotations"), find(client, pyramid, "report")
    )
    found: dict[Kind, list[Stored]] = {"annotations": marked, "report": reports}
    existing: dict[Kind, Series] = {}
    for kind, stored in found.items():
        named = [one for one in stored if one.name == name]
        if named:
            existing[kind] = _newest(named)
    return existing


def _newest(stored: list[Stored]) -> Series:
    own = [one for one in stored if one.series_uid == stored[0].series_uid]
    dates = [one.created for one in own if one.created is not None]
    return Series(
        uid=own[0].series_uid,
        number=own[0].header.integer("SeriesNumber") or 1,
        begun=min(dates, key=datetime.datetime.timestamp) if dates else None,
        count=max(one.number for one in own),
    )


def _of_session(
    make: Callable[Concatenate[Source, Objects, P], T],
) -> Callable[Concatenate[ResultSession, P], T]:
    """Return a maker of objects as a method: the session says for which slide, and where."""

    @functools.wraps(make)
    def method(self: ResultSession, /, *args: P.args, **kwargs: P.kwargs) -> T:
        # It is a method, though it is defined outside of the class.
        return make(self.source, self._objects, *args, **kwargs)  # pyright: ignore[reportPrivateUsage]

    told = inspect.signature(make)
    source, _, *rest = told.parameters.values()
    method.__signature__ = told.replace(parameters=[source.replace(name="self"), *rest])  # type: ignore[attr-defined]
    return method


class ResultSession:
    """What one run of a pipeline, or a person, makes of a slide; from `wsiweb.Slide.results`.

    Each ``add_`` method checks what it is given, writes valid DICOM objects about the slide, and
    returns them: files in the folder of the session. Nothing is sent. Annotations share a series,
    and so do reports, numbered from 1 without gaps; each mask, heat map and image has a series of
    its own, because viewers take the objects in such a series for levels of one pyramid.

    May be used as a context manager; from several threads.

    Parameters
    ----------
    source : Source
        The slide, and which of its channels was looked at.
    name : str
        Of the result, 1 to 64 characters; SeriesDescription of all its objects.
    algorithm : Algorithm or tuple of str, optional
        What computed it; a (name, version) will do. None for what a person made.
    creator : str
        Who made it, or had it made, as a DICOM person name (``"Doe^Jane"``).
    created : datetime.datetime, optional
        When; by default now. Without a time zone it is the time of this machine.
    deterministic : bool
        Whether UIDs follow from contents: a repeated session then makes the same objects, byte for
        byte. Wants `created`, with a time zone, which is one of those contents.
    existing : mapping of Kind to Series, optional
        Series to be added to instead of new ones.
    folder : path, optional
        Where files are kept; by default a temporary folder, which is gone with the session.

    Raises
    ------
    ValueError
        For a name that cannot be written, or a deterministic session without a date.
    """

    def __init__(
        self,
        source: Source,
        name: str,
        *,
        algorithm: Algorithm | tuple[str, str] | None = None,
        creator: str = "",
        created: datetime.datetime | None = None,
        deterministic: bool = False,
        existing: Mapping[Kind, Series] | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        check_text("the name of a result", name, _LONGEST)
        check_person("the creator of a result", creator)
        algorithm = _algorithm(algorithm)
        deterministic = flag(deterministic, "deterministic")
        created = _created(created, deterministic)
        self.source = source
        place = None if folder is None else folder_of(folder, "folder=")
        maker = Maker(
            study_uid=source.pyramid.study_uid,
            source_series_uid=source.pyramid.series_uid,
            name=name.strip(),
            created=created,
            algorithm=algorithm,
            creator=creator,
            deterministic=deterministic,
            channel=source.channel,
        )
        self._objects = Objects(place, maker, existing or {})

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A ResultSession cannot be pickled or copied: it counts the files that it writes. Open "
            "the slide in other processes, return arrays and shapes from there, and add them here."
        )

    def __repr__(self) -> str:
        made = [one.kind for one in self.objects]
        counts = ", ".join(f"{made.count(kind)} {kind}" for kind in dict.fromkeys(made))
        return f"<ResultSession {self.name!r}: {counts or 'nothing yet'}>"

    @property
    def name(self) -> str:
        """Name of the result."""
        return self._objects.maker.name

    @property
    def channel(self) -> int | None:
        """Zero-based optical path of the slide that was looked at; None for all of them."""
        return self.source.channel

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._objects.folder

    @property
    def objects(self) -> tuple[ResultObject, ...]:
        """What was made so far, each of it whole, in the order in which it was made."""
        return self._objects.made

    # What is added: each maker is described where it is written.

    add_mask = _of_session(mask.add_mask)
    mask_writer = _of_session(mask.open_mask)
    add_annotations = _of_session(annotations.add_annotations)
    add_heatmap = _of_session(heatmap.add_heatmap)
    add_report = _of_session(report.add_report)
    add_image = _of_session(image.add_image)

    def save(self, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
        """Copy all files to a folder, which is made if it is not there.

        A file appears under its name when all of it is there. A file of that name with another
        content is not written over.

        Returns
        -------
        tuple of Path
            The files there.

        Raises
        ------
        FileExistsError
            When another file has the name already; then none is copied.
        FileNotFoundError
            When a file of the session is gone.
        NotADirectoryError, PermissionError, ValueError
            For a folder that is a file, cannot be written to, or is no path.
        """
        target = folder_of(folder, "save")
        made = self.objects  # others may be adding to them
        for one in made:
            if not one.path.exists():
                raise FileNotFoundError(
                    f"{one.path} was made by this session, and somebody has taken it away: nothing "
                    "is saved."
                )
        target.mkdir(parents=True, exist_ok=True)
        places = [target / one.path.name for one in made]
        parts = [part_of(place) for place in places]
        try:
            for one, part in zip(made, parts, strict=True):
                _copied(one.path, part)
            settle(list(zip(parts, places, strict=True)))
        finally:
            for part in parts:
                part.unlink(missing_ok=True)
        return tuple(places)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is closed: the files stay as long as the session, or its folder."""


def _copied(path: Path, part: Path) -> None:
    """Copy a file; an error names the folder that was given, and not a hidden file in it."""
    try:
        shutil.copyfile(path, part)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(part.parent)) from error


def _algorithm(given: Any) -> Algorithm | None:
    if given is None or isinstance(given, Algorithm):
        return given
    if isinstance(given, tuple) and len(given) == 2:
        return Algorithm(name=given[0], version=given[1])
    raise ValueError(f"algorithm is an Algorithm or (name, version), not {given!r}.")


def _created(given: Any, deterministic: bool) -> datetime.datetime:
    """Return when a session was made, with a time zone: else it could not be compared later."""
    if given is not None and not isinstance(given, datetime.datetime):
        raise ValueError(f"created is a datetime.datetime, not {given!r}.")
    if deterministic and (given is None or given.utcoffset() is None):
        raise ValueError(
            "A deterministic session wants created=..., with a time zone: the date is written into "
            "its objects, and with the date of today they would not be the same tomorrow."
        )
    moment = datetime.datetime.now().astimezone() if given is None else given
    try:
        if moment.utcoffset() is None:
            moment = moment.astimezone()  # as Python takes it: the time of this machine
        offset = moment.utcoffset() or datetime.timedelta()
        moment.timestamp()  # dates are compared by these
        fits = moment.year >= 1000 and not offset.total_seconds() % 60
    except (OverflowError, ValueError):  # at either end of the calendar; NaT of pandas
        fits = False
    if not fits:
        raise ValueError(
            f"created cannot be written: {given!r} (years have four digits, zones no seconds)."
        )
    return moment
