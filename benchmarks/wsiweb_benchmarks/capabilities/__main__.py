"""The command: ``python -m wsiweb_benchmarks.capabilities``."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import click

from wsiweb_benchmarks.capabilities.document import document, row
from wsiweb_benchmarks.capabilities.storing import CASES, LIBRARIES, Case, probe

__all__ = ["main"]

_AT_ONCE = 4


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it to FILE.")
@click.option(
    "--check",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Say which lines of FILE are no longer true; exit status 1 when there are any.",
)
@click.option("--only", default="", help="Run the cases alone in whose name this occurs.")
def main(out: Path | None, check: Path | None, only: str) -> None:
    """Run the libraries to see what they can do; write it down, or check what is written."""
    warnings.simplefilter("ignore")  # of the peers; what they do is what counts
    cases = [case for case in CASES if only in case.name]
    if not cases:
        raise click.UsageError(f"No case has {only!r} in its name.")
    if out is not None and only:
        raise click.UsageError("A document has all cases: leave --only or --out away.")
    probes = [(library, case) for case in cases for library in LIBRARIES]
    with ThreadPoolExecutor(_AT_ONCE) as pool:  # they wait, most of the time
        found = dict(zip(probes, pool.map(_said, *zip(*probes, strict=True)), strict=True))
    missing = {case.server for (_, case), verdict in found.items() if not verdict}
    if missing:
        raise click.ClickException(f"Not installed: {', '.join(sorted(missing))}.")
    if check is not None:
        _compare(check, cases, found)
    if out is not None:
        versions = {name: metadata.version(name) for name in LIBRARIES}
        out.write_text(document(CASES, LIBRARIES, found, versions))


def _said(library: str, case: Case) -> str:
    verdict = probe(library, case)
    click.echo(f"{case.name} ({case.server}), {library}: {verdict}")
    return verdict


def _compare(path: Path, cases: list[Case], found: dict[tuple[str, Case], str]) -> None:
    written = path.read_text().splitlines()
    rows = [row(case, [found[library, case] for library in LIBRARIES]) for case in cases]
    untrue = [one for one in rows if one not in written]
    if untrue:
        lines = "\n".join(untrue)
        raise click.ClickException(f"{path} does not say what was found:\n{lines}")


if __name__ == "__main__":
    main()
