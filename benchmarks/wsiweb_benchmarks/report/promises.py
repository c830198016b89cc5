"""What wsiweb promises beyond the verdict of each row, and whether this run bears it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wsiweb_benchmarks.report.document import Cell, Table
from wsiweb_benchmarks.report.numbers import TIMES, figures, times
from wsiweb_benchmarks.report.results import (
    OURS,
    REFERENCE,
    TRANSPORT,
    Results,
    library_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsiweb_benchmarks.model import LevelInfo, Row
    from wsiweb_benchmarks.statistics import Ratio

__all__ = ["Promise", "promises", "table"]

_FAST, _NAIVE = f"{OURS}/fast", f"{OURS}/naive"
_ROUND_TRIPS = 3
_SPARE = 64e6  # bytes beyond the pixels themselves
_LEARNT = 1.2  # times the best fixed settings
_FRAMES = 10  # times as many as Orthanc sends
_FETCHERS = (TRANSPORT, "dicomweb-client/naive")  # lists as long as may be, and frame by frame
_WHOLE = 6144  # pixels: the level that is read whole
# Row, wsiweb's way, whose way ("*": any library), at most so many times its time.
_RATIOS = (
    ("random-tiles", "delay-20", _FAST, "ez-wsi-dicomweb/fast", 0.5),
    ("random-tiles", "delay-20", _FAST, "wsidicom/fast", 0.2),
    ("loop-grid", "delay-50", _NAIVE, "*/naive", 0.1),
    ("open-sparse", "delay-0", _FAST, "wsidicom/*", 1 / 15),
)


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """One promise.

    Attributes
    ----------
    what : str
        What is promised.
    found : str
        What the run has.
    kept : bool or None
        None when it cannot be said: something was not run, or failed.
    """

    what: str
    found: str
    kept: bool | None


def promises(results: Results) -> tuple[Promise, ...]:
    """Return the promises about rows of this run; broken ones first, kept ones last."""
    found = [
        *_ratios(results),
        *_opening(results),
        *_memory(results),
        *_learning(results),
        *_serving(results),
    ]
    order = {False: 0, None: 1, True: 2}
    return tuple(sorted(found, key=lambda one: order[one.kept]))


def table(found: tuple[Promise, ...]) -> Table:
    """Return the promises as a table."""
    words = {
        True: Cell("kept", tone="good"),
        False: Cell("broken", tone="bad"),
        None: Cell("cannot be said", tone="muted"),
    }
    return Table(
        "What is promised beyond the rows: what is broken comes first.",
        ("promise", "verdict", "found"),
        tuple((Cell(one.what), words[one.kept], Cell(one.found)) for one in found),
        words=3,
    )


def _ratios(results: Results) -> Iterator[Promise]:
    for operation, condition, ours, pattern, most in _RATIOS:
        for row in results.rows:
            asked = (row.operation, row.condition) == (operation, condition)
            if not asked or not results.tried(row, ours):
                continue
            for way in _matching(results, row, pattern):
                ratio = results.ratio(row, ours, way)
                yield Promise(
                    what=f"{results.name(row)}: {ours} at most {most:.3g}{TIMES} {way}",
                    found=_said(results, row, way, ratio),
                    kept=None if ratio is None else ratio.value.median <= most,
                )


def _matching(results: Results, row: Row, pattern: str) -> list[str]:
    library, _, name = pattern.partition("/")
    if name == "*":
        best = results.fastest(row, library)
        tried = [way for way in results.ways if library_of(way) == library]
        return [best] if best else [way for way in tried if results.tried(row, way)][:1]
    return [
        way
        for way in results.ways
        if results.tried(row, way)
        and way.endswith(f"/{name}")
        and library_of(way) not in (OURS, REFERENCE)
        and library in ("*", library_of(way))
    ]


def _said(results: Results, row: Row, way: str, ratio: Ratio | None) -> str:
    if ratio is not None:
        return times(ratio, spread_too=True)
    errors = results.outcome(row, way).errors
    return f"{way}: {errors[0]}" if errors else "wsiweb has no time"


def _opening(results: Results) -> Iterator[Promise]:
    """Tell round trips from how much longer opening takes where a round trip is longer."""
    walls: dict[str, dict[float, float]] = {}
    for row in results.rows:
        name, _, delay = row.condition.partition("-")
        if row.operation == "open" and name == "delay" and delay.isdecimal():
            outcome = results.outcome(row, _FAST)
            if outcome:
                walls.setdefault(row.slide, {})[float(delay) / 1000] = outcome.wall.median
    for slide, points in walls.items():
        low, high = min(points), max(points)
        if high > low:
            trips = (points[high] - points[low]) / (high - low)
            yield Promise(
                what=f"open of {slide}: at most {_ROUND_TRIPS} round trips, the one of a new "
                "connection included",
                found=f"{figures(trips)}: the time at {high * 1000:g} ms less that at "
                f"{low * 1000:g} ms, over the difference",
                # Noise of less than half a round trip is no round trip.
                kept=trips < _ROUND_TRIPS + 0.5,
            )


def _memory(results: Results) -> Iterator[Promise]:
    for row in results.rows:
        slide = results.run.slides.get(row.slide)
        memory = results.outcome(row, _FAST).memory
        if row.operation != "level-6144" or memory is None or slide is None or not slide.levels:
            continue
        output = _bytes(min(slide.levels, key=lambda level: abs(max(level.size) - _WHOLE)))
        yield Promise(
            what=f"{results.name(row)}: the pixels and at most {_SPARE / 1e6:g} MB",
            found=f"{figures(memory.median / 1e6)} MB; the pixels are {figures(output / 1e6)} MB",
            kept=memory.median <= output + _SPARE,
        )


def _learning(results: Results) -> Iterator[Promise]:
    """Compare what is learnt with the best fixed settings."""
    for row, error in results.unlearnt():
        yield Promise(
            what=f"{results.name(row)}: settings are learnt", found=error or "no time", kept=False
        )
    for row, chosen, best in results.learnt():
        ratio = chosen.wall / best.wall
        yield Promise(
            what=f"{results.name(row)}: what was learnt takes at most {_LEARNT:g}{TIMES} the best "
            "fixed settings",
            found=f"{figures(ratio)}{TIMES}",
            kept=ratio <= _LEARNT,
        )


def _serving(results: Results) -> Iterator[Promise]:
    """Compare the embedded server with Orthanc: the same files, the same requests."""
    rows = {(row.operation, row.condition, row.slide): row for row in results.rows}
    for row in results.rows:
        other = rows.get((row.operation, "delay-0", row.slide))
        if not row.condition.startswith("orthanc") or other is None:
            continue
        for way in _FETCHERS:
            theirs, ours = results.outcome(row, way), results.outcome(other, way)
            if theirs and ours:
                times_as_many = theirs.wall.median / ours.wall.median
                yield Promise(
                    what=f"{row.operation} of {row.slide}: the embedded server lets {way} fetch "
                    f"at least {_FRAMES:g}{TIMES} as many frames a second as Orthanc",
                    found=f"{figures(times_as_many)}{TIMES}",
                    kept=times_as_many >= _FRAMES,
                )


def _bytes(level: LevelInfo) -> int:
    return level.size[0] * level.size[1] * level.samples
