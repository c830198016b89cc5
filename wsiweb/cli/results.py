"""Commands that make results of a slide, and read those that an archive holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wsiweb.arguments import file_of, folder_of
from wsiweb.cli.options import on_slide, with_json
from wsiweb.cli.printing import print_json, print_rows
from wsiweb.cli.storing import archive_to_store_in, finish, store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wsiweb.results.shapes.shapes import Shapes
    from wsiweb.slide import Slide

__all__ = ["export", "results", "stored"]


class _Target(click.Path):
    """A path to write to; an empty text, such as of a variable that is not set, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or fail."""
        if value == "":
            self.fail("It is empty; give a path (. for here).", param, ctx)
        return super().convert(value, param, ctx)


_FILE = click.Path(exists=True, path_type=Path)
_TO_FILE = _Target(dir_okay=False, path_type=Path)


@click.command()
@on_slide
@click.option("--name", required=True, help="Name of the result, up to 64 characters.")
@click.option(
    "--geojson", multiple=True, type=_FILE, metavar="FILE", help="Annotations, as QuPath has them."
)
@click.option(
    "--csv",
    "tables",
    multiple=True,
    type=_FILE,
    metavar="FILE",
    help="Points: columns x, y, perhaps class, and measurements; or a table of "
    "wsiweb annotations: the middle, class and measurements of each.",
)
@click.option(
    "--mask",
    "masks",
    multiple=True,
    type=_FILE,
    metavar="FILE",
    help="Mask: .npy, .zarr, .png or .tif. Wants --segments.",
)
@click.option(
    "--segments",
    metavar="NAME,NAME",
    default="",
    help="What the numbers of a mask stand for, number 1 first: coded terms by name.",
)
@click.option(
    "--profile",
    type=click.Choice(["slim", "standard"]),
    default="slim",
    show_default=True,
    help="Masks as today's viewers show them, or as small as the standard allows.",
)
@click.option(
    "--level",
    type=click.IntRange(min=0),
    help="Level whose pixels are meant [shapes: 0; masks: the one of their size].",
)
@click.option(
    "--channel", type=click.IntRange(min=0), help="Optical path that was looked at [all of them]."
)
@click.option(
    "--coordinates",
    type=click.Choice(["2d", "3d"]),
    default="2d",
    show_default=True,
    help="Annotations in pixels of the level, or in millimetres of the slide.",
)
@click.option(
    "--holes",
    type=click.Choice(["refuse", "drop", "segmentation"]),
    default="refuse",
    show_default=True,
    help="What becomes of holes, which DICOM annotations do not have; or a mask of such polygons.",
)
@click.option(
    "--algorithm", nargs=2, metavar="NAME VERSION", help="What computed it [none: a person did]."
)
@click.option("--creator", default="", metavar="NAME", help="Who made it, as Doe^Jane.")
@click.option(
    "--out",
    "-o",
    type=_Target(file_okay=False, path_type=Path),
    help="Folder for the DICOM files.",
)
@click.option(
    "--to",
    metavar="TARGET",
    help="Store them there: TARGET itself, or the name of another archive, a URL, or a folder.",
)
@with_json
def results(  # noqa: PLR0913 - one for each option
    slide: Slide,
    *,
    name: str,
    geojson: tuple[Path, ...],
    tables: tuple[Path, ...],
    masks: tuple[Path, ...],
    segments: str,
    profile: Any,
    level: int | None,
    channel: int | None,
    coordinates: Any,
    holes: Any,
    algorithm: tuple[str, str] | None,
    creator: str,
    out: Path | None,
    to: str | None,
    as_json: bool,
) -> None:
    """Make DICOM objects about a slide of masks, GeoJSON and tables.

    They are written to the folder of -o, where none is replaced, or stored in the archive of --to,
    or both.
    """
    from wsiweb.results.shapes.tables import read_table

    if out is None and to is None:
        raise click.UsageError("Say where the results go: -o FOLDER, --to TARGET, or both.")
    if not (geojson or tables or masks):
        raise click.UsageError(
            "There is nothing to make results of: give --geojson, --csv, --mask."
        )
    if bool(masks) != bool(segments):
        raise click.UsageError("--mask and --segments belong together.")
    if out is not None:
        folder_of(out, "--out")  # before all the work
    session = slide.results(name, algorithm=algorithm, creator=creator, channel=channel)
    for mask in masks:
        names = [one.strip() for one in segments.split(",")]
        session.add_mask(str(mask), segments=names, level=level, profile=profile)
    shapes: list[Any] = [*geojson, *(read_table(table) for table in tables)]
    for one in shapes:
        session.add_annotations(one, level=level or 0, coordinates=coordinates, holes=holes)
    rows = [
        {"kind": one.kind, "series_uid": one.series_uid, "size": one.size}
        | {"instance_uid": one.instance_uid}
        for one in session.objects
    ]
    columns = {"kind": "kind", "size": "bytes", "instance_uid": "instance UID"}
    if out is not None:
        paths = session.save(out)
        rows = [{"path": str(path)} | row for path, row in zip(paths, rows, strict=True)]
        columns = {"path": "file"} | columns
    if to is None:
        print_rows(rows, columns, as_json=as_json)
        return
    if not as_json:
        print_rows(rows, columns, as_json=False)
        click.echo()
    with archive_to_store_in(to) as archive:
        report = store(archive, [session], title=name)
    finish(report, as_json=as_json, also={"objects": rows})


@click.command()
@on_slide
@with_json
def stored(slide: Slide, *, as_json: bool) -> None:
    """List the results that an archive holds about a slide, the newest first."""
    kinds: dict[str, Iterable[Any]] = {
        "segmentation": slide.segmentations(),
        "annotations": slide.annotations(),
        "heatmap": slide.heatmaps(),
        "report": slide.reports(),
    }
    rows = [
        {
            "kind": kind,
            "name": one.name,
            "created": None if one.created is None else one.created.isoformat(" ", "seconds"),
            "contents": repr(one),
            "series_uid": one.series_uid,
        }
        for kind, found in kinds.items()
        for one in found
    ]
    columns = {"kind": "kind", "name": "name", "created": "created", "series_uid": "series UID"}
    print_rows(rows, columns, as_json=as_json)


@click.command("annotations")
@on_slide
@click.option("--name", help="The newest result of that name; by default, the newest of all.")
@click.option("--geojson", type=_TO_FILE, metavar="FILE", help="To write.")
@click.option(
    "--csv",
    "table",
    type=_TO_FILE,
    metavar="FILE",
    help="To write: class, kind, middle, box and measurements of each.",
)
@with_json
def export(
    slide: Slide, *, name: str | None, geojson: Path | None, table: Path | None, as_json: bool
) -> None:
    """Write the newest annotations of a slide as GeoJSON or as a table.

    All objects of their series are written: what a session has added, and what has joined it.
    Coordinates are in pixels of level 0. Without a file to write, they are summed up.
    """
    from wsiweb.results.shapes.features import write_geojson
    from wsiweb.results.shapes.tables import write_table

    for path, option in ((geojson, "--geojson"), (table, "--csv")):
        if path is not None:
            file_of(path, option)
    found = slide.annotations(name)
    if not found:
        which = "annotations" if name is None else f"annotations of the name {name!r}"
        raise click.ClickException(f"The archive has no {which} of this slide.")
    newest = found[0]
    # The newest first, as they are found; written in the order in which they were added.
    parts = [one for one in reversed(found) if one.series_uid == newest.series_uid]
    writers: tuple[tuple[Path | None, Callable[[Path, Iterable[Shapes]], Any]], ...] = (
        (geojson, write_geojson),
        (table, write_table),
    )
    for path, write in writers:
        if path is not None:
            write(path, [shapes for one in parts for shapes in one.shapes()])
            count = sum(map(len, parts))
            click.echo(f"{path}: {count} annotations of {newest.name!r}", err=as_json)
    rows = [
        {"group": group.label, "kind": group.kind, "count": len(group)}
        for one in parts
        for group in one.groups
    ]
    if as_json:
        print_json({"name": newest.name, "series_uid": newest.series_uid, "groups": rows})
    elif geojson is None and table is None:
        for one in parts:
            click.echo(repr(one))
        print_rows(rows, {"group": "group", "kind": "kind", "count": "count"}, as_json=False)
