"""What is asked of wsiweb in each row, and whether it holds; computed, never written by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wsiweb_benchmarks.report.numbers import TIMES, figures, times
from wsiweb_benchmarks.report.results import OURS, library_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsiweb_benchmarks.model import Row
    from wsiweb_benchmarks.report.results import Results
    from wsiweb_benchmarks.statistics import Ratio, Summary

__all__ = ["LIMIT", "Verdict", "judge", "tally"]

LIMIT = 1.25  # times the reference, at most


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One row, judged.

    Attributes
    ----------
    row : Row
    way : str or None
        Wsiweb's way that is judged: the fast one, unless only another has a time.
    wall : Summary or None
        Its seconds.
    to_reference, to_peer : Ratio or None
        Pair by pair; None where there is no reference, or no peer with a time.
    peer : str or None
        The way with the smallest median of all other libraries.
    peer_wall : Summary or None
        Its seconds.
    faults : tuple of str
        Where the row falls short. None of them: it holds.
    """

    row: Row
    way: str | None
    wall: Summary | None = None
    to_reference: Ratio | None = None
    peer: str | None = None
    peer_wall: Summary | None = None
    to_peer: Ratio | None = None
    faults: tuple[str, ...] = ()

    @property
    def judged(self) -> bool:
        """Whether there was anything to be compared with, or wsiweb failed."""
        return bool(self.faults or self.to_reference or self.to_peer)


def judge(results: Results) -> tuple[Verdict, ...]:
    """Judge all rows in which wsiweb took part; those that fall short come first."""
    verdicts = [
        _judged(results, row)
        for row in results.rows
        if any(results.tried(row, way) for way in results.ways if library_of(way) == OURS)
    ]
    return tuple(sorted(verdicts, key=lambda one: not one.faults))


def _judged(results: Results, row: Row) -> Verdict:
    way = results.ours(row)
    if way is None:
        errors = [
            error
            for one in results.ways
            if library_of(one) == OURS
            for error in results.outcome(row, one).errors
        ]
        return Verdict(row=row, way=None, faults=(f"no time: {errors[0]}",))
    peers = results.peers(row)
    best = peers[0] if peers else None
    to_reference = results.ratio(row, way, results.reference(row))
    outcome = results.outcome(row, way)
    return Verdict(
        row=row,
        way=way,
        wall=outcome.wall,
        to_reference=to_reference,
        peer=best,
        peer_wall=results.outcome(row, best).wall if best else None,
        to_peer=results.ratio(row, way, best),
        faults=tuple(_faults(results, row, way, to_reference, peers)),
    )


def _faults(
    results: Results, row: Row, way: str, to_reference: Ratio | None, peers: Sequence[str]
) -> list[str]:
    faults: list[str] = []
    outcome = results.outcome(row, way)
    if way != f"{OURS}/fast":
        faults.append(f"only {way} has a time")
    if outcome.failures:
        faults.append(f"failed {outcome.failures} times: {outcome.errors[0]}")
    if to_reference is not None and to_reference.value.median > LIMIT:
        value = to_reference.value.median
        said = figures(value)
        if said == figures(LIMIT):  # three figures do not show by how little
            said = f"{value:.6g}"
        faults.append(f"{said}{TIMES} the reference, more than {figures(LIMIT)}{TIMES}")
    for peer in peers:
        found = results.ratio(row, way, peer)
        if found is not None and found.value.median >= 1:
            faults.append(f"not below {peer} ({times(found)})")
    return faults


def tally(verdicts: Sequence[Verdict]) -> str:
    """Say in a sentence or two how many rows hold, and how many do not."""
    if not verdicts:
        return "wsiweb took no part in this run, so there is nothing to judge."
    judged = [one for one in verdicts if one.judged]
    short = [one for one in judged if one.faults]
    alone = len(verdicts) - len(judged)
    parts = []
    if judged:
        slow = sum(
            one.to_reference is not None and one.to_reference.value.median > LIMIT for one in short
        )
        behind = sum(any("not below" in fault for fault in one.faults) for one in short)
        parts.append(
            f"Of {_rows(len(judged))}, {len(judged) - len(short)} hold and {len(short)} fall short"
        )
        parts[-1] += (
            f": {slow} above {figures(LIMIT)}{TIMES} the reference, {behind} not below every peer."
            if short
            else "."
        )
    if alone:
        parts.append(f"{_rows(alone).capitalize()} had nothing to be compared with.")
    without = sum(one.to_reference is None and one.way is not None for one in judged)
    if without:
        parts.append(f"{_rows(without).capitalize()} had no reference.")
    return " ".join(parts)


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"
