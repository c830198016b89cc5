"""Commands that bring objects from one place to another, and delete them from the local archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wsiweb.cli.following import follow
from wsiweb.cli.options import connect_to, on_archive, ways_in, with_json
from wsiweb.cli.printing import print_json
from wsiweb.words import count, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsiweb.archive import Archive
    from wsiweb.outbox.jobs import Job
    from wsiweb.outbox.rows import ItemRow

__all__ = ["copy", "download", "import_folders", "remove"]

_LOCAL = "local"
_THERE = ("stored", "held")
_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command("import")
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--into", type=_FOLDER, help="Archive [the local one of this user]; made if new.")
@click.option(
    "--link",
    is_flag=True,
    help="Make hard links instead of copies, where the disk has them. Whoever writes into the "
    "one file changes the other.",
)
@with_json
def import_folders(
    folders: tuple[Path, ...], *, into: Path | None, link: bool, as_json: bool
) -> None:
    """Take DICOM files into an archive on this machine.

    Each FOLDER is searched at any depth. What the archive has already is compared and left as it
    is: the command may be repeated. The exit status is 1 if anything failed.
    """
    with _local(into, make=True) as archive:
        job = archive.import_folder(*folders, link=link)
        _finish(archive, job, done="added", as_json=as_json)


@click.command()
@click.argument("study")
@click.option("--series", metavar="UID", help="Only this series of the study.")
@click.option("--from", "folder", type=_FOLDER, help="Archive [the local one of this user].")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(study: str, *, series: str | None, folder: Path | None, yes: bool) -> None:
    """Delete a STUDY, by its UID, from an archive that wsiweb made.

    In it, what lies at <study>/<series>/<instance>.dcm is deleted, whoever put it there. Never
    are the files of a folder of yours.
    """
    from wsiweb.transfers.local import check_removable, local_folder

    with _local(folder, make=False) as archive:
        check_removable(folder or local_folder(), study, series)
        if not yes:
            which = f"series {series} of study {study}" if series else f"study {study}"
            click.confirm(f"Delete {which}{_about(archive, study)} from {archive.url}?", abort=True)
        click.echo(f"{count(archive.remove(study, series), 'object')} deleted.")


def _about(archive: Archive, study: str) -> str:
    """Return what is known of a study, so that the right one is deleted."""
    found = archive.studies(study_uid=study, limit=1)
    if not found:
        return ""
    one = found[0]
    said = [one.patient_name or one.patient_id, one.description, str(one.date or "")]
    return f" ({', '.join(printable(text) for text in said if text)})" if any(said) else ""


def _local(folder: Path | None, *, make: bool) -> Archive:
    import wsiweb

    if folder is None:
        return wsiweb.connect(_LOCAL)
    if make:
        from wsiweb.transfers.local import make_local

        make_local(folder)
    return wsiweb.connect(folder)


@click.command()
@on_archive
@click.option("--study", required=True, metavar="UID", help="Study Instance UID.")
@click.option("--series", metavar="UID", help="Only this series of the study.")
@click.option("--out", "-o", required=True, type=_FOLDER, help="Folder; made if it is not there.")
@click.option("--verify", is_flag=True, help="Fetch what is there as well, and compare it.")
@with_json
def download(
    archive: Archive, *, study: str, series: str | None, out: Path, verify: bool, as_json: bool
) -> None:
    """Fetch the objects of a study as files.

    Each is as the archive stores it. What is there already is not fetched again: the command may
    be repeated, and then fetches the rest. No file is replaced. The exit status is 1 if anything
    failed.
    """
    job = archive.download(study, out, series=series, verify=verify)
    _finish(archive, job, done="fetched", as_json=as_json)


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option(
    "--study",
    "studies",
    required=True,
    multiple=True,
    metavar="UID",
    help="Study Instance UID; repeatable.",
)
@click.option("--series", metavar="UID", help="Only this series of the study.")
@click.option(
    "--verify/--no-verify",
    default=None,
    help="Compare all that TO has already, or nothing of it [what was not copied there before].",
)
@ways_in
@with_json
def copy(
    source: str,
    target: str,
    *,
    studies: tuple[str, ...],
    series: str | None,
    verify: bool | None,
    user: str | None,
    header: Sequence[str],
    ca: str | None,
    as_json: bool,
) -> None:
    """Copy studies FROM one archive TO another.

    Both are URLs, names or folders. The options below are about FROM; TO is never given the
    credentials for FROM: it gets in by its name (wsiweb archives).

    What TO has already is fetched and compared, unless it was copied there by this command before:
    it may be repeated, and then copies the rest. The exit status is 1 if anything is not stored
    there.
    """
    with (
        connect_to(source, user, header, ca) as origin,
        connect_to(target, general=False) as archive,
    ):
        job = archive.copy_from(origin, *studies, series=series, verify=verify)
        _finish(archive, job, done="copied", as_json=as_json)


def _finish(archive: Archive, job: Job, *, done: str, as_json: bool) -> None:
    """Wait for a job, and print what became of it; end with status 1 if anything failed."""
    try:
        follow(archive.jobs, job)
    except KeyboardInterrupt:
        click.echo("Not all is done. Begin again: what is done is not done again.", err=True)
        raise SystemExit(130) from None  # what shells take for Ctrl-C
    items = job.items
    states = [item.state for item in items]
    failed = [item for item in items if item.state not in _THERE]
    counts = {
        done: states.count("stored"),
        "already there": states.count("held"),
        "skipped": len(job.skipped),
        "failed": len(failed),
    }
    if as_json:
        print_json(_described(job, counts, items))
    else:
        click.echo(", ".join(f"{number:,} {what}" for what, number in counts.items()) + ".")
        for one in job.skipped:
            click.echo(f"  skipped: {printable(one.path)}: {one.reason}")
        for item in failed:
            click.echo(f"  failed: {printable(item.origin)}: {_why(item)}", err=True)
        for warning, origins in _warnings(items).items():
            which = printable(origins[0]) if len(origins) == 1 else count(len(origins), "object")
            click.echo(f"  {which}: {printable(warning)}", err=True)
    if failed:
        raise SystemExit(1)


def _warnings(items: Sequence[ItemRow]) -> dict[str, list[str]]:
    """Return what there is to remark, and of which objects."""
    found: dict[str, list[str]] = {}
    for item in items:
        for warning in item.warnings:
            found.setdefault(warning, []).append(item.origin)
    return found


def _why(item: ItemRow) -> str:
    if item.state != "failed":
        return f"it was {item.state}"
    return printable(f"{item.reason} ({item.comment})" if item.comment else item.reason)


def _described(job: Job, counts: dict[str, int], items: Sequence[ItemRow]) -> dict[str, Any]:
    return {
        "job": job.id,
        "counts": {what.replace(" ", "_"): number for what, number in counts.items()},
        "skipped": [{"path": one.path, "reason": one.reason} for one in job.skipped],
        "failed": [
            {"what": one.origin, "instance_uid": one.instance_uid, "reason": _why(one)}
            for one in items
            if one.state not in _THERE
        ],
        "warnings": [
            {"warning": warning, "objects": len(origins)}
            for warning, origins in _warnings(items).items()
        ],
    }
