from __future__ import annotations

import heapq
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsiweb.client.pace import Known, Pace, Plan

MOST = 400


class Archive:
    """A made-up archive: workers that take some seconds for a request, and some for each frame."""

    def __init__(self, round_trip, workers, request, frame, *, streams=True):
        self.round_trip, self.request, self.frame = round_trip, request, frame
        self.streams = streams
        self._free = [0.0] * workers
        self._line = 0.0

    def begin(self, now, frames):
        """Take a request; return when its answer begins, and when it ends."""
        begin = max(heapq.heappop(self._free), now + self.round_trip / 2)
        done = begin + self.request(frames) + frames * self.frame
        heapq.heappush(self._free, done)
        self._line = max(self._line, done) + frames * 20e-6
        first = begin + self.request(frames) + self.frame if self.streams else done
        return first + self.round_trip / 2, self._line + self.round_trip / 2


ARCHIVES = {
    "near": lambda: Archive(0.001, 16, lambda _: 0.0005, 20e-6),
    "20 ms away": lambda: Archive(0.02, 64, lambda _: 0.0005, 20e-6),
    "100 ms away": lambda: Archive(0.1, 64, lambda _: 0.0005, 20e-6),
    "four busy workers": lambda: Archive(0.02, 4, lambda _: 0.0, 2e-3),
    "reads 400 MB for each request": lambda: Archive(0.001, 2, lambda _: 1.1, 1e-4, streams=False),
    "reads a few MB for each request": lambda: Archive(
        0.001, 2, lambda _: 0.002, 2e-4, streams=False
    ),
    "single frames at once, lists slowly": lambda: Archive(
        0.001, 2, lambda frames: 0.0015 if frames == 1 else 0.3, 1e-4, streams=False
    ),
}


def read(archive, wanted, choose, observe=lambda **_: None):
    """Read some frames as `wsiweb.frames.departures` does; return the seconds that it took."""
    now, left, ends, under_way = 0.0, wanted, [], {}
    while left or under_way:
        while left:
            wave = choose(left, len(under_way))
            if not wave:
                break
            for frames in wave:
                first, end = archive.begin(now, frames)
                key = len(ends) + len(under_way) + wanted + left
                left -= frames
                while key in under_way:
                    key += 1
                under_way[key] = [now, frames, 1, first, end]
            for one in under_way.values():
                one[2] = max(one[2], len(under_way))
        key = min(under_way, key=lambda one: under_way[one][4])
        began, frames, places, first, now = under_way.pop(key)
        ends.append(now)
        observe(frames=frames, places=places, first=first - began, total=now - began)
    return now


def learning(pace):
    def choose(left, under_way):
        plan = pace.plan(left)
        free = min(plan.places, max(plan.places, pace.capacity) - under_way)
        wave = []
        while free > 0 and left > 0:
            share = 1 if plan.frames == 1 else min(MOST, math.ceil(left / free))
            wave.append(min(share, left))
            left -= wave[-1]
            free -= 1
        return wave

    return choose


def fixed(places, frames):
    def choose(left, under_way):
        wave = []
        while left > 0 and under_way + len(wave) < places:
            wave.append(min(frames, left))
            left -= wave[-1]
        return wave

    return choose


def best_of_a_sweep(make, wanted):
    return min(
        read(make(), wanted, fixed(places, frames))
        for places in (1, 2, 4, 8)
        for frames in (1, 2, 4, 8, 16, 32, 64, 128, 250, MOST)
    )


@pytest.mark.parametrize("name", ARCHIVES)
def test_after_some_reading_it_is_as_quick_as_the_best_fixed_setting(name):
    make, pace = ARCHIVES[name], Pace(8, MOST)
    for _ in range(4):
        read(make(), 500, learning(pace), pace.observe)
    learnt = [read(make(), 500, learning(pace), pace.observe) for _ in range(5)]
    assert sorted(learnt)[2] <= 1.2 * best_of_a_sweep(make, 500)


@pytest.mark.parametrize("portion", [25, 100, 500])
@pytest.mark.parametrize("name", ARCHIVES)
def test_the_first_500_frames_are_enough_to_learn_from(name, portion):
    make, pace = ARCHIVES[name], Pace(8, MOST)
    for _ in range(500 // portion):
        read(make(), portion, learning(pace), pace.observe)
    learnt = [read(make(), 500, learning(pace), pace.observe) for _ in range(5)]
    assert sorted(learnt)[2] <= 1.2 * best_of_a_sweep(make, 500)


@pytest.mark.parametrize("name", sorted(set(ARCHIVES) - {"near"}))
def test_the_first_reading_of_an_unknown_archive_is_not_far_off(name):
    make, pace = ARCHIVES[name], Pace(8, MOST)
    cold = read(make(), 500, learning(pace), pace.observe)
    assert cold <= 2.5 * best_of_a_sweep(make, 500)


@pytest.mark.parametrize("before", ["20 ms away", "four busy workers"])
@pytest.mark.parametrize("after", ["reads 400 MB for each request", "100 ms away"])
def test_it_learns_anew_when_the_archive_changes(before, after):
    pace = Pace(8, MOST)
    for _ in range(6):
        read(ARCHIVES[before](), 500, learning(pace), pace.observe)
    for _ in range(4):
        read(ARCHIVES[after](), 500, learning(pace), pace.observe)
    learnt = [read(ARCHIVES[after](), 500, learning(pace), pace.observe) for _ in range(5)]
    assert sorted(learnt)[2] <= 1.2 * best_of_a_sweep(ARCHIVES[after], 500)


@pytest.mark.parametrize("before", ["near", "20 ms away", "four busy workers"])
@pytest.mark.parametrize(
    "after",
    ["100 ms away", "reads 400 MB for each request", "single frames at once, lists slowly"],
)
def test_500_frames_are_enough_to_learn_anew(before, after):
    pace = Pace(8, MOST)
    for _ in range(6):
        read(ARCHIVES[before](), 500, learning(pace), pace.observe)
    for _ in range(5):
        read(ARCHIVES[after](), 100, learning(pace), pace.observe)
    for wanted in (100, 500):
        learnt = [read(ARCHIVES[after](), wanted, learning(pace), pace.observe) for _ in range(5)]
        assert sorted(learnt)[2] <= 1.2 * best_of_a_sweep(ARCHIVES[after], wanted)


def test_another_archive_twice_in_a_row_makes_it_forget_what_it_knew():
    pace = Pace(8, MOST)
    for places in (1, 2, 4, 8) * 5:
        pace.observe(frames=50, places=places, first=0.02, total=0.03)
    pace.observe(frames=50, places=2, first=2.0, total=2.1)
    assert set(pace.known().lists) == {1, 2, 4, 8}  # it may have been an accident
    pace.observe(frames=50, places=4, first=2.0, total=2.1)
    assert pace.known().lists == {4: pytest.approx((2.0, 0.1 / 49))}


def test_figures_that_were_not_seen_for_long_are_forgotten():
    pace = Pace(8, MOST)
    pace.observe(frames=50, places=8, first=0.02, total=0.03)
    for _ in range(300):
        pace.observe(frames=50, places=2, first=0.02, total=0.03)
    assert set(pace.known().lists) == {2}


def test_what_was_known_is_gone_on_from():
    first = Pace(8, MOST)
    for _ in range(10):
        read(ARCHIVES["four busy workers"](), 500, learning(first), first.observe)
    second = Pace(8, MOST, known=first.known())
    assert [second.plan(n) for n in (1, 25, 500, 9999)] == [
        first.plan(n) for n in (1, 25, 500, 9999)
    ]


def test_few_frames_go_over_the_connection_that_is_open():
    pace = Pace(8, MOST)
    pace.observe(frames=8, places=1, first=0.05, total=0.052)
    assert pace.plan(25, connected=1).places == 1


def test_a_slow_answer_to_anything_else_is_a_hint():
    pace = Pace(8, MOST)
    pace.hint(1.5)
    assert pace.plan(300).places == 1


def test_fixed_means_fixed():
    pace = Pace(3, 7, fixed=True)
    for _ in range(50):
        pace.observe(frames=7, places=3, first=2.0, total=3.0)
    assert (pace.plan(100).places, pace.plan(100).frames, pace.plan(2).frames) == (3, 7, 2)


SECONDS = st.floats(0, 7200) | st.just(0.0)
ANSWERS = st.lists(
    st.tuples(st.integers(1, 500), st.integers(1, 40), SECONDS, SECONDS), max_size=60
)


@given(ANSWERS, st.integers(1, 20), st.integers(1, 500), st.integers(1, 10**6), st.integers(0, 99))
def test_a_plan_is_always_within_its_limits(answers, most_places, most_frames, waiting, connected):
    pace = Pace(most_places, most_frames)
    longest = 0.0
    for frames, places, first, more in answers:
        longest = max(longest, first + more)
        pace.observe(frames=frames, places=places, first=first, total=first + more)
        plan = pace.plan(waiting, connected)
        assert 1 <= plan.places <= most_places
        assert 1 <= plan.frames <= most_frames
        assert 1 <= pace.capacity <= most_places
        expected = pace.expected(10)
        assert expected is None or expected >= 0


def test_what_cannot_be_is_not_believed():
    known = Known({0: (1.0, 1.0), 3: (1.0, 1.0), 4: (-1.0, 0.0), 8: (0.5, 0.001)}, math.nan)
    assert known.sane() == Known({8: (0.5, 0.001)}, None)


def test_asking_for_the_capacity_does_not_use_up_the_probe():
    pace = Pace(8, MOST)
    pace.observe(frames=20, places=2, first=0.3, total=0.31)
    assert pace.capacity > 1
    assert pace.plan(100) == Plan(1, 1)
    assert pace.plan(100) != Plan(1, 1)


def test_the_soonest_answer_is_of_any_kind_and_forgotten_with_the_rest():
    pace = Pace(8, MOST)
    assert pace.soonest == 0.0
    pace.hint(0.8)
    pace.observe(frames=20, places=2, first=0.4, total=0.5)
    pace.observe(frames=1, places=2, first=0.002, total=0.003)
    assert pace.soonest == 0.002
    pace.hint(0.5)
    assert pace.soonest == 0.002
    for _ in range(2):
        pace.observe(frames=20, places=2, first=3.0, total=3.1)
    assert pace.soonest == 3.0
