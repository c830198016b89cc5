"""What the outbox keeps, as frozen values: jobs, their items, and what became of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "LONGEST_WAIT",
    "ItemRow",
    "ItemState",
    "JobRow",
    "JobState",
    "Outcome",
    "Planned",
    "Progress",
    "SkippedRow",
    "job_state",
]

ItemState = Literal["queued", "sending", "stored", "held", "failed", "cancelled"]
"""``"held"``: the archive had an equal object already."""

JobState = Literal["queued", "sending", "paused", "stored", "partial", "failed", "cancelled"]

LONGEST_WAIT = 3600.0
"""Seconds: the longest wait before an item is tried again.

Who waits longer than that waits because a clock was set back, and is due.
"""

_AFTER_SENDING = ("stored", "held", "failed", "queued")


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """One object of a job.

    Attributes
    ----------
    id : int
        Names it in the outbox.
    job : str
        The job that it belongs to.
    number : int
        Its place in the job, from 1.
    path : Path
        The copy that is sent. It is there while the item is queued, sending or failed (but see
        `kept`).
    origin : str
        Where it came from, for people.
    study_uid, series_uid, instance_uid, class_uid, transfer_syntax : str
        What it is; empty where the file could not be understood.
    size, mtime : int
        Of the copy, in bytes and nanoseconds.
    sha256 : str
        Of the copy, in hexadecimal; empty where none was made.
    state : ItemState
        What became of it so far.
    tries : int
        How often it was claimed. What was claimed before may be there already, whatever came of it;
        so that counts as one when somebody says to try again.
    refusals : int
        How often the archive had a reason to refuse it, since somebody last said to try again.
    next_try : float
        When it may be sent again, in seconds since 1970; 0 for at once.
    code : int or None
        FailureReason or WarningReason that the archive gave (PS3.18 I.2).
    reason, comment : str
        Why it failed, in our words; and the archive's own.
    warnings : tuple of str
        What the archive warned of.
    proof : str
        How it is known to be stored: ``"answer"``, ``"listed"``, ``"compared"`` or ``""``.
    settled : float or None
        When that was, in seconds since 1970.
    """

    id: int
    job: str
    number: int
    path: Path
    origin: str
    study_uid: str
    series_uid: str
    instance_uid: str
    class_uid: str
    transfer_syntax: str
    size: int
    mtime: int
    sha256: str
    state: ItemState
    tries: int
    refusals: int
    next_try: float
    code: int | None
    reason: str
    comment: str
    warnings: tuple[str, ...]
    proof: str
    settled: float | None

    @property
    def kept(self) -> bool:
        """Whether a copy was made, so that it can be sent (again)."""
        return self.sha256 != ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an item that was being sent.

    Parameters
    ----------
    item : int
        `ItemRow.id`.
    state : str
        ``"stored"``, ``"held"``, ``"failed"``, or ``"queued"``: to be tried again.
    next_try : float
        When, at the earliest, in seconds since 1970.
    code, reason, comment, warnings, proof
        As in `ItemRow`.
    refused : bool
        Whether that counts as a refusal.
    size : int
        Bytes, of an item of which that was not known before; else it changes nothing.

    Raises
    ------
    ValueError
        For another state, or a time that is none.
    """

    item: int
    state: ItemState
    next_try: float = 0.0
    code: int | None = None
    reason: str = ""
    comment: str = ""
    warnings: tuple[str, ...] = ()
    proof: str = ""
    refused: bool = False
    size: int = 0

    def __post_init__(self) -> None:
        if self.state not in _AFTER_SENDING:
            raise ValueError(
                f"What was sent becomes one of {', '.join(_AFTER_SENDING)}, not {self.state!r}."
            )
        if not math.isfinite(self.next_try):
            raise ValueError(f"next_try is a time in seconds since 1970, not {self.next_try!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """An item of a job that is not sent from here, such as a download.

    Parameters
    ----------
    origin : str
        What people call it.
    study_uid, series_uid, instance_uid : str
        What it is, as far as that is known.
    size : int
        Bytes; 0 where not known.
    """

    origin: str
    study_uid: str = ""
    series_uid: str = ""
    instance_uid: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A file of a folder that is no DICOM object and was left out, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job is.

    Attributes
    ----------
    items, done : int
        Objects in all, and those that are stored or held.
    size, sent : int
        Bytes in all; those of what is done, and those of the request under way.
    told : float or None
        When its sender last told of it, in seconds since 1970.
    """

    items: int
    done: int
    size: int
    sent: int
    told: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job: objects that were given together.

    Attributes
    ----------
    id : str
        Its name.
    kind : str
        ``"store"``, or what else is listed with the jobs.
    title : str
        For people.
    priority : int
        The highest goes first; 0 where nobody said.
    created : float
        Seconds since 1970.
    options : mapping
        How it is to be done; as given.
    paused, cancelled : bool
        What was asked of it.
    counts : mapping of ItemState to int
        Items in each state; states without items are there, too.
    progress : Progress
        How far it is.
    next_try : float or None
        When the first of its waiting items is due, in seconds since 1970.
    skipped : int
        Files that were left out, see `wsiweb.outbox.Outbox.skipped`.
    """

    id: str
    kind: str
    title: str
    priority: int
    created: float
    options: Mapping[str, Any]
    paused: bool
    cancelled: bool
    counts: Mapping[ItemState, int] = field(repr=False)
    progress: Progress = field(repr=False)
    next_try: float | None
    skipped: int

    @property
    def state(self) -> JobState:
        """What all its items together are; see `job_state`."""
        return job_state(self.counts, paused=self.paused)

    @property
    def finished(self) -> bool:
        """Whether nothing of it is waiting or under way."""
        return not self.counts["queued"] and not self.counts["sending"]


def job_state(counts: Mapping[ItemState, int], *, paused: bool) -> JobState:
    """Return the state of a job, which follows from its items and is kept nowhere.

    Parameters
    ----------
    counts : mapping of ItemState to int
        Items in each state.
    paused : bool
        Whether it was asked to wait. What is under way when that is asked is finished.

    Examples
    --------
    >>> job_state({"stored": 3, "failed": 1}, paused=False)
    'partial'
    """
    of = {state: counts.get(state, 0) for state in get_args(ItemState)}
    if of["sending"]:
        return "sending"
    if of["queued"]:
        return "paused" if paused else "queued"
    done = of["stored"] + of["held"]
    if done:
        return "partial" if of["failed"] or of["cancelled"] else "stored"
    if of["failed"]:
        return "failed"
    return "cancelled" if of["cancelled"] else "stored"  # nothing was to be done, and it was
