"""The command: ``python -m wsiweb_benchmarks run``, and what can be done with what it wrote."""

from __future__ import annotations

import shlex
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import click
import msgspec
import platformdirs

from wsiweb_benchmarks import plan
from wsiweb_benchmarks.model import Run

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure wsiweb, its peers, and the limit of what can be had."""


@main.command()
@click.option("--operations", multiple=True, help="Pattern of operations; repeatable.")
@click.option("--conditions", multiple=True, help="Pattern of conditions; repeatable.")
@click.option("--slides", multiple=True, help="Pattern of slides; repeatable.")
@click.option("--ways", multiple=True, help="Pattern of ways, such as 'wsiweb/*'; repeatable.")
@click.option("--repeats", default=plan.REPEATS, show_default=True, type=click.IntRange(min=1))
@click.option("--work", type=click.Path(file_okay=False, path_type=Path))
@click.option("--scale", type=click.Choice(["full", "small"]), default="full")
@click.option("--out", "-o", type=click.Path(dir_okay=False, path_type=Path), required=True)
def run(operations, conditions, slides, ways, repeats, work, scale, out):
    """Measure, and write what was found as JSON."""
    from wsiweb_benchmarks.runner import Options
    from wsiweb_benchmarks.runner import run as measure

    rows = plan.chosen(
        plan.default_rows(), operations=operations, conditions=conditions, slides=slides
    )
    options = Options(
        work=work or Path(platformdirs.user_cache_dir("wsiweb-benchmarks")),
        repeats=repeats,
        small=scale == "small",
        command=f"python -m wsiweb_benchmarks {shlex.join(sys.argv[1:])}",
    )
    done = measure(
        rows,
        lambda key: not ways or any(fnmatchcase(key, pattern) for pattern in ways),
        options,
        lambda line: click.echo(line, err=True),
    )
    out.write_bytes(msgspec.json.format(msgspec.json.encode(done), indent=1))


def _read(path: Path) -> Run:
    return msgspec.json.decode(path.read_bytes(), type=Run)


if __name__ == "__main__":
    main()
