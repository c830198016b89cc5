"""Two runs beside each other: what became faster, what became slower, and what is only noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wsiweb_benchmarks.report.contents import machine_rows
from wsiweb_benchmarks.report.document import (
    Block,
    Cell,
    Document,
    Heading,
    Items,
    Paragraph,
    Table,
)
from wsiweb_benchmarks.report.numbers import NOTHING, TIMES, figures, times, with_spread
from wsiweb_benchmarks.report.results import REFERENCE, Results, library_of, short
from wsiweb_benchmarks.report.tables import way_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wsiweb_benchmarks.model import Row, Run
    from wsiweb_benchmarks.report.results import Outcome

__all__ = ["Change", "changes", "comparison"]

_HOW = {
    "Ratio": "is the newer median over the older one: below 1 is faster. Two runs have no repeats "
    "in common, so nothing is paired here.",
    "Faster, slower": "is said where the medians are further apart than the two spreads together; "
    "else the change is within the noise. Of many rows, some are beyond it by chance. With a "
    "single measurement no spread is known, and nothing is said.",
    "Times reference": "is each run's own ratio, pair by pair. When the machines differ, compare "
    "these.",
}


class Change(msgspec.Struct, frozen=True):
    """A way of a row, in two runs.

    Attributes
    ----------
    row : Row
    way : str
    older, newer : Outcome
    verdict : str
        ``"faster"``, ``"slower"``, ``"within noise"``, ``"unclear"`` (no spread is known),
        ``"new"``, ``"gone"``, ``"fails now"``, ``"works now"`` or ``"fails"``.
    ratio : float or None
        Newer over older.
    """

    row: Row
    way: str
    older: Outcome
    newer: Outcome
    verdict: str
    ratio: float | None = None


def changes(older: Results, newer: Results) -> list[Change]:
    """Return every way of every row that is in one of two runs, in the order of the newer."""
    return [
        _change(older, newer, row, way)
        for row in dict.fromkeys([*newer.rows, *older.rows])
        for way in dict.fromkeys([*newer.ways, *older.ways])
        if older.tried(row, way) or newer.tried(row, way)
    ]


def _change(older: Results, newer: Results, row: Row, way: str) -> Change:
    before, after = older.outcome(row, way), newer.outcome(row, way)
    if not older.tried(row, way):
        return Change(row, way, before, after, "new")
    if not newer.tried(row, way):
        return Change(row, way, before, after, "gone")
    old, new = before.wall, after.wall
    if old is None or new is None:
        words = "fails" if old is new else "fails now" if new is None else "works now"
        return Change(row, way, before, after, words)
    ratio = new.median / old.median if old.median > 0 else None
    if min(old.count, new.count) < 2:
        verdict = "unclear"
    elif abs(new.median - old.median) <= old.spread + new.spread:
        verdict = "within noise"
    else:
        verdict = "faster" if new.median < old.median else "slower"
    return Change(row, way, before, after, verdict, ratio)


def comparison(older: Run, newer: Run) -> Document:
    """Return what changed from one run to another."""
    before, after = Results(older), Results(newer)
    blocks = _heads(older, newer)
    for run, name in ((older, "older"), (newer, "newer")):
        if not run.measurements:
            blocks.append(Paragraph(f"The {name} run holds no measurements.", "bad"))
    found = changes(before, after)
    blocks += [
        Heading(2, "What changed"),
        Paragraph(_tally(found), "strong"),
        Items(tuple(_HOW.items())),
    ]
    for verdict in ("slower", "fails now", "faster", "works now"):
        chosen = [one for one in found if one.verdict == verdict]
        if chosen:
            chosen.sort(key=_how_much, reverse=verdict == "slower")
            blocks.append(_table(f"{verdict.capitalize()}.", chosen, before, after))
    if found:
        blocks.append(Heading(2, "Everything"))
    places = {one.row: (after if one.row in after.rows else before).place for one in found}
    for group in dict.fromkeys((one.row.condition, one.row.slide) for one in found):
        chosen = [one for one in found if (one.row.condition, one.row.slide) == group]
        name = places[chosen[0].row](*group)
        blocks += [
            Heading(3, name),
            _table(f"{name}: all ways.", chosen, before, after),
        ]
    return Document("Two benchmarks compared", tuple(blocks))


def _how_much(change: Change) -> float:
    return change.ratio or 0.0


def _tally(found: Sequence[Change]) -> str:
    if not found:
        return "Neither run holds a measurement, so there is nothing to compare."
    counts: dict[str, int] = {}
    for one in found:
        counts[one.verdict] = counts.get(one.verdict, 0) + 1
    order = (
        "slower",
        "fails now",
        "faster",
        "works now",
        "within noise",
        "unclear",
        "fails",
        "new",
        "gone",
    )
    said = ", ".join(f"{counts[name]} {name}" for name in order if name in counts)
    return f"Of {len(found)} times: {said}."


def _heads(older: Run, newer: Run) -> list[Block]:
    """Say what else than the code differs, before any figure."""
    names = [dict(machine_rows(run)) for run in (older, newer)]
    things = list(dict.fromkeys([*names[0], *names[1]]))
    different = [thing for thing in things if names[0].get(thing) != names[1].get(thing)]
    if different:
        said = Paragraph(
            f"These runs differ in more than their dates: {', '.join(different)}. "
            "What follows may come from that.",
            "bad",
        )
    else:
        said = Paragraph("Both runs were made on the same machine with the same versions.")
    rows = [("Date", older.date, newer.date)]
    rows += [(thing, *(one.get(thing, NOTHING) for one in names)) for thing in things]
    rows.append(("Command", older.command or NOTHING, newer.command or NOTHING))
    table = Table(
        "What the two were measured on; what differs is marked.",
        ("", "older", "newer", "differs"),
        tuple(
            (Cell(name), Cell(old), Cell(new), Cell("differs" if name in different else ""))
            for name, old, new in rows
        ),
        words=4,
    )
    return [said, table]


def _table(caption: str, found: Iterable[Change], older: Results, newer: Results) -> Table:
    rows = tuple(
        (
            Cell(one.row.operation, newer.place(one.row.condition, one.row.slide)),
            way_cell(one.way),
            _verdict(one),
            _wall(one.older),
            _wall(one.newer),
            Cell(NOTHING if one.ratio is None else f"{figures(one.ratio)}{TIMES}"),
            Cell(_to_reference(older, one)),
            Cell(_to_reference(newer, one)),
        )
        for one in found
    )
    return Table(
        caption,
        (
            "row",
            "way",
            "change",
            "older, s",
            "newer, s",
            "newer / older",
            "older, times reference",
            "newer, times reference",
        ),
        rows,
        words=3,
    )


def _verdict(change: Change) -> Cell:
    tone = {"faster": "good", "works now": "good", "slower": "bad", "fails now": "bad"}
    note = next(iter(change.newer.errors), "") if change.verdict == "fails now" else ""
    return Cell(change.verdict, note, tone.get(change.verdict, "muted"))


def _wall(outcome: Outcome) -> Cell:
    if not outcome and outcome.errors:
        return Cell(short(outcome.errors[0]), tone="muted")
    return Cell(with_spread(outcome.wall))


def _to_reference(results: Results, change: Change) -> str:
    if library_of(change.way) == REFERENCE:
        return NOTHING
    return times(results.ratio(change.row, change.way, results.reference(change.row)))
