"""The archive of a user's own: made once, and the only one that anything is deleted from."""

from __future__ import annotations

import os

import pytest
from outbox.boxes import files

import wsiweb
from wsiweb.transfers.local import is_local, local_folder, make_local


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def filled(archive, folder, count=3, **more):
    archive.import_folder(*files(folder, count, **more)).wait(30)


def test_local_is_an_archive_of_this_user_alone(home):
    with wsiweb.connect("local") as archive:
        assert list(archive.studies()) == []
        filled(archive, home / "src")
    assert is_local(local_folder())
    assert os.fspath(local_folder()).startswith(os.fspath(home))
    assert local_folder().stat().st_mode & 0o777 == 0o700
    with wsiweb.connect("local") as archive:
        assert len(archive.studies()) == 1


def test_a_folder_of_that_name_is_meant_by_its_path(home):
    files(home / "local", 1)
    with pytest.warns(UserWarning, match=r"the folder of that name is \./local"):
        wsiweb.connect("local").close()
    with wsiweb.connect("./local") as archive:
        assert len(archive.studies()) == 1


def test_a_study_or_a_series_is_removed_and_nothing_else(home):
    with wsiweb.connect("local") as archive:
        filled(archive, home / "a")
        filled(archive, home / "b", first=10, study="1.2.7")
        assert archive.remove("1.2.3", "1.2.3.4") == 3
        assert [study.study_uid for study in archive.studies()] == ["1.2.7"]
        with pytest.raises(wsiweb.NotFound, match=r"no study 1\.2\.3"):
            archive.remove("1.2.3")
        assert archive.remove("1.2.7") == 3
        with pytest.raises(ValueError, match="is not a Study Instance UID"):
            archive.remove("..")
        filled(archive, home / "a")  # as if it had never been there
    assert len(list((home / "a").iterdir())) == 3


def test_removing_a_linked_file_leaves_the_users_own(home):
    (path,) = files(home / "src", 1)
    with wsiweb.connect("local") as archive:
        archive.import_folder(path, link=True).wait(30)
        assert archive.remove("1.2.3") == 1
    assert path.stat().st_nlink == 1


def test_nothing_is_removed_from_a_folder_of_the_users(home):
    files(home / "slides", 2)
    make_local(home / "slides")  # which does not make it one
    with wsiweb.connect(home / "slides") as archive:
        archive.import_folder(*files(home / "src", 1, first=5)).wait(30)
        with pytest.raises(ValueError, match="its files are yours"):
            archive.remove("1.2.3")
    assert len(list((home / "slides").rglob("*.dcm"))) == 3


def test_what_lies_in_its_place_is_the_archives_whoever_put_it_there(home):
    (mine,) = files(home / "src", 1, first=5)
    with wsiweb.connect("local") as archive:
        filled(archive, home / "other", 1)
        mine.rename(local_folder() / "1.2.3" / "1.2.3.4" / "1.9.5.dcm")
        assert archive.remove("1.2.3") == 2
    assert "whoever put it there" in (local_folder() / ".wsiweb-archive").read_text()


@pytest.mark.parametrize("kind", ["elsewhere", "link to a file", "link to a folder"])
def test_a_foreign_file_in_a_local_archive_keeps_all_of_its_study(home, kind):
    with wsiweb.connect("local") as archive:
        filled(archive, home / "src")
        folder = local_folder()
        place = folder / "1.2.3" / "1.2.3.4" / "1.9.1.dcm"
        if kind == "elsewhere":
            place.rename(folder / "mine.dcm")
        elif kind == "link to a file":
            place.unlink()
            place.symlink_to(home / "src" / "1.dcm")
        else:
            kept = home / "kept"
            place.parent.rename(kept)
            kept.joinpath("odd").mkdir()
            place.parent.symlink_to(kept, target_is_directory=True)
        before = sorted(path for path in home.rglob("*.dcm"))
        with pytest.raises((ValueError, wsiweb.NotFound)):
            archive.remove("1.2.3")
        assert sorted(path for path in home.rglob("*.dcm")) == before
