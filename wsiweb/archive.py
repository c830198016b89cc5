"""Connect to an archive, look for studies and slides, open them."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import threading
import uuid
import warnings
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from wsiweb import loop
from wsiweb.client.auth import as_auth
from wsiweb.client.client import DicomwebClient
from wsiweb.client.headers import series_headers
from wsiweb.client.http import HttpTransport
from wsiweb.client.in_process import AsgiTransport
from wsiweb.client.originals import original_among
from wsiweb.client.profile import recall
from wsiweb.errors import NotFound
from wsiweb.frames import Frames
from wsiweb.listing import Listing
from wsiweb.pixels.decode import load_codecs
from wsiweb.pixels.headers import read_pyramid
from wsiweb.settings import Settings
from wsiweb.slide import Slide
from wsiweb.wire.query import Query, matches
from wsiweb.wire.records import SlideRecord, Study
from wsiweb.wire.uris import split_base

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from wsiweb.client.auth import Auth
    from wsiweb.pixels.pyramid import Pyramid
    from wsiweb.wire.dicomjson import Attributes

__all__ = ["Archive", "connect"]

T = TypeVar("T")

# What a user may say for a DICOM keyword; keywords themselves are understood as well.
_FILTERS = {
    "accession_number": "AccessionNumber",
    "container_id": "ContainerIdentifier",
    "date": "StudyDate",
    "description": "StudyDescription",
    "modality": "ModalitiesInStudy",
    "patient_id": "PatientID",
    "patient_name": "PatientName",
    "series_description": "SeriesDescription",
    "series_uid": "SeriesInstanceUID",
    "study_id": "StudyID",
    "study_uid": "StudyInstanceUID",
}
_DATES = re.compile(r"\d{8}|\d{8}-(\d{8})?|-\d{8}")
_STUDY_FIELDS = (
    "StudyDescription",
    "ModalitiesInStudy",
    "NumberOfStudyRelatedSeries",
    "NumberOfStudyRelatedInstances",
)
_SLIDE_FIELDS = (
    "PatientID",
    "PatientName",
    "StudyDate",
    "StudyDescription",
    "AccessionNumber",
    "SeriesDescription",
    "ContainerIdentifier",
    "NumberOfSeriesRelatedInstances",
)


def connect(
    target: str | os.PathLike[str],
    *,
    auth: Auth | tuple[str, str] | str | None = None,
    ca: str | None = None,
    settings: Settings | None = None,
) -> Archive:
    """Connect to a DICOMweb archive, or to a folder of DICOM files as if it were one.

    Nothing is sent until something is asked for.

    Parameters
    ----------
    target : str or path
        The base URL of the DICOMweb service, such as ``"https://pacs.lab/dicom-web"``, or a
        folder. Files in the folder are only read; an index of them is kept in the user's cache.
    auth : optional
        A (user, password) pair, a bearer token, or a provider: `BasicAuth`, `BearerAuth` (which
        can renew a token), `HeaderAuth`, or one of your own.
    ca : str, optional
        A PEM file or folder of certificates to trust besides the usual ones, or ``"system"`` for
        the operating system's store (extra ``wsiweb[system-ca]``).
    settings : Settings, optional
        Limits on memory, connections and patience.

    Returns
    -------
    Archive
        Also a context manager that closes the connections.

    Raises
    ------
    ValueError
        For a URL or credentials that make no sense.
    NotFound
        For a folder that does not exist.

    Examples
    --------
    >>> connect("https://pacs.lab/dicom-web", auth=("reader", "secret"))
    <Archive https://pacs.lab/dicom-web>
    """
    text = os.fspath(target)
    if "://" in text:
        where = split_base(text)
    else:
        folder = Path(text).expanduser().resolve()
        if not folder.is_dir():
            raise NotFound(f"There is no folder {text!r}. (A URL begins with https:// or http://.)")
        where = str(folder)
    place = _Place(uuid.uuid4().hex, where, as_auth(auth), ca, settings or Settings())
    return Archive(place, _frames_at(place))


@dataclasses.dataclass(frozen=True)
class _Place:
    """All that another process needs to connect by itself."""

    key: str
    where: str
    auth: Auth = dataclasses.field(repr=False)
    ca: str | None
    settings: Settings


_connected: weakref.WeakValueDictionary[str, Frames] = weakref.WeakValueDictionary()
_connecting = threading.Lock()
_reopened: dict[str, Frames] = {}  # by place, the latest last
_MOST_REOPENED = 4


def _frames_at(place: _Place) -> Frames:
    """Return this process's connection to a place: one, however many slides come unpickled."""
    with _connecting:
        frames = _connected.get(place.key)
        if frames is None:
            transport = _transport_to(place)
            profile = recall(transport.base_url)
            client = DicomwebClient(transport, place.auth, place.settings, profile)
            frames = _connected[place.key] = Frames(client, place.settings)
        return frames


def _transport_to(place: _Place) -> HttpTransport | AsgiTransport:
    if "://" in place.where:
        return HttpTransport(place.where, place.settings, ca=place.ca)
    from wsiweb.server import create_app

    def start() -> tuple[Any, Callable[[], None]]:
        app = create_app(Path(place.where))
        return app, app.state.store.close

    return AsgiTransport(start, Path(place.where).as_uri())


def _frames_again(place: _Place) -> Frames:
    """Return the frames of a slide or a result that was pickled, perhaps in another process."""
    frames = _connected.get(place.key)
    if frames is None:
        # A worker gets its slide anew with each task, and should not connect anew each time.
        frames = _reopened[place.key] = _frames_at(place)
        if len(_reopened) > _MOST_REOPENED:
            _reopened.pop(next(iter(_reopened)))
    return frames


def _slide(place: _Place, pyramid: Pyramid, frames: Frames) -> Slide:
    return Slide(pyramid, functools.partial(_frames_again, place), frames)


class Archive:
    """A connection to an archive; made by `connect`.

    All methods may be called from any thread. Used as a context manager it closes its
    connections at the end; slides opened from it can then no longer be read.
    """

    def __init__(self, place: _Place, frames: Frames) -> None:
        self._place = place
        self._frames = frames
        self._client = frames.client

    def __repr__(self) -> str:
        return f"<Archive {self.url}>"

    @property
    def url(self) -> str:
        """Base URL of the DICOMweb service, or of the folder."""
        return self._client.base_url

    # Search ---------------------------------------------------------------------------------

    def studies(self, *, limit: int | None = None, **filters: Any) -> Listing[Study]:
        """Look for studies (QIDO-RS, PS3.18 10.6).

        Parameters
        ----------
        limit : int, optional
            Most studies to return.
        **filters
            ``patient_id``, ``patient_name``, ``accession_number``, ``date`` (a `datetime.date`, a
            pair of them, or DICOM's ``"20260101-20261231"``), ``modality``, ``description``,
            ``study_id``, ``study_uid``, or any DICOM keyword. ``*`` and ``?`` are wildcards.

        Returns
        -------
        Listing of Study
            A lazy sequence of frozen values.

        Raises
        ------
        ValueError
            For a filter that DICOM does not know.
        """
        query = Query.build("studies", fields=_STUDY_FIELDS, limit=limit, **_keywords(filters))
        return Listing(lambda: self._found(query, Study.from_json))

    def slides(self, *, limit: int | None = None, **filters: Any) -> Listing[SlideRecord]:
        """Look for slides: series of modality SM.

        Parameters
        ----------
        limit : int, optional
            Most slides to return.
        **filters
            As for `studies`; also ``series_uid``, ``series_description``, ``container_id``.

        Returns
        -------
        Listing of SlideRecord
            A lazy sequence; each record's ``open()`` opens the slide.
        """
        keywords: dict[str, Any] = {"Modality": "SM", **_keywords(filters)}
        if "ModalitiesInStudy" in keywords:
            keywords["Modality"] = keywords.pop("ModalitiesInStudy")
        study = keywords.pop("StudyInstanceUID", None)
        query = Query.build("series", study=study, fields=_SLIDE_FIELDS, limit=limit, **keywords)

        def record(attributes: Attributes) -> SlideRecord:
            return SlideRecord.from_json(attributes).bound(self.open_slide)

        return Listing(lambda: self._found(query, record))

    async def _found(self, query: Query, make: Callable[[Attributes], T]) -> AsyncIterator[list[T]]:
        def keep(match: Attributes) -> bool:
            return _really_matches(match, query)

        async for page in self._client.search_pages(query, keep):
            yield [make(match) for match in page]

    # Slides ---------------------------------------------------------------------------------

    def open_slide(self, study: str | SlideRecord, series: str | None = None) -> Slide:
        """Open a slide; its headers are read (one request), its frames are not.

        Parameters
        ----------
        study : str or SlideRecord
            Study Instance UID, or a record from `slides`.
        series : str, optional
            Series Instance UID. May be left out when the study has one slide, besides images that
            were made of it, such as `wsiweb.results.ResultSession.add_image` makes: what they
            refer to as their source is taken.

        Returns
        -------
        Slide
            Ready to read.

        Raises
        ------
        NotFound
            When the archive has no such series.
        SlideError
            When the series is not a slide that can be read; the message says why.
        ValueError
            When the series is left out and the study has several slides.
        """
        return loop.run(self._open(study, series))

    async def open_slide_async(self, study: str | SlideRecord, series: str | None = None) -> Slide:
        """Open a slide; see `open_slide`."""
        return await loop.wait(self._open(study, series))

    async def _open(self, study: str | SlideRecord, series: str | None) -> Slide:
        if isinstance(study, SlideRecord):
            study, series = study.study_uid, study.series_uid
        if series is None:
            series = await self._only_slide_of(study)
        loop.submit(load_codecs)  # while the headers are on their way
        self._client.prepare()
        headers = await series_headers(self._client, study, series)
        pyramid = await loop.in_pool(read_pyramid, headers)
        return _slide(self._place, pyramid, self._frames)

    async def _only_slide_of(self, study: str) -> str:
        fields = ("ContainerIdentifier",)
        query = Query.build("series", fields=fields, study=study, Modality="SM")
        found = [match async for page in self._client.search_pages(query) for match in page]
        found = [match for match in found if _really_matches(match, query)]
        uids = [match.text("SeriesInstanceUID") for match in found]
        if not uids:
            raise NotFound(f"The archive has no slide in the study {study}.")
        if len(uids) == 1:
            return uids[0]
        # What was made of a slide is of the same glass; so others need not be looked at.
        glasses = {match.text("ContainerIdentifier").strip() for match in found} - {""}
        own = await original_among(self._client, study, uids) if len(glasses) < 2 else None
        if own is None:
            raise ValueError(
                f"The study {study} has {len(uids)} slides; say which series: {', '.join(uids)}."
            )
        return own

    # Letting go -----------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connections. May be repeated."""
        _connected.pop(self._place.key, None)
        _reopened.pop(self._place.key, None)
        if not loop.ended():  # at the end of the interpreter that is done already
            loop.run(self._client.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _keywords(filters: dict[str, Any]) -> dict[str, Any]:
    date = filters.get("date")
    if isinstance(date, str) and _DATES.fullmatch(date) is None:
        raise ValueError(
            f"{date!r} is no date: write 20260131, 20260101-20261231, 20260101- or -20261231."
        )
    return {_FILTERS.get(name, name): value for name, value in filters.items()}


def _really_matches(match: Attributes, query: Query) -> bool:
    """Filter again what the archive says it filtered: some ignore what they do not support.

    A filter on an attribute that the archive does not return cannot be checked; that is said
    in a warning instead of passing over it.
    """
    checkable = tuple(one for one in query.filters if one[0].split(".")[0] in match.tags())
    if len(checkable) < len(query.filters):
        unseen = [tag for tag, _ in query.filters if tag.split(".")[0] not in match.tags()]
        warnings.warn(
            f"The archive does not return the attributes {', '.join(unseen)}, so it cannot be "
            "checked whether it filtered by them.",
            stacklevel=2,
        )
    return matches(match, checkable)
