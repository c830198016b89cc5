"""A run, sorted so that one can ask what came of a row that was done in some way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsiweb_benchmarks.statistics import Ratio, Summary, differences, ratio, summarise

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsiweb_benchmarks.model import Measurement, Row, Run, Swept

__all__ = ["OURS", "REFERENCE", "TRANSPORT", "Outcome", "Results", "library_of", "short"]

OURS = "wsiweb"
REFERENCE = "reference"
TRANSPORT = "reference/transport"  # fetches and does not decode: no library could be compared

_SHORT = (  # what a message begins with, and what is said of it in a narrow cell
    ("not offered", "not offered"),
    ("not run", "not run"),
    ("cannot be imported", "no import"),
    ("ended after", "too long"),
)


def library_of(way: str) -> str:
    """Return the library of a way: what comes before the slash."""
    return way.partition("/")[0]


def short(message: str) -> str:
    """Return one or two words for a message."""
    return next((word for start, word in _SHORT if message.startswith(start)), "failed")


def _wall(one: Swept) -> float:
    return one.wall


class Outcome:
    """What came of one row, done in one way.

    Parameters
    ----------
    measurements : iterable of Measurement
        All of them, failed ones too.
    """

    def __init__(self, measurements: Iterable[Measurement]) -> None:
        everything = tuple(measurements)
        self._good = tuple(one for one in everything if not one.error)
        self.errors = tuple(dict.fromkeys(one.error for one in everything if one.error))
        self.failures = len(everything) - len(self._good)
        self.walls: dict[int, float] = {one.repeat: one.wall for one in self._good}

    def __bool__(self) -> bool:
        return bool(self._good)

    @property
    def wall(self) -> Summary | None:
        """Seconds."""
        return summarise(one.wall for one in self._good)

    @property
    def first(self) -> Summary | None:
        """Seconds to the first pixels."""
        return summarise(one.first for one in self._good)

    @property
    def cpu(self) -> Summary | None:
        """Seconds of processor time of the client."""
        return summarise(one.cpu for one in self._good)

    @property
    def server_cpu(self) -> Summary | None:
        """Seconds of processor time of the server, where they are known."""
        return summarise(one.server_cpu for one in self._good if one.server_cpu >= 0)

    @property
    def memory(self) -> Summary | None:
        """Bytes that the operation took: peak minus what was resident before; none unmeasured."""
        return summarise(
            max(0, one.peak_memory - one.base_memory) for one in self._good if one.peak_memory > 0
        )

    def counted(self, name: str) -> float | None:
        """Return the median of what the server counted, where it did: a field's name."""
        found = summarise(
            value for value in (getattr(one, name) for one in self._good) if value >= 0
        )
        return None if found is None else found.median


_NONE = Outcome(())


class Results:
    """A run by row and way.

    Parameters
    ----------
    run : Run

    Attributes
    ----------
    rows : tuple of Row
        In the order of the run's operations, within each condition and slide.
    ways : tuple of str
        Keys, in the order of the run; ways that only measurements know come last.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        sorted_out: dict[tuple[Row, str], list[Measurement]] = {}
        for one in run.measurements:
            sorted_out.setdefault((one.row, one.way), []).append(one)
        self._outcomes = {key: Outcome(found) for key, found in sorted_out.items()}
        seen = {row: None for row, _ in self._outcomes}
        operations = [*run.operations, *(row.operation for row in seen)]
        self.operations = tuple(
            name for name in dict.fromkeys(operations) if any(row.operation == name for row in seen)
        )
        self.groups = tuple(dict.fromkeys((row.condition, row.slide) for row in seen))
        place = {name: at for at, name in enumerate(self.operations)}
        self.rows = tuple(
            row
            for group in self.groups
            for row in sorted(seen, key=lambda row: place[row.operation])
            if (row.condition, row.slide) == group
        )
        known = [way.key for way in run.ways]
        self.ways = tuple(dict.fromkeys([*known, *(way for _, way in self._outcomes)]))
        self.libraries = tuple(dict.fromkeys(map(library_of, self.ways)))

    def outcome(self, row: Row, way: str) -> Outcome:
        """Return what came of it; an empty outcome when it was never tried."""
        return self._outcomes.get((row, way), _NONE)

    def tried(self, row: Row, way: str) -> bool:
        """Return whether there is a measurement, be it a failed one."""
        return (row, way) in self._outcomes

    def rows_of(self, condition: str, slide: str) -> tuple[Row, ...]:
        """Return the rows of one condition and slide."""
        return tuple(row for row in self.rows if (row.condition, row.slide) == (condition, slide))

    # Ways of a row ------------------------------------------------------------------------------

    def timed(self, row: Row) -> tuple[str, ...]:
        """Return the ways that have a time and pixels, so not the bare transport."""
        return tuple(way for way in self.ways if way != TRANSPORT and self.outcome(row, way))

    def fastest(self, row: Row, library: str) -> str | None:
        """Return a library's way with the smallest median."""
        mine = [way for way in self.timed(row) if library_of(way) == library]
        return min(mine, key=lambda way: self.outcome(row, way).wall.median, default=None)

    def reference(self, row: Row) -> str | None:
        """Return the way that is the attainable limit, when it has a time."""
        return self.fastest(row, REFERENCE)

    def ours(self, row: Row) -> str | None:
        """Return wsiweb's fast way; another one only where that has no time."""
        fast = f"{OURS}/fast"
        return fast if self.outcome(row, fast) else self.fastest(row, OURS)

    def peers(self, row: Row) -> tuple[str, ...]:
        """Return the ways of other libraries that have a time, fastest first."""
        others = [way for way in self.timed(row) if library_of(way) not in (OURS, REFERENCE)]
        return tuple(sorted(others, key=lambda way: self.outcome(row, way).wall.median))

    # Comparing ----------------------------------------------------------------------------------

    def ratio(self, row: Row, way: str | None, other: str | None) -> Ratio | None:
        """Return how much longer one way takes than another; None when one has no time."""
        if way is None or other is None:
            return None
        return ratio(self.outcome(row, way).walls, self.outcome(row, other).walls)

    def beyond(self, row: Row, way: str | None, other: str) -> Summary | None:
        """Return how many seconds longer one way takes than another, pair by pair."""
        if way is None:
            return None
        return differences(self.outcome(row, way).walls, self.outcome(row, other).walls)

    def learnt(self) -> list[tuple[Row, Swept, Swept]]:
        """Return the rows that were swept: what was learnt, and the best fixed settings."""
        found: list[tuple[Row, Swept, Swept]] = []
        for row in dict.fromkeys(one.row for one in self.run.swept):
            timed = [one for one in self.run.swept if one.row == row and one.walls]
            chosen = next((one for one in timed if one.learnt), None)
            best = min((one for one in timed if not one.learnt), key=_wall, default=None)
            if chosen is not None and best is not None:
                found.append((row, chosen, best))
        return found

    def unlearnt(self) -> list[tuple[Row, str]]:
        """Return the rows that were swept where what was learnt has failed, and why."""
        return [(one.row, one.error) for one in self.run.swept if one.learnt and not one.walls]

    # Words --------------------------------------------------------------------------------------

    def place(self, condition: str, slide: str) -> str:
        """Return a condition, and the slide where several were measured under it."""
        several = sum(name == condition for name, _ in self.groups) > 1
        return f"{condition}, {slide}" if several else condition

    def name(self, row: Row) -> str:
        """Return a row in a few words."""
        return f"{row.operation} · {self.place(row.condition, row.slide)}"
