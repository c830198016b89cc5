from __future__ import annotations

import asyncio
from types import SimpleNamespace

import numpy as np
import pytest

from wsiweb.results.reading.extremes import extremes


def looked_at(values, rows=16, **more):
    """The extremes of an array, and which rows were read for them."""
    image = SimpleNamespace(size=values.shape[::-1], tile_size=(rows, rows))
    seen = []

    async def read(location, size):
        seen.append((location[1], size[1]))
        (x, y), (width, height) = location, size
        return values[y : y + height, x : x + width]

    return asyncio.run(extremes(read, image, **more)), seen


def test_all_of_a_map_is_looked_at_strip_by_strip():
    values = np.random.default_rng(0).random((70, 30)) - 0.5
    values[3:20] = np.nan
    values[69, 29] = np.inf  # no value
    found, seen = looked_at(values)
    there = values[np.isfinite(values)]
    assert found == (there.min(), there.max())
    assert seen == [(0, 16), (16, 16), (32, 16), (48, 16), (64, 6)]


def test_a_map_without_values_has_none():
    assert looked_at(np.full((20, 20), np.nan))[0] is None


def test_of_a_large_map_strips_that_lie_evenly():
    values = np.repeat(np.arange(160.0), 10).reshape(160, 10)
    found, seen = looked_at(values, most=16 * 10 * 3)
    assert [top for top, _ in seen] == [0, 64, 144]
    assert found == pytest.approx((0, 159))
