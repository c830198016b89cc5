"""Jobs as people hold them: waited for, stopped, tried again, looked at."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from outbox.boxes import add, claim, files, outcome

import wsiweb
from wsiweb.outbox import Outbox, jobs
from wsiweb.outbox.jobs import Job, Jobs
from wsiweb.server import serve

REFUSING = "failing:status=403,on=store"


@pytest.fixture
def given(tmp_path):
    return files(tmp_path / "given", 5)


@pytest.fixture
def start(tmp_path):
    """Start an archive with faults, and connect to it."""
    (tmp_path / "held").mkdir()
    with ExitStack() as stack:

        def begin(*faults):
            server = stack.enter_context(serve(tmp_path / "held", stow=True, faults=faults))
            return stack.enter_context(wsiweb.connect(server.url, outbox=tmp_path / "box"))

        yield begin


@pytest.fixture
def box(tmp_path):
    """An outbox that nobody sends from."""
    box = Outbox(tmp_path / "box", archive="https://pacs.lab/dicom-web")
    yield box
    box.close()


def job_in(box, paths, **more):
    return Job(box, None, add(box, paths, **more))


def test_a_job_may_be_let_go_first(box, given):
    first, second = job_in(box, given[:1]), job_in(box, given[1:2])
    assert (first.priority, second.priority) == (0, 0)
    second.priority = 5
    assert second.priority == 5
    assert claim(box)[0].job == second.id
    with pytest.raises(ValueError, match="priority"):
        first.priority = 2**70


# Waiting ----------------------------------------------------------------------------------------


def test_waiting_returns_what_became_of_each_object(start, given):
    archive = start()
    job = archive.store(given, title="five")
    receipt = job.wait(30)
    assert receipt.ok
    assert receipt.stored == 5
    assert [item.instance_uid for item in receipt.items] == [f"1.9.{n}" for n in range(1, 6)]
    assert job.state == "stored"
    assert job.title == "five"
    assert (job.progress.items, job.progress.done) == (5, 5)
    assert job.progress.sent == job.progress.size == sum(one.stat().st_size for one in given)
    assert job.wait(0) == receipt  # of what is done there is nothing to wait for
    assert f"<Job {job.id} 'five': stored, 5 of 5>" == repr(job)


def test_waiting_for_what_is_refused_says_so(start, given):
    archive = start(REFUSING)
    job = archive.store(given)
    with pytest.raises(wsiweb.StoreError, match="5 failed") as caught:
        job.wait(30)
    assert caught.value.receipt.failed == 5
    assert not caught.value.receipt.ok
    assert job.receipt == caught.value.receipt


def test_one_may_wait_in_an_event_loop_of_ones_own(start, given):
    archive = start("slow:seconds=0.1,on=store", f"{REFUSING},after=1")

    async def main():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        receipt = await archive.store(given).wait_async(30)
        ticking.cancel()
        return receipt, ticks

    receipt, ticks = asyncio.run(main())
    assert receipt.stored == 5
    assert ticks > 3  # the loop was free meanwhile
    with pytest.raises(wsiweb.StoreError):
        asyncio.run(archive.store(files(given[0].parent, 1, first=9)).wait_async(30))


def test_who_waits_too_long_is_told_and_may_wait_again(box, given):
    job = job_in(box, given)  # which nobody sends
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"not finished after 0.1 s; it goes on"):
        job.wait(0.1)
    assert 0.1 <= time.monotonic() - began < 10
    with pytest.raises(TimeoutError):
        asyncio.run(job.wait_async(0))
    box.settle([outcome(one, proof="listed") for one in claim(box)])
    assert job.wait(0).ok


def test_several_threads_may_wait_for_one_job(start, given):
    job = start("slow:seconds=0.1,on=store").store(given)
    receipts = []
    threads = [threading.Thread(target=lambda: receipts.append(job.wait(30))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert receipts == [job.receipt] * 4


def test_a_job_that_was_cleared_is_no_more(start, given):
    archive = start()
    job = archive.store(given)
    job.wait(30)
    job.clear()
    for ask in (job.wait, job.pause, job.cancel, job.retry, job.clear, lambda: job.state):
        with pytest.raises(wsiweb.OutboxError, match="no job"):
            ask()
    assert len(archive.jobs) == 0


# Stopping and going on --------------------------------------------------------------------------


def test_a_paused_job_is_not_waited_for_until_it_is_resumed(start, given):
    archive = start()
    job = archive.store(given, start=False)
    job.pause()
    assert job.state == "paused"
    with pytest.raises(wsiweb.OutboxError, match=r"paused: resume\(\)"):
        job.wait(30)
    with pytest.raises(wsiweb.OutboxError, match="paused"):
        asyncio.run(job.wait_async(30))
    assert job.receipt.stored == 0
    job.resume()
    assert job.wait(30).stored == 5


def test_a_cancelled_job_is_not_sent(start, given, tmp_path):
    archive = start()
    job = archive.store(given, start=False)
    assert job.cancel() == 5
    assert job.cancel() == 0
    assert job.state == "cancelled"
    with pytest.raises(wsiweb.StoreError) as caught:
        job.wait(30)
    assert {item.state for item in caught.value.receipt.items} == {"cancelled"}
    assert archive.jobs.used == 0
    assert not list((tmp_path / "held").rglob("*.dcm"))


def test_only_what_failed_is_tried_again(start, given):
    archive = start(f"{REFUSING},after=1,times=1")
    archive.store(given[:2]).wait(30)
    job = archive.store(given)  # of which two are there
    with pytest.raises(wsiweb.StoreError, match="3 failed"):
        job.wait(30)
    assert job.state == "partial"
    assert job.retry() == 3
    receipt = job.wait(30)
    assert (receipt.stored, receipt.already) == (3, 2)
    assert job.retry() == 0


def test_what_was_given_up_gets_all_its_attempts_again(box, given):
    """An archive was away for days; then somebody says: once more."""
    from wsiweb.errors import Busy
    from wsiweb.outbox.settling import broken_off

    def tried():
        (item,) = claim(box, now=time.time() + 700)
        done = broken_off(item, Busy("It is busy.", status=503), time.time())
        box.settle([done])
        return done.state

    job = job_in(box, given[:1])
    while tried() == "queued":
        pass
    assert job.state == "failed"
    assert job.retry() == 1
    assert tried() == "queued"
    (item,) = claim(box, now=time.time() + 700)
    assert item.tries > 1  # that it may be there already is not forgotten


def test_what_waits_for_its_next_try_is_tried_at_once(box, given):
    job = job_in(box, given)
    items = claim(box)
    box.settle([outcome(one, "queued", next_try=time.time() + 500) for one in items])
    assert claim(box) == []
    assert job.retry() == 5
    assert len(claim(box)) == 5


# All jobs of an archive -------------------------------------------------------------------------


def test_jobs_are_a_sequence_the_oldest_first(box, given):
    ids = [add(box, [path]) for path in given]
    listed = Jobs(box)
    assert len(listed) == 5
    assert [job.id for job in listed] == ids
    assert listed[0].id == ids[0]
    assert listed[-1].id == ids[-1]
    assert [job.id for job in listed[1:3]] == ids[1:3]
    assert [job.id for job in listed[::-2]] == ids[::-2]
    assert listed[ids[2]].id == ids[2]
    assert listed[7:] == []
    with pytest.raises(IndexError):
        listed[5]
    with pytest.raises(wsiweb.OutboxError, match="no job 'nobody'"):
        listed["nobody"]
    assert repr(listed) == "<Jobs of https://pacs.lab/dicom-web: 5>"


def test_what_the_disk_holds_is_counted_and_cleared(box, given):
    listed = Jobs(box)
    done, waiting = add(box, given[:2]), add(box, given[2:])
    assert listed.used == sum(path.stat().st_size for path in given)
    box.settle([outcome(one, proof="listed") for one in claim(box) if one.job == done])
    assert listed.used == sum(path.stat().st_size for path in given[2:])
    assert listed.clear() == 1
    assert [job.id for job in listed] == [waiting]


def test_a_closed_archive_takes_nothing_and_nobody_waits_for_ever(start, given):
    archive = start("slow:seconds=20,on=store")
    job = archive.store(given)
    archive.close()
    with pytest.raises(ValueError, match="was closed; connect again"):
        archive.store(given)
    with pytest.raises(ValueError, match="was closed; connect again"):
        job.wait(5)
    with pytest.raises(ValueError, match="was closed; connect again"):
        asyncio.run(job.wait_async(5))
    assert [one.id for one in archive.jobs] == [job.id]


def test_what_is_done_is_told_of_a_closed_archive_as_well(start, given):
    archive = start()
    job = archive.store(given)
    job.wait(30)
    archive.close()
    assert job.wait(5).ok


def test_whoever_looks_at_the_jobs_sends_what_waits(start, given):
    archive = start()
    job = archive.store(given, start=False)
    assert job.state == "queued"
    assert len(archive.jobs) == 1
    deadline = time.monotonic() + 30
    while job.state != "stored" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert job.state == "stored"


def test_watching_sends_what_waits_and_shows_it(start, given):
    archive = start("slow:seconds=0.2,on=store")
    job = archive.store(given, start=False)
    states = []
    for shown in archive.jobs.watch(0.02):
        (one,) = shown
        assert one.job.id == job.id
        states.append(one.job.state)
        if one.job.finished:
            assert (one.speed, one.seconds_left) == (0.0, None)
            break
    assert states[0] in {"queued", "sending"}
    assert states[-1] == "stored"


def test_watching_without_a_sender_only_looks(box, given):
    job = job_in(box, given)
    watched = Jobs(box).watch(0.0)
    for _ in range(3):
        (one,) = next(watched)
        assert one.job.state == "queued"
    watched.close()
    assert job.state == "queued"


def test_speed_and_time_left_are_of_the_bytes_that_move(box, given, monkeypatch):
    job = job_in(box, given)
    listed = Jobs(box)
    clock = iter([100.0, 101.0, 103.0, 104.0, 200.0])
    monkeypatch.setattr(jobs, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    items = claim(box)
    size = job.progress.size

    def look(sent):
        box.tell({job.id: sent}, time.time())
        (one,) = listed.look()
        return one.speed, one.seconds_left

    assert look(0) == (0.0, None)
    assert look(100) == (100.0, (size - 100) / 100)
    assert look(400) == (400 / 3, pytest.approx((size - 400) * 3 / 400))
    assert look(50) == (0.0, None)  # sent again from its start
    assert look(60) == (0.0, None)  # nobody has looked for long
    box.settle([outcome(one) for one in items])
