"""The command: ``python -m wsiweb_benchmarks run``, and what can be done with what it wrote."""

from __future__ import annotations

import functools
import shlex
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
import platformdirs

from wsiweb_benchmarks import plan
from wsiweb_benchmarks.model import Row, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["main"]


class _Group(click.Group):
    """Turns what went wrong into one line: exit status 2 for a wrong call, 1 for the rest."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LookupError as error:
            raise click.UsageError(str(error.args[0]) if error.args else str(error)) from error
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            raise click.ClickException(f"{error.strerror or error}{where}") from error
        except (RuntimeError, ValueError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Measure wsiweb, its peers, and the limit of what can be had."""


_work = click.option(
    "--work",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: Path(platformdirs.user_cache_dir("wsiweb-benchmarks")),
    help="Folder that keeps slides and databases between runs [the user's cache].",
)
_scale = click.option(
    "--scale",
    type=click.Choice(["full", "small"]),
    default="full",
    show_default=True,
    help="Small: tiny slides and one repeat, which shows that everything works.",
)


def _patterns(name: str, example: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        f"--{name}", multiple=True, metavar="PATTERN", help=f"Such as {example}; repeatable."
    )


@main.command()
@_patterns("rows", "'region-1024|delay-*|mosaic'")
@_patterns("operations", "'region-*'")
@_patterns("conditions", "delay-0")
@_patterns("slides", "mosaic")
@_patterns("ways", "'wsiweb/*'")
@click.option("--repeats", type=click.IntRange(min=1), help=f"[{plan.REPEATS}]")
@click.option(
    "--settings/--no-settings",
    default=None,
    help="Also compare what is learnt with fixed settings [if everything is measured].",
)
@_work
@_scale
@click.option(
    "--out",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    default="benchmarks.json",
    show_default=True,
    help="File to write.",
)
def run(
    *,
    ways: Sequence[str],
    repeats: int | None,
    settings: bool | None,
    work: Path,
    scale: str,
    out: Path,
    **patterns: Sequence[str],
) -> None:
    """Measure, and write what was found as JSON.

    Without patterns everything is measured, which takes three quarters of an hour.
    """
    from wsiweb_benchmarks import environment, runner
    from wsiweb_benchmarks import sweep as sweeps

    known = [way.key for way in environment.ways()]
    taken = {key for key in known if plan.matches(key, ways)}
    _all_match(ways, known, "way")
    small = scale == "small"
    chosen = plan.chosen(plan.default_rows(small=small), **patterns)
    _writable(out)
    say = functools.partial(click.echo, err=True)
    options = runner.Options(
        work=work,
        repeats=repeats or (1 if small else plan.REPEATS),
        small=small,
        command=f"python -m wsiweb_benchmarks {shlex.join(sys.argv[1:])}",
    )
    done = runner.run(chosen, taken.__contains__, options, say)
    _write(done, out)
    everything = not any((ways, *patterns.values()))
    if not done.interrupted and (everything if settings is None else settings):
        again = msgspec.structs.replace(options, repeats=1 if small else plan.SWEPT_REPEATS)
        swept = sweeps.sweep_all(plan.swept_rows(small=small), again, say)
        _write(msgspec.structs.replace(done, swept=swept), out)
    click.echo(f"{out}: {len(done.measurements)} measurements")


@main.command()
@click.argument("run", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    "-o",
    type=click.Path(file_okay=False, path_type=Path),
    default="benchmark-report",
    show_default=True,
    help="Folder to write to.",
)
def report(run: Path, out: Path) -> None:
    """Write the report of a RUN."""
    from wsiweb_benchmarks import report as reports

    for path in reports.write(_read(run), out):
        click.echo(path)


@main.command()
@click.argument("older", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("newer", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    "-o",
    type=click.Path(file_okay=False, path_type=Path),
    default="benchmark-comparison",
    show_default=True,
    help="Folder to write to.",
)
def compare(older: Path, newer: Path, out: Path) -> None:
    """Say what became faster and slower between two runs."""
    from wsiweb_benchmarks import report as reports

    written = reports.compare(_read(older), _read(newer), out)
    for path in written or [out]:
        click.echo(path)


@main.command()
@click.argument("condition")
@click.option("--way", default="wsiweb/fast", show_default=True)
@click.option("--operation", default="random-tiles", show_default=True)
@click.option("--slide", default=None, help="[the condition's own]")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--frames", callback=lambda *given: _numbers(given[-1]), help="Such as 1,16,256.", default=""
)
@click.option(
    "--connections", callback=lambda *given: _numbers(given[-1]), help="Such as 1,4.", default=""
)
@_work
@_scale
def sweep(
    condition: str,
    *,
    way: str,
    operation: str,
    slide: str | None,
    repeats: int,
    frames: tuple[int, ...],
    connections: tuple[int, ...],
    work: Path,
    scale: str,
) -> None:
    """Time fixed settings under a CONDITION, and what a library learns by itself."""
    from wsiweb_benchmarks import sweep as sweeps
    from wsiweb_benchmarks.adapters import adapter_of
    from wsiweb_benchmarks.conditions import condition_of
    from wsiweb_benchmarks.operations import operation_of
    from wsiweb_benchmarks.runner import Options

    where = condition_of(condition)
    operation_of(operation)
    adapter_of(way)
    served = [row.slide for row in plan.default_rows() if row.condition == condition]
    row = Row(operation=operation, condition=condition, slide=slide or served[0])
    swept = sweeps.sweep(
        where,
        row,
        way,
        Options(work=work, repeats=repeats, small=scale == "small"),
        functools.partial(click.echo, err=True),
        frames_per_request=frames or sweeps.FRAMES_PER_REQUEST,
        connections=connections or sweeps.CONNECTIONS,
    )
    click.echo(f"{way}, {operation}, {condition}, {row.slide}")
    click.echo(sweeps.table(swept))


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no list of whole numbers, such as 1,16.") from None


def _all_match(patterns: Sequence[str], names: Sequence[str], what: str) -> None:
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise LookupError(f"There is no {what} {pattern!r}, only {', '.join(names)}.")


def _writable(path: Path) -> None:
    """Find out before the hour is spent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    existed = path.exists()
    path.open("ab").close()
    if not existed:
        path.unlink()


def _write(run: Run, path: Path) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")


def _read(path: Path) -> Run:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Run)
    except msgspec.MsgspecError as error:
        raise click.UsageError(f"{path} is no run of this benchmark: {error}") from error


if __name__ == "__main__":
    main(prog_name="python -m wsiweb_benchmarks")
