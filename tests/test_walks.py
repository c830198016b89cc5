from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsiweb.walks import Place, Walk

MOST = 256


def place(x, y, size=(256, 256), level=(0, 0, 0)):
    return Place(level, (x, y), size)


def follow(places, most=MOST):
    """Walk; return which places were not foreseen, and all that were, each as often as it was."""
    walk, foreseen, missed = Walk(most), [], []
    for step in places:
        if step not in foreseen:
            missed.append(step)
        foreseen += walk.go(step)
        assert len(walk._foreseen) <= most
    return missed, foreseen


STEPS = st.integers(-600, 600).filter(bool)


@given(STEPS, STEPS, st.integers(3, 300))
def test_a_straight_walk_is_foreseen_from_its_third_step(dx, dy, length):
    for step in ((dx, 0), (0, dy), (dx, dy)):
        places = [place(step[0] * n, step[1] * n) for n in range(length)]
        missed, foreseen = follow(places)
        assert missed == places[:2]
        assert len(foreseen) == len(set(foreseen))


@given(st.integers(2, 24), st.integers(2, 24), STEPS, STEPS, st.booleans())
def test_a_grid_is_foreseen_from_its_second_row(columns, rows, dx, dy, by_column):
    if by_column:
        places = [place(c * dx, r * dy) for c in range(columns) for r in range(rows)]
    else:
        places = [place(c * dx, r * dy) for r in range(rows) for c in range(columns)]
    missed, foreseen = follow(places)
    corner = rows if by_column else columns
    assert set(missed) <= {*places[:2], *places[corner : corner + 2]}
    # What was foreseen in vain is bounded: one look ahead in a straight line, one beyond the end.
    assert len(set(foreseen) - set(places)) <= 2 * MOST


@given(st.integers(0, 2**32))
def test_a_random_walk_foresees_next_to_nothing(seed):
    rng = random.Random(seed)
    places = [place(rng.randrange(96) * 256, rng.randrange(96) * 256) for _ in range(300)]
    _, foreseen = follow(places)
    assert len(foreseen) <= 100  # a few pairs of steps are alike by chance


def test_a_walk_on_another_level_or_of_another_size_is_another():
    walk = Walk(MOST)
    for x in range(5):
        walk.go(place(x * 256, 0))
    assert walk.go(place(5 * 256, 0, level=(1, 0, 0))) == []
    assert not walk.goes_on
    assert walk.go(place(6 * 256, 0, size=(128, 128))) == []


def test_reading_one_place_over_and_over_is_no_walk():
    walk = Walk(MOST)
    assert [walk.go(place(0, 0)) for _ in range(5)] == [[]] * 5


def test_little_is_foreseen_at_first_and_more_when_it_was_right():
    walk = Walk(MOST)
    counts = [len(walk.go(place(x * 256, 0))) for x in range(100)]
    seen = [count for count in counts if count]
    assert seen[0] == 8
    assert seen[1] > 4 * seen[0]
    assert max(seen) <= MOST


def test_a_bound_of_one_is_kept():
    missed, foreseen = follow([place(x * 256, 0) for x in range(20)], most=1)
    assert len(missed) == 2
    assert len(foreseen) == 19


@given(st.integers(2, 24), st.integers(2, 24), STEPS, STEPS, st.booleans(), st.integers(1, 300))
def test_each_place_of_a_grid_is_foreseen_once(columns, rows, dx, dy, by_column, most):
    inner, outer = (rows, columns) if by_column else (columns, rows)
    places = [
        place(o * dx, i * dy) if by_column else place(i * dx, o * dy)
        for o in range(outer)
        for i in range(inner)
    ]
    missed, foreseen = follow(places, most)
    inside = [one for one in foreseen if one in set(places)]
    assert len(inside) == len(set(inside))
    assert len(missed) <= 4
    assert len(foreseen) <= len(places) + 2 * most


def test_places_are_foreseen_before_they_are_asked_for_and_never_after():
    walk, asked, foreseen = Walk(MOST), set(), []
    for y in range(12):
        for x in range(30):
            here = place(x * 256, y * 256)
            asked.add(here)
            coming = walk.go(here)
            assert not asked.intersection(coming)
            foreseen += coming
    assert len(foreseen) == len(set(foreseen))


@pytest.mark.parametrize("length", [2, 3, 5, 8, 16, 64])
def test_a_walk_that_turns_at_each_end_looks_ahead_in_vain_once_for_each_turn(length):
    places = [
        place((x if y % 2 == 0 else length - 1 - x) * 256, y * 256)
        for y in range(20)
        for x in range(length)
    ]
    missed, foreseen = follow(places)
    assert len(missed) <= 3 * 20
    # In vain at each turn: one look ahead, and what was left of the one before.
    assert len(foreseen) <= 20 * (MOST + length)


@given(st.lists(st.integers(1, 12), min_size=2, max_size=30), st.integers(1, 64))
def test_rows_of_any_lengths_are_walked_within_bounds(lengths, most):
    places = [place(x * 256, y * 256) for y, length in enumerate(lengths) for x in range(length)]
    missed, _ = follow(places, most)
    assert len(missed) <= 3 * len(lengths) + sum(
        max(0, here - before) for before, here in zip([0, *lengths], lengths, strict=False)
    )


@given(
    st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2)), max_size=200), st.integers(1, 32)
)
def test_whatever_the_steps_what_is_foreseen_is_bounded(steps, most):
    walk, x, y = Walk(most), 0, 0
    for dx, dy in steps:
        x, y = x + dx, y + dy
        coming = walk.go(place(x, y))
        assert len(coming) <= most
        assert len(walk._foreseen) <= most
        assert len(set(coming)) == len(coming)
        assert place(x, y) not in coming
