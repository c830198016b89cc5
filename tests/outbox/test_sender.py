"""Objects are brought to archives of all kinds: stored and proven, or failed for a true reason."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from outbox.boxes import check, files

import wsiweb
from wsiweb.outbox import Outbox, database, sender, settling
from wsiweb.server import create_app, serve

MANY = 60  # more than go in one request

# What passes, or stores whatever it says, and cannot keep objects from being stored.
PASSING = [
    "slow:seconds=0.05",
    "late-answer:seconds=0.05,on=store",
    "busy:retry_after=0,rate=0.5,seed=3",
    "too-many:retry_after=0,on=store,times=2",
    "failing:on=store,times=2",
    "failing:status=507,on=store,times=1",
    "dropped:on=store,times=2,taken=3000",
    "dropped:rate=0.3,seed=5",
    "crash-after-store:times=2",
    "truncated:on=store,times=2",
    "truncated:rate=0.2,seed=2",
    "short-answer:on=store,times=2",
    "forgetful:times=2",
    "forgetful:times=2,named=no",
    "too-large:most=20000",
    "too-large:most=20000,body=discarded",
    "liar-409",
    "liar-409:code=43264",
    "empty-sequences",
    "xml",
    "in-a-list",
    "text-answer",
    "silent",
    "no-content-type",
    "charset",
    "no-content",
    "page-limit:most=20,default=10",
    "unfiltered",
    "orthanc-1.10",
    "google",
    "azure",
    "dcm4chee",
    "dcmjs",
    "moved:on=store",
]


def held(folder):
    """Return the content of each object that a server holds, once for each file of it."""
    return sorted(path.read_bytes() for path in folder.rglob("*.dcm"))


@pytest.fixture
def hasty(monkeypatch):
    """Wait shorter than for an archive of this world."""
    monkeypatch.setattr(sender, "_LAG", (0.0, 0.05, 0.1))
    monkeypatch.setattr(settling, "_FIRST_WAIT", 0.02)


@pytest.fixture
def given(tmp_path):
    return files(tmp_path / "given", MANY)


@pytest.fixture
def start(tmp_path):
    """Start an archive with faults, and connect to it."""
    (tmp_path / "held").mkdir()
    running = []

    def begin(*faults, **options):
        server = serve(tmp_path / "held", stow=True, faults=faults)
        archive = wsiweb.connect(server.url, outbox=tmp_path / "box", **options)
        running.append((archive, server))
        return archive

    yield begin
    for archive, server in running:
        archive.close()
        server.close()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("fault", PASSING)
def test_everything_arrives_once_and_as_it_was(start, given, tmp_path, fault):
    archive = start(fault)

    receipt = archive.store(given).wait(60)

    assert receipt.ok
    assert len(receipt.items) == MANY
    assert {item.proof for item in receipt.items} <= {"listed", "compared"}
    assert held(tmp_path / "held") == sorted(path.read_bytes() for path in given)
    assert archive.jobs.used == 0
    archive.close()  # after a row says so, the copy is removed
    check(Outbox(tmp_path / "box"))


def test_credentials_that_expire_on_the_way_are_renewed(start, given, tmp_path):
    tokens = (f"token-{number}" for number in itertools.count())
    archive = start("expired:lasts=3", auth=wsiweb.BearerAuth(lambda: next(tokens)))
    assert archive.store(given).wait(60).ok
    assert len(held(tmp_path / "held")) == MANY


def test_what_stores_may_have_credentials_of_its_own(start, given):
    archive = start("expired:lasts=1,on=store", store_auth=("writer", "secret"))
    assert archive.store(given[3:6]).wait(60).ok
    with pytest.raises(wsiweb.StoreError, match="credentials") as caught:
        archive.store(given[:3]).wait(60)
    assert "secret" not in str(caught.value)


def test_what_was_refused_can_be_sent_again(start, given, tmp_path):
    archive = start("failing:status=403,on=store,times=1")
    job = archive.store(given[:5])
    with pytest.raises(wsiweb.StoreError, match="5 failed"):
        job.wait(60)
    assert job.state == "failed"
    assert archive.jobs.used > 0
    assert job.retry() == 5
    assert job.wait(60).ok
    assert len(held(tmp_path / "held")) == 5


def test_equal_objects_count_as_stored_and_are_not_sent(start, given):
    archive = start()
    assert archive.store(given).wait(60).stored == MANY
    receipt = archive.store(given).wait(60)
    assert receipt.ok
    assert receipt.already == MANY
    assert {item.proof for item in receipt.items} == {"compared"}


@pytest.mark.parametrize("fault", ["stale-duplicate", "duplicate:equal=no", "orthanc-1.10"])
def test_another_object_of_the_same_uid_is_an_error_and_stays(start, given, tmp_path, fault):
    import pydicom

    archive = start(fault)
    archive.store(given[:2]).wait(60)
    before = held(tmp_path / "held")
    changed = pydicom.dcmread(given[0])
    changed.PatientName = "Somebody^Else"

    job = archive.store(changed)
    with pytest.raises(wsiweb.StoreError, match=r"another object with this UID.*PatientName"):
        job.wait(60)

    assert held(tmp_path / "held") == before


@pytest.mark.usefixtures("hasty")
def test_an_archive_that_forgets_everything_is_found_out(start, given):
    archive = start("forgetful")
    with pytest.raises(wsiweb.StoreError, match="said that it stored it, and does not list it"):
        archive.store(given[:3]).wait(60)


def test_an_archive_that_only_stores_is_believed(start, given):
    archive = start("failing:status=403,on=search")
    receipt = archive.store(given[:3]).wait(60)
    assert {item.proof for item in receipt.items} == {"answer"}


def test_an_archive_that_does_not_say_what_it_holds_is_not_believed(start, given, tmp_path):
    archive = start("forgetful", "failing:status=401,on=search,after=3")
    job = archive.store(given[:3])
    with pytest.raises(wsiweb.StoreError, match="whether it did, it would not say"):
        job.wait(60)
    assert held(tmp_path / "held") == []
    assert [item.path.is_file() for item in job.items] == [True] * 3


def test_without_an_answer_and_without_a_search_nothing_is_sent_twice(start, given, tmp_path):
    archive = start("text-answer", "failing:status=403,on=search")
    job = archive.store(given[:3])
    with pytest.raises(wsiweb.StoreError, match="cannot be asked"):
        job.wait(60)
    assert [item.tries for item in job.items] == [1, 1, 1]


class Picky:
    """Refuses each request, with words that are no DICOM, that holds a certain object."""

    def __init__(self, app, uid, *, stores):
        self.app, self.uid, self.stores = app, uid.encode(), stores
        self.refused = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)

        async def again():
            return {"type": "http.request", "body": body, "more_body": False}

        async def nothing(_event):
            pass

        if self.uid not in body:
            await self.app(scope, again, send)
            return
        self.refused += 1
        if self.stores:
            await self.app(scope, again, nothing)
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"7")]
        await send({"type": "http.response.start", "status": 400, "headers": headers})
        await send({"type": "http.response.body", "body": b"refused"})


@pytest.mark.parametrize("stores", [False, True])
def test_one_bad_object_does_not_keep_the_others_from_arriving(given, tmp_path, stores):
    (tmp_path / "held").mkdir()
    picky = Picky(create_app(tmp_path / "held", stow=True), "1.9.7", stores=stores)
    with serve(app=picky) as server:
        archive = wsiweb.connect(server.url, outbox=tmp_path / "box")
        job = archive.store(given[:30])
        if stores:  # it refuses what it has stored
            assert {item.proof for item in job.wait(60).items} <= {"listed", "compared"}
        else:
            with pytest.raises(wsiweb.StoreError, match="30 objects: 29 stored, 1 failed"):
                job.wait(60)
        archive.close()
    assert len(held(tmp_path / "held")) == 29 + stores
    assert picky.refused <= 8


@pytest.mark.usefixtures("hasty")
def test_a_search_that_fails_after_an_answer_leaves_all_proofs_in_order(
    start, given, tmp_path, caplog
):
    # Some of each request are refused, and the search after that fails now and then.
    archive = start("liar-409:rate=0.5,seed=4", "busy:retry_after=0,on=search,rate=0.4,seed=9")
    for path in given:
        archive.store(path)
    for job in archive.jobs:
        assert job.wait(60).ok
    assert len(held(tmp_path / "held")) == MANY
    assert caplog.text == ""


def test_an_object_that_is_too_large_says_so(start, given):
    archive = start("too-large:most=100")
    with pytest.raises(wsiweb.StoreError, match="bytes in one request"):
        archive.store(given[:3]).wait(60)


def test_an_archive_that_is_away_is_waited_for(given, tmp_path):
    (tmp_path / "held").mkdir()
    with serve(tmp_path / "held", stow=True) as server:
        port = int(server.url.rpartition(":")[2])
    archive = wsiweb.connect(server.url, outbox=tmp_path / "box")
    job = archive.store(given)
    with pytest.raises(TimeoutError, match="goes on"):
        job.wait(0.5)
    assert job.state in {"queued", "sending"}
    with serve(tmp_path / "held", stow=True, port=port):
        assert job.wait(60).ok
        archive.close()


def test_stopping_and_going_on(start, given, tmp_path):
    archive = start("slow:seconds=0.3,on=store")
    job = archive.store(given)
    job.pause()
    with pytest.raises(wsiweb.OutboxError, match="paused"):
        job.wait(10)
    deadline = time.monotonic() + 20
    while job.state == "sending" and time.monotonic() < deadline:
        time.sleep(0.05)
    job.cancel()
    receipt = job.receipt
    assert {item.state for item in receipt.items} <= {"stored", "cancelled"}
    stored = sum(item.state == "stored" for item in receipt.items)
    assert len(held(tmp_path / "held")) == stored
    assert archive.jobs.used == 0


def test_two_connections_share_an_outbox(start, given, tmp_path):
    first = start("slow:seconds=0.02")
    second = wsiweb.connect(first.url, outbox=tmp_path / "box")
    jobs = [(first, second)[at % 20 == 0].store(given[at : at + 10]) for at in range(0, MANY, 10)]
    threads = [threading.Thread(target=job.wait, args=(60,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(job.state == "stored" for job in jobs)
    assert len(held(tmp_path / "held")) == MANY
    second.close()


def test_a_connection_that_is_closed_leaves_the_rest_to_the_next(start, given, tmp_path, caplog):
    first = start("slow:seconds=0.2,on=store")
    job = first.store(given)
    time.sleep(0.1)
    first.close()
    assert job.state == "queued"
    assert "Not all is sent" in caplog.text
    second = wsiweb.connect(first.url, outbox=tmp_path / "box")
    assert second.jobs[job.id].wait(60).ok
    assert len(held(tmp_path / "held")) == MANY
    second.close()


_HASTY = """
import sys, wsiweb
archive = wsiweb.connect(sys.argv[1], outbox=sys.argv[2])
archive.store(*sys.argv[3:])
"""


def test_a_script_that_does_not_wait_is_told_and_loses_nothing(start, given, tmp_path):
    archive = start("slow:seconds=2,on=store")
    words = [sys.executable, "-c", _HASTY, archive.url, tmp_path / "box", *given]
    done = subprocess.run([*map(os.fspath, words)], capture_output=True, text=True, check=True)
    assert done.stderr.startswith("Not all is sent to http://127.0.0.1:")
    (job,) = archive.jobs
    assert job.wait(60).ok


_CHILD = """
import sys, wsiweb
archive = wsiweb.connect(sys.argv[1], outbox=sys.argv[2], settings=wsiweb.Settings(retries=0))
print("ready", flush=True)
for job in archive.jobs:
    job.wait(60)
print("done", flush=True)
"""


def test_what_a_killed_process_was_sending_is_sent_by_the_next(start, given, tmp_path):
    archive = start("slow:seconds=0.05", "crash-after-store:every=2")
    job = archive.store(given)
    job.pause()
    archive.close()
    box = tmp_path / "box"
    later = wsiweb.connect(archive.url, outbox=box)
    later.jobs[job.id].resume()
    later.close()
    for pause in (0.05, 0.2, 0.35, 0.5):
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, archive.url, os.fspath(box)],
            stdout=subprocess.PIPE,
        )
        assert child.stdout.readline() == b"ready\n"
        time.sleep(pause)
        child.send_signal(signal.SIGKILL)
        child.communicate()
    last = wsiweb.connect(archive.url, outbox=box)
    assert last.jobs[job.id].wait(60).ok
    assert held(tmp_path / "held") == sorted(path.read_bytes() for path in given)
    last.close()


_FORKED = """
import os, signal, sys, time, wsiweb
archive = wsiweb.connect(sys.argv[1], outbox=sys.argv[2])
assert len(archive.jobs) == 0
reading, writing = os.pipe()
child = os.fork()
if not child:
    job = archive.store(*sys.argv[3:])
    while job.state != "sending":
        time.sleep(0.01)
    os.write(writing, b".")
    time.sleep(60)
assert os.read(reading, 1) == b"."
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
(job,) = archive.jobs
assert job.wait(20).ok
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_what_a_killed_child_was_sending_is_sent_by_its_parent(start, given, tmp_path):
    archive = start("slow:seconds=0.5,on=store")
    words = [sys.executable, "-W", "ignore", "-c", _FORKED, archive.url, tmp_path / "box"]
    subprocess.run([*map(os.fspath, [*words, *given[:6]])], check=True, timeout=60)
    assert held(tmp_path / "held") == sorted(path.read_bytes() for path in given[:6])


@pytest.fixture
def impatient(monkeypatch):
    """Wait shorter than for a database of this world."""
    monkeypatch.setattr(database, "_PATIENCE", 0.1)
    monkeypatch.setattr(sender, "_PATIENCE", 0.1)


def until(what, seconds=20):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("state", ["queued", "sending"])
def test_a_locked_database_is_waited_for(start, given, tmp_path, caplog, state):
    archive = start("slow:seconds=0.5,on=store")
    job = archive.store(given[:6], start=state == "sending")
    until(lambda: job.state == state)
    with contextlib.closing(sqlite3.connect(tmp_path / "box" / "outbox.sqlite")) as other:
        other.execute("BEGIN IMMEDIATE")
        archive.jobs.go_on()
        until(lambda: "Nothing can be sent" in caplog.text)
        time.sleep(1.0)  # in which it is tried several times
    until(lambda: job.state == "stored")  # and nobody waits, which would send as well
    (told,) = caplog.records
    assert "locked" in told.getMessage()
    assert told.exc_info is None
    assert {item.proof for item in job.items} <= {"listed", "compared"}
    assert len(held(tmp_path / "held")) == 6


def test_what_comes_when_all_is_sent_is_sent_as_well(start, given, monkeypatch):
    archive = start()
    put_back = sender.Sender._put_back
    late = []

    def dawdling(self):
        if not late:
            late.append(archive.store(given[1]))
            time.sleep(0.2)  # until that is heard of
        put_back(self)

    monkeypatch.setattr(sender.Sender, "_put_back", dawdling)
    archive.store(given[0])
    until(lambda: late and late[0].state == "stored")


def resting(start, given, seconds):
    """Return an archive that is left alone for a while, and a job that it did not take."""
    archive = start(f"busy:retry_after={seconds},on=store,times=1")
    job = archive.store(given[:3])
    until(lambda: [(item.tries, item.state) for item in job.items] == [(1, "queued")] * 3)
    return archive, job


def test_who_tries_again_does_not_wait_as_the_archive_has_asked(start, given):
    archive, job = resting(start, given, 3600)
    other = archive.store(given[3:5])
    with pytest.raises(TimeoutError):
        other.wait(1)
    assert job.retry() == 3
    assert job.wait(10).ok
    assert other.wait(10).ok


def test_who_resumes_does_not_wait_as_the_archive_has_asked(start, given):
    _, job = resting(start, given, 3600)
    job.pause()
    job.resume()
    assert job.wait(10).ok


def test_no_archive_is_left_alone_for_a_year(start, given):
    archive, _ = resting(start, given, 999_999_999)
    assert archive._sending[1]._rest_until - time.monotonic() <= 3600
