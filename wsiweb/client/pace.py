"""How many requests at once, and how many frames in each: learnt from the answers.

The right answer differs a hundredfold between archives. One reads a file of 400 MB for every
request, be it for one frame or for a thousand; another takes 1.5 ms for a single frame and 0.3 s
for any list; a third has four workers and 2 ms of work for each frame; and behind all of them is a
network that wants many frames on their way at once. So nothing is assumed of a vendor. For every
number of requests that were under way at once, two figures are kept,

    first   seconds until an answer began,
    each    seconds for each further frame of its list,

and for lists of one frame a third, the seconds for the whole. What a number of waiting frames
would take follows from these for every way to cut them up, and the quickest is chosen.

What has not been tried is thought well of, up to what can be hoped for: half as many requests
would be answered in half the time, if the archive was the bottleneck; twice as many in the same
time, if it was not. So it is tried, once, and then it is known. Figures that have grown old are
forgotten, and all are when an archive suddenly answers otherwise: it is then learnt anew.

A climb by measured throughput was tried on paper and left: it needs dozens of answers for a step,
and a region of 25 tiles is all the reading that some users ever do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

__all__ = ["Known", "Pace", "Plan"]

_OWN = 0.0006  # seconds that a request costs ourselves, however quickly it is answered
_FIRST, _EACH = 0.03, 0.0002  # what is supposed before anything is known
_COLD_PLACES = 4  # requests in the first wave: an archive that suffers from eight is spared them
_WEIGHT = 0.4  # of the newest answer
_OLD = 200  # answers after which a figure is out of date
_OTHERWISE = 3.0  # times slower or quicker than known is another archive, if it happens twice
_NOISE = 0.02  # seconds within which nothing is otherwise
_AGE = 3600.0  # seconds: no answer takes that long
_SLOW = 0.1  # seconds for an answer to begin, from which on it is worth asking for one frame alone
_BUSY = 0.25  # seconds for an answer to begin that no network needs: the archive has work with it


@dataclass(frozen=True, slots=True)
class Plan:
    """How to ask for what waits.

    Attributes
    ----------
    places : int
        Requests to have under way at once.
    frames : int
        Frames in each.
    """

    places: int
    frames: int


class Known(msgspec.Struct):
    """What was learnt of an archive's pace, as it can be kept.

    Attributes
    ----------
    lists : dict
        For numbers of requests under way at once (powers of two), the seconds until an answer
        began, and for each further frame.
    single : float or None
        Seconds for a single frame.
    """

    lists: dict[int, tuple[float, float]] = {}
    single: float | None = None

    def sane(self) -> Known:
        """Return it without what cannot be."""
        lists = {
            places: (first, each)
            for places, (first, each) in self.lists.items()
            if places >= 1 and _bucket(places) == places and 0 <= first < _AGE and 0 <= each < _AGE
        }
        single = self.single if self.single is not None and 0 <= self.single < _AGE else None
        return Known(lists, single if lists else None)


@dataclass(slots=True)
class _Figures:
    first: float
    each: float
    seen: int  # the count of answers when it was last seen

    def take(self, first: float, each: float | None, seen: int) -> None:
        self.first += _WEIGHT * (first - self.first)
        if each is not None:
            self.each += _WEIGHT * (each - self.each)
        self.seen = seen


class Pace:
    """What is known of an archive's speed; for the event loop only.

    Parameters
    ----------
    most_places : int
        Requests that may be under way at once.
    most_frames : int
        Longest list.
    fixed : bool
        Whether lists are always as long as they may be, and all places are used: nothing is
        learnt then.
    known : Known, optional
        What was learnt before.

    Attributes
    ----------
    soonest : float
        Seconds until the quickest answer began, of whatever kind: the network takes no longer. 0
        before any has come. It may be read from any thread.

    Examples
    --------
    >>> pace = Pace(8, 400)
    >>> pace.plan(1000)
    Plan(places=4, frames=250)
    >>> for _ in range(20):  # ten milliseconds for each frame, one after the other
    ...     pace.observe(frames=25, places=4, first=0.04, total=1.0)
    >>> pace.plan(1000).places
    8
    """

    def __init__(
        self,
        most_places: int,
        most_frames: int,
        *,
        fixed: bool = False,
        known: Known | None = None,
    ) -> None:
        self.most_places = most_places
        self.most_frames = most_frames
        self.fixed = fixed
        known = known or Known()
        # By the number of requests that were under way at once.
        self._lists = {key: _Figures(*values, 0) for key, values in known.lists.items()}
        self._single = known.single
        self.soonest = min((figures.first for figures in self._lists.values()), default=0.0)
        self._hint = 0.0  # seconds until the answer to something else began
        self._probed = False  # whether a single frame was asked for, to see
        self._count = 0
        self._strange = 0  # answers in a row that were not as expected

    def known(self) -> Known:
        """Return what has been learnt."""
        lists = {key: (one.first, one.each) for key, one in self._lists.items()}
        return Known(lists, self._single)

    # Asked --------------------------------------------------------------------------------

    @property
    def capacity(self) -> int:
        """Requests that are worth having under way when there is no end of frames."""
        return self.most_places if self.fixed else self._quickest(10_000, 1_000).places

    def plan(self, waiting: int, connected: int = 1_000) -> Plan:
        """Return how to ask for frames.

        Parameters
        ----------
        waiting : int
            Frames that are wanted, one or more.
        connected : int
            Connections that are open already. Another one costs a round trip before anything can
            be asked on it.
        """
        if self.fixed:
            return Plan(self.most_places, min(waiting, self.most_frames))
        if self._should_probe():
            self._probed = True
            return Plan(1, 1)
        return self._quickest(waiting, connected)

    def _quickest(self, waiting: int, connected: int) -> Plan:
        times = {places: self._seconds(waiting, places, connected) for places in self._choices()}
        places = min(times, key=lambda places: (times[places], places))
        if self._single is not None:
            alone = math.ceil(waiting / self.most_places) * self._single + waiting * _OWN
            if alone < times[places]:
                return Plan(self.most_places, 1)
        return Plan(places, self._share(waiting, places))

    def expected(self, frames: int) -> float | None:
        """Return the seconds that a list takes, if that is known well enough to be relied on."""
        if self._count < 10 or not self._lists:
            return None
        slowest = max(self._lists.values(), key=lambda figures: figures.first)
        return slowest.first + frames * slowest.each

    # Told ---------------------------------------------------------------------------------

    def observe(self, *, frames: int, places: int, first: float, total: float) -> None:
        """Take in how an answer came.

        Parameters
        ----------
        frames : int
            Frames in its list.
        places : int
            Most requests that were under way at once while it was.
        first, total : float
            Seconds until its first byte, and until its last.
        """
        self._count += 1
        self._see(first)
        if frames == 1:
            before = self._single
            self._single = total if before is None else before + _WEIGHT * (total - before)
            if not self._lists:
                self._lists[_bucket(places)] = _Figures(first, _EACH, self._count)
            return
        key = _bucket(places)
        known = self._lists.get(key)
        each = max(0.0, total - first) / (frames - 1)
        if known is None:
            self._lists[key] = _Figures(first, each, self._count)
        elif not self._is_strange(known.first, first):
            self._strange = 0
            known.take(first, each, self._count)
        elif self._strange == 0:
            self._strange = 1  # an accident, perhaps: it counts as far as is not strange
            known.take(_bounded(first, known.first), each, self._count)
        else:
            self._strange = 0
            self._lists = {key: _Figures(first, each, self._count)}
            self._single, self._probed = None, False
            self.soonest = first
        for old in [key for key, one in self._lists.items() if self._count - one.seen > _OLD]:
            del self._lists[old]

    def hint(self, first: float) -> None:
        """Take in the seconds until an answer that has no frames began: better than nothing."""
        self._hint = first
        self._see(first)

    def _see(self, first: float) -> None:
        self.soonest = min(self.soonest or first, first)

    @staticmethod
    def _is_strange(known: float, seen: float) -> bool:
        """Whether an answer came far sooner or later than others did."""
        ratio = (seen + _NOISE) / (known + _NOISE)
        return not 1 / _OTHERWISE < ratio < _OTHERWISE

    # Reckoned -----------------------------------------------------------------------------

    def _should_probe(self) -> bool:
        if self._probed or self._single is not None or not self._lists:
            return False
        return min(figures.first for figures in self._lists.values()) > _SLOW

    def _choices(self) -> list[int]:
        """Return the numbers of places to choose from: powers of two, and the most."""
        most = self.most_places if self._lists else min(_COLD_PLACES, self.most_places)
        powers = [2**n for n in range(most.bit_length()) if 2**n < most]
        return [*powers, most]

    def _share(self, waiting: int, places: int) -> int:
        return max(1, min(math.ceil(waiting / places), self.most_frames))

    def _seconds(self, waiting: int, places: int, connected: int) -> float:
        """Return what so many frames would take in so many requests at once."""
        used = min(places, waiting)
        first, each = self._figures(_bucket(used))
        shake = (self.soonest or _FIRST) if used > connected else 0.0
        share = self._share(waiting, used)
        waves = math.ceil(waiting / (share * used))
        return shake + waves * (first + share * each) + math.ceil(waiting / share) * _OWN

    def _figures(self, places: int) -> tuple[float, float]:
        """Return what is known for a number of places, or what may be hoped for."""
        if not self._lists:
            busy = self._hint > _BUSY
            return (self._hint * math.sqrt(places) if busy else _FIRST), _EACH
        known = self._lists.get(places)
        if known is not None:
            return known.first, known.each
        nearest = min(self._lists, key=lambda other: abs(math.log2(other / places)))
        figures, times = self._lists[nearest], places / nearest
        fewer = min(1.0, times)
        # An archive that is busy for so long with one answer will not be as quick with more.
        more = math.sqrt(times) if times > 1 and figures.first > _BUSY else fewer
        return figures.first * more, figures.each * fewer


def _bounded(seen: float, known: float) -> float:
    """Return what was seen, or the nearest to it that would not be strange."""
    low = (known + _NOISE) / _OTHERWISE - _NOISE
    high = (known + _NOISE) * _OTHERWISE - _NOISE
    return max(0.0, low, min(seen, high))


def _bucket(places: int) -> int:
    """Return the power of two that stands for a number of places."""
    return 1 << max(0, round(math.log2(max(1, places))))
