"""The command ``wsiweb``: what the library does, from a shell.

Commands print for people; with ``--json`` they print for programs. Failures are one line on
stderr and exit status 1; a wrong call is exit status 2.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from wsiweb.archive import Archive
    from wsiweb.slide import Slide

__all__ = ["main"]


class _Group(click.Group):
    """Turns the library's errors into one line each."""

    def invoke(self, ctx: click.Context) -> Any:
        from wsiweb.errors import WsiwebError

        try:
            return super().invoke(ctx)
        except (WsiwebError, ValueError, IndexError) as error:
            raise click.ClickException(str(error)) from error
        except BrokenPipeError:
            raise  # click ends quietly: the reader (head, less) has seen enough
        except OSError as error:
            raise click.ClickException(
                f"{error.strerror or error}: {error.filename or ''}"
            ) from error
        except MemoryError as error:
            raise click.ClickException("There is not enough memory for that.") from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="wsiweb")
def main() -> None:
    """Whole-slide pathology images over DICOMweb.

    TARGET is the base URL of a DICOMweb service (https://pacs.lab/dicom-web) or a folder of
    DICOM files, which is read as if it were one.

    \b
    Try first:
      wsiweb demo                       make, serve and read a slide on this machine
      wsiweb slides TARGET              what is there?
      wsiweb thumbnail TARGET -o a.png  how does it look?
    """  # noqa: D301 - click wants the backspace itself


# Options that several commands share ----------------------------------------------------------


def _on_archive(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command TARGET and how to get in; it is called with the open archive."""

    @functools.wraps(command)
    def connected(
        *, target: str, user: str | None, header: Sequence[str], ca: str | None, **rest: Any
    ) -> Any:
        import wsiweb

        with wsiweb.connect(target, auth=_credentials(user, header), ca=ca) as archive:
            return command(archive, **rest)

    return click.argument("target")(_ways_in(connected))


def _ways_in(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say how to get in."""
    for decorate in (
        click.option("--ca", metavar="FILE", help="CA bundle (PEM) to trust, or 'system'."),
        click.option(
            "--header", multiple=True, metavar="NAME:VALUE", help="Extra header; repeatable."
        ),
        click.option(
            "--user",
            metavar="NAME",
            help="User for Basic authentication; the password is asked for, or taken from the "
            "environment variable WSIWEB_PASSWORD. A bearer token is taken from WSIWEB_TOKEN.",
        ),
    ):
        command = decorate(command)
    return command


def _credentials(user: str | None, header: Sequence[str]) -> Any:
    from wsiweb import HeaderAuth

    token = os.environ.get("WSIWEB_TOKEN")
    if header:
        if user is not None:
            raise click.UsageError("Give --user or --header, not both.")
        pairs = [line.partition(":") for line in header]
        if not all(colon for _, colon, _ in pairs):
            raise click.UsageError("--header takes NAME:VALUE.")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {name.strip(): value.strip() for name, _, value in pairs}
        return HeaderAuth(headers)
    if user is not None:
        password = os.environ.get("WSIWEB_PASSWORD")
        if password is None:
            password = click.prompt("Password", hide_input=True, err=True)
        return (user, password)
    return token or None


def _on_slide(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command TARGET and the choice of a slide; it is called with the open slide."""

    @functools.wraps(command)
    def opened(archive: Archive, *, study: str | None, series: str | None, **rest: Any) -> Any:
        with _chosen(archive, study, series) as slide:
            return command(slide, **rest)

    for decorate in (
        click.option("--series", metavar="UID", help="Series Instance UID of the slide."),
        click.option("--study", metavar="UID", help="Study Instance UID of the slide."),
    ):
        opened = decorate(opened)
    return _on_archive(opened)


def _chosen(archive: Archive, study: str | None, series: str | None) -> Slide:
    """Open the slide that was named, or the only one there is."""
    if study is not None:
        return archive.open_slide(study, series)
    found = archive.slides(limit=20, **({} if series is None else {"series_uid": series}))
    if not found:
        which = "slide" if series is None else f"slide with the series UID {series}"
        raise click.ClickException(f"There is no {which} in {archive.url}.")
    if len(found) > 1:
        lines = [f"  --study {one.study_uid} --series {one.series_uid}" for one in found]
        raise click.ClickException("\n".join(["There are several slides; choose one:", *lines]))
    return archive.open_slide(found[0])


def _as_json(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def _filters(command: Callable[..., Any]) -> Callable[..., Any]:
    for decorate in (
        click.option("--limit", type=click.IntRange(min=1), help="Most to list."),
        click.option("--date", help="Study date, 20260131, or a range, 20260101-20261231."),
        click.option("--accession", "accession_number", help="Accession number."),
        click.option("--patient-name", help="Patient's name; * and ? are wildcards."),
        click.option("--patient-id", help="Patient ID; * and ? are wildcards."),
    ):
        command = decorate(command)
    return command


def _output(default: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--out",
        "-o",
        default=default,
        show_default=True,
        type=click.Path(dir_okay=False, path_type=Path),
        help="File to write.",
    )


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _print_table(rows: list[dict[str, Any]], columns: dict[str, str]) -> None:
    """Print rows under headings; control characters from DICOM values never reach the terminal."""
    table = [list(columns.values())]
    table += [[_printable(row.get(name)) for name in columns] for row in rows]
    widths = [max(len(line[at]) for line in table) for at in range(len(columns))]
    for line in table:
        click.echo(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )


def _printable(value: Any) -> str:
    if value is None:
        return ""
    text = "\\".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return "".join(one if one.isprintable() else "?" for one in text)


def _pair(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, int]:
    try:
        first, second = (int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not two whole numbers, such as 100,200.") from None
    return first, second


# Commands -------------------------------------------------------------------------------------


@main.command()
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
def demo(folder: Path | None, out: Path, size: int) -> None:
    """Make a slide, serve it, read it back.

    The slide is served on this machine only, and read through DICOMweb.

    With a FOLDER of DICOM files, the first slide in it is read instead.
    """
    from wsiweb import demo as show

    out.mkdir(parents=True, exist_ok=True)
    if folder is None:
        with click.progressbar(
            length=100, label=f"Making a slide of {size} x {size} px", file=sys.stderr
        ) as bar:
            folder = show.slide_folder(
                out, size, lambda done, total: bar.update(100 * done // total - bar.pos)
            )
            bar.update(100 - bar.pos)
    show.read_through_socket(folder, out, click.echo)


@main.command()
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
def serve(
    folder: Path,
    host: str,
    port: int,
    *,
    stow: bool,
    allow_remote: bool,
    allow_host: tuple[str, ...],
) -> None:
    """Serve a FOLDER as a DICOMweb archive.

    Ctrl-C ends it. Files are only read; with --stow, what is sent is written as new files below
    FOLDER.
    """
    from wsiweb.server import run_forever

    def ready(url: str) -> None:
        click.echo(f"Serving {folder} at {url}   (Ctrl-C ends)")

    run_forever(
        folder,
        host=host,
        port=port,
        stow=stow,
        allow_remote=allow_remote,
        allow_host=allow_host,
        on_ready=ready,
    )


@main.command()
@_on_archive
@_filters
@_as_json
def studies(archive: Archive, *, as_json: bool, **filters: Any) -> None:
    """List the studies of an archive."""
    columns = {
        "date": "date",
        "patient_id": "patient ID",
        "patient_name": "patient",
        "accession_number": "accession",
        "modalities": "modalities",
        "description": "description",
        "study_uid": "study UID",
    }
    _print_rows(archive.studies(**_given(filters)).to_dicts(), columns, as_json=as_json)


@main.command()
@_on_archive
@_filters
@click.option("--container", "container_id", help="Container identifier of the glass slide.")
@_as_json
def slides(archive: Archive, *, as_json: bool, **filters: Any) -> None:
    """List the slides of an archive."""
    columns = {
        "date": "date",
        "patient_id": "patient ID",
        "container_id": "container",
        "description": "description",
        "instance_count": "instances",
        "study_uid": "study UID",
        "series_uid": "series UID",
    }
    _print_rows(archive.slides(**_given(filters)).to_dicts(), columns, as_json=as_json)


def _given(filters: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in filters.items() if value is not None}


def _print_rows(rows: list[dict[str, Any]], columns: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        _print_json(rows)
    else:
        _print_table(rows, columns)


@main.command()
@_on_slide
@_as_json
def info(slide: Slide, *, as_json: bool) -> None:
    """Say what a slide is made of.

    Size, scale, levels, and what was made of each instance of the series.
    """
    if as_json:
        _print_json(_described(slide))
        return
    click.echo(repr(slide))
    click.echo(f"study   {slide.study_uid}\nseries  {slide.series_uid}")
    if slide.magnification is not None:
        click.echo(f"magnification  {slide.magnification:g}x")
    click.echo(slide.explain())


def _described(slide: Slide) -> dict[str, Any]:
    return {
        "study_uid": slide.study_uid,
        "series_uid": slide.series_uid,
        "container_id": slide.container_id,
        "mpp": slide.mpp,
        "magnification": slide.magnification,
        "levels": [
            {
                "index": level.index,
                "size": level.size,
                "tile_size": level.tile_size,
                "grid": level.grid,
                "downsample": level.downsample,
                "mpp": level.mpp,
                "instance_uids": level.instance_uids,
            }
            for level in slide.levels
        ],
        "associated": {name: {"size": image.size} for name, image in slide.associated.items()},
    }


@main.command()
@_on_slide
@click.option(
    "--size",
    default=512,
    show_default=True,
    type=click.IntRange(min=1),
    help="Longest side in pixels.",
)
@_output("thumbnail.png")
def thumbnail(slide: Slide, *, size: int, out: Path) -> None:
    """Write a picture of the whole slide."""
    _save(lambda: slide.thumbnail(size), out)


@main.command()
@_on_slide
@click.option(
    "--at",
    required=True,
    callback=_pair,
    metavar="X,Y",
    help="Upper left corner in pixels of level 0.",
)
@click.option(
    "--size",
    default="1024,1024",
    show_default=True,
    callback=_pair,
    metavar="W,H",
    help="Width and height in pixels of the picture.",
)
@click.option("--level", type=click.IntRange(min=0), help="Level to read; 0 is the finest [0].")
@click.option("--mpp", type=float, help="Micrometres per pixel, instead of a level.")
@_output("region.png")
def region(
    slide: Slide,
    *,
    at: tuple[int, int],
    size: tuple[int, int],
    level: int | None,
    mpp: float | None,
    out: Path,
) -> None:
    """Write a region of a slide as a picture."""
    if level is not None and mpp is not None:
        raise click.UsageError("Give --level or --mpp, not both.")
    if mpp is None:
        _save(lambda: slide.read_region(at, level or 0, size), out)
    else:
        _save(lambda: slide.read(at, size, mpp=mpp), out)


def _save(read: Callable[[], np.ndarray], out: Path) -> None:
    from wsiweb import pictures

    pictures.check_target(out)
    pixels = read()
    pictures.save_picture(pixels, out)
    click.echo(f"{out}: {pixels.shape[1]} x {pixels.shape[0]} px")


@main.command()
@_on_slide
@click.argument("level", type=click.IntRange(min=0))
@click.argument("column", type=click.IntRange(min=0))
@click.argument("row", type=click.IntRange(min=0))
@_output("tile.jpg")
def tile(slide: Slide, *, level: int, column: int, row: int, out: Path) -> None:
    """Write a tile's bytes as stored.

    Nothing is decoded or encoded again. LEVEL, COLUMN and ROW count from zero.
    """
    from wsiweb import pictures

    stored = slide.tile(level, column, row)
    pictures.save_bytes(stored.data, out)
    click.echo(f"{out}: {stored.media_type}, {len(stored.data):,} bytes")


@main.command()
@click.argument("url")
@_ways_in
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
    auth = as_auth(_credentials(user, header))
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
    _print_table(runner.medians(done), columns)
    for path in report.write(done, out):
        click.echo(path)
