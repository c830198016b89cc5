"""The command that stores files in an archive, and what all commands that store have in common."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wsiweb.cli.following import Drawing, follow
from wsiweb.cli.options import connect_to, open_archive, ways_in, with_json
from wsiweb.cli.printing import print_json
from wsiweb.words import count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wsiweb.archive import Archive
    from wsiweb.outbox.jobs import Job, Jobs
    from wsiweb.outbox.reports import JobReport

__all__ = ["archive_to_store_in", "finish", "send", "store", "wait_for"]


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--to",
    "target",
    required=True,
    metavar="TARGET",
    help="Where to: the name of an archive, a URL, or a folder.",
)
@ways_in
@click.option("--title", default="", help="What the job is called [after the first path].")
@click.option("--priority", default=0, help="The highest is sent first [0].")
@click.option("--no-wait", is_flag=True, help="Keep it to be sent, and end.")
@with_json
def send(
    paths: tuple[Path, ...],
    *,
    target: str,
    user: str | None,
    header: Sequence[str],
    ca: str | None,
    title: str,
    priority: int,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Store DICOM files, and folders of them, in an archive.

    They are copied first, to be sent from there: what this command does not get done, because the
    archive is away or the machine goes down, is kept (wsiweb jobs). The exit status is 1 if
    anything is not stored.
    """
    with connect_to(target, user, header, ca) as archive:
        report = store(archive, paths, title=title, priority=priority, wait=not no_wait)
    finish(report, waited=not no_wait, as_json=as_json)


def archive_to_store_in(target: str) -> Archive:
    """Connect to where results are stored: TARGET itself, or another archive.

    Another one is never given the credentials for TARGET: it gets in by its name.
    """
    return open_archive(target) or connect_to(target, general=False)


def store(
    archive: Archive,
    things: Sequence[Any],
    *,
    title: str = "",
    priority: int = 0,
    wait: bool = True,
) -> JobReport:
    """Store things in an archive, and show how far that is."""
    drawing = Drawing(sys.stderr)
    drawing.show(f"Checking and copying {', '.join(map(_name, things))} ...")
    try:
        job = archive.store(*things, title=title, priority=priority, start=wait)
    finally:
        drawing.clear()
    if wait:
        wait_for(archive.jobs, job)
    return job.report()


def _name(thing: Any) -> str:
    return str(thing) if isinstance(thing, Path) else "results"


def wait_for(jobs: Jobs, job: Job) -> None:
    """Wait until a job is finished; whoever interrupts that is told that nothing is lost."""
    try:
        follow(jobs, job)
    except KeyboardInterrupt:
        click.echo(f"Not all is sent; it is kept: wsiweb jobs resume {job.id}", err=True)
        # When the archive is closed, the outbox would log the same.
        logging.getLogger("wsiweb.outbox").addHandler(logging.NullHandler())
        raise SystemExit(130) from None  # what shells take for Ctrl-C


def finish(
    report: JobReport,
    *,
    waited: bool = True,
    as_json: bool = False,
    also: Mapping[str, Any] | None = None,
) -> None:
    """Print what became of a job; end with status 1 if it is not all stored.

    Parameters
    ----------
    report : JobReport
        The job.
    waited : bool
        Whether it was waited for; else it is only said to be kept.
    as_json : bool
        Whether to print for programs.
    also : mapping, optional
        What programs get besides.
    """
    if as_json:
        print_json({**report.to_dict(), **(also or {})})
    elif waited:
        click.echo(report)
    else:
        click.echo(f"Job {report.job.id}: {count(len(report.items), 'object')} to be sent.")
        click.echo("They are sent by: wsiweb jobs watch", err=True)
    if waited and not report.ok:
        if any(one.state == "failed" and one.kept for one in report.items):
            click.echo(f"To try again what failed: wsiweb jobs retry {report.job.id}", err=True)
        raise SystemExit(1)
