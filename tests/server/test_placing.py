"""Objects that arrive at once, beside stale rows, broken places and file systems without links."""

from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from pathlib import Path

import pytest
from server.making import ask, dicom, element
from server.test_stow import everything, post, reasons, stored

from wsiweb.server import serve, stow
from wsiweb.server.placing import ABANDONED, SETTLED, sweep


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "archive"
    folder.mkdir()
    return folder


@pytest.fixture
def server(folder, tmp_path):
    with serve(folder, stow=True, index=tmp_path / "index.sqlite") as server:
        yield server


def found(server):
    return [one["00080018"]["Value"][0] for one in ask(server.url, "/instances").json]


def test_of_one_uid_in_four_studies_at_once_exactly_one_is_stored(folder, server):
    for number in range(5):
        bodies = [
            dicom(f"5.{number}", study=f"1.2.{study}", series=f"1.2.{study}.1")
            for study in range(1, 5)
        ]
        answers = _at_once(lambda body: post(server, body), bodies)
        assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
        assert [code for answer in answers for code in reasons(answer)] == [273] * 3
        kept = [data for name, data in everything(folder).items() if f"5.{number}.dcm" in name]
        winner = next(body for body, answer in zip(bodies, answers, strict=True) if stored(answer))
        assert kept == [winner]
    assert sorted(found(server)) == [f"5.{number}" for number in range(5)]


def test_two_servers_on_one_folder_store_one_uid_once(folder, server, tmp_path):
    with serve(folder, stow=True, index=tmp_path / "index.sqlite") as other:
        for number in range(5):
            answers = _at_once(
                lambda one, uid=f"5.{number}": post(
                    one[0], dicom(uid, study=f"1.2.{one[1]}", series=f"1.2.{one[1]}.1")
                ),
                [(server, 1), (other, 2)],
            )
            assert sorted(answer.status for answer in answers) == [200, 409]
    assert len(everything(folder)) == 5


def _at_once(action, values):
    gate = threading.Barrier(len(values))
    answers = [None] * len(values)

    def run(at):
        gate.wait()
        answers[at] = action(values[at])

    threads = [threading.Thread(target=run, args=(at,)) for at in range(len(values))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_a_row_whose_file_has_gone_does_not_hide_what_takes_its_place(folder, tmp_path):
    index = tmp_path / "index.sqlite"
    place = folder / "1.2.3" / "1.2.3.4" / "1.1.dcm"
    place.parent.mkdir(parents=True)
    place.write_bytes(dicom("9.9"))
    with serve(folder, stow=True, index=index, rescan=3600) as server:
        assert found(server) == ["9.9"]
        place.unlink()
        assert post(server, dicom("1.1")).status == 200
        assert found(server) == ["1.1"]
    with serve(folder, index=index) as server:
        assert found(server) == ["1.1"]


def test_one_place_that_cannot_be_made_fails_one_part_only(folder, server):
    (folder / "1.9").write_text("a file where a study should be")
    answer = post(server, dicom("1.1"), dicom("1.2", study="1.9"), dicom("1.3"))
    assert (answer.status, stored(answer), reasons(answer)) == (202, ["1.1", "1.3"], [272])


def test_a_disk_that_fills_is_out_of_resources_for_the_parts_it_struck(folder, server, monkeypatch):
    link = os.link

    def filling(source, target):
        if "1.2.dcm" in str(target):
            raise OSError(errno.ENOSPC, "No space left on device")
        link(source, target)

    monkeypatch.setattr(os, "link", filling)
    answer = post(server, dicom("1.1"), dicom("1.2"))
    assert (answer.status, stored(answer), reasons(answer)) == (202, ["1.1"], [0xA700])


def test_a_disk_that_is_full_before_anything_is_stored_is_507(folder, server, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(stow.os, "fsync", full)
    answer = post(server, dicom("1.1"))
    assert answer.status == 507
    assert "No space left" in answer.json["error"]


def test_parts_are_on_the_disk_before_they_have_a_name(folder, server, monkeypatch):
    synced, link, fsync = set(), os.link, os.fsync
    unsynced = []

    def noting(descriptor):
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def checking(source, target):
        if Path(source).stat().st_ino not in synced:
            unsynced.append(target)
        link(source, target)

    monkeypatch.setattr(os, "fsync", noting)
    monkeypatch.setattr(os, "link", checking)
    assert post(server, dicom("1.1"), dicom("1.2")).status == 200
    whole = ask(server.url, "/studies", "POST", dicom("1.3"), Content_Type="application/dicom")
    assert whole.status == 200
    assert unsynced == []
    home = folder / "1.2.3" / "1.2.3.4"
    assert {home.stat().st_ino, home.parent.stat().st_ino} <= synced


def test_a_study_that_is_a_link_leads_nowhere_out_of_the_folder(folder, server, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / "1.2.3").symlink_to(outside)
    answer = post(server, dicom("1.1"))
    assert (answer.status, reasons(answer)) == (409, [272])
    assert list(outside.iterdir()) == []


# Without links ----------------------------------------------------------------------------------


@pytest.fixture
def linkless(monkeypatch):
    """A file system without hard links, such as exFAT."""

    def refuse(source, target):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)


def test_without_links_objects_are_stored_and_never_overwritten(folder, server, linkless):
    other = dicom("1.1", x00100020=element(0x00100020, "LO", "other"))
    assert post(server, dicom("1.1")).status == 200
    assert everything(folder) == {"1.2.3/1.2.3.4/1.1.dcm": dicom("1.1")}
    assert post(server, dicom("1.1")).status == 200
    assert reasons(post(server, other)) == [273]
    (folder / "1.2.3" / "1.2.3.4" / "1.2.dcm").write_bytes(b"something of the user's")
    assert reasons(post(server, dicom("1.2"))) == [273]
    assert everything(folder) == {
        "1.2.3/1.2.3.4/1.1.dcm": dicom("1.1"),
        "1.2.3/1.2.3.4/1.2.dcm": b"something of the user's",
    }


@pytest.mark.parametrize("links", [True, False])
def test_an_empty_file_of_a_crash_does_not_block_a_uid(folder, server, links, request):
    if not links:
        request.getfixturevalue("linkless")
    place = folder / "1.2.3" / "1.2.3.4" / "1.1.dcm"
    place.parent.mkdir(parents=True)
    place.touch()
    assert post(server, dicom("1.1")).status == 200
    assert place.read_bytes() == dicom("1.1")
    assert found(server) == ["1.1"]


# What a crash leaves ----------------------------------------------------------------------------


def _left(folder, name, age):
    left = folder / f".wsiweb-incoming-{name}"
    left.mkdir()
    (left / "0").write_bytes(b"half")
    os.utime(left, (time.time() - age,) * 2)
    return left


def test_what_a_crash_left_is_removed_while_the_server_runs(folder, server):
    left = _left(folder, "killed", SETTLED + 1)
    fresh = _left(folder, "fresh", 1)
    assert post(server, dicom("1.1")).status == 200
    assert not left.exists()
    assert fresh.exists()


def test_what_is_being_received_is_not_swept(folder, server):
    from wsiweb.server.store import Store

    incoming = stow.Incoming(Store(folder), "application/dicom", "", limit=1000)
    try:
        (mine,) = folder.glob(".wsiweb-incoming-*")
        os.utime(mine, (time.time() - SETTLED - 1,) * 2)
        sweep(folder)
        assert mine.exists()
    finally:
        incoming.close()
    assert not mine.exists()


def test_without_locks_what_was_left_goes_a_day_later(folder, monkeypatch):
    from wsiweb.server import placing

    monkeypatch.setattr(placing, "_fcntl", None)
    old, new = _left(folder, "old", ABANDONED + 1), _left(folder, "new", ABANDONED - 60)
    sweep(folder)
    assert (old.exists(), new.exists()) == (False, True)
    shutil.rmtree(new)
