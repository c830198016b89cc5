"""The tables of an outbox, and each question and change as a function: all SQL is here.

Each function is to be called within one transaction of `wsiweb.outbox.database`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from wsiweb.outbox.rows import LONGEST_WAIT, ItemRow, ItemState, JobRow, Progress, SkippedRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from sqlite3 import Connection, Row

    from wsiweb.outbox.rows import Outcome

__all__ = ["APPLICATION", "MIGRATIONS", "SCHEMA", "VERSION"]

APPLICATION = 0x77736977  # "wsiw", application_id of the file
VERSION = 1  # user_version of the file

MIGRATIONS: dict[int, tuple[str, ...]] = {}
"""Statements that bring a database from a version to the one after it."""

SCHEMA = (
    "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    # The number tells the age: clocks may jump, and a number is never given twice.
    """CREATE TABLE jobs (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
        title TEXT NOT NULL, priority INTEGER NOT NULL, created REAL NOT NULL,
        options TEXT NOT NULL, spooled INTEGER NOT NULL, paused INTEGER NOT NULL DEFAULT 0,
        cancelled INTEGER NOT NULL DEFAULT 0, sent INTEGER NOT NULL DEFAULT 0, told REAL
    )""",
    "CREATE INDEX turns ON jobs (priority DESC, number)",
    """CREATE TABLE items (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        job INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE, number INTEGER NOT NULL,
        origin TEXT NOT NULL, study TEXT NOT NULL, series TEXT NOT NULL, instance TEXT NOT NULL,
        class TEXT NOT NULL, syntax TEXT NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL,
        sha256 TEXT NOT NULL, state TEXT NOT NULL CHECK (
            state IN ('queued', 'sending', 'stored', 'held', 'failed', 'cancelled')
        ),
        tries INTEGER NOT NULL DEFAULT 0, refusals INTEGER NOT NULL DEFAULT 0,
        next_try REAL NOT NULL DEFAULT 0, code INTEGER, reason TEXT NOT NULL DEFAULT '',
        comment TEXT NOT NULL DEFAULT '', warnings TEXT NOT NULL DEFAULT '[]',
        proof TEXT NOT NULL DEFAULT '', settled REAL, UNIQUE (job, number)
    )""",
    "CREATE INDEX states ON items (job, state, number, size, next_try)",
    "CREATE INDEX under_way ON items (instance) WHERE state = 'sending'",
    """CREATE TABLE skipped (
        job INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE, path TEXT NOT NULL,
        reason TEXT NOT NULL
    )""",
    "CREATE INDEX skipped_of ON skipped (job)",
)

_ITEMS = "SELECT items.*, jobs.id AS job_id FROM items JOIN jobs ON jobs.number = items.job"
_DUE = """
    SELECT items.*, jobs.id AS job_id, jobs.kind, jobs.options
    FROM jobs CROSS JOIN items ON items.job = jobs.number
    WHERE jobs.spooled AND NOT jobs.paused AND items.state = 'queued'
        AND (items.next_try <= :now OR items.next_try > :far)
        AND NOT EXISTS (
            SELECT 1 FROM items AS other JOIN jobs AS its ON its.number = other.job
            WHERE other.state = 'sending' AND other.instance = items.instance AND its.spooled
        )
"""  # CROSS JOIN: SQLite takes the jobs in their turn, and stops at the first item
_TURN = " ORDER BY jobs.priority DESC, jobs.number, items.number LIMIT :most"


# Jobs -------------------------------------------------------------------------------------------


def insert_job(  # noqa: PLR0913 - its columns
    db: Connection,
    *,
    job: str,
    kind: str,
    title: str,
    priority: int,
    created: float,
    options: Mapping[str, Any],
    spooled: bool,
    items: Iterable[Mapping[str, Any]],
    skipped: Iterable[SkippedRow] = (),
) -> None:
    """Write a job; `items` are columns by their names."""
    number = db.execute(
        "INSERT INTO jobs (id, kind, title, priority, created, options, spooled)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            job,
            _text(kind),
            _text(title),
            priority,
            created,
            json.dumps(dict(options), sort_keys=True),
            spooled,
        ),
    ).lastrowid
    db.executemany(
        "INSERT INTO items (job, number, origin, study, series, instance, class, syntax, size,"
        " mtime, sha256, state, reason, settled) VALUES (:job, :number, :origin, :study,"
        " :series, :instance, :class, :syntax, :size, :mtime, :sha256, :state, :reason, :settled)",
        ({**_BLANK, **item, "job": number, "origin": _text(item["origin"])} for item in items),
    )
    db.executemany(
        "INSERT INTO skipped VALUES (?, ?, ?)",
        ((number, _text(one.path), one.reason) for one in skipped),
    )


def _text(given: str) -> str:
    """Return what people or archives wrote as text that can be kept: without half surrogates."""
    return given.encode("utf-8", "backslashreplace").decode()


_BLANK = {
    "class": "", "syntax": "", "mtime": 0, "sha256": "", "state": "queued", "reason": "",
    "settled": None,
}  # fmt: skip


def jobs(
    db: Connection, kinds: Sequence[str] | None = None, job: str | None = None
) -> list[JobRow]:
    """Return jobs, the oldest first."""
    tallies: dict[int, dict[str, Row]] = {}
    skipped = dict(db.execute("SELECT job, count(*) FROM skipped GROUP BY job").fetchall())
    wanted, values = "", ()
    if job is not None:
        wanted, values = " WHERE job = (SELECT number FROM jobs WHERE id = ?)", (job,)
    for row in db.execute(
        "SELECT job, state, count(*) AS items, sum(size) AS size, min(next_try) AS next_try"  # noqa: S608 - ours alone
        f" FROM items{wanted} GROUP BY job, state",
        values,
    ):
        tallies.setdefault(row["job"], {})[row["state"]] = row
    wanted = "" if job is None else " WHERE id = ?"
    found = db.execute(f"SELECT * FROM jobs{wanted} ORDER BY number", values)  # noqa: S608
    return [
        _job(row, tallies.get(row["number"], {}), skipped.get(row["number"], 0))
        for row in found
        if kinds is None or row["kind"] in kinds
    ]


def _job(row: Row, tally: Mapping[str, Row], skipped: int) -> JobRow:
    counts: dict[ItemState, int] = {
        state: tally[state]["items"] if state in tally else 0 for state in get_args(ItemState)
    }
    done = sum(tally[state]["size"] for state in ("stored", "held") if state in tally)
    size = sum(one["size"] for one in tally.values())
    under_way = min(row["sent"], size - done) if counts["sending"] else 0
    return JobRow(
        id=row["id"],
        kind=row["kind"],
        title=row["title"],
        priority=row["priority"],
        created=row["created"],
        options=json.loads(row["options"]),
        paused=bool(row["paused"]),
        cancelled=bool(row["cancelled"]),
        counts=counts,
        progress=Progress(
            items=sum(counts.values()),
            done=counts["stored"] + counts["held"],
            size=size,
            sent=done + under_way,
            told=row["told"],
        ),
        next_try=tally["queued"]["next_try"] if "queued" in tally else None,
        skipped=skipped,
    )


def skipped(db: Connection, job: str) -> list[SkippedRow]:
    """Return the files that were left out of a job."""
    found = db.execute(
        "SELECT path, reason FROM skipped WHERE job = (SELECT number FROM jobs WHERE id = ?)"
        " ORDER BY rowid",
        (job,),
    )
    return [SkippedRow(*row) for row in found]


def exists(db: Connection, job: str) -> bool:
    """Tell whether there is a job of that id."""
    return db.execute("SELECT 1 FROM jobs WHERE id = ?", (job,)).fetchone() is not None


def flag(db: Connection, job: str, **flags: Any) -> None:
    """Set columns of a job."""
    for name, value in flags.items():
        db.execute(f"UPDATE jobs SET {name} = ? WHERE id = ?", (value, job))  # noqa: S608


def delete_job(db: Connection, job: str) -> None:
    """Forget a job with its items."""
    db.execute("DELETE FROM jobs WHERE id = ?", (job,))


def running(db: Connection) -> list[str]:
    """Return the jobs that are done elsewhere, not sent from here, and not finished."""
    return [
        row[0]
        for row in db.execute(
            "SELECT id FROM jobs WHERE NOT spooled AND EXISTS"
            " (SELECT 1 FROM items WHERE job = jobs.number AND state = 'sending')"
        )
    ]


# Items ------------------------------------------------------------------------------------------


def items(
    db: Connection, spool: Path, job: str | None = None, states: Sequence[str] | None = None
) -> list[ItemRow]:
    """Return items in the order in which they were given."""
    query, values = _ITEMS, []
    if job is not None:
        query += " WHERE jobs.id = ?"
        values.append(job)
    found = db.execute(query + " ORDER BY items.id", values)
    return [item_row(row, spool) for row in found if states is None or row["state"] in states]


def item_row(row: Row, spool: Path) -> ItemRow:
    """Return a row as a value."""
    return ItemRow(
        id=row["id"],
        job=row["job_id"],
        number=row["number"],
        path=spool / row["job_id"] / f"{row['number']}.dcm",
        origin=row["origin"],
        study_uid=row["study"],
        series_uid=row["series"],
        instance_uid=row["instance"],
        class_uid=row["class"],
        transfer_syntax=row["syntax"],
        size=row["size"],
        mtime=row["mtime"],
        sha256=row["sha256"],
        state=row["state"],
        tries=row["tries"],
        refusals=row["refusals"],
        next_try=row["next_try"],
        code=row["code"],
        reason=row["reason"],
        comment=row["comment"],
        warnings=tuple(json.loads(row["warnings"])),
        proof=row["proof"],
        settled=row["settled"],
    )


def claim(
    db: Connection, spool: Path, *, now: float, most_bytes: int, most_items: int
) -> list[ItemRow]:
    """Mark a group as being sent, and return it."""
    when = {"now": now, "far": now + LONGEST_WAIT}
    first = db.execute(_DUE + _TURN, {**when, "most": 1}).fetchone()
    if first is None:
        return []
    alike = " AND items.study = :study AND jobs.kind = :kind AND jobs.options = :options"
    like = {name: first[name] for name in ("study", "kind", "options")}
    group: dict[str, Row] = {}  # no instance twice in one request
    size = 0
    for row in db.execute(_DUE + alike + _TURN, {**when, **like, "most": -1}):
        if row["instance"] in group:
            continue
        if group and (size + row["size"] > most_bytes or len(group) >= most_items):
            break
        group[row["instance"]] = row
        size += row["size"]
    db.executemany(
        "UPDATE items SET state = 'sending', tries = tries + 1 WHERE id = ?",
        [(row["id"],) for row in group.values()],
    )
    return [
        item_row(db.execute(f"{_ITEMS} WHERE items.id = ?", (row["id"],)).fetchone(), spool)
        for row in group.values()
    ]


def orphans(db: Connection, spool: Path) -> list[ItemRow]:
    """Return what is marked as being sent."""
    found = db.execute(f"{_ITEMS} WHERE items.state = 'sending' AND jobs.spooled ORDER BY items.id")
    return [item_row(row, spool) for row in found]


def settle(db: Connection, outcome: Outcome, now: float) -> tuple[str, int, ItemState]:
    """Write what became of an item; return its job, its number and its state.

    Raises
    ------
    ValueError
        When it is not being sent.
    """
    row = db.execute(
        "SELECT items.state, items.number, jobs.id, jobs.cancelled, jobs.spooled,"
        " jobs.number AS job FROM items JOIN jobs ON jobs.number = items.job WHERE items.id = ?",
        (outcome.item,),
    ).fetchone()
    if row is None or row["state"] != "sending":
        is_now = "there is none" if row is None else f"it is {row['state']}"
        raise ValueError(f"Item {outcome.item} is not being sent: {is_now}. Nothing was changed.")
    state: ItemState = outcome.state
    if state == "queued" and (row["cancelled"] or not row["spooled"]):
        # That was asked while it was under way; and what is done elsewhere waits for nobody.
        state = "cancelled"
    db.execute(
        "UPDATE items SET state = ?, next_try = ?, code = ?, reason = ?, comment = ?,"
        " warnings = ?, proof = ?, settled = ?, refusals = refusals + ?,"
        " size = CASE WHEN size THEN size ELSE ? END WHERE id = ?",
        (
            state,
            outcome.next_try,
            outcome.code,
            _text(outcome.reason),
            _text(outcome.comment),
            json.dumps(list(outcome.warnings)),
            outcome.proof,
            None if state == "queued" else now,
            outcome.refused,
            outcome.size,
            outcome.item,
        ),
    )
    db.execute("UPDATE jobs SET sent = 0 WHERE number = ?", (row["job"],))
    return row["id"], row["number"], state


def cancel(db: Connection, job: str, now: float) -> list[int]:
    """Cancel what waits; return the numbers of it."""
    waiting = [one.number for one in items(db, Path(), job, ("queued",))]
    db.execute(
        "UPDATE items SET state = 'cancelled', settled = ?"
        " WHERE job = (SELECT number FROM jobs WHERE id = ?) AND state = 'queued'",
        (now, job),
    )
    db.execute(
        "UPDATE jobs SET paused = 0, cancelled = 1 WHERE id = ? AND EXISTS"
        " (SELECT 1 FROM items WHERE job = jobs.number AND state IN ('cancelled', 'sending'))",
        (job,),
    )
    return waiting


def requeue(db: Connection, job: str, numbers: Sequence[int]) -> None:
    """Let failed and waiting items be due at once."""
    db.executemany(
        # That it was tried is kept, for it may be there; how often is not: all begins anew.
        "UPDATE items SET state = 'queued', tries = min(tries, 1), refusals = 0, next_try = 0,"
        " code = NULL, reason = '', comment = '', warnings = '[]', proof = '', settled = NULL"
        " WHERE job = (SELECT number FROM jobs WHERE id = ?) AND number = ?"
        " AND state IN ('failed', 'queued')",
        [(job, number) for number in numbers],
    )
    # What is done elsewhere cannot be taken up again: who does it may have stopped already.
    db.execute(
        "UPDATE jobs SET paused = 0, cancelled = cancelled AND NOT spooled WHERE id = ?", (job,)
    )


def fail_waiting(db: Connection, item: int, reason: str, now: float) -> None:
    """Fail an item, if it still waits."""
    db.execute(
        "UPDATE items SET state = 'failed', reason = ?, settled = ? WHERE id = ?"
        " AND state = 'queued'",
        (reason, now, item),
    )


def fail_running(db: Connection, job: str, reason: str, now: float) -> None:
    """Fail what is not done of a job that is done elsewhere."""
    db.execute(
        "UPDATE items SET state = 'failed', reason = ?, settled = ?"
        " WHERE job = (SELECT number FROM jobs WHERE id = ?) AND state = 'sending'",
        (reason, now, job),
    )


def next_try(db: Connection) -> float | None:
    """Return when the first waiting item is due; None when none waits."""
    return db.execute(
        "SELECT min(items.next_try) FROM jobs CROSS JOIN items ON items.job = jobs.number"
        " WHERE jobs.spooled AND NOT jobs.paused AND items.state = 'queued'"
    ).fetchone()[0]


def archive(db: Connection) -> str:
    """Return the base URL of the archive that it is the outbox of."""
    row = db.execute("SELECT value FROM about WHERE name = 'archive'").fetchone()
    return "" if row is None else row[0]


def used(db: Connection) -> int:
    """Return the bytes of all copies that are kept."""
    return db.execute(
        "SELECT coalesce(sum(size), 0) FROM items JOIN jobs ON jobs.number = items.job"
        " WHERE spooled AND state IN ('queued', 'sending', 'failed')"
    ).fetchone()[0]


def wanted(db: Connection, job: str) -> set[int]:
    """Return the numbers of a job's items whose copies are still wanted."""
    return {
        row[0]
        for row in db.execute(
            "SELECT items.number FROM items JOIN jobs ON jobs.number = items.job WHERE jobs.id = ?"
            " AND spooled AND state IN ('queued', 'sending', 'failed')",
            (job,),
        )
    }


def tell(db: Connection, sent: Mapping[str, int], now: float) -> None:
    """Write how many bytes of each job are under way."""
    db.executemany(
        "UPDATE jobs SET sent = ?, told = ? WHERE id = ?",
        [(count, now, job) for job, count in sent.items()],
    )
