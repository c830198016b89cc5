"""Connect to an archive, look for studies and slides, open them."""

from __future__ import annotations

import functools
import os
import uuid
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from wsiweb import loop, names
from wsiweb.client.auth import as_auth
from wsiweb.client.headers import series_headers
from wsiweb.errors import NotFound
from wsiweb.listing import Listing
from wsiweb.pixels.decode import load_codecs
from wsiweb.pixels.headers import read_pyramid
from wsiweb.places import Place, forget, frames_again, frames_at
from wsiweb.searching import only_slide_of, pages, slides_query, studies_query
from wsiweb.settings import Settings
from wsiweb.slide import Slide
from wsiweb.wire.records import SlideRecord, Study
from wsiweb.wire.uris import shown, split_base

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsiweb.client.auth import Auth
    from wsiweb.client.client import DicomwebClient
    from wsiweb.frames import Frames
    from wsiweb.outbox import Outbox
    from wsiweb.outbox.jobs import Job, Jobs
    from wsiweb.outbox.sender import Sender
    from wsiweb.transfers.course import Courses
    from wsiweb.viewer.tables import Tables
    from wsiweb.wire.dicomjson import Attributes

__all__ = ["Archive", "connect"]

_LOCAL = "local"  # unless another archive is called so


def connect(
    target: str | os.PathLike[str],
    *,
    auth: Auth | tuple[str, str] | str | None = None,
    ca: str | None = None,
    settings: Settings | None = None,
    store_auth: Auth | tuple[str, str] | str | None = None,
    store_url: str | None = None,
    outbox: str | os.PathLike[str] | None = None,
) -> Archive:
    """Connect to a DICOMweb archive, or to a folder of DICOM files as if it were one.

    Nothing is sent until something is asked for.

    Parameters
    ----------
    target : str or path
        The base URL of the DICOMweb service, such as ``"https://pacs.lab/dicom-web"``; the name
        of an archive, see ``wsiweb archives``; ``"local"`` for the archive that this user has on
        this machine; or a folder. Files in a folder are never changed; an index of them is kept in
        the user's cache.
    auth : optional
        A (user, password) pair, a bearer token, or a provider: `BasicAuth`, `BearerAuth` (which
        can renew a token), `HeaderAuth`, or one of your own.
    ca : str, optional
        A PEM file or folder of certificates to trust besides the usual ones, or ``"system"`` for
        the operating system's store (extra ``wsiweb[system-ca]``).
    settings : Settings, optional
        Limits on memory, connections and patience.
    store_auth : optional
        Other credentials, of the forms of `auth`, for what is stored; the same by default.
    store_url : str, optional
        Another base URL for what is stored (STOW-RS), where the archive takes it elsewhere; it is
        given the same credentials, unless there is a `store_auth`.
    outbox : path, optional
        Folder in which objects wait that are to be stored; by default one for each archive in the
        user's data.

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
    named = names.find(text) if isinstance(target, str) else None
    if named is not None:
        text = named.url
        auth = named.auth() if auth is None else auth
        store_auth = named.store_auth() if store_auth is None else store_auth
        store_url = store_url or named.store_url or None
        ca = ca or named.ca or None
    elif target == _LOCAL:
        text = os.fspath(_local_folder())
    if "://" in text:
        where = split_base(text)
    else:
        folder = Path(text).expanduser().resolve()
        if not folder.is_dir():
            raise NotFound(
                f"There is no folder {text!r}, and no archive of that name. (A URL begins with "
                "https:// or http://.)"
            )
        where = str(folder)
    place = Place(
        uuid.uuid4().hex,
        where,
        as_auth(auth),
        ca,
        settings or Settings(),
        None if store_auth is None else as_auth(store_auth),
        None if store_url is None else split_base(store_url),
        None if outbox is None else Path(outbox).expanduser().absolute(),
    )
    return Archive(place, frames_at(place))


def _local_folder() -> Path:
    from wsiweb.transfers.local import make_local

    folder = make_local()
    if Path(_LOCAL).is_dir():
        words = f"{_LOCAL} is taken for the archive {folder}; the folder of that name is ./{_LOCAL}"
        warnings.warn(words, stacklevel=3)
    return folder


class Archive:
    """A connection to an archive; made by `connect`.

    All methods may be called from any thread. Used as a context manager it closes its
    connections at the end; slides opened from it can then no longer be read.
    """

    def __init__(self, place: Place, frames: Frames) -> None:
        self._place = place
        self._frames = frames
        self._client = frames.client
        self._closed = False

    def __repr__(self) -> str:
        return f"<Archive {shown(self.url)}>"

    @property
    def url(self) -> str:
        """Base URL of the DICOMweb service, or of the folder; with the secret that may be in it."""
        return self._client.base_url

    @property
    def client(self) -> DicomwebClient:
        """One coroutine for each DICOMweb transaction, to be awaited on the library's loop.

        For programs that ask what no method here does.
        """
        return self._client

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
        query = studies_query(limit, filters)
        return Listing(lambda: pages(self._client, query, Study.from_json), self._table)

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
        query = slides_query(limit, filters)

        def record(attributes: Attributes) -> SlideRecord:
            return SlideRecord.from_json(attributes).bound(self.open_slide)

        return Listing(lambda: pages(self._client, query, record), self._table)

    def _table(self, records: Sequence[Study | SlideRecord], found: str) -> str:
        """Return what was found as a notebook shows it."""
        return self._tables.html(records, found)

    @functools.cached_property
    def _tables(self) -> Tables:
        from wsiweb.viewer.tables import Tables

        return Tables(self._frames)

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
            series = await only_slide_of(self._client, study)
        loop.submit(load_codecs)  # while the headers are on their way
        self._client.prepare()
        headers = await series_headers(self._client, study, series)
        pyramid = await loop.in_pool(read_pyramid, headers)
        return Slide(pyramid, functools.partial(frames_again, self._place), self._frames)

    # Storing --------------------------------------------------------------------------------

    def store(self, *things: Any, title: str = "", priority: int = 0, start: bool = True) -> Job:
        """Store objects in the archive (STOW-RS, PS3.18 10.5), by way of the outbox.

        When this returns, copies of all objects are safe on this machine's disk, and are sent in
        the background. `Job.wait` waits for that. What this process does not send, because it
        ends, because the archive is away, or because it crashes, is sent by the next one that
        stores something there or looks at its `jobs`.

        Parameters
        ----------
        *things
            Sessions of results, pydicom Datasets, paths of files and folders, or lists and
            generators of these. They may be removed or changed afterwards.
        title : str
            What the job is called; by default after what is stored.
        priority : int
            The highest is sent first; 0 by default.
        start : bool
            Whether to begin to send; else it is only kept to be sent.

        Returns
        -------
        Job
            How far it is; ``wait()`` returns a receipt.

        Raises
        ------
        ValueError
            When there is nothing to store, something that cannot be stored, or this was closed.
        NotFound
            For a path where nothing is.
        OutboxError
            When the outbox cannot be written: a full disk, a folder of somebody else.
        """
        from wsiweb.outbox import examine

        self._check_open()
        outbox, sender = self._sending
        taken = examine(*things)
        job = outbox.add(taken, title=title or _title(things), priority=priority)
        if start:
            sender.kick()
        return self._job(job)

    @property
    def jobs(self) -> Jobs:
        """What is, and was, to be stored there from this machine."""
        from wsiweb.outbox.jobs import Jobs

        return Jobs(*self._sending)

    def _job(self, id: str) -> Job:  # noqa: A002 - what it is called everywhere
        from wsiweb.outbox.jobs import Job

        return Job(*self._sending, id)

    @functools.cached_property
    def _sending(self) -> tuple[Outbox, Sender]:
        # Here, because most who read slides store nothing.
        from wsiweb.outbox import Outbox
        from wsiweb.outbox.folder import default_folder
        from wsiweb.outbox.sender import Sender

        outbox = Outbox(self._place.outbox or default_folder(self.url), archive=self.url)
        return outbox, Sender(outbox, self._client, self._place.settings.stores)

    # Bringing objects here and there --------------------------------------------------------

    def import_folder(self, *paths: str | os.PathLike[str], link: bool = False) -> Job:
        """Take DICOM files of this machine into an archive that is a folder.

        What the archive has already is compared and left as it is, so this may be repeated. It is
        done in the background of this process: wait for the job.

        Parameters
        ----------
        *paths
            Folders, which are searched at any depth, and files.
        link : bool
            Whether to make hard links instead of copies, where the file system has them: these
            need no room, but whoever writes into the one file changes the other.

        Returns
        -------
        Job
            Its items are stored, already there or failed; ``skipped`` has the files that are no
            DICOM objects, and why.

        Raises
        ------
        ValueError
            When this archive is no folder, when there is no file at all, when a file that was
            named is no DICOM object, or when this was closed.
        NotFound
            For a path where nothing is.
        OutboxError
            When the job cannot be listed.
        """
        # Here and below: with the server's libraries, which take half a second to import.
        from wsiweb.transfers.importing import import_files
        from wsiweb.transfers.local import mark_if_empty

        self._check_open()
        folder = self._folder("import_folder takes files into", "To send them, call store().")
        mark_if_empty(folder)
        outbox, _ = self._sending
        return self._job(import_files(outbox, self._courses, folder, paths, link=link))

    def remove(self, study: str, series: str | None = None) -> int:
        """Delete the objects of a study, or of a series, from a local archive.

        In such an archive, what lies at ``<study>/<series>/<instance>.dcm`` is the archive's,
        whoever put it there.

        Parameters
        ----------
        study, series : str
            UIDs.

        Returns
        -------
        int
            How many objects were deleted.

        Raises
        ------
        ValueError
            When this archive is no folder that wsiweb made itself, or a file of these objects lies
            elsewhere than wsiweb puts it: the files of a user's own folder are never deleted.
        NotFound
            When the archive has no such study or series.
        """
        from wsiweb.transfers.local import remove_objects

        return remove_objects(self._folder("remove deletes from", ""), study, series)

    def download(
        self,
        study: str,
        folder: str | os.PathLike[str],
        *,
        series: str | None = None,
        verify: bool = False,
    ) -> Job:
        """Fetch the objects of a study into a folder, as they are stored (PS3.18 10.4.1.1.1).

        Each becomes a file ``<study>/<series>/<instance>.dcm``, which appears when it is whole.
        What is there already is not fetched again, so this may be repeated. It is done in the
        background of this process: wait for the job.

        Parameters
        ----------
        study : str
            Study Instance UID.
        folder : path
            Made if it is not there. No file in it is ever replaced.
        series : str, optional
            Series Instance UID, of which alone objects are fetched.
        verify : bool
            Whether to fetch what is there as well, and compare it. Else it is compared with what
            the archive lists of it (class, rows, columns, frames), and a warning says so.

        Returns
        -------
        Job
            How far it is.

        Raises
        ------
        NotFound
            When the archive has no such study or series.
        ArchiveError
            When it does not say what it has.
        OutboxError
            When the job cannot be listed.
        """
        from wsiweb.transfers.downloading import download

        self._check_open()
        outbox, _ = self._sending
        target = Path(folder).expanduser()
        job = download(
            outbox, self._courses, self._client, target, study=study, series=series, verify=verify
        )
        return self._job(job)

    def copy_from(
        self,
        source: Archive,
        *studies: str,
        series: str | None = None,
        verify: bool | None = None,
    ) -> Job:
        """Copy studies of another archive into this one.

        Objects are fetched as they are stored, a few at a time, handed to the outbox of this
        archive, and proven as what is stored (see `store`). What this archive lists already is
        fetched as well, and compared; but not what was copied from there before, by a job that is
        still among the `jobs`. So this may be repeated, and then copies the rest. It is done in the
        background of this process: wait for the job.

        Parameters
        ----------
        source : Archive
            Stays open until the job has ended.
        *studies : str
            Study Instance UIDs.
        series : str, optional
            Series Instance UID, of which alone objects are copied; of one study.
        verify : bool, optional
            True to compare all that is listed here, what was copied before as well. False to fetch
            none of it: where both archives list the same class, rows, columns and frames, it counts
            as already there, with a warning that it was not compared.

        Returns
        -------
        Job
            How far it is; it is one of this archive's `jobs`.

        Raises
        ------
        ValueError
            For no study, for several of them with a series, for an archive and itself, and when
            this was closed.
        NotFound
            When the other archive has no such study or series.
        ArchiveError
            When one of the two does not say what it has.
        OutboxError
            When the job cannot be listed.
        """
        from wsiweb.transfers.copying import copy

        self._check_open()
        studies = tuple(dict.fromkeys(studies))
        if not studies or (series is not None and len(studies) > 1):
            raise ValueError("copy_from takes one study or several, or a series of one study.")
        if source.url == self.url:
            raise ValueError(f"{shown(self.url)} is both where to copy from and where to.")
        outbox, sender = self._sending
        job = copy(
            outbox,
            self._courses,
            source._client,
            (self._client, sender),
            studies=studies,
            series=series,
            verify=verify,
        )
        return self._job(job)

    def _folder(self, what: str, instead: str) -> Path:
        folder = self._place.folder
        if folder is None:
            raise ValueError(
                f"{what} a folder on this machine, and {shown(self.url)} is none. {instead}".strip()
            )
        return folder

    @functools.cached_property
    def _courses(self) -> Courses:
        from wsiweb.transfers.course import Courses

        return Courses()

    # Letting go -----------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connections. May be repeated.

        What still waits to be stored stays in the outbox; see `store`. What was to be imported,
        fetched or copied and is not yet, has failed.
        """
        self._closed = True
        if "_sending" in self.__dict__ and not loop.ended():
            outbox, sender = self._sending
            if "_courses" in self.__dict__:
                loop.run(self._courses.close())
            loop.run(sender.close())
            outbox.close()
        forget(self._place)
        if not loop.ended():  # at the end of the interpreter that is done already
            loop.run(self._client.close())

    def _check_open(self) -> None:
        """Refuse to begin what nobody would bring to its end."""
        if self._closed:
            raise ValueError(f"The connection to {shown(self.url)} was closed; connect again.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _title(things: tuple[Any, ...]) -> str:
    """Return what a job is called of which nobody said it."""
    named = [
        os.fspath(one) if isinstance(one, (str, os.PathLike)) else getattr(one, "name", "")
        for one in things
    ]
    first = next((one for one in named if isinstance(one, str) and one), type(things[0]).__name__)
    return first if len(things) == 1 else f"{first} and {len(things) - 1} more"
