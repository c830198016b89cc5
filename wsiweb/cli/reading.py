"""Commands that look for slides and read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from wsiweb.cli.options import on_archive, on_slide, pair, with_filters, with_json, with_output
from wsiweb.cli.printing import print_json, print_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np

    from wsiweb.archive import Archive
    from wsiweb.slide import Slide

__all__ = ["info", "region", "slides", "studies", "thumbnail", "tile"]


@click.command()
@on_archive
@with_filters
@with_json
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
    print_rows(archive.studies(**_given(filters)).to_dicts(), columns, as_json=as_json)


@click.command()
@on_archive
@with_filters
@click.option("--container", "container_id", help="Container identifier of the glass slide.")
@with_json
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
    print_rows(archive.slides(**_given(filters)).to_dicts(), columns, as_json=as_json)


def _given(filters: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in filters.items() if value is not None}


@click.command()
@on_slide
@with_json
def info(slide: Slide, *, as_json: bool) -> None:
    """Say what a slide is made of.

    Size, scale, levels, and what was made of each instance of the series.
    """
    if as_json:
        print_json(_described(slide))
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


@click.command()
@on_slide
@click.option(
    "--size",
    default=512,
    show_default=True,
    type=click.IntRange(min=1),
    help="Longest side in pixels.",
)
@with_output("thumbnail.png")
def thumbnail(slide: Slide, *, size: int, out: Path) -> None:
    """Write a picture of the whole slide."""
    _save(lambda: slide.thumbnail(size), out)


@click.command()
@on_slide
@click.option(
    "--at",
    required=True,
    callback=pair,
    metavar="X,Y",
    help="Upper left corner in pixels of level 0.",
)
@click.option(
    "--size",
    default="1024,1024",
    show_default=True,
    callback=pair,
    metavar="W,H",
    help="Width and height in pixels of the picture.",
)
@click.option("--level", type=click.IntRange(min=0), help="Level to read; 0 is the finest [0].")
@click.option("--mpp", type=float, help="Micrometres per pixel, instead of a level.")
@with_output("region.png")
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


@click.command()
@on_slide
@click.argument("level", type=click.IntRange(min=0))
@click.argument("column", type=click.IntRange(min=0))
@click.argument("row", type=click.IntRange(min=0))
@with_output("tile.jpg")
def tile(slide: Slide, *, level: int, column: int, row: int, out: Path) -> None:
    """Write a tile's bytes as stored.

    Nothing is decoded or encoded again. LEVEL, COLUMN and ROW count from zero.
    """
    from wsiweb import pictures

    stored = slide.tile(level, column, row)
    pictures.save_bytes(stored.data, out)
    click.echo(f"{out}: {stored.media_type}, {len(stored.data):,} bytes")
