"""Wrong kinds of arguments to masks: said in words of ours, before anything is left on disk."""

from __future__ import annotations

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import dask
import dask.array as da
import numpy as np
import pytest
import zarr
from PIL import Image
from results.about import objects_in
from results.masks.drawn import labels, read
from results.masks.sized import sized

from wsiweb.results.masks.mask import add_mask, open_mask

SIZE = (300, 220)
MASK = labels(SIZE, 1)
TILE = np.ones((64, 64), bool)


@pytest.fixture
def source():
    return sized(SIZE, (1, 2, 4))


@pytest.fixture
def objects(tmp_path, source):
    return objects_in(tmp_path / "objects", source)


def left(objects):
    return [*objects.made, *objects.folder.rglob("*")]


def parted(location, size):
    """The mask, asked for."""
    (x, y), (width, height) = location, size
    return MASK[y : y + height, x : x + width]


# Keywords ---------------------------------------------------------------------------------------

NUMBER = "level is a whole number, not"
SCALE = "mpp is a positive number of micrometres per pixel, not"
TILES = "tile_size is a (whole number|number) of pixels"
LABEL = "label of a segmentation has up to 16 capital letters"
TEXT = "description of a segmentation has 0 to 64 characters"

WRONG = [
    *(("level", value, NUMBER) for value in ("0", 1.0, True, [], "", np.nan, [0], object())),
    *(("mpp", value, SCALE) for value in ("a", True, 0, -1.0, np.nan, [], (1, 2), 10**400)),
    *(("mpp", value, "no mask has") for value in (1e9, 1e-9, 1e-320)),
    *(("tile_size", value, TILES) for value in (64.0, (64, 64.0), "64", (64,), True, 8, 10**30)),
    *(("pyramid", value, "pyramid is True or False") for value in ("no", None, 1, [])),
    *(("label", value, LABEL) for value in (None, 5, "low", "1", "_A", "A" * 17, b"A", ["A"])),
    *(("description", value, TEXT) for value in (None, 5, ["x"], "x" * 65, "a\\b", "\ud800")),
    *(("kind", value, "kind is one of auto, binary") for value in (None, [], ["binary"], b"auto")),
    ("profile", np.array(["slim", "slim"]), "profile is one of slim, standard"),
    ("fractional_type", {}, "fractional_type is one of probability, occupancy"),
    *(("segments", value, "segments are names") for value in (None, 5, {"Neoplasm"}, b"x")),
]


@pytest.mark.parametrize(("name", "value", "words"), WRONG)
def test_wrong_keywords(source, objects, name, value, words):
    told = {"segments": "Neoplasm", name: value}
    with pytest.raises(ValueError, match=words):
        add_mask(source, objects, parted, **told)
    with pytest.raises(ValueError, match=words):
        open_mask(source, objects, **told)
    assert left(objects) == []


def test_wrong_keywords_of_the_mask_of_a_part(source, objects):
    for name, value, words in WRONG:
        if name in {"level", "mpp"}:
            told = {"segments": "Neoplasm", "location": (0, 0), name: value}
            with pytest.raises(ValueError, match=words):
                add_mask(source, objects, MASK[:64, :64], **told)
    assert left(objects) == []


@pytest.mark.parametrize("size", [np.int64(64), [64, 64], np.array([64, 64]), (64, np.int8(64))])
def test_numbers_of_numpy_are_numbers(source, objects, size):
    made = add_mask(source, objects, MASK, segments="Neoplasm", level=np.uint8(0), tile_size=size)
    np.testing.assert_array_equal(read(made[0]), MASK)


# Arrays -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mask",
    [
        MASK.tolist(),
        (MASK > 0).tolist(),
        [tuple(row) for row in MASK.tolist()],
        tuple(tuple(row) for row in MASK.tolist()),
        list(MASK),
        MASK[..., None].tolist(),
        memoryview(MASK),
        da.from_array(MASK, chunks=((1, 219), (100, 37, 163))),
    ],
)
def test_whatever_numpy_makes_an_array_of_is_one(source, objects, mask):
    made = add_mask(source, objects, mask, segments="Neoplasm")
    np.testing.assert_array_equal(np.squeeze(read(made[0])), MASK)


class Odd:
    """Something that calls itself an array."""

    def __init__(self, **told):
        self.__dict__.update({"shape": MASK.shape, "dtype": "u1", "chunks": (64, 64)} | told)

    def __getitem__(self, key):
        return MASK[key]


def unknown():
    array = da.from_array(MASK, chunks=64)
    return array[array[:, 0] >= 0]


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        ([[1, 0], [1]], "rows of different lengths"),
        ([1, 0, 1], r"the one that was given has \(3,\)"),
        ([["a"] * SIZE[0]] * SIZE[1], "truth values, whole numbers or fractions"),
        ([[None] * SIZE[0]] * SIZE[1], "truth values, whole numbers or fractions"),
        (MASK.astype(object), "not object"),
        (np.full(MASK.shape, "a"), "not <U1"),
        (MASK.astype("c8"), "not complex64"),
        (MASK.astype("M8[s]"), "not datetime64"),
        (MASK[..., None, None], r"has \(220, 300, 1, 1\)"),
        (np.zeros((0, 300)), r"has \(0, 300\)"),
        (np.array(1), r"has \(\)"),
        (unknown(), "compute_chunk_sizes"),
        (da.from_array(MASK.astype(object), chunks=64), "not object"),
        (dask.delayed(MASK), "dask.array.from_delayed"),
        (Odd(dtype="nonsense"), "does not"),
        (Odd(shape=5), "does not"),
        (Odd(chunks="abc"), "says of its chunks"),
        (Odd(chunks=(0, 0)), "says of its chunks"),
        (None, "not NoneType"),
        (5, "not int"),
        (dict, "dict is a class"),
        ({1: 2}, "yields int"),
        (b"abc", "yields int"),
        ([[]], r"has \(1, 0\)"),
    ],
)
def test_what_is_no_mask(source, objects, mask, words):
    with pytest.raises(ValueError, match=words):
        add_mask(source, objects, mask, segments="Neoplasm")
    assert left(objects) == []


def damaged(folder):
    """A zarr array whose chunks are not what they say."""
    array = zarr.create_array(str(folder), shape=MASK.shape, chunks=(64, 64), dtype="u1")
    array[:] = MASK
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "zarr.json":
            path.write_bytes(b"junk")


def without_header(folder):
    zarr.create_array(str(folder), shape=MASK.shape, chunks=(64, 64), dtype="u1")
    (folder / "zarr.json").write_text("{")


def cut_off(path):
    Image.fromarray(MASK).save(path)
    path.write_bytes(path.read_bytes()[:-40])


def half(path):
    np.save(path, MASK)
    path.write_bytes(path.read_bytes()[: MASK.size // 2])


@pytest.mark.parametrize(
    ("name", "make", "words"),
    [
        ("a", lambda path: path.mkdir(), "a is none of these"),
        ("a.npy", lambda path: path.mkdir(), "cannot be read as an array"),
        ("a.png", lambda path: path.mkdir(), "cannot be read as a picture"),
        ("a.zarr", lambda path: path.mkdir(), "holds no zarr array"),
        ("a.txt", lambda path: path.write_text("1"), "a.txt is none of these"),
        ("a.zarr", lambda path: path.write_text("1"), "a.zarr is none of these"),
        ("a.npy", lambda path: path.write_text("1"), "cannot be read as an array: (?!.*pickle)"),
        ("a.npy", lambda path: path.write_text(""), "cannot be read as an array"),
        ("a.npy", half, "cannot be read as an array"),
        ("a.npy", lambda path: np.save(path, MASK.astype(object)), "cannot be read as an array"),
        ("a.png", lambda path: path.write_text("1"), "cannot be read as a picture"),
        ("a.tif", cut_off, "cannot be read as a picture"),
        ("a.png", lambda path: Image.new("RGB", SIZE).save(path), "picture in colour"),
        ("a.zarr", damaged, "a.zarr cannot be read, it is damaged"),
        ("a.zarr", without_header, "holds no zarr array"),
    ],
)
def test_files_that_hold_no_mask(source, objects, tmp_path, name, make, words):
    path = tmp_path / name
    make(path)
    for given in (path, str(path)):
        with pytest.raises(ValueError, match=words):
            add_mask(source, objects, given, segments="Neoplasm")
    assert left(objects) == []


@pytest.mark.parametrize("path", ["", "a\0b.npy", "\ud800.npy"])
def test_texts_that_are_no_path(source, objects, path):
    with pytest.raises(ValueError, match=r"A mask is a path, a text or pathlib.Path"):
        add_mask(source, objects, path, segments="Neoplasm")


# Tiles ------------------------------------------------------------------------------------------

PLACE = "A tile's place takes two whole numbers"
LOCATION = "location takes two whole numbers"
PART = r"A tile has shape|A part of a mask has shape"

PARTS = [
    ((0.0, 0, TILE), PLACE),
    (("0", 0, TILE), PLACE),
    ((None, 0, TILE), PLACE),
    ((True, False, TILE), PLACE),
    ((TILE, 0, 0), PLACE),
    ((0, 0, None), PART),
    ((0, 0, "a"), PART),
    ((0, 0, {"a": 1}), PART),
    ((0, 0, TILE[0]), PART),
    ((0, 0, TILE[:9]), PART),
    ((0, 0, TILE[..., None, None]), PART),
    ((0, 0, [[1], [1, 0]]), "A part of a mask is given as a nested list"),
    ((0, 0, TILE.astype(object)), "not object"),
    ((0, 0, TILE.astype(str)), "not <U"),
    ((0, 0, TILE * 1j), "not complex"),
    ((0, 0, TILE * np.nan), "holds NaN|not like the first"),  # threads: which of two is first?
    (((0.5, 0), TILE), LOCATION),
    ((None, TILE), LOCATION),
    (((0, 0, 0), TILE), LOCATION),
    (((1, 1), TILE), "cut through tiles"),
    (((0, 0), TILE[:0]), "has none"),
    (((0, 0), None), PART),
]


@pytest.mark.parametrize(("part", "words"), PARTS)
@pytest.mark.parametrize("before", [[], [(1, 1, TILE)]])
def test_tiles_that_cannot_be_meant(source, objects, part, words, before):
    with pytest.raises(ValueError, match=words):
        add_mask(source, objects, iter([*before, part]), segments="Neoplasm", tile_size=64)
    assert left(objects) == []


@pytest.mark.parametrize(("part", "words"), PARTS)
def test_after_a_tile_that_was_refused_others_can_be_written(source, objects, part, words):
    with open_mask(source, objects, segments="Neoplasm", tile_size=64) as writer:
        with pytest.raises(ValueError, match=words):
            (writer.write if len(part) == 3 else writer.write_region)(*part)
        writer.write(1, 1, TILE)
    expected = np.zeros(MASK.shape, bool)
    expected[64:128, 64:128] = True
    np.testing.assert_array_equal(read(objects.made[0]), expected)


@pytest.mark.parametrize("item", [None, 5, "abc", (), (1,), (1, 2, 3, 4), [0, 0, TILE], {}])
def test_iterators_that_yield_no_tiles(source, objects, item):
    with pytest.raises(ValueError, match="not a tuple of two or three"):
        add_mask(source, objects, iter([item]), segments="Neoplasm", tile_size=64)
    assert left(objects) == []


def test_an_error_of_the_iterator_comes_through(source, objects):
    def tiles():
        yield 0, 0, TILE
        raise KeyError("of the model")

    with pytest.raises(KeyError, match="of the model"):
        add_mask(source, objects, tiles(), segments="Neoplasm", tile_size=64)
    assert left(objects) == []


class Uncountable:
    def __iter__(self):
        return 5


def test_what_only_says_that_it_can_be_iterated(source, objects):
    with pytest.raises(ValueError, match="not Uncountable"):
        add_mask(source, objects, Uncountable(), segments="Neoplasm")


async def later(location, size):
    return np.ones(size[::-1])


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda location, size: None, "it returned what is no array of numbers: NoneType"),
        (lambda location, size: 5, "no array of numbers: int"),
        (lambda location, size: {}, "no array of numbers: dict"),
        (lambda location, size: "abc", "no array of numbers: str"),
        (lambda location, size: np.ones(size), r"so for shape \(220, 300\); it returned shape"),
        (lambda location, size: np.ones((*size[::-1], 1, 1)), r"returned shape \(220, 300, 1, 1\)"),
        (lambda location, size: [[1], [1, 0]], "rows of different lengths"),
        (lambda location, size: (np.ones(size[::-1]), 1), "rows of different lengths"),
        (lambda location, size: np.full(size[::-1], "a"), "not <U1"),
        (lambda location, size: np.ones(size[::-1], object), "not object"),
        (lambda: MASK, "does not take these"),
        (lambda location, size, level: MASK, "does not take these"),
        (later, "later is asynchronous"),
    ],
)
def test_functions_that_return_something_else(source, objects, function, words):
    with pytest.raises(ValueError, match=words):
        add_mask(source, objects, function, segments="Neoplasm")
    assert left(objects) == []


def test_a_function_that_ends_the_program_leaves_nothing(source, objects):
    def function(location, size):
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        add_mask(source, objects, function, segments="Neoplasm")
    assert left(objects) == []


# The writer -------------------------------------------------------------------------------------


def test_too_many_tiles_are_refused_before_there_is_room_for_them(source, objects):
    with pytest.raises(ValueError, match="more tiles than a file can have frames"):
        open_mask(source, objects, segments="Neoplasm", mpp=0.5 / 2**21, tile_size=16)


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_writer_stays_where_it_is(source, objects, duplicate):
    with open_mask(source, objects, segments="Neoplasm", tile_size=64) as writer:
        with pytest.raises(TypeError, match=r"cannot be pickled.*Compute tiles in others"):
            duplicate(writer)
        writer.write(0, 0, TILE)
    assert len(objects.made) == 3


def test_many_threads_write_and_one_of_them_gets_a_tile(source, objects):
    whole = np.ones(SIZE[::-1], bool)
    with open_mask(source, objects, segments="Neoplasm", tile_size=16) as writer:
        places = [(x, y) for x in range(writer.grid.columns) for y in range(writer.grid.rows)]
        with ThreadPoolExecutor(8) as workers:
            jobs = [
                workers.submit(writer.write, *place, np.ones((16, 16), bool))
                for place in places * 2
            ]
        errors = [job.exception() for job in jobs if job.exception()]
    assert len(errors) == len(places)
    assert all("was written before" in str(error) for error in errors)
    np.testing.assert_array_equal(read(objects.made[0]), whole)


@pytest.mark.parametrize("end", ["close", "discard"])
def test_what_is_written_while_it_ends_is_there_or_refused(source, objects, end):
    writer = open_mask(source, objects, segments="Neoplasm", tile_size=16)
    errors, written = [], threading.Event()

    def write():
        for column in range(writer.grid.columns):
            for row in range(writer.grid.rows):
                try:
                    writer.write(column, row, np.ones((16, 16), bool))
                except Exception as error:
                    errors.append(error)
                written.set()

    writing = threading.Thread(target=write)
    writing.start()
    written.wait(10)
    getattr(writer, end)()
    writing.join()
    assert {str(error) for error in errors} <= {
        "The mask is closed: nothing can be written to it any more."
    }
    assert all(isinstance(error, ValueError) for error in errors)
    assert bool(objects.made) == (end == "close")
    if end == "discard":
        assert left(objects) == []
