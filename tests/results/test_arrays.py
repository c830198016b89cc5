from __future__ import annotations

import types

import dask.array as da
import numpy as np
import pytest
import zarr

from wsiweb.results.arrays import array_of, check_function, declared, described


def test_numpy_zarr_and_dask_say_what_they_are(tmp_path):
    stored = zarr.create_array(str(tmp_path / "a"), shape=(4, 6), chunks=(2, 3), dtype="u2")
    for array in (np.zeros((4, 6), "u2"), stored, da.zeros((4, 6), dtype="u2")):
        assert declared(array, "A mask") == ((4, 6), np.dtype("u2"))


def said(**told):
    """Something that says this of itself, and is sliced."""
    kind = type("Odd", (), {"__getitem__": lambda _, key: key})
    one = kind()
    one.__dict__.update(told)
    return one


@pytest.mark.parametrize(
    "odd",
    [
        said(shape=(4, 6)),
        said(shape=5, dtype="u1"),
        said(shape=(4, 6), dtype="nonsense"),
        types.SimpleNamespace(shape=(4, 6), dtype="u1"),  # not sliced
    ],
)
def test_what_does_not_say_it_in_numbers_is_refused(odd):
    with pytest.raises(ValueError, match="says its shape and dtype as these do"):
        declared(odd, "A mask")


def test_a_shape_that_dask_does_not_know(tmp_path):
    array = da.from_array(np.ones((8, 6), bool), chunks=4)
    with pytest.raises(ValueError, match=r"not known: \(nan, 6\).*compute_chunk_sizes"):
        declared(array[array[:, 0]], "A mask")
    with pytest.raises(ValueError, match="not known"):
        declared(said(shape=("a", "b"), dtype="u1"), "A mask")


def test_nested_lists_are_arrays_and_masks_are_kept():
    assert array_of([(1, 0), (0, 1)], "A mask").tolist() == [[1, 0], [0, 1]]
    assert array_of(memoryview(b"ab"), "A mask").tolist() == [97, 98]
    masked = np.ma.masked_array([1, 2], [True, False])
    assert array_of(masked, "A mask") is masked


class Broken:
    def __array__(self, *_, **__):
        return 5


@pytest.mark.parametrize(
    ("given", "words"),
    [([[1], [1, 2]], "rows of different lengths"), (Broken(), "cannot be made of a Broken")],
)
def test_what_makes_no_array(given, words):
    with pytest.raises(ValueError, match=f"A mask .*{words}"):
        array_of(given, "A mask")


def test_what_was_given_in_words():
    assert described(None, np.asarray(None)) == "what is no array of numbers: NoneType"
    assert described([1], np.zeros((2, 3))) == "shape (2, 3) of float64"


async def later(location, size):
    return np.zeros(size[::-1])


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda: 1, "does not take these"),
        (lambda location: 1, "does not take these"),
        (lambda location, size, level: 1, "does not take these"),
        (lambda *, location, size: 1, "does not take these"),
        (later, "later is asynchronous"),
        (dict, "dict is a class"),
    ],
)
def test_functions_that_cannot_be_asked_for_a_region(function, words):
    with pytest.raises(ValueError, match=r"A mask may be made by a function.*" + words):
        check_function(function, "A mask")


def test_functions_that_can():
    for function in (lambda location, size: 1, lambda *all_of_it: 1, np.add, max):
        check_function(function, "A mask")
