from __future__ import annotations

import errno

import numpy as np
import pytest

from wsiweb.arguments import (
    choice,
    edges,
    file_of,
    flag,
    folder_of,
    level_of,
    path_of,
    positive,
    real_pair,
    shown,
    whole,
    whole_number,
)

NO_NUMBERS = [None, "1", 1.0, True, np.True_, np.nan, [1], b"1", np.array([1, 2]), object()]


@pytest.mark.parametrize("given", NO_NUMBERS)
def test_whole_numbers_are_those_of_python_and_numpy(given):
    assert whole_number(np.int64(3), "level") == whole_number(3, "level") == 3
    with pytest.raises(ValueError, match="level is a whole number, not"):
        whole_number(given, "level")
    with pytest.raises(ValueError, match="level is a whole number, not"):
        level_of("abc", given)
    with pytest.raises(ValueError, match="size takes two whole numbers"):
        whole((given, 1), "size")


@pytest.mark.parametrize("number", [-1, 3, 10**30])
def test_levels_that_are_not_there(number):
    assert level_of("abc", np.uint8(2)) == "c"
    with pytest.raises(IndexError, match=f"no level {number}; the slide has 0 to 2"):
        level_of("abc", number)


@pytest.mark.parametrize(
    "given", [None, "a", 0, -1.0, True, np.nan, np.inf, 10**400, 1j, np.array([1.0, 2.0]), [1]]
)
def test_positive_numbers(given):
    assert positive(np.float32(0.5), "mpp", "micrometres") == 0.5
    with pytest.raises(ValueError, match="mpp is a positive number of micrometres, not"):
        positive(given, "mpp", "micrometres")


@pytest.mark.parametrize("given", [None, 64.0, "64", (64,), (64, 64.0), (1, 2, 3), True, {}, "ab"])
def test_edges_are_one_number_or_two(given):
    assert edges(64, "tile_size") == edges([64, np.int32(64)], "tile_size") == (64, 64)
    with pytest.raises(ValueError, match=r"tile_size is a whole number of pixels, or \(width"):
        edges(given, "tile_size")


@pytest.mark.parametrize("given", [None, 5, "ab", ("0", 1), (1, 2, 3), (True, 1), (10**400, 1)])
def test_pairs_of_numbers(given):
    assert real_pair((1, np.float32(0.5)), "size") == (1.0, 0.5)
    with pytest.raises(ValueError, match="size takes two numbers"):
        real_pair(given, "size")


@pytest.mark.parametrize("given", [None, 1, "no", "True", 1.0, [], np.array([True, False])])
def test_flags_are_truth_values(given):
    assert flag(np.True_, "pyramid") is True
    with pytest.raises(ValueError, match="pyramid is True or False, not"):
        flag(given, "pyramid")


@pytest.mark.parametrize("given", [None, "c", "", ["a"], np.array(["a", "b"]), b"a"])
def test_choices_are_said(given):
    choice("a", "kind", ("a", "b"))
    with pytest.raises(ValueError, match="kind is one of a, b, not"):
        choice(given, "kind", ("a", "b"))


def test_what_was_given_is_shown_on_one_short_line():
    assert shown("a\nb") == "'a\\nb'"
    assert len(shown(np.zeros((999, 999)))) < 90
    assert "\n" not in shown(np.zeros((9, 9)))


@pytest.mark.parametrize("given", [None, 5, b"x", "", "a\0b", "\ud800", [], object])
def test_paths_are_texts_that_a_file_can_be_called(tmp_path, given):
    assert path_of(str(tmp_path), "save") == path_of(tmp_path, "save") == tmp_path
    for check in (path_of, folder_of, file_of):
        with pytest.raises(ValueError, match="save is a path"):
            check(given, "save")


def test_folders_and_files_to_write(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    assert folder_of(tmp_path / "a" / "b", "save") == tmp_path / "a" / "b"
    assert file_of(tmp_path / "file", "save") == tmp_path / "file"
    for place in ("file", "file/a", "file/a/b"):
        with pytest.raises(NotADirectoryError, match="file is a file; save wants a folder"):
            folder_of(tmp_path / place, "save")
    with pytest.raises(NotADirectoryError, match="file is a file"):
        file_of(tmp_path / "file" / "a", "save")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        file_of(tmp_path / "a" / "b", "save")
    with pytest.raises(IsADirectoryError, match="save wants a file"):
        file_of(tmp_path, "save")
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(PermissionError, match="Nothing can be written there") as refused:
        folder_of(tmp_path / "a", "save")
    assert (refused.value.errno, refused.value.filename) == (errno.EACCES, str(tmp_path))
