"""The tables of the report, each from the results alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsiweb_benchmarks.report.document import Cell, Table
from wsiweb_benchmarks.report.numbers import (
    NOTHING,
    TIMES,
    count,
    figures,
    megabytes,
    spread,
    times,
    with_spread,
)
from wsiweb_benchmarks.report.results import (
    OURS,
    REFERENCE,
    TRANSPORT,
    Outcome,
    Results,
    library_of,
    short,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsiweb_benchmarks.model import Check, Row, Swept
    from wsiweb_benchmarks.report.verdict import Verdict

__all__ = ["checked", "costs", "failures", "learnt", "transport", "verdicts", "walls", "way_cell"]

_MUTED = Cell(NOTHING, tone="muted")


def way_cell(way: str) -> Cell:
    """Return the name of a way, marked when it is wsiweb's."""
    return Cell(way, tone="ours" if library_of(way) == OURS else "")


def verdicts(found: Sequence[Verdict], results: Results) -> Table:
    """Return what is asked of wsiweb in each row, and whether it holds."""
    rows = []
    for one in found:
        if one.faults:
            verdict = Cell("falls short", "; ".join(one.faults), "bad")
        else:
            verdict = Cell("holds", tone="good") if one.judged else Cell("alone", tone="muted")
        rows.append(
            (
                Cell(one.row.operation, results.place(one.row.condition, one.row.slide)),
                verdict,
                Cell(with_spread(one.wall)),
                Cell(times(one.to_reference, spread_too=True)),
                Cell(with_spread(one.peer_wall), one.peer or ""),
                Cell(times(one.to_peer, spread_too=True)),
            )
        )
    return Table(
        "wsiweb in each row: those that fall short first.",
        ("row", "verdict", "wsiweb, s", "times reference", "best peer, s", "times best peer"),
        tuple(rows),
        words=2,
    )


def walls(results: Results, condition: str, slide: str) -> Table:
    """Return seconds of each way and operation under a condition."""
    rows = results.rows_of(condition, slide)
    ways = [way for way in results.ways if any(results.tried(row, way) for row in rows)]
    return Table(
        f"Seconds from the call to the last pixel, and times the reference: "
        f"{results.place(condition, slide)}.",
        ("way", *(f"{row.operation}, s" for row in rows)),
        tuple((way_cell(way), *(_wall(results, row, way) for row in rows)) for way in ways),
    )


def _wall(results: Results, row: Row, way: str) -> Cell:
    outcome = results.outcome(row, way)
    if not outcome:
        return Cell(short(outcome.errors[0]), tone="muted") if outcome.errors else _MUTED
    parts = [spread(outcome.wall)]
    reference = results.reference(row)
    if way not in (reference, TRANSPORT) and reference is not None:
        parts.append(times(results.ratio(row, way, reference)))
    if outcome.failures:
        parts.append(f"{outcome.failures} failed")
    libraries = [one for one in results.timed(row) if library_of(one) != REFERENCE]
    best = min((results.outcome(row, one).wall.median for one in libraries), default=None)
    fastest = way in libraries and outcome.wall.median == best
    return Cell(
        figures(outcome.wall.median), " · ".join(filter(None, parts)), "good" if fastest else ""
    )


def transport(results: Results) -> Table | None:
    """Return what is left of each library's time when that of the bare transport is taken away.

    None when the run has no transport to take away.
    """
    rows = [row for row in results.rows if results.outcome(row, TRANSPORT)]
    if not rows:
        return None
    libraries = [
        library
        for library in results.libraries
        if any(results.fastest(row, library) for row in rows)
    ]
    return Table(
        "Seconds of server and transport alone, and what each library's fastest way adds to them.",
        ("row", "transport, s", *(f"+ {library}, s" for library in libraries)),
        tuple(
            (
                Cell(row.operation, results.place(row.condition, row.slide)),
                Cell(with_spread(results.outcome(row, TRANSPORT).wall)),
                *(_rest(results, row, library) for library in libraries),
            )
            for row in rows
        ),
    )


def _rest(results: Results, row: Row, library: str) -> Cell:
    rest = results.beyond(row, results.fastest(row, library), TRANSPORT)
    if rest is None:
        return _MUTED
    return Cell(figures(rest.median, results.outcome(row, TRANSPORT).wall.median))


def learnt(results: Results) -> Table | None:
    """Return what is learnt beside the best of the fixed settings; None when none were tried."""
    rows = []
    for row, chosen, best in results.learnt():
        worst = max(
            (one for one in results.run.swept if one.row == row and one.walls and not one.learnt),
            key=lambda one: one.wall,
        )
        rows.append(
            (
                Cell(results.place(row.condition, row.slide)),
                Cell(figures(chosen.wall)),
                _with_settings(best),
                Cell(f"{figures(chosen.wall / best.wall)}{TIMES}"),
                _with_settings(worst),
            )
        )
    if not rows:
        return None
    return Table(
        "Seconds with what was learnt, and with the best and the worst fixed settings: frames a "
        "request, and connections.",
        ("condition", "learnt, s", "best fixed, s", "times best fixed", "worst, s"),
        tuple(rows),
    )


def _with_settings(one: Swept) -> Cell:
    return Cell(figures(one.wall), f"{one.frames_per_request:,} frames, {one.connections}")


def costs(results: Results, condition: str, slide: str) -> Table:
    """Return what each way asked of the server, the processor and the memory."""
    head = (
        "way",
        "operation",
        "requests",
        "connections",
        "body, MB",
        "client CPU, s",
        "server CPU, s",
        "first pixels, s",
        "memory, MB",
    )
    rows = []
    for row in results.rows_of(condition, slide):
        for way in results.ways:
            outcome = results.outcome(row, way)
            if outcome:
                tone = way_cell(way).tone
                rows.append((Cell(way, tone=tone), Cell(row.operation), *_cost(outcome, way)))
    return Table(f"What it cost: {results.place(condition, slide)}; medians.", head, tuple(rows), 2)


def _cost(outcome: Outcome, way: str) -> tuple[Cell, ...]:
    texts = (
        count(outcome.counted("requests")),
        count(outcome.counted("connections")),
        megabytes(outcome.counted("bytes_sent")),
        _median(outcome.cpu),
        _median(outcome.server_cpu),
        NOTHING if way == TRANSPORT else _median(outcome.first),
        NOTHING if outcome.memory is None else megabytes(outcome.memory.median),
    )
    return tuple(Cell(text, tone="muted" if text == NOTHING else "") for text in texts)


def _median(summary: object) -> str:
    return NOTHING if summary is None else figures(summary.median)


def failures(results: Results) -> Table | None:
    """Return the messages of all that failed, or None; the same message of a way once."""
    met: dict[tuple[str, str], list[str]] = {}
    for row in results.rows:
        for way in results.ways:
            for error in results.outcome(row, way).errors:
                met.setdefault((way, error), []).append(results.name(row))
    if not met:
        return None
    order = {way: at for at, way in enumerate(results.ways)}
    return Table(
        "What has no time, and why: the library's own message.",
        ("way", "message", "rows"),
        tuple(
            (way_cell(way), Cell(error), Cell(_some(names)))
            for (way, error), names in sorted(met.items(), key=lambda item: order[item[0][0]])
        ),
        words=3,
    )


def _some(names: Sequence[str]) -> str:
    shown = "; ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown}; and {len(names) - 3} more"


def checked(results: Results) -> Table | None:
    """Return how each way's pixels compare with the direct decode, or None without checks."""
    found: dict[tuple[str, str], list[Check]] = {}
    for key, check in results.run.checks.items():
        operation, *_, way = key.split("|", 3)
        found.setdefault((way, operation), []).append(check)
    if not found:
        return None
    operations = [*results.operations, *(operation for _, operation in found)]
    operations = [
        name for name in dict.fromkeys(operations) if any(name == one for _, one in found)
    ]
    ways = [*results.ways, *(way for way, _ in found)]
    return Table(
        "Pixels beside the direct decode: the worst of all conditions and slides.",
        ("way", *operations),
        tuple(
            (way_cell(way), *(_checked(found.get((way, name), [])) for name in operations))
            for way in dict.fromkeys(ways)
            if any(way == one for one, _ in found)
        ),
        words=1 + len(operations),
    )


def _checked(checks: Sequence[Check]) -> Cell:
    if not checks:
        return _MUTED
    right = [check for check in checks if check.right]
    wrong = f"not right {len(checks) - len(right)} of {len(checks)} times"
    if not right:
        return Cell(short(checks[0].message) if checks[0].message else "wrong", tone="bad")
    worst = max(right, key=lambda check: (check.largest, check.differing))
    percent = worst.differing * 100
    share = f"{figures(percent)} % differ" if percent >= 0.001 else "hardly any differ (<0.001 %)"
    if worst.largest == 0:
        text, note = "equal", ""
    elif worst.largest == 1:
        text, note = "within 1", share
    else:
        text, note = f"up to {worst.largest}", share
    if len(right) < len(checks):
        return Cell(text, f"{note}; {wrong}" if note else wrong, "bad")
    return Cell(text, note)
