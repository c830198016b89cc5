"""The plots: small drawings of one kind beside each other, the same scale in all of them.

A drawing is the same, byte for byte, when the figures are the same. Texts stay texts.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from wsiweb_benchmarks.report.canvas import (
    LINE,
    STYLE,
    bar_colour,
    lay_out,
    lines_of,
    load,
    name_ways,
    save,
)
from wsiweb_benchmarks.report.document import Figure
from wsiweb_benchmarks.report.numbers import NOTHING, TIMES, figures, times
from wsiweb_benchmarks.report.palette import colour, of_library
from wsiweb_benchmarks.report.results import (
    OURS,
    REFERENCE,
    TRANSPORT,
    Results,
    library_of,
    short,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wsiweb_benchmarks.model import Row

__all__ = ["bars", "draw", "latency", "memory"]

_ROOM = 1.65  # of a logarithmic axis: the longest bar, and what is written behind it


def draw(results: Results) -> list[Figure]:
    """Return all plots that the results have something for."""
    with load().style.context(["default", STYLE]):  # whatever the user's own settings are
        drawn = [bars(results, operation) for operation in results.operations]
        drawn += [latency(results), memory(results)]
    return [one for one in drawn if one is not None]


# Bars -------------------------------------------------------------------------------------------


def bars(results: Results, operation: str) -> Figure | None:
    """Draw how many times the reference each way takes, in a panel for each condition."""
    found = [(row, _against(results, row)) for row in results.rows if row.operation == operation]
    panels = {row: scale for row, scale in found if scale}
    if not panels:
        return None
    rows, scales = list(panels), list(panels.values())
    ways = _ways(results, rows)
    columns = min(len(rows), 2)
    drawing, axes = lay_out(len(rows), columns, LINE * (lines_of(ways)[-1] + 1.2), left=1.95)
    highest = max(value for scale in scales for value, _ in scale.values())
    lowest = min(1.0, *(value for scale in scales for value, _ in scale.values()))
    for at, (row, axis, scale) in enumerate(zip(rows, axes, scales, strict=True)):
        _bars(axis, results, row, ways, scale)
        axis.set_xlim(lowest / 1.1, lowest * (max(highest, 2.0) / lowest) ** _ROOM)
        if at % columns == 0:
            name_ways(axis, ways)
    known = any(results.reference(row) for row in rows)
    against = "the reference" if known else "the fastest way"
    return Figure(
        f"bars-{_file(operation)}",
        operation,
        save(drawing),
        f"Bars: times {against} that each way takes for {operation}. "
        + " ".join(_said(results, row) for row in rows),
        f"{operation}: times {against} (logarithmic; the line at 1), and seconds; "
        "strong bars are fast ways, faint ones naive. "
        f"{results.run.operations.get(operation, '')}",
    )


def _ways(results: Results, rows: Iterable[Row]) -> list[str]:
    tried = {way for row in rows for way in results.ways if results.tried(row, way)}
    return [way for way in results.ways if way in tried and way != TRANSPORT]


def _drawable(results: Results, row: Row) -> list[str]:
    """Return the ways with a time that has a place on a logarithmic axis."""
    return [way for way in results.timed(row) if results.outcome(row, way).wall.median > 0]


def _against(results: Results, row: Row) -> dict[str, tuple[float, str]]:
    """Return by way how many times the reference it takes, and what is written at its bar."""
    ways = _drawable(results, row)
    if not ways:
        return {}
    base = results.reference(row) or min(
        ways, key=lambda way: results.outcome(row, way).wall.median
    )
    found = {}
    for way in ways:
        compared = results.ratio(row, way, base)
        if compared is not None:
            said = f"{figures(results.outcome(row, way).wall.median)} s"
            found[way] = (
                compared.value.median,
                said if way == base else f"{times(compared)} · {said}",
            )
    return found


def _bars(
    axis: Any, results: Results, row: Row, ways: Sequence[str], scale: dict[str, tuple[float, str]]
) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_xscale("log")
    place = results.place(row.condition, row.slide)
    axis.set_title(place if results.reference(row) else f"{place} (no reference: to the fastest)")
    for at, way in zip(lines_of(ways), ways, strict=True):
        value, text = scale.get(way, (1.0, ""))
        ours = library_of(way) == OURS
        if not text:
            errors = results.outcome(row, way).errors
            text = short(errors[0]) if errors else ""
            axis.text(1.08, at, text, va="center", color=colour("soft"), style="italic")
            continue
        axis.barh(at, value - 1, left=1, height=0.66, color=bar_colour(way))
        axis.text(
            max(value, 1.0) * 1.08,
            at,
            text,
            va="center",
            color=colour("ours" if ours else "ink"),
            weight="bold" if ours else "normal",
        )
    axis.axvline(1, color=colour("reference"), linewidth=1.2)
    axis.set_ylim(lines_of(ways)[-1] + 0.6, -0.6)
    axis.set_yticks([])
    axis.xaxis.set_major_locator(LogLocator(numticks=6))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}{TIMES}"))
    axis.grid(axis="x")


def _said(results: Results, row: Row) -> str:
    """Say the main thing of a panel, for those who do not see it."""
    ours, peers = results.ours(row), results.peers(row)
    parts = []
    if ours:
        known = results.ratio(row, ours, results.reference(row))
        seconds = figures(results.outcome(row, ours).wall.median)
        parts.append(f"{ours} {seconds} s" + (f", {times(known)}" if known else ""))
    if peers:
        parts.append(f"{peers[0]} {figures(results.outcome(row, peers[0]).wall.median)} s")
    return f"{results.place(row.condition, row.slide)}: {'; '.join(parts) or 'others only'}."


# Latency ----------------------------------------------------------------------------------------


def latency(results: Results) -> Figure | None:
    """Draw seconds over the round trip: a line for each library, a panel for each operation."""
    panels = {
        operation: lines
        for operation in results.operations
        if (lines := _lines(results, operation))
    }
    if not panels:
        return None
    drawing, axes = lay_out(len(panels), min(2, len(panels)), 2.2, left=0.55, gap=0.6)
    for axis, (operation, lines) in zip(axes, panels.items(), strict=True):
        _sweep(axis, operation, lines, results)
    return Figure(
        "latency",
        "Seconds over the round trip",
        save(drawing),
        "Lines: seconds over the round trip, for each operation and library. "
        + " ".join(
            f"{operation}: "
            + ", ".join(
                f"{library} from {figures(line[0][1])} to {figures(line[-1][1])} s"
                for library, line in lines.items()
            )
            + "."
            for operation, lines in panels.items()
        ),
        "Seconds (logarithmic) over the round trip in milliseconds: the fastest way of each "
        "library at each delay.",
    )


def _lines(results: Results, operation: str) -> dict[str, list[tuple[float, float]]]:
    """Return by library its points: milliseconds of round trip, seconds."""
    found: dict[str, dict[float, float]] = {}
    for row in results.rows:
        name, _, delay = row.condition.partition("-")
        if row.operation != operation or name != "delay" or not delay.isdecimal():
            continue
        for library in results.libraries:
            way = results.fastest(row, library)
            if way in _drawable(results, row):
                seconds = results.outcome(row, way).wall.median
                known = found.setdefault(library, {}).setdefault(float(delay), seconds)
                found[library][float(delay)] = min(known, seconds)
    lines = {library: sorted(points.items()) for library, points in found.items()}
    # One point is no sweep.
    return {library: line for library, line in lines.items() if len(line) > 1}


def _sweep(
    axis: Any, operation: str, lines: dict[str, list[tuple[float, float]]], results: Results
) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    axis.set_yscale("log")
    axis.set_title(operation)
    last = max(point[0] for line in lines.values() for point in line)
    labels = _labels(lines)
    for library, line in lines.items():
        main = library == OURS
        ink = of_library(library, results.libraries.index(library))
        axis.plot(
            *zip(*line, strict=True),
            color=ink,
            linewidth=2.6 if main else 1.4,
            linestyle="--" if library == REFERENCE else "-",
            marker="o",
            markersize=5 if main else 3.2,
            zorder=4 if main else 3,
        )
        axis.annotate(
            library.replace("-source-dicom", ""),
            xy=line[-1],
            xytext=(line[-1][0] + last * 0.08, 10 ** labels[library]),
            va="center",
            color=ink,
            weight="bold" if main else "normal",
            bbox={"facecolor": colour("paper"), "edgecolor": "none", "alpha": 0.8, "pad": 0.6},
            zorder=5,
            arrowprops={
                "arrowstyle": "-",
                "color": ink,
                "linewidth": 0.6,
                "alpha": 0.6,
                "relpos": (0, 0.5),
                "shrinkA": 0,
                "shrinkB": 3,
            },
        )
    values = [math.log10(point[1]) for line in lines.values() for point in line]
    low, high = min(values), max(values)
    need = _label_height(low, high)
    low = min(low, *labels.values()) - need
    high = max(high, *labels.values()) + need
    axis.set_xlim(-last * 0.03, last * 1.55)
    axis.set_ylim(10**low, 10**high)
    axis.set_xticks(sorted({point[0] for line in lines.values() for point in line}))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} ms"))
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high - low < 1.7 else (1,)))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} s"))
    axis.grid(axis="y")


def _labels(lines: dict[str, list[tuple[float, float]]]) -> dict[str, float]:
    """Return by library the decimal power at which its label stands, right of its last point."""
    values = [math.log10(point[1]) for line in lines.values() for point in line]
    need = _label_height(min(values), max(values))
    found: dict[str, float] = {}
    # A line that ends early (slower ways were not run) has its label where it ends.
    for last in {line[-1][0] for line in lines.values()}:
        ends = {
            library: math.log10(line[-1][1])
            for library, line in lines.items()
            if line[-1][0] == last
        }
        found |= _apart(ends, need)
    return found


def _label_height(low: float, high: float) -> float:
    return max(high - low, 0.5) * 0.09


def _apart(places: dict[str, float], need: float) -> dict[str, float]:
    """Move labels up and down until none covers another; all as little as is needed."""
    order = sorted(places, key=lambda library: places[library])
    # Blocks of labels that touch, each round the mean of where its labels want to be.
    blocks: list[list[str]] = []
    for library in order:
        blocks.append([library])
        while len(blocks) > 1 and _top(blocks[-2], places, need) > _bottom(
            blocks[-1], places, need
        ):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    return {
        library: _bottom(block, places, need) + (at + 0.5) * need
        for block in blocks
        for at, library in enumerate(block)
    }


def _bottom(block: Sequence[str], places: dict[str, float], need: float) -> float:
    return sum(places[library] for library in block) / len(block) - len(block) * need / 2


def _top(block: Sequence[str], places: dict[str, float], need: float) -> float:
    return _bottom(block, places, need) + len(block) * need


# Memory -----------------------------------------------------------------------------------------


def memory(results: Results) -> Figure | None:
    """Draw the memory that each way took, for the operation that takes most of it."""
    taken = {
        (row, way): outcome.memory.median / 1e6
        for row in results.rows
        for way in results.timed(row)
        if (outcome := results.outcome(row, way)).memory is not None
    }
    if not taken:
        return None
    chosen = _largest(results, taken)
    rows = [row for row in results.rows if row in chosen]
    ways = [way for way in results.ways if any((row, way) in taken for row in rows)]
    drawing, axes = lay_out(
        len(rows), min(2, len(rows)), LINE * (lines_of(ways)[-1] + 1.2), left=1.95
    )
    highest = max(taken[row, way] for row in rows for way in ways if (row, way) in taken)
    for at, (row, axis) in enumerate(zip(rows, axes, strict=True)):
        axis.set_title(results.name(row))
        for line, way in zip(lines_of(ways), ways, strict=True):
            if (row, way) not in taken:
                axis.text(0, line, " " + NOTHING, va="center", color=colour("soft"))
                continue
            ours = library_of(way) == OURS
            axis.barh(line, taken[row, way], height=0.66, color=bar_colour(way))
            axis.text(
                taken[row, way] + highest * 0.02,
                line,
                figures(taken[row, way]),
                va="center",
                color=colour("ours" if ours else "ink"),
                weight="bold" if ours else "normal",
            )
        axis.set_ylim(lines_of(ways)[-1] + 0.6, -0.6)
        axis.set_xlim(0, max(highest, 1.0) * 1.18)
        axis.set_yticks([])
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g} MB")
        axis.grid(axis="x")
        if at % 2 == 0:
            name_ways(axis, ways)
    return Figure(
        "memory",
        "Memory",
        save(drawing),
        "Bars: megabytes that each way took. "
        + " ".join(
            f"{results.name(row)}: "
            + ", ".join(f"{way} {figures(taken[row, way])}" for way in ways if (row, way) in taken)
            + "."
            for row in rows
        ),
        "The operations that take most, each under its first condition. Megabytes at the peak, "
        "beyond what was resident before the operation; the pixels that "
        "are returned are part of it.",
    )


def _largest(results: Results, taken: dict[tuple[Row, str], float]) -> set[Row]:
    """Return the rows to show: for each operation that takes much, the first condition."""
    most: dict[str, float] = {}
    for (row, _), value in taken.items():
        most[row.operation] = max(most.get(row.operation, 0.0), value)
    operations = sorted(most, key=lambda name: -most[name])[:4]
    first = {
        name: next(
            row
            for row in results.rows
            if row.operation == name and any((row, way) in taken for way in results.ways)
        )
        for name in operations
    }
    return set(first.values())


def _file(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)
