from __future__ import annotations

import threading

import highdicom as hd
import numpy as np
import pytest
from results.about import objects_in
from results.masks.sized import sized

from wsiweb.results.masks import writer as writing
from wsiweb.results.masks.mask import open_mask

SIZE = (200, 150)
TILE = (64, 48)
MASK = np.random.default_rng(0).integers(0, 3, SIZE[::-1], np.uint8)
PLACES = [(column, row) for row in range(4) for column in range(4)]
NAMES = ["Neoplasm", "Necrosis"]


@pytest.fixture
def source():
    return sized(SIZE, (1, 2))


@pytest.fixture
def objects(tmp_path, source):
    return objects_in(tmp_path / "objects", source)


def opened(source, objects, **more):
    return open_mask(source, objects, **{"segments": NAMES, "tile_size": TILE, **more})


def tile(column, row, mask=MASK):
    return mask[row * 48 : row * 48 + 48, column * 64 : column * 64 + 64]


def read(result, **more):
    return hd.seg.segread(result.path).get_total_pixel_matrix(combine_segments=True, **more)


def left(objects):
    return list(objects.folder.rglob("*"))


@pytest.mark.parametrize("profile", ["slim", "standard"])
def test_tiles_may_come_in_any_order(source, objects, profile):
    random = np.random.default_rng(1)
    with opened(source, objects, profile=profile) as writer:
        for place in random.permutation(PLACES):
            writer.write(*place, tile(*place))
    first, second = objects.made
    assert (read(first) == MASK).all()
    assert (read(second) == MASK[1::2, 1::2]).all()
    assert writer.close() == (first, second)  # once more is no harm


def test_regions_of_whole_tiles_are_written_at_once(source, objects):
    with opened(source, objects) as writer:
        writer.write_region((64, 48), MASK[48:, 64:])
        writer.write_region((0, 0), MASK[:48])
        for row in (1, 2, 3):
            writer.write(0, row, tile(0, row))
    assert (read(objects.made[0]) == MASK).all()


def test_tiles_may_be_lists(source, objects):
    with opened(source, objects) as writer:
        writer.write(0, 0, tile(0, 0).tolist())
    assert (read(objects.made[0])[:48, :64] == tile(0, 0)).all()


def test_tiles_that_never_come_are_background(source, objects):
    with opened(source, objects) as writer:
        writer.write(1, 2, tile(1, 2))
    expected = np.zeros_like(MASK)
    expected[96:144, 64:128] = tile(1, 2)
    assert (read(objects.made[0]) == expected).all()
    assert (read(objects.made[1]) == expected[1::2, 1::2]).all()


def test_the_grid_tells_what_to_write(source, objects):
    writer = opened(source, objects, level=1, tile_size=32)
    assert writer.grid.size == (100, 75)
    assert writer.grid.tile == (32, 32)
    assert (writer.grid.columns, writer.grid.rows) == (4, 3)
    writer.discard()


def test_tiles_may_come_from_several_threads(source, objects):
    with opened(source, objects, profile="standard") as writer:

        def work(places):
            for place in places:
                writer.write(*place, tile(*place))

        threads = [threading.Thread(target=work, args=(PLACES[start::4],)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (read(objects.made[0]) == MASK).all()
    assert (read(objects.made[1]) == MASK[1::2, 1::2]).all()


def test_coarse_tiles_that_wait_on_disk_make_no_difference(source, objects, monkeypatch):
    monkeypatch.setattr(writing, "_WAITING", 0)
    random = np.random.default_rng(2)
    with opened(source, objects, tile_size=16) as writer:
        for column, row in random.permutation(np.argwhere(np.ones((13, 10)))):
            part = MASK[row * 16 : row * 16 + 16, column * 16 : column * 16 + 16]
            writer.write(column, row, part)
    assert (read(objects.made[1]) == MASK[1::2, 1::2]).all()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda one: one.write(4, 0, tile(0, 0)), IndexError, "no tile at column 4"),
        (lambda one: one.write(0, 9, tile(0, 0)), IndexError, "no tile at column 0, row 9"),
        (lambda one: one.write(0, 0, tile(0, 0)), ValueError, "column 0, row 0 was written before"),
        (lambda one: one.write_region((0, 0), MASK), ValueError, "was written before"),
        (lambda one: one.write(1, 0, tile(0, 0).T), ValueError, "A tile has shape"),
        (lambda one: one.write(1, 0, np.zeros(5)), ValueError, "has shape"),
        (lambda one: one.write_region((10, 0), tile(0, 0)), ValueError, "cut through tiles"),
        (lambda one: one.write_region((192, 0), tile(0, 0)), IndexError, "beyond"),
        (lambda one: one.write(1, 0, tile(0, 0) * 100), ValueError, "holds 200"),
        (lambda one: one.write(1, 0, tile(0, 0) > 0.5), None, ""),
        (lambda one: one.write(1, 0, tile(0, 0) / 2), ValueError, "not like the first|two axes"),
        (
            lambda one: one.write(1, 0, np.zeros((48, 64, 2), np.uint8)),
            ValueError,
            "not like the first",
        ),
        (lambda one: one.write(1, 0, np.zeros((48, 64, 3), np.uint8)), ValueError, "3 planes"),
    ],
)
def test_a_tile_that_is_refused_does_no_harm(source, objects, call, error, words):
    with opened(source, objects) as writer:
        writer.write(0, 0, tile(0, 0))
        if error is None:
            call(writer)
        else:
            with pytest.raises(error, match=words):
                call(writer)
            writer.write(1, 0, tile(1, 0))
    expected = np.zeros_like(MASK)
    expected[:48, :128] = MASK[:48, :128]
    if error is None:
        expected[:48, 64:128] = tile(0, 0) > 0.5
    assert (read(objects.made[0]) == expected).all()


def test_an_error_leaves_nothing(source, objects):
    writer = opened(source, objects)

    def pipeline():
        with writer:
            writer.write(0, 0, tile(0, 0))
            raise RuntimeError("of the pipeline")

    with pytest.raises(RuntimeError, match="of the pipeline"):
        pipeline()
    assert objects.made == ()
    assert left(objects) == []
    with pytest.raises(ValueError, match="closed"):
        writer.write(1, 0, tile(1, 0))
    with pytest.raises(ValueError, match="given up"):
        writer.close()


def test_a_disk_that_is_full_leaves_nothing(source, objects, monkeypatch):
    writer = opened(source, objects)
    writer.write(0, 0, tile(0, 0))

    def full(data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer._frames, "append", full)
    with pytest.raises(OSError, match="No space"):
        writer.write(1, 0, tile(1, 0))
    with pytest.raises(ValueError, match="closed"):  # half of the tile may be there
        writer.write(1, 0, tile(1, 0))
    with pytest.raises(ValueError, match="given up"):
        writer.close()
    writer.discard()
    assert left(objects) == []


def test_a_failure_at_the_end_leaves_nothing(source, objects, monkeypatch):
    writer = opened(source, objects)
    writer.write(0, 0, tile(0, 0))
    monkeypatch.setattr(writing, "places_of", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        writer.close()
    assert objects.made == ()
    assert left(objects) == []


@pytest.mark.parametrize("written", [None, np.zeros((48, 64), np.uint8)])
def test_an_empty_mask_is_refused(source, objects, written):
    writer = opened(source, objects)
    if written is not None:
        writer.write(0, 0, written)
    with pytest.raises(ValueError, match=r"mask is empty.*Nothing is written"):
        writer.close()
    assert left(objects) == []


def test_nothing_can_be_written_after_the_end(source, objects):
    with opened(source, objects) as writer:
        writer.write(0, 0, tile(0, 0))
    with pytest.raises(ValueError, match="closed"):
        writer.write(1, 0, tile(1, 0))


def test_what_a_header_cannot_hold_is_heard_of_with_the_first_tile(source, objects, monkeypatch):
    def refusing(*_):
        raise ValueError("not in a header")

    monkeypatch.setattr(writing, "header_of", refusing)
    writer = opened(source, objects)
    with pytest.raises(ValueError, match="not in a header"):
        writer.write(0, 0, tile(0, 0))
    writer.discard()
    assert left(objects) == []


@pytest.mark.parametrize("refused", [np.full((48, 64), np.nan), np.full((48, 64), 2.5)])
def test_a_first_tile_that_is_refused_does_not_say_what_the_others_are(source, objects, refused):
    with opened(source, objects, segments="Neoplasm") as writer:
        with pytest.raises(ValueError, match="A mask of fractions"):
            writer.write(0, 0, refused)
        writer.write(0, 0, tile(0, 0) > 0)
    assert (read(objects.made[0])[:48, :64] == (tile(0, 0) > 0)).all()


def test_a_first_tile_that_is_refused_leaves_nothing_of_its_segments(source, objects):
    overlapping = np.ones((48, 64, 2), np.int8)
    overlapping[0, 0] = -1
    with opened(source, objects) as writer:
        with pytest.raises(ValueError, match="holds -1"):
            writer.write(0, 0, overlapping)
        writer.write(0, 0, tile(0, 0))
    assert (read(objects.made[0])[:48, :64] == tile(0, 0)).all()


def test_what_numpy_masks_is_background(source, objects):
    with opened(source, objects) as writer:
        writer.write(0, 0, np.ma.masked_array(tile(0, 0), tile(0, 0) == 2))
        writer.write_region((64, 0), np.ma.masked_array(tile(1, 0), tile(1, 0) == 2))
    expected = np.where(MASK == 2, 0, MASK)[:48, :128]
    assert (read(objects.made[0])[:48, :128] == expected).all()
