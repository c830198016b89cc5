from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wsiweb.results.images.areas import Areas, Cut
from wsiweb.writing.rows import Cascade, Miniature


class Kept(Miniature):
    """Keeps all rows, and whether it was told that there are no more."""

    ended = False

    def finish(self):
        self.ended = True


def reduced(picture, size, factor, cuts):
    """Feed a picture in pieces."""
    kept = Kept()
    areas = Areas((picture.shape[1], picture.shape[0]), size, factor, kept)
    for part in np.split(picture, sorted(cuts)):
        areas.feed(part)
    areas.finish()
    assert kept.ended
    return kept.picture()


def mean(line, begin, end):
    """The mean of a line between two places, by the definition."""
    begin, end = min(begin, len(line) - 1), min(end, len(line))
    parts = [
        (line[cell], min(cell + 1, end) - max(cell, begin))
        for cell in range(math.floor(begin), math.ceil(end))
    ]
    return sum(value * weight for value, weight in parts) / sum(weight for _, weight in parts)


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(2, 23),
    height=st.integers(2, 23),
    factor=st.floats(1, 5),
    more=st.integers(0, 1),
    cuts=st.lists(st.integers(0, 22), max_size=3),
    seed=st.integers(0, 99),
)
def test_each_pixel_is_the_mean_of_its_area(width, height, factor, more, cuts, seed):
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)
    size = (max(1, int(width / factor)) + more, max(1, int(height / factor)) + more)
    found = reduced(picture, size, factor, [cut for cut in cuts if cut < height])
    for y in range(size[1]):
        columns = np.array(
            [mean(picture[:, x].astype(float), y * factor, (y + 1) * factor) for x in range(width)]
        )
        for x in range(size[0]):
            expected = mean(columns, x * factor, (x + 1) * factor)
            assert np.abs(found[y, x] - expected).max() <= 0.5 + 1e-6


@given(st.integers(2, 5), st.integers(1, 30), st.integers(1, 30))
def test_a_whole_factor_gives_what_plain_means_give(factor, width, height):
    picture = np.random.default_rng(1).integers(0, 256, (height, width, 3)).astype(np.uint8)
    size = (-(-width // factor), -(-height // factor))
    plain = Kept()
    cascade = Cascade([(factor, plain)])
    cascade.feed(picture)
    cascade.finish()
    difference = reduced(picture, size, factor, []).astype(int) - plain.picture()
    assert np.abs(difference).max() <= 1  # halves may fall to either side
    assert (difference != 0).mean() < 0.1


def test_what_is_beyond_a_size_is_cut_off():
    kept = Kept()
    cut = Cut((3, 5), kept)
    picture = np.arange(7 * 4).reshape(7, 4, 1)
    for rows in (picture[:4], picture[4:6], picture[6:]):
        cut.feed(rows)
    cut.finish()
    np.testing.assert_array_equal(kept.picture(), picture[:5, :3])
    assert kept.ended
