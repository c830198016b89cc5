"""Commands that serve slides on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import click

__all__ = ["demo", "serve"]


@click.command()
@click.argument(
    "folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option(
    "--out",
    "-o",
    default="wsiweb-demo",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the slide and the pictures go [wsiweb-demo].",
)
@click.option(
    "--size", default=20_000, type=click.IntRange(min=256), help="Side of the slide in pixels."
)
@click.option("--no-open", is_flag=True, help="Do not show it in the browser, and end by itself.")
def demo(folder: Path | None, out: Path, size: int, *, no_open: bool) -> None:
    """Make a slide, serve it, read it back, and show it in the browser.

    The slide is served on this machine only, and read through DICOMweb. Results about it (masks,
    annotations, a heat map, a report) are made and stored, and the page opens that wsiweb browse
    shows, until Ctrl-C. With --no-open, or when no person is at a terminal, the command ends by
    itself.

    With a FOLDER of DICOM files, the first slide in it is read instead, and nothing is stored.
    """
    from wsiweb import demo as show
    from wsiweb.cli.browse import open_in_browser

    out.mkdir(parents=True, exist_ok=True)
    made = folder is None
    if folder is None:
        with click.progressbar(
            length=100, label=f"Making a slide of {size} x {size} px", file=sys.stderr
        ) as bar:
            folder = show.slide_folder(
                out, size, lambda done, total: bar.update(100 * done // total - bar.pos)
            )
            bar.update(100 - bar.pos)
    is_watched = sys.stdin.isatty() and sys.stdout.isatty() and not no_open
    show.demonstrate(
        folder, out, click.echo, results=made, show=open_in_browser if is_watched else None
    )


def _list_faults(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    """Print what --fault takes, and end."""
    if value:
        from wsiweb.server.faults import descriptions

        click.echo(descriptions())
        context.exit()


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8787,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="0 takes a free one.",
)
@click.option(
    "--stow", is_flag=True, help="Accept new instances (STOW-RS); existing files stay as they are."
)
@click.option(
    "--allow-remote",
    is_flag=True,
    help="Listen on other than loopback addresses. There is no login: everyone who reaches the "
    "port sees everything.",
)
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    help="Answer under this name too, as a reverse proxy passes it on; repeatable.",
)
@click.option(
    "--allow-origin",
    multiple=True,
    metavar="ORIGIN",
    help="Let pages of this origin read the answers (CORS), such as a viewer at "
    "https://viewer.example; repeatable.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME[:OPTION=VALUE,...]",
    help="Be a bad archive, to try programs against: busy:every=3, say; repeatable.",
)
@click.option(
    "--faults",
    "list_faults",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_faults,
    help="List the faults, their options and sets of them, and end.",
)
def serve(
    folder: Path,
    host: str,
    port: int,
    *,
    stow: bool,
    allow_remote: bool,
    allow_host: tuple[str, ...],
    allow_origin: tuple[str, ...],
    faults: tuple[str, ...],
) -> None:
    """Serve a FOLDER as a DICOMweb archive.

    Ctrl-C ends it. Files are only read; with --stow, what is sent is written as new files below
    FOLDER.
    """
    from wsiweb.server import run_forever

    def ready(url: str) -> None:
        click.echo(f"Serving {folder} at {url}   (Ctrl-C ends)")
        if faults:
            click.echo(f"A bad archive: {' '.join(faults)}")

    run_forever(
        folder,
        host=host,
        port=port,
        stow=stow,
        allow_remote=allow_remote,
        allow_host=allow_host,
        allow_origin=allow_origin,
        faults=faults,
        on_ready=ready,
    )
