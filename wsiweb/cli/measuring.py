"""The command that measures a server."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsiweb.cli.options import credentials, ways_in
from wsiweb.cli.printing import print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["bench"]


@click.command()
@click.argument("url")
@ways_in
@click.option("--study", metavar="UID", help="Study Instance UID of the slide.")
@click.option("--series", metavar="UID", help="Series Instance UID of the slide.")
@click.option("--operations", metavar="NAME,NAME", default="", help="What is measured.")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--out",
    "-o",
    default="wsiweb-bench",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the report.",
)
def bench(
    url: str,
    *,
    user: str | None,
    header: Sequence[str],
    ca: str | None,
    study: str | None,
    series: str | None,
    operations: str,
    repeats: int,
    out: Path,
) -> None:
    """Measure your own server at URL, with wsiweb and its peers.

    Those of the other libraries that are installed take part, and a reference that is as fast as
    can be. Without --study the first slide is taken. Nothing on the server is changed.
    """
    from wsiweb import loop
    from wsiweb.client.auth import as_auth

    try:
        from wsiweb_benchmarks import report, runner
    except ImportError as error:
        raise click.ClickException(
            f'This needs what pip install "wsiweb[bench]" installs: {error}.'
        ) from error
    if "://" not in url:
        raise click.UsageError(
            f"{url!r} is no URL. A folder is measured while it is served: wsiweb serve FOLDER"
        )
    if ca == "system":
        raise click.UsageError("The other libraries know CA files only: give --ca FILE.")
    out.mkdir(parents=True, exist_ok=True)
    auth = as_auth(credentials(user, header))
    try:
        done = runner.run_own(
            url,
            auth=auth,
            headers=dict(loop.run(auth.headers())),
            ca=ca,
            study=study,
            series=series,
            operations=[name for name in operations.split(",") if name],
            repeats=repeats,
            say=functools.partial(click.echo, err=True),
        )
    except LookupError as error:
        raise click.UsageError(str(error.args[0])) from error
    except RuntimeError as error:
        raise click.ClickException(str(error)) from error
    columns = {
        "operation": "operation",
        "way": "library",
        "seconds": "seconds",
        "of_reference": "of the reference",
        "message": "",
    }
    print_table(runner.medians(done), columns)
    for path in report.write(done, out):
        click.echo(path)
