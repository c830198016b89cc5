"""The command: ``python -m wsiweb_benchmarks.viewing``."""

from __future__ import annotations

from pathlib import Path

import click
import platformdirs

from wsiweb_benchmarks import environment
from wsiweb_benchmarks.viewing import panning
from wsiweb_benchmarks.viewing import peer as peer_
from wsiweb_benchmarks.viewing.document import document
from wsiweb_benchmarks.viewing.rounds import Plan, measure

__all__ = ["main"]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--delay", default=20.0, show_default=True, help="Milliseconds of a round trip.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1))
@click.option("--studies", default=1000, show_default=True, help="Of the list; 0: no list.")
@click.option("--slide", default="mosaic", show_default=True, help="Which slide is looked at.")
@click.option("--strokes", default=panning.STROKES, show_default=True, help="Of each pan.")
@click.option("--small", is_flag=True, help="A tiny slide: does it still work?")
@click.option("--peer/--no-peer", default=True, help="Whether the peer is fetched and measured.")
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=lambda: Path(platformdirs.user_cache_dir("wsiweb-benchmarks")),
    help="Folder that keeps slides, studies and the peer between runs [the user's cache].",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it to FILE.")
def main(
    *,
    delay: float,
    rounds: int,
    studies: int,
    slide: str,
    strokes: int,
    small: bool,
    peer: bool,
    work: Path,
    out: Path | None,
) -> None:
    """Measure what looking at slides costs, in Chromium: wsiweb browse, and Slim's library."""
    pages, no_peer = _peer(work) if peer else (None, "it was not asked for.")
    if peer and no_peer:
        click.echo(f"Without the peer: {no_peer}", err=True)
    plan = Plan(
        work=work,
        slide=slide,
        small=small,
        studies=studies,
        delay=delay / 1000,
        rounds=rounds,
        strokes=strokes,
        peer=pages,
    )
    try:
        found = measure(plan, lambda words: click.echo(words, err=True))
    except (RuntimeError, LookupError) as error:
        raise click.ClickException(str(error)) from error
    text = document(plan, found, environment.machine(), no_peer)
    click.echo(text)
    if out is not None:
        out.write_text(text)


def _peer(work: Path) -> tuple[Path | None, str]:
    try:
        return peer_.pages(work), ""
    except peer_.Absent as absent:
        return None, str(absent)


if __name__ == "__main__":
    main()
