"""Only a database that is ours and sound is touched; what was committed is kept."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from outbox.boxes import add, check, files, in_spool

from wsiweb.errors import OutboxError
from wsiweb.outbox import Outbox, database

LOCKER = """
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "box"


@pytest.fixture
def sources(tmp_path):
    return files(tmp_path / "src", 3)


def everything(folder):
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.is_file() and not path.name.endswith(".lock")
    }


def refused(folder, words):
    before = everything(folder)
    with pytest.raises(OutboxError, match=words):
        Outbox(folder)
    assert everything(folder) == before


def made_by_others(path, *statements):
    with contextlib.closing(sqlite3.connect(path)) as other:
        for statement in statements:
            other.execute(statement)
        other.commit()


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + bytes(84)])
def test_a_file_that_is_no_outbox_is_left_as_it_is(folder, content):
    folder.mkdir()
    (folder / "outbox.sqlite").write_bytes(content)
    refused(folder, "not the database of an outbox")


def test_the_database_of_another_program_is_left_as_it_is(folder):
    folder.mkdir()
    path = folder / "outbox.sqlite"
    made_by_others(path, "CREATE TABLE jobs (id)", "INSERT INTO jobs VALUES (1)")
    refused(folder, "not the database of an outbox")
    made_by_others(path, "PRAGMA application_id = 5", "PRAGMA user_version = 1")
    refused(folder, "not the database of an outbox")


def test_what_another_program_had_begun_there_is_not_finished_for_it(folder):
    folder.mkdir()
    path = folder / "outbox.sqlite"
    script = (
        "import os, sqlite3, sys; db = sqlite3.connect(sys.argv[1]);"
        "db.execute('PRAGMA journal_mode = WAL'); db.execute('CREATE TABLE t (x)');"
        "db.execute('INSERT INTO t VALUES (1)'); db.commit(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=True)
    assert (folder / "outbox.sqlite-wal").stat().st_size
    refused(folder, "not the database of an outbox")


def test_an_outbox_of_a_newer_version_is_left_as_it_is(folder, sources):
    with contextlib.closing(Outbox(folder)) as box:
        add(box, sources)
    made_by_others(folder / "outbox.sqlite", f"PRAGMA user_version = {database.VERSION + 1}")
    refused(folder, "newer wsiweb.*update wsiweb")
    assert len(in_spool(folder)) == 3


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_a_damaged_database_is_left_as_it_is_and_so_are_the_objects(folder, sources, at):
    with contextlib.closing(Outbox(folder)) as box:
        add(box, sources)
    path = folder / "outbox.sqlite"
    data = bytearray(path.read_bytes())
    start = int(len(data) * at) // 4096 * 4096
    data[max(start, 100) : max(start, 100) + 3000] = b"\xa5" * 3000
    path.write_bytes(data)
    refused(folder, "damaged.*send them again")
    assert len(in_spool(folder)) == 3


def test_a_database_that_was_cut_off_is_refused(folder, sources):
    with contextlib.closing(Outbox(folder)) as box:
        add(box, sources)
    path = folder / "outbox.sqlite"
    path.write_bytes(path.read_bytes()[:8192])
    refused(folder, "damaged")


def test_a_lost_database_does_not_take_the_objects_with_it(folder, sources):
    with contextlib.closing(Outbox(folder)) as box:
        add(box, sources)
    (folder / "outbox.sqlite").unlink()
    with pytest.raises(OutboxError, match="is gone, but objects"):
        Outbox(folder)
    assert len(in_spool(folder)) == 3


def test_a_database_removed_in_use_is_an_error_and_nothing_is_taken_in(folder, sources):
    with contextlib.closing(Outbox(folder)) as box:
        (folder / "outbox.sqlite").unlink()
        with pytest.raises(OutboxError, match="removed or replaced"):
            add(box, sources)
    assert in_spool(folder) == {}


def test_an_outbox_of_another_archive_is_refused(folder):
    with contextlib.closing(Outbox(folder, archive="https://a/dicom-web")):
        pass
    with contextlib.closing(Outbox(folder)):
        pass
    with pytest.raises(OutboxError, match="https://a/dicom-web, not of https://b"):
        Outbox(folder, archive="https://b/dicom-web")


def test_many_may_make_it_at_once(folder):
    def opened(_):
        with contextlib.closing(Outbox(folder)) as box:
            return box.jobs()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(opened, range(16))) == [[]] * 16
    assert not list(folder.glob(".*"))


# An older version -------------------------------------------------------------------------------


@pytest.fixture
def newer(monkeypatch):
    """This library, a version later."""
    monkeypatch.setattr(database, "VERSION", database.VERSION + 1)
    steps = {database.VERSION - 1: ("ALTER TABLE jobs ADD COLUMN colour TEXT",)}
    monkeypatch.setattr(database, "MIGRATIONS", steps)
    return steps


def columns(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        return version, [row[1] for row in db.execute("PRAGMA table_info(jobs)")]


def test_an_older_outbox_is_brought_up_to_date_and_kept_as_a_copy(folder, sources, request):
    with contextlib.closing(Outbox(folder)) as box:
        job = add(box, sources)
    old = columns(folder / "outbox.sqlite")
    request.getfixturevalue("newer")
    with contextlib.closing(Outbox(folder)) as box:
        assert box.job(job).counts["queued"] == 3
        check(box)
    assert columns(folder / "outbox.sqlite") == (old[0] + 1, [*old[1], "colour"])
    assert columns(folder / f"outbox.sqlite.format-{old[0]}") == old


def test_a_step_that_fails_changes_nothing(folder, sources, request):
    with contextlib.closing(Outbox(folder)) as box:
        add(box, sources)
    old = columns(folder / "outbox.sqlite")
    newer = request.getfixturevalue("newer")
    newer[database.VERSION - 1] += ("ALTER TABLE none ADD COLUMN x TEXT",)
    with pytest.raises(OutboxError, match="no such table"):
        Outbox(folder)
    assert columns(folder / "outbox.sqlite") == old
    assert len(in_spool(folder)) == 3


# Locked by another process ----------------------------------------------------------------------


@pytest.fixture
def locked(folder):
    """An outbox whose database another process keeps to itself for some seconds."""
    with contextlib.ExitStack() as stack:

        def lock(seconds):
            command = [sys.executable, "-c", LOCKER, str(folder / "outbox.sqlite"), str(seconds)]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            stack.callback(process.kill)
            process.stdout.readline()

        yield lock


def test_a_locked_database_is_waited_for(folder, sources, locked):
    with contextlib.closing(Outbox(folder)) as box:
        locked(0.6)
        begun = time.monotonic()
        add(box, sources)
        assert time.monotonic() - begun > 0.3
        check(box)


def test_a_database_that_stays_locked_is_a_clear_error(folder, sources, locked, monkeypatch):
    monkeypatch.setattr(database, "_PATIENCE", 0.3)
    with contextlib.closing(Outbox(folder)) as box:
        locked(30)
        with pytest.raises(OutboxError, match="another process has kept it locked"):
            add(box, sources)
        assert in_spool(folder) == {}
        assert box.jobs() == []  # looking is possible meanwhile


def test_threads_share_it(folder, tmp_path):
    before = threading.active_count()
    with contextlib.closing(Outbox(folder)) as box:

        def work(number):
            job = add(box, files(tmp_path / str(number), 2, first=10 * number))
            return box.job(job).counts["queued"]

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(work, range(1, 17))) == [2] * 16
        check(box)
        assert threading.active_count() < before + 10
