"""Many jobs as people see them: one line for each, and why it is not done."""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wsiweb.outbox.pages import Cell, fragment, table
from wsiweb.words import amount, duration, part, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsiweb.outbox.outbox import Outbox
    from wsiweb.outbox.rows import ItemRow, JobRow

__all__ = ["JobLine", "JobTable", "line_of", "moment"]

_SHORT_ID = 6  # characters of an id that people are shown, if that many tell it from the others
_BAD = ("partial", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """One job of a table.

    Attributes
    ----------
    job : JobRow
        What it is and how far.
    archive : str
        Base URL of the archive, as people may see it.
    name : str
        What the user calls the archive; empty where it has no name.
    trouble : str
        Why the first of its objects failed, or is to be tried again; empty if none is.
    speed : float
        Bytes per second, lately; 0 when nothing moves, or that is not known.
    seconds_left : float or None
        At this speed.
    """

    job: JobRow
    archive: str
    name: str = ""
    trouble: str = ""
    speed: float = 0.0
    seconds_left: float | None = None

    @property
    def note(self) -> str:
        """What is to be said of it now: how fast it goes, or what hinders it."""
        said: list[str] = []
        progress = self.job.progress
        is_sent = self.job.kind == "store" and progress.sent == progress.size
        if self.job.state == "sending" and is_sent:
            said.append("all sent, the archive is at work")
        elif self.speed and self.seconds_left is not None:
            said.append(f"{amount(self.speed)}/s, {duration(self.seconds_left)} left")
        failed = self.job.counts["failed"]
        if failed:
            said.append(f"{failed:,} failed{': ' if self.trouble else ''}{self.trouble}")
        elif self.trouble and not self.speed:
            wait = (self.job.next_try or 0.0) - time.time()
            when = f"next try in {duration(wait)}" if wait > 1 else "tried again"
            said.append(f"{when}: {self.trouble}")
        return printable(", ".join(said))

    @property
    def summary(self) -> str:
        """How far it is, in a line."""
        progress = self.job.progress
        said = [
            f"{progress.done:,} of {progress.items:,} objects",
            # How much a download will be, no archive says: there, what has come is all that is
            # known.
            part(progress.sent, progress.size) if progress.size else "",
            self.note,
        ]
        return ", ".join(filter(None, said))

    def to_dict(self) -> dict[str, Any]:
        """Return it as values that JSON knows; sizes in bytes, times in seconds."""
        job = self.job
        return {
            "id": job.id,
            "title": job.title,
            "archive": self.archive,
            "name": self.name,
            "kind": job.kind,
            "state": job.state,
            "created": moment(job.created),
            "done": job.progress.done,
            "of": job.progress.items,
            "failed": job.counts["failed"],
            "sent": job.progress.sent,
            "size": job.progress.size,
            "speed": round(self.speed),
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left, 1),
            "trouble": self.trouble,
        }


def line_of(
    outbox: Outbox, job: JobRow, *, speed: float = 0.0, seconds_left: float | None = None
) -> JobLine:
    """Return the line of a job.

    Parameters
    ----------
    outbox : Outbox
        Where it is; is asked what hinders the job, if anything does.
    job : JobRow
        The job.
    speed, seconds_left
        As in `JobLine`.
    """
    hindered: list[ItemRow] = []
    if job.counts["failed"]:
        hindered = outbox.items(job.id, ("failed",))
    elif job.next_try:  # 0 where something is due that was never tried: nothing hinders it
        hindered = outbox.items(job.id, ("queued",))
    elif job.counts["sending"] and not job.counts["queued"]:
        hindered = outbox.items(job.id, ("sending",))
    reasons = list(dict.fromkeys(one.reason or one.comment for one in hindered))
    return JobLine(
        job=job,
        archive=outbox.archive,
        trouble="".join(reasons[:1]) + (" (others for other reasons)" if len(reasons) > 1 else ""),
        speed=speed,
        seconds_left=seconds_left,
    )


def moment(seconds: float) -> str:
    """Return a time, in seconds since 1970, as ISO 8601 with the zone of this machine."""
    return datetime.datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds")


class JobTable:
    """Jobs at a moment: printed as text, shown by Jupyter, or turned into values for JSON.

    Parameters
    ----------
    lines : sequence of JobLine
        The oldest first.
    archives : bool
        Whether each line says its archive; else only if there are several.
    """

    def __init__(self, lines: Sequence[JobLine], *, archives: bool = False) -> None:
        self.lines = tuple(lines)
        self._archives = archives or len({line.archive for line in lines}) > 1

    def __len__(self) -> int:
        return len(self.lines)

    def to_dict(self) -> dict[str, Any]:
        """Return it as values that JSON knows."""
        return {"jobs": [line.to_dict() for line in self.lines]}

    def _headings(self) -> list[str]:
        """Return what is worth a column: what is the same everywhere is not."""
        kind = ["kind"] if any(line.job.kind != "store" for line in self.lines) else []
        archive = ["archive"] if self._archives else []
        return ["id", "state", "objects", "size", *kind, *archive, "title"]

    def _cells(self) -> list[dict[str, str]]:
        short = _shortest([line.job.id for line in self.lines])
        return [
            {
                "id": line.job.id[:short],
                "state": line.job.state,
                "objects": _objects(line.job),
                "size": _size(line.job),
                "kind": line.job.kind,
                "archive": line.name or line.archive,
                "title": printable(line.job.title),
            }
            for line in self.lines
        ]

    def __str__(self) -> str:
        """Return it for a terminal: a line for each job, and one below where there is a note."""
        if not self.lines:
            return "No jobs."
        headings = self._headings()
        rows = [{name: name for name in headings}, *self._cells()]
        widths = {name: max(len(row[name]) for row in rows) for name in headings}
        notes = ["", *(line.note for line in self.lines)]
        text: list[str] = []
        for row, note in zip(rows, notes, strict=True):
            text.append("  ".join(row[name].ljust(widths[name]) for name in headings).rstrip())
            if note:
                text.append(" " * (widths["id"] + 2) + note)
        return "\n".join(text)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return it for Jupyter."""
        if not self.lines:
            return "<p>No jobs.</p>"
        headings = self._headings()
        rows: list[list[Cell]] = []
        for cells, line in zip(self._cells(), self.lines, strict=True):
            row = {name: Cell(text) for name, text in cells.items()}
            row["size"] = Cell(cells["size"], style="number")
            row["title"] = Cell(cells["title"], (line.note,) if line.note else ())
            row["state"] = Cell(cells["state"], style="bad" if line.job.state in _BAD else "")
            rows.append([row[name] for name in headings])
        return fragment(table(headings, rows))


def _shortest(ids: Sequence[str]) -> int:
    """Return how many characters tell these ids apart."""
    length = _SHORT_ID
    while len({one[:length] for one in ids}) < len(set(ids)):
        length += 1
    return length


def _objects(job: JobRow) -> str:
    return f"{job.progress.done:,} of {job.progress.items:,}"


def _size(job: JobRow) -> str:
    moving = job.progress.sent not in {0, job.progress.size}
    return part(job.progress.sent, job.progress.size) if moving else amount(job.progress.size)
