"""Recognises a walk over a slide from the steps taken, and says where it will go on.

A plain ``for`` loop over the tiles of a row, a column or a grid asks for one region after the
other, and would wait for each. Two steps of one kind are a walk; where it goes next is fetched
ahead, a little at first, and more the longer it is right. At the end of a row the walk jumps to the
beginning of the next: from then on the length of the rows is known, and what is fetched ahead goes
round the corner. After a walk that ended soon, the next one is trusted less.

Pure: it knows regions as numbers, and fetches nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Place", "Walk"]

_FIRST, _GROWTH = 8, 8  # regions ahead after the second step, and how many times more each time

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Place:
    """A region of a level: which level (and channel, and focal plane), where, and how large."""

    level: tuple[int, int, int]
    location: Pair
    size: Pair

    def moved(self, step: Pair, times: int = 1) -> Place:
        """Return the place some steps further on."""
        x, y = self.location
        return Place(self.level, (x + step[0] * times, y + step[1] * times), self.size)

    def step_to(self, other: Place) -> Pair | None:
        """Return the step to another place of the same kind; None if it is of another."""
        if (self.level, self.size) != (other.level, other.size):
            return None
        return other.location[0] - self.location[0], other.location[1] - self.location[1]


@dataclass
class Walk:
    """The regions that one thread reads from a slide, one after the other.

    Parameters
    ----------
    most : int
        Regions to look ahead at most.
    first : int
        Regions to look ahead when a walk is recognised.

    Examples
    --------
    >>> walk = Walk(most=64)
    >>> steps = [Place((0, 0, 0), (x, 0), (256, 256)) for x in (0, 256, 512)]
    >>> [[place.location[0] // 256 for place in walk.go(step)] for step in steps[:2]]
    [[], [2, 3, 4, 5, 6, 7, 8, 9]]
    >>> len(walk.go(steps[2]))
    57
    """

    most: int
    first: int = _FIRST
    _last: Place | None = None
    _step: Pair | None = None
    _start: Place | None = None  # where the row began
    _length: int = 1  # of the row, in regions, so far
    _rows: Pair | None = None  # from the start of a row to the start of the next, once seen
    _row_length: int = 0  # of a whole row, once seen
    _foreseen: dict[Place, None] = field(default_factory=dict[Place, None])
    _newest: int = 0  # how many were foreseen last
    _walked: int = 1  # steps, rows and all
    _careful: int = 2**30  # regions ahead at most, until the walk is that long
    _ahead: int = 0  # regions, if it goes on

    @property
    def goes_on(self) -> bool:
        """Whether the last step was one of a walk."""
        return bool(self._foreseen)

    def go(self, place: Place) -> list[Place]:
        """Take a step; return the places that should be fetched ahead now, in order.

        Each place is returned once in a walk. Most calls return nothing: more is foreseen when the
        walk comes to what was foreseen last.
        """
        if place == self._last:
            return []
        step = None if self._last is None else self._last.step_to(place)
        if self._last is None or step is None:
            self._begin(place)
            return []
        expected = place in self._foreseen
        if expected:
            while self._foreseen and next(iter(self._foreseen)) != place:
                del self._foreseen[next(iter(self._foreseen))]  # passed over: a corner was cut
            del self._foreseen[place]
        if not self._follow(place, step):
            return []
        if expected and len(self._foreseen) >= self._newest:
            return []
        if expected or not self._foreseen:
            grown = self._ahead * _GROWTH if expected else self._ahead
            careful = self._careful if self._walked < self._careful else self.most
            self._ahead = min(self.most, grown, careful)
        return self._foresee(place)

    def _begin(self, place: Place) -> None:
        if self._walked > 2:  # the next walk may end as soon as this one did
            self._careful = max(self.first, 2 * self._walked)
        self._walked = 1
        self._last = self._start = place
        self._step = self._rows = None
        self._length, self._row_length = 1, 0
        self._foreseen.clear()
        self._ahead = self.first

    def _follow(self, place: Place, step: Pair) -> bool:
        """Note a step; tell whether it belongs to a walk."""
        last, self._last = self._last, place
        self._walked += 1
        assert last is not None  # noqa: S101 - a step has a beginning
        assert self._start is not None  # noqa: S101 - it is set with the first place
        if self._step is None:
            self._step = step
            self._length = 2
            return step != (0, 0)
        if step == self._step:
            self._length += 1
            return True
        rows = self._start.step_to(place)
        if rows is not None and self._length > 1 and _is_across(rows, self._step):
            if rows != self._rows or self._length != self._row_length:
                self._foreseen.clear()  # it went beyond the row's end
            self._rows, self._row_length = rows, self._length
            self._start, self._length = place, 1
            return True
        self._walked -= 1
        self._begin(last)
        self._last, self._step, self._length, self._walked = place, step, 2, 2
        return False

    def _foresee(self, place: Place) -> list[Place]:
        """Return what comes after a place and was not foreseen yet."""
        fresh: list[Place] = []
        for coming in islice(self._coming(place), self._ahead):
            if coming not in self._foreseen:
                self._foreseen[coming] = None
                fresh.append(coming)
        self._newest = len(fresh) or self._newest
        return fresh

    def _coming(self, place: Place) -> Iterator[Place]:
        """Go on for ever as the walk has gone so far."""
        assert self._step is not None  # noqa: S101 - a walk has a step
        assert self._start is not None  # noqa: S101 - and a start
        if self._rows is None:
            while True:
                place = place.moved(self._step)
                yield place
        start, column = self._start, self._length
        while True:
            while column < self._row_length:
                yield start.moved(self._step, column)
                column += 1
            start, column = start.moved(self._rows), 0


def _is_across(rows: Pair, step: Pair) -> bool:
    """Whether a jump from row to row is at a right angle to the steps within a row."""
    return (rows[0] == 0) != (rows[1] == 0) and rows[0] * step[0] + rows[1] * step[1] == 0
