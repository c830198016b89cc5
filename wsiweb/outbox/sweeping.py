"""What crashes left, put in order; and jobs that are done elsewhere, which may crash as well."""

from __future__ import annotations

import contextlib
import time
import uuid
from typing import TYPE_CHECKING, Any

from wsiweb.outbox import queries
from wsiweb.outbox.folder import Lock
from wsiweb.outbox.spool import sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from pathlib import Path

    from wsiweb.outbox.database import Database
    from wsiweb.outbox.rows import ItemRow, Planned

__all__ = ["put_in_order", "run_elsewhere"]

_INTERRUPTED = "the process that did it ended before it came to this"
_NOT_REACHED = "it ended before it came to this"


def put_in_order(database: Database, spool: Path) -> None:
    """Sweep an outbox; to be called while nobody takes anything in.

    Parameters
    ----------
    database : Database
        Of the outbox.
    spool : Path
        Folder of all copies.
    """
    folder = database.path.parent
    for left in folder.glob(f".{database.path.name}.*.new*"):
        left.unlink(missing_ok=True)
    with database.reading() as db:
        jobs = {job.id for job in queries.jobs(db)}
        waiting = queries.items(db, spool, states=("queued",))
        running = queries.running(db)

    def wanted(job: str) -> set[int]:
        if job not in jobs:
            return set()
        with database.reading() as db:
            return queries.wanted(db, job)

    sweep(spool, wanted)
    _fail_lost(database, waiting)
    for path in folder.glob("running-*.lock"):
        running.append(path.stem.removeprefix("running-"))  # it may have been killed before its row
    for job in set(running):
        with _running_lock(database, job) as lock:
            if lock.take(wait=False):
                _end(database, job, _INTERRUPTED)


def _fail_lost(database: Database, waiting: Sequence[ItemRow]) -> None:
    lost = [(one.id, _how_lost(one)) for one in waiting if _is_gone(one.path)]
    if not lost:
        return
    now = time.time()
    with database.writing() as db:
        for item, reason in lost:
            queries.fail_waiting(db, item, reason, now)


def _how_lost(item: ItemRow) -> str:
    return f"its copy is gone: {item.path}" if item.kept else _INTERRUPTED


def _is_gone(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False  # of the disk; when it is sent, that will be seen
    return False


# Elsewhere --------------------------------------------------------------------------------------


@contextlib.contextmanager
def run_elsewhere(
    database: Database,
    intake: Callable[[], Lock],
    job: Mapping[str, Any],
    planned: Iterable[Planned],
) -> Generator[str]:
    """List a job that is done within the block; see `wsiweb.outbox.Outbox.running`."""
    name = uuid.uuid4().hex[:12]
    items = [
        {
            "number": number,
            "origin": one.origin,
            "study": one.study_uid,
            "series": one.series_uid,
            "instance": one.instance_uid,
            "size": one.size,
            "state": "sending",
        }
        for number, one in enumerate(planned, start=1)
    ]
    with _running_lock(database, name) as lock:
        with intake(), database.writing() as db:  # or a sweep might come between lock and rows
            lock.take(wait=True)
            queries.insert_job(db, **job, job=name, created=time.time(), spooled=False, items=items)
        reason = _NOT_REACHED
        try:
            yield name
        except BaseException as error:
            reason = f"it ended: {error or type(error).__name__}"
            raise
        finally:
            _end(database, name, reason)


def _running_lock(database: Database, job: str) -> Lock:
    return Lock(database.path.with_name(f"running-{job}.lock"))


def _end(database: Database, job: str, reason: str) -> None:
    with database.writing() as db:
        queries.fail_running(db, job, reason, time.time())
    database.path.with_name(f"running-{job}.lock").unlink(missing_ok=True)
