"""Files and indexes that change, fail or fill up while the server looks at them."""

from __future__ import annotations

import errno
import io
import os
import time
from pathlib import Path

import pytest
from PIL import Image
from server.making import JPEG, ask, dicom, element, encapsulated
from server.test_store import frames, grey, uids
from server.test_stow import post, stored

from wsiweb.errors import NotFound, ProtocolError
from wsiweb.server import create_app, serve
from wsiweb.server import store as room
from wsiweb.server import store as store_module
from wsiweb.server.scan import scan
from wsiweb.server.search import search
from wsiweb.server.store import Store
from wsiweb.wire.query import Query

_INSTANCE = "/studies/1.2.3/series/1.2.3.4/instances/1.1"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "slides"
    folder.mkdir()
    (folder / "a.dcm").write_bytes(dicom("1.1", frames=3, pixels=grey(1, 2, 3)))
    (folder / "b.dcm").write_bytes(dicom("1.2"))
    return folder


@pytest.fixture
def store(folder, tmp_path):
    store = Store(folder, index=tmp_path / "index.sqlite", rescan=0)
    yield store
    store.close()


# Files that are being written -------------------------------------------------------------------


class Shrinking(io.BytesIO):
    """A file that was cut after its length was asked for, as a file being rewritten is."""

    def __init__(self, data, keep):
        super().__init__(data)
        self._keep = keep

    def read(self, size=-1):
        left = max(0, self._keep - self.tell())
        return super().read(left if size is None or size < 0 else min(size, left))


@pytest.mark.parametrize("pixels", [None, encapsulated([b"\xff\xd8ab", b"\xff\xd8cd"])])
def test_a_file_that_ends_while_it_is_read_is_an_error_with_words(pixels):
    data = dicom("1.1", frames=2, pixels=pixels)
    at_pixels = data.index(b"\xe0\x7f\x10\x00")
    for keep in range(at_pixels):
        with pytest.raises(ProtocolError, match=r"changed while|no DICM|has no|states no"):
            scan(Shrinking(data, keep))
    if pixels is not None:
        for keep in range(at_pixels + 12, len(data) - 8):
            assert scan(Shrinking(data, keep)).instance_uid == "1.1"


def test_one_file_that_breaks_the_reader_does_not_stop_the_archive(store, monkeypatch):
    def breaking(handle):
        if handle.name.endswith("b.dcm"):
            raise ZeroDivisionError("a fault of ours")
        return scan(handle)

    monkeypatch.setattr(store_module, "scan", breaking)
    assert uids(store) == ["1.1"]
    (skipped,) = store.skipped()
    assert "a fault of ours" in skipped.reason


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.EACCES])
def test_a_file_that_cannot_be_read_now_is_tried_again(store, monkeypatch, number):
    def failing(handle):
        if handle.name.endswith("b.dcm"):
            raise OSError(number, os.strerror(number))
        return scan(handle)

    with monkeypatch.context() as failure:
        failure.setattr(store_module, "scan", failing)
        assert uids(store) == ["1.1"]
        assert [(one.path, one.reason) for one in store.skipped()] == [
            ("b.dcm", os.strerror(number))
        ]
    assert uids(store) == ["1.1", "1.2"]
    assert store.skipped() == []


# Files that changed -----------------------------------------------------------------------------


def test_a_change_that_another_store_saw_first_is_served(folder, store, tmp_path):
    other = Store(folder, index=tmp_path / "index.sqlite", rescan=0)
    assert frames(store, "1.1", 1) == [b"\1" * 4]  # it is held in memory from now on
    (folder / "a.dcm").write_bytes(dicom("1.1", frames=4, pixels=grey(5, 6, 7, 8)))
    other.refresh(force=True)
    assert frames(store, "1.1", 4, 1) == [b"\x08" * 4, b"\5" * 4]
    (folder / "a.dcm").unlink()
    other.refresh(force=True)
    with pytest.raises(NotFound):
        frames(store, "1.1", 1)
    other.close()


def test_a_frame_is_never_named_after_what_its_file_was_before(folder, tmp_path):
    everything = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
    with serve(folder, index=tmp_path / "index.sqlite", rescan=3600) as server:
        assert ask(server.url, f"{_INSTANCE}/frames/1", Accept=everything).status == 200
        pieces = [b"\xff\xd8ab", b"\xff\xd8cd", b"\xff\xd8ef", b"\xff\xd8gh"]
        (folder / "a.dcm").write_bytes(
            dicom("1.1", syntax=JPEG, frames=4, pixels=encapsulated(pieces))
        )
        answer = ask(server.url, f"{_INSTANCE}/frames/4", Accept=everything)
        assert answer.status == 200
        assert b"transfer-syntax=" + JPEG.encode() in answer.body
        assert pieces[3] in answer.body


def test_what_is_stored_while_somebody_looks_at_the_folder_stays_listed(folder, store, monkeypatch):
    """It was not seen, for it came after its folder was looked at, and it is no file that went."""
    assert uids(store) == ["1.1", "1.2"]
    walk = room.walk

    def meanwhile(where):
        seen = list(walk(where))
        new = folder / "new.dcm"
        new.write_bytes(dicom("1.9"))
        with new.open("rb") as handle:
            assert store.admit(new, scan(handle))
        return seen

    monkeypatch.setattr(room, "walk", meanwhile)
    store.refresh(force=True)
    assert store.index.instance("1.9") is not None
    monkeypatch.undo()
    assert uids(store) == ["1.1", "1.2", "1.9"]


def test_rows_that_go_while_they_are_read_are_left_out(folder, store, monkeypatch):
    assert uids(store) == ["1.1", "1.2"]
    keys, groups = store.index.keys, store.index.groups

    def vanishing(study, series):
        found = keys(study, series)
        store.index.remove([b"a.dcm"])
        return found

    monkeypatch.setattr(store.index, "keys", vanishing)
    (one,) = _search(store, "instances")
    assert one["00080018"]["Value"] == ["1.2"]

    def vanishing_too(*within):
        found = groups(*within)
        store.index.remove([b"b.dcm"])
        return found

    monkeypatch.setattr(store.index, "groups", vanishing_too)
    assert _search(store, "series") == []
    assert _search(store, "studies") == []


def test_a_series_is_found_although_the_row_that_spoke_for_it_has_gone(store, monkeypatch):
    assert uids(store) == ["1.1", "1.2"]
    groups = store.index.groups

    def vanishing(*within):
        found = groups(*within)
        store.index.remove([b"a.dcm"])
        return found

    monkeypatch.setattr(store.index, "groups", vanishing)
    assert len(_search(store, "series")) == 1


def test_metadata_leave_out_what_has_gone(folder, tmp_path, monkeypatch):
    from wsiweb.server.index import Index

    header = Index.header

    def vanishing(self, key):
        self.remove([b"a.dcm"])
        return header(self, key)

    with serve(folder, index=tmp_path / "index.sqlite", rescan=3600) as server:
        monkeypatch.setattr(Index, "header", vanishing)
        (one,) = ask(server.url, "/studies/1.2.3/metadata").json
    assert one["00080018"]["Value"] == ["1.2"]


def _search(store, level):
    import json

    return json.loads(search(store.index, Query.parse(level, []), "http://x").body)


# Indexes that fail ------------------------------------------------------------------------------


def test_an_index_whose_disk_fills_goes_on_in_memory(folder, store):
    assert uids(store) == ["1.1", "1.2"]
    database = store.index._opened()
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages}")
    for number in range(3, 60):
        (folder / f"{number}.dcm").write_bytes(dicom(f"1.{number}", x00100020=_long(number)))
    assert len(uids(store)) == 59
    assert frames(store, "1.1", 1) == [b"\1" * 4]


def _long(number):
    return element(0x00100020, "LO", os.urandom(500).hex() + str(number))


def test_an_index_that_cannot_be_written_any_more_goes_on_in_memory(folder, store):
    assert uids(store) == ["1.1", "1.2"]
    store.index._opened().execute("PRAGMA query_only = 1")
    (folder / "c.dcm").write_bytes(dicom("1.3"))
    assert uids(store) == ["1.1", "1.2", "1.3"]


def test_an_index_that_fails_while_it_is_asked_answers_again(folder, tmp_path):
    app = create_app(folder, index=tmp_path / "index.sqlite", rescan=3600, stow=True)
    with serve(app=app) as server:
        assert len(ask(server.url, "/instances").json) == 2
        app.state.store.index._opened().execute("DROP TABLE instances")
        first = ask(server.url, "/instances")
        assert (first.status, first.headers["retry-after"]) == (503, "1")
        assert "Ask again" in first.json["error"]
        assert len(ask(server.url, "/instances").json) == 2
    app.state.store.close()


def test_what_is_stored_while_the_index_fails_is_stored(folder, tmp_path):
    app = create_app(folder, index=tmp_path / "index.sqlite", rescan=3600, stow=True)
    with serve(app=app) as server:
        assert len(ask(server.url, "/instances").json) == 2
        app.state.store.index._opened().execute("PRAGMA query_only = 1")
        answer = post(server, dicom("1.3"))
        assert (answer.status, stored(answer)) == (200, ["1.3"])
        assert len(ask(server.url, "/instances").json) == 3
    app.state.store.close()


# Pixels -----------------------------------------------------------------------------------------


def test_pixels_that_run_past_the_end_of_the_file_are_no_frames(folder, store):
    whole = dicom("1.7", frames=2, pixels=grey(1, 2))
    (folder / "cut.dcm").write_bytes(whole[:-3])
    promised = element(0x7FE00010, "OW", bytes(8), length=4000)
    (folder / "promised.dcm").write_bytes(dicom("1.8", frames=2, pixels=promised))
    for uid in ("1.7", "1.8"):
        with pytest.raises(NotFound, match="the file ends"):
            frames(store, uid, 1)


def test_a_tiny_file_costs_the_server_no_gigabytes(tmp_path):
    picture = io.BytesIO()
    Image.new("L", (8, 8)).save(picture, "JPEG")
    frame = bytearray(picture.getvalue())
    at = frame.index(b"\xff\xc0") + 5
    frame[at : at + 4] = (60000).to_bytes(2, "big") * 2
    pixels = encapsulated([bytes(frame) + bytes(len(frame) % 2)])
    (tmp_path / "1.dcm").write_bytes(dicom("1.1", syntax=JPEG, shape=(60000, 60000), pixels=pixels))
    with serve(tmp_path) as server:
        for what in ("/frames/1", "/rendered", "/frames/1/rendered", "/thumbnail"):
            began = time.perf_counter()
            answer = ask(server.url, _INSTANCE + what)
            assert answer.status == 406, what
            assert "60000 x 60000" in answer.json["error"]
            assert time.perf_counter() - began < 1
        stored = ask(server.url, f"{_INSTANCE}/frames/1", Accept="image/jpeg")
        assert stored.body.startswith(b"\xff\xd8")


# Names ------------------------------------------------------------------------------------------


def test_a_folder_is_named_once_and_found_from_elsewhere(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store(Path("slides"), index=Path("relative.sqlite"))
    assert uids(store) == ["1.1", "1.2"]
    store.close()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert uids(store) == ["1.1", "1.2"]
    assert frames(store, "1.1", 2) == [b"\2" * 4]
    assert list((tmp_path / "elsewhere").iterdir()) == []
    store.close()
