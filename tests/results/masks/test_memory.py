"""A mask is never in memory as a whole, whatever it is given as and written as."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from results.about import objects_in
from results.masks.sized import sized

from wsiweb.results.masks.mask import add_mask

EDGE = 8192
NOISE = np.random.default_rng(0).integers(0, 2, (2 * EDGE, 64), np.uint8)


def noise(location, size):
    """No tile of it is empty, and none becomes smaller by compression."""
    rows = NOISE[location[1] + location[0] // 64 :][: size[1]]
    return np.tile(rows, -(-size[0] // 64))[:, : size[0]]


def squares(location, size):
    (x, y), (width, height) = location, size
    down, across = np.arange(y, y + height) // 100 % 3, np.arange(x, x + width) // 100 % 3
    # In bytes all the way: what is measured here shall not be the test's own.
    return np.maximum.outer(down.astype(np.uint8), across.astype(np.uint8))


def shares(location, size):
    return np.multiply(squares(location, size), 0.5, dtype=np.float32)


@pytest.mark.parametrize(
    ("given", "told", "most"),
    [
        (noise, {"segments": "Tissue"}, EDGE**2 / 3),
        (squares, {"segments": ["Tissue", "Necrosis"], "profile": "standard"}, EDGE**2 / 3),
        (shares, {"segments": "Tissue"}, 4 * EDGE**2 / 2),  # which are given in 32 bits
    ],
)
def test_a_large_mask_is_never_in_memory(tmp_path, given, told, most):
    def make(edge):
        source = sized((edge, edge), (1, 2, 4, 8))
        objects = objects_in(tmp_path / str(edge), source)
        return add_mask(source, objects, given, level=0, tile_size=512, **told)

    make(512)  # what is imported and kept once
    tracemalloc.start()
    try:
        made = make(EDGE)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(made) == 4
    assert peak < most
