"""Copies between archives: each object once, byte for byte, whatever happens on either side."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest
from faulty import Fault, Faulty
from outbox.boxes import files
from server.making import dicom

import wsiweb
from wsiweb.errors import StoreError
from wsiweb.outbox import Outbox
from wsiweb.server import create_app, serve
from wsiweb.server.faults.passing import Answer, Call
from wsiweb.transfers.copying import PART

QUICK = wsiweb.Settings(retries=8, patience=1.0)
COPY = """
import sys, wsiweb
with wsiweb.connect(sys.argv[1]) as source, wsiweb.connect(sys.argv[2], outbox=sys.argv[3]) as to:
    job = to.copy_from(source, "1.2.3")
    print("begun", flush=True)
    job.wait()
"""


class Closable:
    """An archive that takes nothing in while it is `closed`."""

    def __init__(self, app):
        self.app = app
        self.closed = False

    async def __call__(self, scope, receive, send):
        if self.closed and scope.get("method") == "POST":
            await Call(scope, receive, send).respond(Answer(503, {"Retry-After": "1"}, b""))
        else:
            await self.app(scope, receive, send)


@pytest.fixture
def start():
    """Serve a folder behind faults of this file, or named ones; return log's owner and URL."""
    with contextlib.ExitStack() as stack:

        def start(folder, *faults, named=()):
            folder.mkdir(exist_ok=True)
            app = Faulty(Closable(create_app(folder, stow=True)), *faults)
            server = stack.enter_context(serve(app=app, faults=named))
            return app, server.url

        yield start


@pytest.fixture
def connect(tmp_path):
    with contextlib.ExitStack() as stack:

        def connect(target, name):
            archive = wsiweb.connect(target, settings=QUICK, outbox=tmp_path / f"outbox-{name}")
            return stack.enter_context(archive)

        yield connect


@pytest.fixture
def both(tmp_path, start, connect):
    """Two servers, the first with objects: their logs' owners and archives."""

    def both(count=12, *, side=30, named=(), stored_as=()):
        files(tmp_path / "src", count, side=side)
        one, url = start(tmp_path / "src", named=named)
        two, other = start(tmp_path / "to", named=stored_as)
        return one, connect(url, "one"), two, connect(other, "two")

    return both


def fetched(app):
    paths = [path for path in app.paths("/instances/") if "metadata" not in path]
    return [path.rpartition("/")[2] for path in paths]


def stores(app):
    return [path for method, path, _ in app.log if method == "POST"]


def there(folder):
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*/*/*")}


def expected(folder):
    return {f"1.9.{path.stem}.dcm": path.read_bytes() for path in folder.glob("*.dcm")}


def test_a_study_is_copied_and_again_nothing_is_fetched(both, tmp_path):
    one, source, two, target = both()
    job = target.copy_from(source, "1.2.3")
    assert job.wait(60).stored == 12
    assert {item.proof for item in job.items} == {"listed"}
    assert job.progress.size == sum(map(len, expected(tmp_path / "src").values()))
    assert there(tmp_path / "to") == expected(tmp_path / "src")
    assert [_kind(target, one) for one in target.jobs] == ["copy"]  # its parts are gone
    assert target.jobs.used == 0
    one.log.clear()
    two.log.clear()
    again = target.copy_from(source, "1.2.3")
    assert again.wait(60).already == 12
    assert fetched(one) == stores(two) == []
    target.close()  # after a job says that it is done, its folder is removed
    assert not list((tmp_path / "outbox-two").glob(".wsiweb*"))


@pytest.mark.parametrize("verify", [None, False])
def test_what_another_way_brought_there_is_compared_or_said_not_to_be(both, tmp_path, verify):
    one, source, _, target = both()
    for name in ("2", "5"):
        target.store(tmp_path / "src" / f"{name}.dcm").wait(30)
    job = target.copy_from(source, "1.2.3", verify=verify)
    receipt = job.wait(60)
    assert (receipt.stored, receipt.already) == (10, 2)
    held = [item for item in job.items if item.state == "held"]
    not_fetched = {f"1.9.{number}" for number in range(1, 13)} - set(fetched(one))
    if verify is None:
        assert {(item.proof, item.warnings) for item in held} == {("compared", ())}
        assert not_fetched == set()
    else:
        assert {item.proof for item in held} == {"listed"}
        assert all("was not compared" in item.warnings[0] for item in held)
        assert not_fetched == {"1.9.2", "1.9.5"}
    assert there(tmp_path / "to") == expected(tmp_path / "src")


def test_what_was_copied_is_fetched_again_once_nobody_knows_of_it(both):
    one, source, _, target = both(4)
    target.copy_from(source, "1.2.3").wait(60)
    one.log.clear()
    target.jobs.clear()
    job = target.copy_from(source, "1.2.3")
    assert job.wait(60).already == 4
    assert {item.proof for item in job.items} == {"compared"}
    assert len(fetched(one)) == 4
    assert target.copy_from(source, "1.2.3").wait(60).already == 4  # which has been compared
    assert len(fetched(one)) == 4


def test_what_was_not_compared_is_no_proof_for_the_next_copy(both, tmp_path):
    _, source, _, target = both(3)
    target.store(tmp_path / "src").wait(30)
    job = target.copy_from(source, "1.2.3", verify=False)
    assert job.wait(60).already == 3
    assert {item.proof for item in job.items} == {"listed"}
    again = target.copy_from(source, "1.2.3")
    assert again.wait(60).already == 3
    assert {item.proof for item in again.items} == {"compared"}


def test_a_copy_of_another_source_is_no_proof(both, start, connect, tmp_path):
    _, source, _, target = both(2)
    files(tmp_path / "third", 2, side=30)
    data = bytearray((tmp_path / "third" / "2.dcm").read_bytes())
    data[-1] ^= 1
    (tmp_path / "third" / "2.dcm").write_bytes(data)
    _, url = start(tmp_path / "third")
    target.copy_from(source, "1.2.3").wait(60)
    with pytest.raises(StoreError, match="1 failed"):
        target.copy_from(connect(url, "three"), "1.2.3").wait(60)


def test_a_study_that_is_named_twice_is_copied_once(both):
    _, source, _, target = both(3)
    assert target.copy_from(source, "1.2.3", "1.2.3").wait(60).stored == 3
    assert target.copy_from(source, "1.2.3", "1.2.3", series="1.2.3.4").wait(60).already == 3


def test_an_archive_that_was_closed_copies_nothing(both, tmp_path):
    _, source, _, target = both(1)
    target.close()
    for call in (
        lambda: target.copy_from(source, "1.2.3"),
        lambda: target.download("1.2.3", tmp_path / "x"),
        lambda: target.import_folder(tmp_path / "src"),
    ):
        with pytest.raises(ValueError, match="was closed; connect again"):
            call()
    assert not (tmp_path / "x").exists()


def test_another_object_under_a_held_uid_is_found_and_stays(both, tmp_path):
    _, source, _, target = both(3)
    other = tmp_path / "other.dcm"
    other.write_bytes(dicom("1.9.2", shape=(8, 8)))
    target.store(other).wait(30)
    with pytest.raises(StoreError, match=r"1\.9\.2: .*another object with this UID.*Rows"):
        target.copy_from(source, "1.2.3").wait(60)
    assert there(tmp_path / "to")["1.9.2.dcm"] == other.read_bytes()
    assert len(there(tmp_path / "to")) == 3


def test_another_object_that_no_list_tells_apart_is_found_unless_lists_are_trusted(both, tmp_path):
    _, source, _, target = both(3)
    data = bytearray((tmp_path / "src" / "2.dcm").read_bytes())
    data[-1] ^= 1
    (tmp_path / "other.dcm").write_bytes(data)
    target.store(tmp_path / "other.dcm").wait(30)
    trusting = target.copy_from(source, "1.2.3", verify=False)
    assert trusting.wait(60).already == 1
    (held,) = [item for item in trusting.items if item.state == "held"]
    assert "was not compared" in held.warnings[0]
    for verify in (None, True):
        job = target.copy_from(source, "1.2.3", verify=verify)
        with pytest.raises(StoreError, match="PixelData"):
            job.wait(60)
        assert [item.state for item in job.items] == ["held", "failed", "held"]


def test_several_studies_or_one_series(both, tmp_path):
    one, source, _, target = both(3)
    (tmp_path / "src" / "50.dcm").write_bytes(dicom("1.9.50", series="1.2.3.5"))
    (tmp_path / "src" / "60.dcm").write_bytes(dicom("1.9.60", study="1.2.8"))
    assert target.copy_from(source, "1.2.3", series="1.2.3.5").wait(60).stored == 1
    assert fetched(one) == ["1.9.50"]
    receipt = target.copy_from(source, "1.2.3", "1.2.8").wait(60)
    assert (receipt.stored, receipt.already) == (4, 1)


def test_what_makes_no_sense_is_refused(both):
    _, source, _, target = both(1)
    with pytest.raises(ValueError, match="one study or several"):
        target.copy_from(source)
    with pytest.raises(ValueError, match="a series of one study"):
        target.copy_from(source, "1.2.3", "1.2.4", series="1.2.5")
    with pytest.raises(ValueError, match="both where to copy from and where to"):
        target.copy_from(target, "1.2.3")
    with pytest.raises(wsiweb.NotFound, match="no study 7"):
        target.copy_from(source, "7")
    assert list(target.jobs) == []


def test_from_a_server_into_a_folder_and_back(both, connect, tmp_path):
    _, source, _, target = both(5)
    folder = tmp_path / "folder"
    folder.mkdir()
    local = connect(folder, "folder")
    assert local.copy_from(source, "1.2.3").wait(60).stored == 5
    assert there(folder) == expected(tmp_path / "src")
    assert target.copy_from(local, "1.2.3").wait(60).stored == 5
    assert there(tmp_path / "to") == expected(tmp_path / "src")


def test_faults_on_both_sides_are_overcome(both, tmp_path):
    named = (
        "busy:on=objects,every=4,retry_after=0",
        "truncated:on=objects,every=5,keep=600",
        "slow:on=objects,every=7,seconds=0.05",
    )
    stored_as = (
        "busy:on=store,times=1,retry_after=0",
        "crash-after-store:on=store,after=1,times=1",
        "liar-409:after=2,times=1",
    )
    _, source, _, target = both(60, named=named, stored_as=stored_as)
    receipt = target.copy_from(source, "1.2.3").wait(120)
    assert receipt.stored + receipt.already == 60
    assert there(tmp_path / "to") == expected(tmp_path / "src")


def test_what_the_source_cannot_give_has_failed_and_the_rest_is_copied(both, tmp_path):
    one, source, _, target = both(8)
    one.faults.append(Fault("/instances/1.9.3", keep=300))
    job = target.copy_from(source, "1.2.3")
    with pytest.raises(StoreError, match=r"1\.9\.3: failed"):
        job.wait(120)
    assert [item.state for item in job.items].count("stored") == 7
    one.faults.clear()
    one.log.clear()
    assert target.copy_from(source, "1.2.3").wait(60).ok
    assert fetched(one) == ["1.9.3"]


def test_a_source_that_goes_away_ends_the_copy_but_not_what_was_fetched(both, tmp_path):
    one, source, _, target = both(40)
    one.faults.append(Fault("/instances/1.9.2", cut=0))  # 2 and 20 to 29
    with pytest.raises(StoreError, match="it was not come to"):
        target.copy_from(source, "1.2.3").wait(120)
    assert there(tmp_path / "to")
    assert target.jobs.used == 0
    one.faults.clear()
    assert target.copy_from(source, "1.2.3").wait(60).ok
    assert there(tmp_path / "to") == expected(tmp_path / "src")


def test_a_small_outbox_is_enough(tmp_path, start, connect, monkeypatch):
    sources = files(tmp_path / "src", 30, side=100)  # 10 kB each
    _, url = start(tmp_path / "src")
    _, other = start(tmp_path / "to")
    source, target = connect(url, "one"), connect(other, "two")
    outbox, _ = target._sending
    outbox.limit = 60_000
    most = []
    take = Outbox.add

    def watched(self, *given, **more):
        job = take(self, *given, **more)
        most.append(self.used())
        return job

    monkeypatch.setattr(Outbox, "add", watched)
    assert target.copy_from(source, "1.2.3").wait(120).stored == len(sources)
    assert len(most) > 4
    assert max(most) <= outbox.limit
    assert there(tmp_path / "to") == expected(tmp_path / "src")


def test_an_object_that_the_outbox_cannot_hold_has_failed_by_itself(both, tmp_path):
    _, source, _, target = both(3)
    (tmp_path / "src" / "50.dcm").write_bytes(dicom("1.9.50", shape=(300, 300)))
    outbox, _ = target._sending
    outbox.limit = 50_000
    job = target.copy_from(source, "1.2.3")
    with pytest.raises(StoreError, match="The outbox is full"):
        job.wait(60)
    assert sorted(there(tmp_path / "to")) == ["1.9.1.dcm", "1.9.2.dcm", "1.9.3.dcm"]


def test_what_waits_in_the_outbox_is_not_fetched_again(both, tmp_path):
    one, source, two, target = both()
    two.app.closed = True
    target.copy_from(source, "1.2.3")
    deadline = time.monotonic() + 30
    while not [one for one in target.jobs if one.items and _kind(target, one) == PART]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    target.close()
    assert len(fetched(one)) == 12
    with wsiweb.connect(target.url, settings=QUICK, outbox=tmp_path / "outbox-two") as again:
        first = again.jobs[0]
        assert {item.reason.partition(";")[0] for item in first.items} == {
            "the archive was closed before it was sent"
        }
        two.app.closed = False
        assert again.copy_from(source, "1.2.3").wait(60).ok
        assert len(fetched(one)) == 12
        assert {_kind(again, one) for one in again.jobs} == {"copy"}
    assert there(tmp_path / "to") == expected(tmp_path / "src")


def _kind(archive, job):
    return archive._sending[0].job(job.id).kind


def test_a_copy_that_is_cancelled_ends_and_leaves_nothing_waiting(both, tmp_path):
    _, source, two, target = both(30)
    two.app.closed = True
    job = target.copy_from(source, "1.2.3")
    time.sleep(0.5)
    job.cancel()
    with pytest.raises(StoreError):
        job.wait(30)
    assert job.state == "cancelled"
    assert target.jobs.used == 0


@pytest.mark.parametrize("moment", [0.1, 0.4, 0.9])
def test_killed_and_begun_again_each_object_is_there_once(both, tmp_path, moment):
    one, source, _, target = both(150, side=60)
    given = [source.url, target.url, str(tmp_path / "outbox-two")]
    with subprocess.Popen([sys.executable, "-c", COPY, *given], stdout=-1) as process:
        process.stdout.readline()
        time.sleep(moment)
        os.kill(process.pid, signal.SIGKILL)
    before = set(there(tmp_path / "to"))
    one.log.clear()
    receipt = target.copy_from(source, "1.2.3").wait(120)
    assert receipt.stored + receipt.already == 150
    assert len(fetched(one)) <= 150 - len(before)
    assert len(set(fetched(one))) == len(fetched(one))
    assert there(tmp_path / "to") == expected(tmp_path / "src")
    assert target.jobs.used == 0
