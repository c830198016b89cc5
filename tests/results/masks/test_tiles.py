from __future__ import annotations

import threading
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from results.masks.drawn import picked
from results.masks.sized import sized

from wsiweb.results.masks import tiles
from wsiweb.results.masks.encoding import Binary, Fractional, LabelMap
from wsiweb.results.masks.grid import Grid
from wsiweb.results.masks.scratch import Scratch
from wsiweb.results.masks.tiles import CoarserLevel, FrameStore, Partials
from wsiweb.results.planes import Plane

KEYS = [(1, column, row) for column in range(4) for row in range(4)]


class Kept(FrameStore):
    """Keeps tiles as they are."""

    def __init__(self, grid):
        super().__init__(grid, LabelMap(8), None)
        self.pixels = np.zeros(grid.size[::-1], np.uint8)
        self.added = []

    def add(self, column, row, tile):
        self.added.append((column, row))
        block = self.grid.block(column, row)
        (x, y), (width, height) = block.location, block.size
        self.pixels[y : y + height, x : x + width] = tile[:height, :width]


@settings(deadline=None)  # it writes files
@given(some.lists(some.tuples(some.sampled_from(KEYS), some.integers(0, 7)), max_size=80))
def test_tiles_that_wait_are_the_same_in_memory_and_on_disk(tmp_path_factory, steps):
    # Closed in any case: hypothesis gives examples up half-way.
    with closing(Scratch(tmp_path_factory.getbasetemp())) as scratch:
        partials = Partials((8, 8), np.dtype("u1"), scratch, budget=3 * 64)
        expected = {}
        for number, (key, row) in enumerate(steps, 1):
            if row == 7:
                taken = partials.pop(key)
                wanted = expected.pop(key, None)
                assert (taken is None) == (wanted is None)
                assert taken is None or (taken == wanted).all()
            else:
                partials.paste(key, (slice(row, row + 1), slice(0, 8)), np.full((1, 8), number))
                expected.setdefault(key, np.zeros((8, 8), np.uint8))[row] = number
        assert sorted(partials.keys()) == sorted(expected)
        for key, wanted in expected.items():
            assert (partials.pop(key) == wanted).all()


def test_memory_holds_no_more_than_the_budget(tmp_path):
    scratch = Scratch(tmp_path)
    partials = Partials((8, 8), np.dtype("u2"), scratch, budget=1000)
    for key in KEYS:
        partials.paste(key, (slice(0, 1), slice(0, 1)), np.ones((1, 1), np.uint16))
        assert sum(tile.nbytes for tile in partials._held.values()) <= 1000
    assert len(partials._spilt) > 8
    assert list(tmp_path.iterdir()) == []  # what is on disk has no name
    scratch.close()


@settings(deadline=None)  # the first slide is slow to make
@given(
    some.tuples(some.integers(1, 200), some.integers(1, 200)),
    some.sampled_from([2, 3, 4, 7, 16]) | some.floats(1.2, 40),
    some.sampled_from([np.ceil, np.floor]),
    some.tuples(some.integers(16, 50), some.integers(16, 50)),
    some.integers(1, 4),
    some.randoms(use_true_random=False),
    some.booleans(),
)
def test_a_coarser_level_has_the_pixels_under_its_centres(
    tmp_path_factory, size, factor, rounded, tile, wide, random, sparse
):
    source = sized(size, (1, factor), rounded=rounded)
    if len(source.pyramid.levels) < 2:
        return  # of one size: no level of a pyramid
    base, plane = (Plane.at_level(source.pyramid, number) for number in (0, 1))
    mask = np.random.default_rng(random.randrange(99)).integers(1, 250, size[::-1], np.uint8)
    # Closed in any case: hypothesis gives examples up half-way.
    with closing(Scratch(tmp_path_factory.getbasetemp())) as scratch:
        store = Kept(Grid(plane.size, tile))
        partials = Partials(tile[::-1], np.dtype("u1"), scratch, budget=0)
        level = CoarserLevel(base, plane, store, partials, 1)
        grid = Grid(size, (tile[0] * wide, tile[1]))
        blocks = [grid.block(*place) for place in np.ndindex(grid.columns, grid.rows)]
        random.shuffle(blocks)
        for block in blocks:
            (x, y), (width, height) = block.location, block.size
            part = mask[y : y + height, x : x + width]
            if sparse and random.random() < 0.4:
                part[...] = 0
                level.take(block, None)
            else:
                level.take(block, part)
        assert (store.pixels == picked(mask, plane.downsample, plane.size)).all()
        assert partials.keys() == []  # all of them were whole without being told to finish
        assert len(set(store.added)) == len(store.added)


def test_what_never_comes_is_background(tmp_path):
    source = sized((200, 100), (1, 2))
    base, plane = (Plane.at_level(source.pyramid, number) for number in (0, 1))
    scratch = Scratch(tmp_path)
    store = Kept(Grid(plane.size, (32, 32)))
    partials = Partials((32, 32), np.dtype("u1"), scratch, budget=10**6)
    level = CoarserLevel(base, plane, store, partials, 1)
    grid = Grid((200, 100), (32, 32))
    level.take(grid.block(1, 1), np.full((32, 32), 9, np.uint8))
    assert store.added == []
    level.finish()
    expected = np.zeros((50, 100), np.uint8)
    expected[16:32, 16:32] = 9
    assert (store.pixels == expected).all()
    scratch.close()


def test_levels_take_parts_from_several_threads(tmp_path):
    source = sized((2000, 1500), (1, 3))
    base, plane = (Plane.at_level(source.pyramid, number) for number in (0, 1))
    mask = np.random.default_rng(1).integers(0, 9, (1500, 2000), np.uint8)
    scratch = Scratch(tmp_path)
    store = Kept(Grid(plane.size, (64, 64)))
    partials = Partials((64, 64), np.dtype("u1"), scratch, budget=4 * 64 * 64)
    level = CoarserLevel(base, plane, store, partials, 1)
    grid = Grid((2000, 1500), (64, 64))
    blocks = [grid.block(*place) for place in np.ndindex(grid.columns, grid.rows)]

    def work(share):
        for block in share:
            (x, y), (width, height) = block.location, block.size
            level.take(block, mask[y : y + height, x : x + width])

    threads = [threading.Thread(target=work, args=(blocks[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (store.pixels == picked(mask, 3, plane.size)).all()
    scratch.close()


def test_frames_come_by_segment_then_row_then_column(tmp_path):
    scratch = Scratch(tmp_path)
    store = FrameStore(Grid((48, 32), (16, 16)), Binary(range(1, 3)), scratch)
    store.add(2, 0, np.full((16, 16), 1, np.uint8))
    store.add(0, 1, np.full((16, 16), 2, np.uint8))
    store.add(0, 0, np.eye(16, dtype=np.uint8) + 1)
    order = store.in_order()
    assert order[:, :3].tolist() == [[1, 0, 0], [1, 0, 2], [2, 0, 0], [2, 1, 0]]
    first, *_ = store.frames(order)
    assert first == np.packbits(1 - np.eye(16, dtype=np.uint8), bitorder="little").tobytes()
    scratch.close()


def test_a_full_matrix_has_all_frames_and_one_for_all_that_are_empty(tmp_path):
    scratch = Scratch(tmp_path)
    store = FrameStore(Grid((48, 32), (16, 16)), Fractional(range(1, 3)), scratch)
    tile = np.zeros((16, 16, 2), np.uint8)
    tile[..., 1] = 200
    store.add(1, 1, tile)
    order = store.in_order()
    places = [[number, row, column] for number in (1, 2) for row in (0, 1) for column in (0, 1, 2)]
    assert order[:, :3].tolist() == places
    assert len(np.unique(order[:, 3])) == 2
    frames = list(store.frames(order))
    assert len(set(frames)) == 2
    assert frames.count(frames[10]) == 1
    scratch.close()


def test_a_sparse_matrix_has_one_frame_at_least(tmp_path):
    scratch = Scratch(tmp_path)
    store = FrameStore(Grid((48, 32), (16, 16)), Binary(range(1, 3)), scratch)
    order = store.in_order()
    assert order[:, :3].tolist() == [[1, 0, 0]]
    assert list(store.frames(order)) == [bytes(32)]
    scratch.close()


def test_tiles_at_the_edge_are_filled_up(tmp_path):
    scratch = Scratch(tmp_path)
    store = FrameStore(Grid((20, 18), (16, 16)), Binary(range(1, 2)), scratch)
    store.add(1, 1, np.ones((2, 4), np.uint8))
    (frame,) = store.frames(store.in_order())
    expected = np.zeros((16, 16), np.uint8)
    expected[:2, :4] = 1
    assert frame == np.packbits(expected, bitorder="little").tobytes()
    scratch.close()


def test_more_than_a_file_can_have_is_refused(tmp_path, monkeypatch):
    scratch = Scratch(tmp_path)
    store = FrameStore(Grid((480, 320), (16, 16)), Binary(range(1, 2)), scratch)
    monkeypatch.setattr(tiles, "_LARGEST", 3 * 32)
    tile = np.ones((16, 16), np.uint8)
    for column in range(4):
        store.add(column, 0, tile)
    with pytest.raises(ValueError, match=r'4 frames.*4 GB.*profile="standard"'):
        store.add(4, 0, tile)
    scratch.close()
