"""Wrong kinds of arguments to sessions: said in words of ours, before anything is left on disk."""

from __future__ import annotations

import copy
import datetime
import errno
import pickle

import numpy as np
import pytest

import wsiweb
from wsiweb.results import Algorithm

SQUARE = np.array([[100, 100], [300, 100], [300, 260], [100, 260]], float)
NOON = datetime.datetime(2026, 3, 4, 12, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def slide(made_folder):
    with wsiweb.connect(made_folder) as archive:
        yield archive.slides()[0].open()


@pytest.fixture
def session(slide, tmp_path):
    session = slide.results("v1", folder=tmp_path / "session")
    session.add_annotations([SQUARE])
    return session


class Nowhere(datetime.tzinfo):
    """A time zone that does not say which."""

    def utcoffset(self, _):
        return None


NAME = "name of a result has 1 to 64 characters"
CREATED = "created (is a datetime.datetime|cannot be written)"
FOLDER = "folder= is a path, a text or pathlib.Path"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        *(({"name": value}, NAME) for value in (None, 5, b"a", [], "a\\b", "\ud800")),
        *(({"name": value, "join": True}, NAME) for value in (None, 5, b"a", [])),
        *(
            ({"algorithm": value}, "algorithm is an Algorithm or")
            for value in ("net", 5, ["a", "b"], ("a", "b", "c"), Algorithm)
        ),
        *(({"algorithm": ("a", value)}, "version of an algorithm") for value in (None, 1, "a\\b")),
        *(({"creator": value}, "creator of a result") for value in (None, 5, b"a", "a\\b", "a\nb")),
        *(
            ({"created": value}, CREATED)
            for value in (
                "2026",
                5,
                [],
                datetime.date(2026, 3, 4),
                datetime.datetime(1, 1, 1),  # noqa: DTZ001 - of no zone
                datetime.datetime(1, 1, 1, tzinfo=datetime.UTC),
                NOON.replace(tzinfo=datetime.timezone(datetime.timedelta(seconds=5))),
            )
        ),
        *(
            ({"deterministic": value, "created": NOON}, "deterministic is True or False")
            for value in ("no", None, 1, np.array([1, 2]))
        ),
        (
            {"deterministic": True, "created": NOON.replace(tzinfo=Nowhere())},
            "wants created=..., with a time zone",
        ),
        *(
            ({"join": value}, "join is True or False")
            for value in ("no", None, 0, np.array([1, 2]))
        ),
        *(({"folder": value}, FOLDER) for value in (5, b"a", [], "", "a\0b", "\ud800", object())),
    ],
)
def test_what_no_session_can_have(slide, told, words):
    with pytest.raises(ValueError, match=words):
        slide.results(**{"name": "v1"} | told)


def test_a_zone_that_says_nothing_is_that_of_this_machine(slide):
    naive = NOON.replace(tzinfo=None)
    session = slide.results("v1", created=NOON.replace(tzinfo=Nowhere()))
    assert session._objects.maker.created == naive.astimezone()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        *((value, "parameters of an algorithm are names") for value in (None, 5, "a", [("a", 1)])),
        *(({value: 1}, "name of a parameter has 1 to 64") for value in (5, None, "", "a\\b")),
        *(({"a": value}, "all parameters together") for value in ("x" * 10_239, "\0", "\ud800")),
    ],
)
def test_parameters_that_cannot_be_written(parameters, words):
    with pytest.raises(ValueError, match=words):
        Algorithm(name="net", version="1", parameters=parameters)
    assert Algorithm(name="net", version="1", parameters={"a": "x\\y", "b": None})


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_session_stays_where_it_is(session, duplicate):
    with pytest.raises(TypeError, match=r"cannot be pickled or copied.*Open the slide in other"):
        duplicate(session)


@pytest.mark.parametrize("folder", [None, 5, b"x", [], "", "a\0b", object()])
def test_what_is_no_folder(session, folder):
    with pytest.raises(ValueError, match=r"save is a path, a text or pathlib.Path"):
        session.save(folder)


@pytest.mark.parametrize("place", ["file", "file/a", "file/a/b"])
def test_a_file_in_place_of_the_folder(session, tmp_path, place):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(NotADirectoryError, match="file is a file; save wants a folder"):
        session.save(tmp_path / place)
    assert (tmp_path / "file").read_text() == "kept"


def test_a_folder_in_place_of_the_file(session, tmp_path):
    (tmp_path / "out" / session.objects[0].path.name).mkdir(parents=True)
    with pytest.raises(FileExistsError, match="is another file; give another folder"):
        session.save(tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_where_nothing_can_be_written(slide, session, tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(PermissionError, match="Nothing can be written there"):
        session.save(tmp_path / "out")
    with pytest.raises(PermissionError, match="Nothing can be written there"):
        slide.results("v1", folder=tmp_path)
    assert not (tmp_path / "out").exists()


def test_an_error_of_copying_names_the_folder(session, tmp_path, monkeypatch):
    def refuse(_, target):
        raise PermissionError(errno.EACCES, "Permission denied", str(target))

    monkeypatch.setattr("shutil.copyfile", refuse)
    with pytest.raises(PermissionError, match="Permission denied") as refused:
        session.save(tmp_path / "out")
    assert refused.value.filename == str(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_files_that_were_taken_away(session, tmp_path):
    session.objects[0].path.unlink()
    with pytest.raises(FileNotFoundError, match="was made by this session"):
        session.save(tmp_path / "out")
    assert not (tmp_path / "out").exists()
