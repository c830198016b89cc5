"""Jobs that are done in this process: their ends are written, whatever goes wrong."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from wsiweb import loop
from wsiweb.errors import OutboxError, ProtocolError
from wsiweb.outbox import Outbox, Outcome, Planned
from wsiweb.transfers.course import Courses


@pytest.fixture
def box(tmp_path):
    box = Outbox(tmp_path / "box")
    yield box
    box.close()


PLANNED = [Planned(origin=str(number), instance_uid=f"1.{number}") for number in range(20)]


def begin(box, work, planned=PLANNED):
    return Courses().start(box, "download", work, title="some", planned=planned)


def ended(box, job, seconds=20):
    deadline = time.monotonic() + seconds
    while not box.job(job).finished:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return box.items(job)


async def stored(item):
    await asyncio.sleep(0.001)
    return Outcome(item=item.id, state="stored", size=item.number)


def test_each_item_is_settled_once(box):
    async def work(course):
        await course.each(course.left.values(), stored, 4)

    items = ended(box, begin(box, work))
    assert [(item.state, item.size) for item in items] == [("stored", one) for one in range(1, 21)]


def test_what_is_left_when_the_work_breaks_off_has_failed_for_that_reason(box):
    async def fifth(item):
        if item.number == 5:
            raise ProtocolError("nobody answers")
        return await stored(item)

    async def work(course):
        await course.each(course.left.values(), fifth, 1)

    items = ended(box, begin(box, work))
    assert [item.state for item in items] == ["stored"] * 4 + ["failed"] * 16
    assert {item.reason for item in items[4:]} == {"it was not come to: nobody answers"}


def test_a_bug_is_told_and_logged(box, caplog):
    async def work(_course):
        raise KeyError("a bug")

    items = ended(box, begin(box, work))
    assert {item.reason for item in items} == {"it was not come to: KeyError: 'a bug'"}
    assert "failed unexpectedly" in caplog.text


def test_what_the_work_passes_over_has_failed(box):
    async def work(_course):
        pass

    assert {item.reason for item in ended(box, begin(box, work))} == {"it was passed over"}


def test_an_outbox_that_cannot_be_written_ends_the_job_once_it_can(box, monkeypatch, caplog):
    monkeypatch.setattr("wsiweb.transfers.course._PATIENCE", 0.1)
    writing = box._database.writing
    full = time.monotonic() + 1.0

    def refusing(**given):
        if time.monotonic() < full:
            raise OutboxError("the disk is full")
        return writing(**given)

    async def work(course):
        monkeypatch.setattr(box._database, "writing", refusing)
        await course.each(course.left.values(), stored, 4)

    items = ended(box, begin(box, work))
    assert {item.state for item in items} == {"failed"}
    assert "the disk is full" in caplog.text


def test_close_waits_until_the_end_is_written(box):
    courses = Courses()

    async def work(_course):
        await asyncio.sleep(60)

    job = courses.start(box, "download", work, title="some", planned=PLANNED)
    loop.run(courses.close())
    row = box.job(job)
    assert row.finished
    assert row.counts["failed"] == 20


def test_a_paused_job_goes_on_when_it_is_resumed(box):
    begun = []

    async def slow(item):
        begun.append(item.number)
        await asyncio.sleep(0.1)
        return Outcome(item=item.id, state="stored")

    async def work(course):
        await course.each(course.left.values(), slow, 1)

    job = begin(box, work)
    box.pause(job)
    time.sleep(1.0)
    count = len(begun)
    assert count < 20
    time.sleep(0.7)
    assert len(begun) == count
    box.resume(job)
    assert {item.state for item in ended(box, job)} == {"stored"}


def test_a_cancelled_job_ends_though_somebody_tries_it_again(box):
    async def slow(item):
        await asyncio.sleep(0.3)
        return Outcome(item=item.id, state="stored")

    seen = threading.Event()

    async def work(course):
        await course.each(course.left.values(), slow, 1)
        assert not await course.goes_on()
        seen.set()
        await asyncio.sleep(0.3)  # so that it is tried again before its end is written

    job = begin(box, work)
    box.cancel(job)
    assert seen.wait(10)
    assert box.retry(job) == 0
    states = [item.state for item in ended(box, job)]
    assert states == sorted(states, reverse=True)  # first stored, then cancelled
    assert states[-1] == "cancelled"
    assert box.clear(job) == 1
