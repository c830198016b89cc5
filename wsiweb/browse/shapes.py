"""What the app says to its page: every JSON shape and every route, in one place.

Routes, all of which want the cookie that the start token gives::

    GET    /api/archives                            [Archive]
    POST   /api/archives            {target}        Archive, added to the list
    POST   /api/archives/{id}/verify                Verified; asks it anew, and lists it again
    DELETE /api/archives/{id}                       {}: taken off the list; nothing is deleted
    GET    /api/studies?...                         Studies, see below
    GET    /api/studies/{study}                     StudyPage
    GET    /api/thumbnails/{archive}/{study}[/{series}]?size=256
                                                    image/jpeg or image/png; 404 where there is
                                                    none, 504 when it takes too long
    GET    /api/metadata/{archive}/{study}/{series}               [Instance]
    GET    /api/metadata/{archive}/{study}/{series}/{instance}    [Element]
    GET    /feed/{archive}/{study}/{series}/{path}  what the viewer asks for, see wsiweb.viewer.feed
    GET    /api/jobs                                [Job], the oldest first
    GET    /api/jobs/{archive}/{id}                 JobPage
    POST   /api/jobs/{archive}/{id}/{cancel|retry|pause|resume|clear}    Done
    POST   /api/jobs/clear                          Done
    POST   /api/download   {archive, study, series?, folder}             Started
    POST   /api/import     {folder} or {paths}, with archive?            Started
    POST   /api/send       {from, to, study, series?}                    Started
    POST   /api/remove     {archive, study, series?}                     Done
    GET    /api/folders?path=                       Folders, to choose one of this machine
    GET    /api/about                               About
    GET    /api/events?page=                        server-sent events, see below

What changes something is JSON (``Content-Type: application/json``), comes from the page itself
(``Origin``), and is refused with words in a read-only app. An error is ``{"error": words}`` with a
status of 400 and above; 401 means that the cookie is missing, and never that an archive refused.

Parameters of ``/api/studies``, all optional: ``patient`` (in ID or name), ``accession``, ``date``
(``2026-01-31``, ``2026-01-01/2026-12-31``, ``/2026-12-31``, or as DICOM writes it), ``modality``
(several with commas), ``stain``, ``container``, ``description``, ``archive`` (ids with commas; all
by default), ``sort`` (one of `SORTS`, descending with ``-`` before it), ``group=patient`` (studies
of a patient stand together), ``offset``, ``limit`` (50; at most 200), ``page`` (a name that a page
made up, the same as of its events: when that page asks for something else, or goes away, the
listing that it asked for ends). Text is looked for anywhere in the value, in any case, and may hold
``*`` and ``?``.

Events: ``archives`` ([Archive]), ``studies`` (`Progress`: ask for the same studies again),
``slides`` ({study: [SlideRow]}: what has become known of slides on the page), ``jobs`` ([Job]),
``bye`` (the server ends). The first event of a stream is ``archives``; a comment comes every 15
seconds.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

__all__ = [
    "SORTS",
    "About",
    "Archive",
    "ArchiveFound",
    "Done",
    "Element",
    "Folders",
    "Instance",
    "Job",
    "JobObject",
    "JobPage",
    "Kind",
    "Other",
    "Progress",
    "Result",
    "SlideRow",
    "Started",
    "Studies",
    "StudyPage",
    "StudyRow",
    "Verified",
]

SORTS = ("date", "patient", "name", "accession", "description", "modality", "series")
"""What studies can be sorted by; ``-date`` unless asked otherwise."""

State = Literal["idle", "listing", "ready", "failed"]
Kind = Literal["segmentation", "annotations", "heatmap", "report", "image"]


class Archive(TypedDict):
    """An archive of the list. ``url`` holds no secrets; ``count`` is of all its studies."""

    id: str
    name: str
    url: str
    state: State
    count: int | None
    error: str
    local: bool  # a folder that wsiweb made itself: objects can be removed
    folder: bool  # a folder of this machine
    readOnly: bool


class Verified(TypedDict):
    """Whether an archive answers; ``seconds`` is how long a first search took."""

    ok: bool
    words: str
    seconds: float


class ArchiveFound(TypedDict):
    """How far one archive is with a listing; what was ``found`` stays when it has failed."""

    id: str
    state: State
    found: int
    error: str  # why it failed; or, of one that is ready, why it may not be all


class SlideRow(TypedDict):
    """A slide. What its headers say (stain to size) is empty or null until they were read."""

    study: str
    series: str
    archives: list[str]
    title: str
    description: str
    container: str
    modality: str
    stain: str
    magnification: float | None
    size: list[int] | None  # width and height in pixels
    mpp: float | None  # micrometres per pixel
    channels: int | None
    instances: int | None
    known: bool  # whether its headers have been read
    thumbnail: str  # path, below the server's address


class StudyRow(TypedDict):
    """A study: once, however many archives hold it. ``slides`` is null until they are known."""

    study: str
    patientId: str
    patientName: str
    patientBirthDate: str | None
    patientSex: str
    date: str | None  # ISO
    accession: str
    description: str
    modalities: list[str]
    archives: list[str]
    series: int | None
    instances: int | None
    slides: list[SlideRow] | None
    thumbnail: str


class Studies(TypedDict):
    """One page of a listing that may still be coming."""

    key: str  # of this listing, as in the event ``studies``
    total: int
    patients: int
    complete: bool
    modalities: list[str]  # all that were found, to choose from
    archives: list[ArchiveFound]
    studies: list[StudyRow]


class Progress(TypedDict):
    """The event ``studies``: the listing of this key has more, or is at its end."""

    key: str
    total: int
    complete: bool
    archives: list[ArchiveFound]


class Result(TypedDict):
    """What was made of slides: a segmentation, annotations, a heat map, a report."""

    study: str
    series: str
    archives: list[str]
    kind: Kind
    title: str
    of: list[str]  # series that it refers to
    instances: int | None


class Other(TypedDict):
    """A series that is neither."""

    study: str
    series: str
    archives: list[str]
    modality: str
    title: str
    instances: int | None


class StudyPage(StudyRow):
    """A study with all its series, and which archives did not answer."""

    results: list[Result]
    others: list[Other]
    failed: list[ArchiveFound]


class Instance(TypedDict):
    """An object of a series."""

    uid: str
    title: str


class Element(TypedDict, total=False):
    """An attribute; ``items`` of a sequence are lists of attributes."""

    tag: str
    keyword: str
    vr: str
    value: str
    items: list[list[Any]]


class Job(TypedDict):
    """Something that is, or was, brought from one place to another."""

    archive: str  # id of an archive of the list, or "outbox-..." of one that is not in it
    archiveName: str
    id: str
    title: str
    kind: str  # store, copy, download, import
    state: str  # queued, sending, paused, stored, partial, failed, cancelled
    finished: bool
    created: str
    done: int
    total: int
    failedCount: int
    bytes: int
    bytesTotal: int
    speed: float  # bytes per second
    secondsLeft: float | None
    failed: bool
    error: str  # what hinders it, in words
    note: str  # the same with how far it is, as the command says it
    canRetry: bool
    canCancel: bool
    canPause: bool
    canResume: bool
    canClear: bool


class JobObject(TypedDict):
    """An object of a job; ``words`` say why it failed, or what is known of it."""

    number: int
    instance: str
    origin: str
    size: int
    state: str
    words: str
    warnings: list[str]


class JobPage(TypedDict):
    """A job with its objects, what failed first; at most 1,000 of them."""

    job: Job
    summary: str
    objects: list[JobObject]
    more: int
    skipped: list[dict[str, str]]


class Started(TypedDict):
    """A job that was begun."""

    archive: str
    job: str
    words: str


class Done(TypedDict):
    """What was done at once: ``count`` objects, or jobs."""

    count: int
    words: str


class Folders(TypedDict):
    """Folders of this machine, to choose one."""

    path: str
    parent: str | None
    folders: list[dict[str, str]]  # name, path
    files: int  # that end in .dcm


class About(TypedDict):
    """What this app may do. ``paths``: whether folders of the machine that it runs on are taken."""

    version: str
    readOnly: bool
    paths: bool
    home: str
