"""What became of a job, object by object, for people and for programs.

Three forms of the same: text, values for JSON, and an HTML page that needs nothing else.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsiweb.outbox.pages import Cell, fragment, page, table
from wsiweb.outbox.tables import moment
from wsiweb.words import amount, count, printable

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from wsiweb.outbox.outbox import Outbox
    from wsiweb.outbox.rows import ItemRow, JobRow, SkippedRow

__all__ = ["JobReport", "check_target", "report_of"]

_THERE = ("stored", "held")
_NAMED = 5  # objects, and things that are said of them, of which a short text tells
_FORMS = (".html", ".json", ".txt")
_SAID = {"held": "already there", "sending": "under way", "queued": "waiting"}
_DONE = {"copy": "copied", "download": "fetched", "import": "added"}  # by kind; else "stored"
_WAYS = {"download": "from", "import": "into"}  # else "to"
_PROOFS = {
    "": "",
    "answer": "the archive said so",
    "listed": "the archive lists it",
    "compared": "compared with what the archive holds",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """A job at a moment, with each of its objects.

    Attributes
    ----------
    job : JobRow
        What it is and how far.
    archive : str
        Base URL of the archive, as people may see it.
    items : tuple of ItemRow
        Its objects, in the order in which they were given.
    skipped : tuple of SkippedRow
        Files that were left out.
    """

    job: JobRow
    archive: str
    items: tuple[ItemRow, ...]
    skipped: tuple[SkippedRow, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the archive holds all objects."""
        return not self._missing()

    def _missing(self) -> list[ItemRow]:
        return [one for one in self.items if one.state not in _THERE]

    def _there(self) -> list[ItemRow]:
        return [one for one in self.items if one.state in _THERE]

    @property
    def summary(self) -> str:
        """How many objects are where, in a sentence."""
        objects = count(len(self.items), "object")
        counts = Counter(map(self._state, self.items))
        if len(counts) == 1:
            (state,) = counts
            each = state if len(self.items) == 1 else f"all {state}"
            return f"{objects}, {each}."
        return f"{objects}: {', '.join(f'{number:,} {state}' for state, number in counts.items())}."

    def _state(self, item: ItemRow) -> str:
        if item.state == "stored":
            return self._done
        return _SAID.get(item.state, item.state)

    @property
    def _done(self) -> str:
        return _DONE.get(self.job.kind, "stored")

    @property
    def _way(self) -> str:
        return _WAYS.get(self.job.kind, "to")

    # Programs -------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return it as values that JSON knows; sizes in bytes."""
        job = self.job
        return {
            "id": job.id,
            "title": job.title,
            "archive": self.archive,
            "kind": job.kind,
            "state": job.state,
            "created": moment(job.created),
            "ok": self.ok,
            "counts": dict(job.counts),
            "size": job.progress.size,
            "items": [_as_dict(one) for one in self.items],
            "skipped": [{"path": one.path, "reason": one.reason} for one in self.skipped],
        }

    # People ---------------------------------------------------------------------------------

    def __str__(self) -> str:
        """Return what there is to know: how many are stored, and what of each that is not."""
        return self.text(every=False)

    def text(self, *, every: bool = True) -> str:
        """Return it as lines of text; objects of which the same is to be said stand together.

        Parameters
        ----------
        every : bool
            Whether each object is named; else the first of those that are not stored, or have a
            warning.
        """
        title = printable(self.job.title)
        lines = [f"Job {self.job.id}: {title} {self._way} {self.archive}", self.summary]
        groups: dict[tuple[str, ...], list[ItemRow]] = {}
        for item in sorted(self.items, key=lambda one: one.state in _THERE):
            if every or item.state not in _THERE or item.warnings:
                groups.setdefault(self._said(item), []).append(item)
        most = len(self.items) if every else _NAMED
        for said, items in list(groups.items())[:most]:
            lines += ["", f"{len(items):,} {said[0]}", *(f"  {one}" for one in said[1:])]
            lines += [f"    {_named_in_line(one)}" for one in items[:most]]
            lines += _and_more("    ", len(items) - most)
        unsaid = sum(map(len, list(groups.values())[most:]))
        lines += _and_more("", unsaid)
        if self.skipped:
            lines += ["", f"{count(len(self.skipped), 'file')} left out"]
            shown = self.skipped if every else self.skipped[:_NAMED]
            lines += [f"    {printable(one.path)}: {one.reason}" for one in shown]
            lines += _and_more("    ", len(self.skipped) - len(shown))
        return "\n".join(lines)

    def _said(self, item: ItemRow) -> tuple[str, ...]:
        """Return all that is to be said of an object but its name, as lines."""
        why = _why(item)
        return (f"{self._state(item)}{': ' if why else ''}{why}", *_remarks(item))

    def html(self) -> str:
        """Return it as a page that needs nothing else: no script, no picture, no font."""
        job = self.job
        size = amount(job.progress.size)
        about = f"Job {job.id} {self._way} {self.archive}, of {moment(job.created)}, {size}."
        title = printable(job.title) or f"Job {job.id}"
        return page(title, [self.summary, about], self._sections())

    def _repr_html_(self) -> str:
        """Return it for Jupyter."""
        parts = [f"<h4>{heading}</h4>\n{html}" for heading, html in self._sections()]
        return fragment("\n".join(parts))

    def _sections(self) -> list[tuple[str, str]]:
        """Return headings and tables; what is not stored comes first."""
        found: list[tuple[str, str]] = []
        if missing := self._missing():
            head = ("no.", "object", "state", "why")
            rows = [
                (
                    Cell(str(one.number), style="number"),
                    _named(one),
                    Cell(self._state(one), style="bad" if one.state == "failed" else ""),
                    Cell(_why(one), tuple(_remarks(one))),
                )
                for one in missing
            ]
            found.append((f"Not {self._done} ({len(missing):,})", table(head, rows)))
        if there := self._there():
            head = ("no.", "object", "size", "state", "proof")
            rows = [
                (
                    Cell(str(one.number), style="number"),
                    _named(one),
                    Cell(amount(one.size), style="number"),
                    Cell(self._state(one), tuple(_remarks(one))),
                    Cell(_PROOFS[one.proof]),
                )
                for one in there
            ]
            place = "Fetched" if self._way == "from" else "In the archive"
            found.append((f"{place} ({len(there):,})", table(head, rows)))
        if self.skipped:
            rows = [
                (Cell(printable(one.path), style="name"), Cell(one.reason)) for one in self.skipped
            ]
            found.append((f"Left out ({len(self.skipped):,})", table(("file", "why"), rows)))
        return found

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it to a file, whole or not at all; one that is there is replaced.

        Parameters
        ----------
        path : str or path
            Ends in ``.html``, ``.json`` or ``.txt``, which says what is written.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ValueError
            For another ending.
        OSError
            When it cannot be written.
        """
        import json

        from wsiweb.pictures import save_bytes

        target = check_target(path)
        match target.suffix.lower():
            case ".html":
                text = self.html()
            case ".json":
                text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n"
            case _:
                text = self.text() + "\n"
        save_bytes(text.encode(), target)
        return target


def check_target(path: str | os.PathLike[str]) -> Path:
    """Return where a report is to be written.

    Raises
    ------
    ValueError
        When its ending says nothing, or something else.
    """
    target = Path(path).expanduser()
    if target.suffix.lower() not in _FORMS:
        raise ValueError(
            f"{target.name!r} does not say what to write: a report ends in {', '.join(_FORMS)}."
        )
    return target


def report_of(outbox: Outbox, id: str) -> JobReport:  # noqa: A002 - what it is called everywhere
    """Return the report of a job as it is now.

    Raises
    ------
    OutboxError
        When there is no such job.
    """
    # The items first: what is counted later is never less than what is named.
    items: Sequence[ItemRow] = outbox.items(id)
    return JobReport(
        job=outbox.job(id),
        archive=outbox.archive,
        items=tuple(items),
        skipped=tuple(outbox.skipped(id)),
    )


# An object --------------------------------------------------------------------------------------


def _as_dict(item: ItemRow) -> dict[str, Any]:
    return {
        "number": item.number,
        "instance_uid": item.instance_uid,
        "series_uid": item.series_uid,
        "study_uid": item.study_uid,
        "origin": item.origin,
        "size": item.size,
        "sha256": item.sha256,
        "state": item.state,
        "code": item.code,
        "reason": item.reason,
        "comment": item.comment,
        "warnings": list(item.warnings),
        "proof": item.proof,
        "tries": item.tries,
        "settled": None if item.settled is None else moment(item.settled),
    }


def _name(item: ItemRow) -> str:
    return item.instance_uid or printable(item.origin)


def _named(item: ItemRow) -> Cell:
    notes = (printable(item.origin),) if item.instance_uid else ()
    return Cell(_name(item), notes, style="name")


def _why(item: ItemRow) -> str:
    """Return why an object is not stored, or how it is known to be."""
    why = printable(item.reason or _PROOFS[item.proof])
    return f"{why} (code {item.code:04X})" if item.code is not None and item.reason else why


def _remarks(item: ItemRow) -> list[str]:
    """Return what the archive had to say."""
    said = [f"The archive says: {printable(item.comment)}"] if item.comment else []
    return said + [f"Warning: {printable(one)}" for one in item.warnings]


def _named_in_line(item: ItemRow) -> str:
    return "  ".join(filter(None, (item.instance_uid, printable(item.origin))))


def _and_more(indent: str, number: int) -> list[str]:
    return [f"{indent}and {number:,} more"] if number > 0 else []
