"""Commands for what is, and was, to be stored in archives from this machine."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wsiweb.cli.following import Drawing
from wsiweb.cli.options import connect_to, ways_in, with_json
from wsiweb.cli.printing import print_json
from wsiweb.cli.storing import finish, wait_for
from wsiweb.wire.uris import hides_secret, shown
from wsiweb.words import count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from wsiweb.archive import Archive
    from wsiweb.outbox.jobs import Jobs
    from wsiweb.outbox.outbox import Outbox
    from wsiweb.outbox.rows import JobRow
    from wsiweb.outbox.tables import JobLine

__all__ = ["jobs"]

_TICK = 0.5  # seconds between two looks


@click.group()
def jobs() -> None:
    """See and mend what is to be stored in archives from this machine.

    Jobs are kept until they are cleared. ID is the name of a job, or as much of its beginning as
    tells it from the others.
    """


# Looking ----------------------------------------------------------------------------------------


@jobs.command("list")
@with_json
def list_jobs(*, as_json: bool) -> None:
    """List all jobs, the oldest first."""
    table = _table(_boxes())
    if as_json:
        print_json(table.to_dict()["jobs"])
    else:
        click.echo(table)


@jobs.command()
@click.argument("job", metavar="ID")
@click.option("--every", is_flag=True, help="Name what is stored, too.")
@with_json
def show(job: str, *, every: bool, as_json: bool) -> None:
    """Say what became of the objects of a job."""
    from wsiweb.outbox.reports import report_of

    report = report_of(*_found(job))
    if as_json:
        print_json(report.to_dict())
    else:
        click.echo(report.text(every=every))


@jobs.command()
@click.argument("job", metavar="ID")
@click.option(
    "--out",
    "-o",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write: .html, .json or .txt.",
)
def report(job: str, *, out: Path) -> None:
    """Write what became of each object of a job."""
    from wsiweb.outbox.reports import report_of

    made = report_of(*_found(job))
    made.save(out)
    click.echo(f"{out}: {made.summary}")


# Stopping ---------------------------------------------------------------------------------------


@jobs.command()
@click.argument("job", metavar="ID")
@with_json
def pause(job: str, *, as_json: bool) -> None:
    """Let a job wait; what is under way is finished."""
    outbox, id = _found(job)  # noqa: A001 - what it is called everywhere
    outbox.pause(id)
    _say(outbox, id, "is paused", as_json=as_json)


@jobs.command()
@click.argument("job", metavar="ID")
@with_json
def cancel(job: str, *, as_json: bool) -> None:
    """Send no more of a job; what is stored stays in the archive."""
    outbox, id = _found(job)  # noqa: A001
    number = outbox.cancel(id)
    _say(outbox, id, f"sends no more: {count(number, 'object')} cancelled", as_json=as_json)


@jobs.command()
@click.argument("job", metavar="[ID]", required=False)
@click.option("--yes", is_flag=True, help="Do not ask about what failed.")
@with_json
def clear(job: str | None, *, yes: bool, as_json: bool) -> None:
    """Forget what is done.

    Without an ID, all jobs in which nothing failed. Archives keep what they have.
    """
    if job is None:
        cleared = sum(box.clear() for box in _boxes())
    else:
        outbox, id = _found(job)  # noqa: A001
        row = outbox.job(id)
        failed = row.counts["failed"]
        if failed and row.finished and not yes:
            question = f"The copies of {count(failed, 'object')} that failed are removed. Go on?"
            click.confirm(question, abort=True, err=True)
        cleared = outbox.clear(id)
    if as_json:
        print_json({"cleared": cleared})
    else:
        click.echo(f"{count(cleared, 'job')} forgotten.")


# Sending ----------------------------------------------------------------------------------------


def _sending(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command what it needs to send."""
    no_wait = click.option("--no-wait", is_flag=True, help="Do not send it now, and end.")
    return ways_in(no_wait(with_json(command)))


@jobs.command()
@click.argument("job", metavar="ID")
@_sending
def resume(job: str, *, no_wait: bool, as_json: bool, **ways: Any) -> None:
    """Let a job go on, and wait for it."""
    outbox, id = _found(job)  # noqa: A001
    outbox.resume(id)
    _send(outbox, id, no_wait=no_wait, as_json=as_json, **ways)


@jobs.command()
@click.argument("job", metavar="[ID]", required=False)
@click.option("--all", "every", is_flag=True, help="Every job of which something failed.")
@_sending
def retry(job: str | None, *, every: bool, no_wait: bool, as_json: bool, **ways: Any) -> None:
    """Send again what failed.

    What waits for its next try is sent at once, too; what is stored is not sent again.
    """
    if (job is None) != every:
        raise click.UsageError("Give the ID of a job, or --all.")
    if every:
        _check_for_whom(None, ways)
    if job is not None:
        outbox, id = _found(job)  # noqa: A001
        if not outbox.retry(id) and outbox.job(id).counts["failed"]:
            raise click.ClickException(
                "No copies are kept of what failed: give the command again that began the job."
            )
        _send(outbox, id, no_wait=no_wait, as_json=as_json, **ways)
        return
    for box in _boxes():
        for row in box.jobs():
            if row.counts["failed"]:
                box.retry(row.id)
    if not no_wait:
        _watch(None, as_json=as_json, **ways)


def _send(outbox: Outbox, id: str, *, no_wait: bool, as_json: bool, **ways: Any) -> None:  # noqa: A002
    """Send a job, and say what became of it."""
    from wsiweb.outbox.reports import report_of

    if not no_wait and not outbox.job(id).finished:
        with _archive_of(outbox, **ways) as archive:
            _check_entry(archive)
            wait_for(archive.jobs, archive.jobs[id])
    finish(report_of(outbox, id), waited=not no_wait, as_json=as_json)


@jobs.command()
@click.option("--to", "target", metavar="TARGET", help="Only jobs for this archive.")
@ways_in
@with_json
def watch(*, target: str | None, as_json: bool, **ways: Any) -> None:
    """Send what waits, and show how far it is, until nothing waits.

    The exit status is 1 if something of it failed. Without --to, archives that want credentials
    get those that belong to their names (wsiweb archives).
    """
    _watch(target, as_json=as_json, **ways)


def _watch(target: str | None, *, as_json: bool, **ways: Any) -> None:
    _check_for_whom(target, ways)
    with contextlib.ExitStack() as stack:
        senders: list[Jobs] = []
        barred = False
        for box in _boxes() if target is None else [None]:
            try:
                if box is None:
                    archive = stack.enter_context(connect_to(str(target), **ways))
                elif any(map(_waits, box.jobs())):
                    archive = stack.enter_context(_archive_of(box, general=False, **ways))
                else:
                    continue
                _check_entry(archive)
            except (click.ClickException, ValueError, OSError) as error:
                if box is None:
                    raise
                click.echo(f"{box.archive}: {_words(error)}", err=True)
                barred = True
                continue
            senders.append(archive.jobs)
        failed = _show_until_done(senders, as_json=as_json)
    if barred or failed:
        raise SystemExit(1)


def _check_for_whom(target: str | None, ways: Mapping[str, Any]) -> None:
    """Refuse to show one archive's credentials to all."""
    if target is None and (ways["user"] or ways["header"]):
        raise click.UsageError(
            "Say for which archive --user and --header are: wsiweb jobs watch --to TARGET"
        )


def _show_until_done(senders: Sequence[Jobs], *, as_json: bool) -> bool:
    """Show jobs until none waits; return whether something of them is not stored."""
    from wsiweb.outbox.tables import JobTable

    drawing = Drawing(sys.stdout)
    seen: set[str] = set()
    try:
        while True:
            seen |= {one.job.id for held in senders for one in held.look() if _waits(one.job)}
            lines = [line for held in senders if seen for line in held.table(*seen).lines]
            table = JobTable(_with_names(lines), archives=True)
            waiting = any(_waits(line.job) for line in lines)
            if as_json:
                click.echo(
                    json.dumps(table.to_dict()["jobs"], ensure_ascii=False)
                )  # a line for each look
            elif not waiting:
                drawing.clear()
                click.echo(table if lines else "Nothing waits.")
            else:
                drawing.show(str(table))
            if not waiting:
                return any(line.job.state in {"partial", "failed"} for line in lines)
            for held in senders:
                held.go_on()
            time.sleep(_TICK)
    except KeyboardInterrupt:
        drawing.clear()
        click.echo("What is not sent yet is kept.", err=True)
        raise SystemExit(130) from None


def _waits(row: JobRow) -> bool:
    return row.state in {"queued", "sending"}


def _words(error: Exception) -> str:
    return error.format_message() if isinstance(error, click.ClickException) else str(error)


# Where they are ---------------------------------------------------------------------------------


def _boxes() -> Iterator[Outbox]:
    """Yield the outbox of each archive; one that cannot be opened does not hide the others."""
    from wsiweb.errors import OutboxError
    from wsiweb.outbox import Outbox
    from wsiweb.outbox.folder import known_folders

    for folder in known_folders():
        if not (folder / "outbox.sqlite").exists():
            continue  # nothing was ever taken in there
        try:
            box = Outbox(folder)
        except OutboxError as error:
            click.echo(f"Warning: {error}", err=True)
            continue
        click.get_current_context().call_on_close(box.close)
        yield box


def _found(beginning: str) -> tuple[Outbox, str]:
    """Return the job whose id begins so, and its outbox."""
    found = [
        (box, row.id) for box in _boxes() for row in box.jobs() if row.id.startswith(beginning)
    ]
    if not found or not beginning:
        raise click.ClickException(f"There is no job {beginning!r}; see wsiweb jobs list.")
    if len(found) > 1:
        ids = ", ".join(id for _, id in found)  # noqa: A001
        raise click.ClickException(f"Several jobs begin with {beginning}: {ids}.")
    return found[0]


def _table(boxes: Iterator[Outbox]) -> Any:
    from wsiweb.outbox.tables import JobTable, line_of

    lines = [line_of(box, row) for box in boxes for row in box.jobs()]
    return JobTable(_with_names(sorted(lines, key=lambda line: line.job.created)), archives=True)


def _with_names(lines: Sequence[JobLine]) -> list[JobLine]:
    """Return lines that say what the user calls the archives."""
    from wsiweb import names

    called = {url: names.of_url(url) for url in {line.archive for line in lines}}
    return [
        dataclasses.replace(line, name=named.name) if (named := called[line.archive]) else line
        for line in lines
    ]


def _say(outbox: Outbox, id: str, words: str, *, as_json: bool) -> None:  # noqa: A002
    from wsiweb.outbox.tables import line_of

    if as_json:
        print_json(_with_names([line_of(outbox, outbox.job(id))])[0].to_dict())
    else:
        click.echo(f"Job {id} {words}.")


def _archive_of(outbox: Outbox, *, general: bool = True, **ways: Any) -> Archive:
    """Connect to the archive whose outbox it is, by its name if it has one."""
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    from wsiweb import names

    if not outbox.archive:
        raise click.ClickException(f"{outbox.folder} does not say for which archive it is.")
    named = names.of_url(outbox.archive)
    if named is not None:
        return connect_to(named.name, **ways, general=general)
    if hides_secret(outbox.archive):
        raise click.ClickException(
            f"The address of {outbox.archive} holds a secret, which is not kept. Give the archive "
            "a name (wsiweb archives add NAME URL), or say where it is: wsiweb jobs watch --to URL"
        )
    parts = urlsplit(outbox.archive)
    target = url2pathname(parts.path) if parts.scheme == "file" else outbox.archive
    return connect_to(target, **ways, general=general)


def _check_entry(archive: Archive) -> None:
    """Refuse to send with credentials that are missing or wrong: all would fail for it.

    Only a 401 bars the way. An archive that may be written and not be read answers 403, and one
    that cannot be reached is waited for.
    """
    from wsiweb.errors import ArchiveError, Unauthorized

    try:
        bool(archive.studies(limit=1))
    except Unauthorized as error:
        if error.status == 401:
            raise click.ClickException(
                f"{shown(archive.url)} wants credentials, or other ones; nothing was sent. Give "
                "--user or --header (for watch, with --to), or the archive a name: "
                "wsiweb archives add"
            ) from error
    except ArchiveError:
        return
