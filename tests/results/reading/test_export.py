from __future__ import annotations

import threading

import numpy as np
import pytest
import zarr

from wsiweb.results.reading.export import to_zarr
from wsiweb.results.shapes.features import write_geojson
from wsiweb.results.shapes.shapes import Shapes
from wsiweb.results.shapes.tables import write_table

SIZE = (300, 200)


def reading(number, meanwhile=None):
    """Reads an array of one number; calls what happens meanwhile at the first read."""
    calls = [] if meanwhile is None else [meanwhile]

    def read(location, size):
        if calls:
            calls.pop()()
        return np.full(size[::-1], number, np.uint8)

    return read


def write(path, read):
    return to_zarr(path, read, SIZE, np.dtype(np.uint8), 64)


def test_of_two_writers_of_a_zarr_array_one_is_told_and_one_is_whole(tmp_path):
    path = tmp_path / "it.zarr"
    with pytest.raises(FileExistsError, match="is there already; give another path"):
        write(path, reading(1, lambda: write(path, reading(2))))
    assert (zarr.open_array(path, mode="r")[:] == 2).all()
    assert [one.name for one in tmp_path.iterdir()] == ["it.zarr"]


@pytest.mark.parametrize("other", ["file", "folder"])
def test_what_appears_meanwhile_is_not_replaced(tmp_path, other):
    path = tmp_path / "it.zarr"

    def appear():
        if other == "file":
            path.write_text("other")
        else:
            path.mkdir()
            (path / "other").touch()

    with pytest.raises(FileExistsError, match="is there already"):
        write(path, reading(1, appear))
    assert [one.name for one in tmp_path.iterdir()] == ["it.zarr"]


def test_many_writers_of_a_zarr_array_at_once(tmp_path):
    path, ends = tmp_path / "it.zarr", []
    begin = threading.Barrier(4, timeout=30)

    def one(number):
        try:
            write(path, reading(number, begin.wait))
            ends.append(number)
        except Exception as error:
            ends.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (number,) = [end for end in ends if isinstance(end, int)]
    assert [type(end) for end in ends].count(FileExistsError) == 3
    assert (zarr.open_array(path, mode="r")[:] == number).all()
    assert [one.name for one in tmp_path.iterdir()] == ["it.zarr"]


def table(path, shapes):
    write_table(path, shapes)


def geojson(path, shapes):
    write_geojson(path, shapes)


class Meanwhile(Shapes):
    """Shapes during whose writing something happens."""

    def happening(self, what):
        object.__setattr__(self, "what", [what])
        return self

    def __len__(self):
        for what in self.__dict__.pop("what", ()):
            what()
        return super().__len__()


@pytest.mark.parametrize("writer", [table, geojson])
def test_of_two_writers_of_a_file_the_last_one_wins(tmp_path, writer):
    path, alone = tmp_path / "it", tmp_path / "alone"
    first = Meanwhile.of("point", [[1, 2]] * 5)
    second = Shapes.of("point", [[3, 4]] * 9)
    writer(alone, [first])
    wanted = alone.read_bytes()
    alone.unlink()
    first.happening(lambda: writer(path, [second]))
    writer(path, [first])
    assert path.read_bytes() == wanted
    assert [one.name for one in tmp_path.iterdir()] == ["it"]


@pytest.mark.parametrize("writer", [table, geojson])
def test_a_name_as_long_as_names_may_be(tmp_path, writer):
    path = tmp_path / ("a" * 255)
    writer(path, [Shapes.of("point", [[1, 2]])])
    assert [one.name for one in tmp_path.iterdir()] == ["a" * 255]
