"""The verdict for the terminal: plain lines, no wider than a window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsiweb_benchmarks.report.contents import EMPTY
from wsiweb_benchmarks.report.numbers import NOTHING, figures, times
from wsiweb_benchmarks.report.promises import promises
from wsiweb_benchmarks.report.results import Results
from wsiweb_benchmarks.report.verdict import judge, tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wsiweb_benchmarks.model import Run
    from wsiweb_benchmarks.report.verdict import Verdict
    from wsiweb_benchmarks.statistics import Summary

__all__ = ["summary"]

_HEAD = ("row", "wsiweb, s", "x reference", "best peer", "best peer, s", "x best peer", "")


def summary(run: Run) -> str:
    """Return what came of a run, for the terminal.

    Parameters
    ----------
    run : Run

    Returns
    -------
    str
        A line for each row, those that fall short first with what they lack; the tally last. No
        newline at the end.
    """
    if not run.measurements:
        return EMPTY
    results = Results(run)
    found = judge(results)
    if not found:
        return f"{tally(found)}\n{_others(results)}".rstrip()
    lines = [*_aligned([_HEAD, *(_line(one, results) for one in found)]), ""]
    for one in found:
        lines += [f"{results.name(one.row)}: {fault}" for fault in one.faults]
    lines += [
        f"{one.what}: {one.found}, so it is broken"
        for one in promises(results)
        if one.kept is False
    ]
    return "\n".join([*lines, tally(found)])


def _line(one: Verdict, results: Results) -> tuple[str, ...]:
    verdict = "falls short" if one.faults else "holds" if one.judged else "alone"
    return (
        results.name(one.row),
        _median(one.wall),
        times(one.to_reference),
        one.peer or NOTHING,
        _median(one.peer_wall),
        times(one.to_peer),
        verdict,
    )


def _others(results: Results) -> str:
    lines = [("row", "way", "s")]
    for row in results.rows:
        lines += [
            (results.name(row), way, _median(results.outcome(row, way).wall))
            for way in results.timed(row)
        ]
    return "\n".join(_aligned(lines)) if len(lines) > 1 else ""


def _median(summary: Summary | None) -> str:
    return NOTHING if summary is None else figures(summary.median)


def _aligned(lines: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
