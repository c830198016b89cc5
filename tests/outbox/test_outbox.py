"""The queue: in any order of what is asked, each item is settled once and nothing is lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)
from outbox.boxes import add, check, claim, files, in_spool, outcome
from server.making import dicom

from wsiweb.errors import OutboxError
from wsiweb.outbox import Outbox, Outcome, Planned, examine
from wsiweb.outbox.database import Database
from wsiweb.outbox.spool import sweep


@pytest.fixture
def box(tmp_path):
    box = Outbox(tmp_path / "box")
    yield box
    box.close()


@pytest.fixture
def sources(tmp_path):
    return files(tmp_path / "src", 6)


def numbers(items):
    return [one.instance_uid.rpartition(".")[2] for one in items]


# Taking in and looking --------------------------------------------------------------------------


def test_a_job_is_what_was_given(box, sources):
    begun = time.time()
    job = box.add(examine(sources), title="six", priority=3, options={"verify": True})
    row = box.job(job)
    assert (row.id, row.kind, row.title, row.priority) == (job, "store", "six", 3)
    assert (row.options, row.state, row.paused, row.finished) == (
        {"verify": True}, "queued", False, False,
    )  # fmt: skip
    assert begun <= row.created <= time.time()
    assert row.progress.size == sum(path.stat().st_size for path in sources)
    items = box.items(job)
    assert [one.origin for one in items] == [str(path) for path in sources]
    assert {(one.study_uid, one.series_uid, one.transfer_syntax) for one in items} == {
        ("1.2.3", "1.2.3.4", "1.2.840.10008.1.2.1")
    }
    assert box.jobs(kinds=["store"]) == box.jobs() == [row]
    assert box.jobs(kinds=["download"]) == []
    check(box)


@pytest.mark.parametrize("priority", [10**30, -(10**30), 10**15 + 1, "high", None, 1.5, True])
def test_a_priority_is_a_whole_number_within_bounds(box, sources, priority):
    with pytest.raises(ValueError, match="priority is a whole number"):
        add(box, sources, priority=priority)
    job = add(box, sources, priority=-(10**15))
    with pytest.raises(ValueError, match="priority is a whole number"):
        box.prioritise(job, priority)
    assert [row.priority for row in box.jobs()] == [-(10**15)]
    check(box)


@pytest.mark.parametrize("title", [3, None, b"bytes"])
def test_a_title_is_a_text(box, sources, title):
    with pytest.raises(ValueError, match="title is a text"):
        box.add(examine(sources), title=title)
    with pytest.raises(ValueError, match="title is a text"):
        box.running("download", title=title, planned=[])
    assert box.jobs() == []
    check(box)


def test_two_who_take_in_at_once_keep_to_the_limit_together(tmp_path, sources):
    size = sources[0].stat().st_size
    with contextlib.closing(Outbox(tmp_path / "box", limit=4 * size + 100)) as box:

        def objects():
            yield from examine(sources[:3])
            add(box, sources[3:])  # by somebody else, before the rows of these are written

        with pytest.raises(OutboxError, match=r"The outbox is full.*nothing was taken in"):
            box.add(objects(), title="first")
        (row,) = box.jobs()
        assert row.title == "test"
        assert box.used() == sum(path.stat().st_size for path in sources[3:])
        check(box)


def test_a_sweep_bears_a_sender_that_settles_meanwhile(box, sources):
    job = add(box, sources[:1])
    (one,) = claim(box)

    def wanted(name):
        assert name == job
        box.settle([outcome(one)])  # which removes the last copy of the job, and its folder
        return {1}

    sweep(box.folder / "spool", wanted)
    check(box)


def test_options_are_what_json_knows(box, sources):
    with pytest.raises(ValueError, match="options of a job"):
        box.add(examine(sources), title="x", options={"then": object()})
    assert in_spool(box.folder) == {}


def test_there_is_no_such_job(box):
    for ask in (box.job, box.items, box.skipped, box.pause, box.resume, box.cancel, box.retry):
        with pytest.raises(OutboxError, match="There is no job 'abc'"):
            ask("abc")
    with pytest.raises(OutboxError, match="There is no job 'abc'"):
        box.clear("abc")


def test_an_interruption_takes_nothing_in(box, sources):
    def interrupted():
        yield from examine(sources)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        box.add(interrupted(), title="x")
    assert (box.jobs(), list((box.folder / "spool").iterdir())) == ([], [])


def test_an_interruption_after_the_rows_were_written_leaves_the_job_whole(
    box, sources, monkeypatch
):
    writing = Database.writing

    @contextlib.contextmanager
    def interrupted(self, **how):
        with writing(self, **how) as db:
            yield db
        raise KeyboardInterrupt

    monkeypatch.setattr(Database, "writing", interrupted)
    with pytest.raises(KeyboardInterrupt):
        add(box, sources)
    monkeypatch.undo()
    (job,) = box.jobs()
    assert job.counts["queued"] == 6
    check(box)


# Claiming ---------------------------------------------------------------------------------------


def test_by_priority_then_by_age_within_bounds(box, sources):
    add(box, sources[:2])
    add(box, sources[2:4])
    add(box, sources[4:], priority=5)
    size = sources[0].stat().st_size
    assert numbers(claim(box, most_items=1)) == ["5"]
    assert numbers(claim(box, most_bytes=3 * size)) == ["6", "1", "2"]
    assert numbers(claim(box, most_bytes=size - 1)) == ["3"]  # alone, though it is too large
    assert numbers(claim(box)) == ["4"]
    assert claim(box) == []


def test_the_priority_may_change(box, sources):
    add(box, sources[:1])
    job = add(box, sources[1:2])
    box.prioritise(job, 1)
    assert numbers(claim(box, most_items=1)) == ["2"]


def test_a_group_is_of_one_study_one_kind_and_one_way(box, tmp_path):
    one, two = files(tmp_path / "a", 2), files(tmp_path / "b", 2, first=3, study="1.5")
    add(box, [one[0], two[0], one[1], two[1]])
    assert numbers(claim(box)) == ["1", "2"]
    assert numbers(claim(box)) == ["3", "4"]
    for number, more in enumerate([{}, {"options": {"a": 1}}, {"kind": "copy"}, {}], start=5):
        add(box, files(tmp_path / "c", 1, first=number), **more)
    assert [numbers(claim(box)) for _ in range(4)] == [["5", "8"], ["6"], ["7"], []]


def test_one_uid_is_never_under_way_twice(box, sources):
    add(box, sources[:1])
    add(box, sources[:2])
    (first, second) = claim(box)
    assert numbers([first, second]) == ["1", "2"]
    assert claim(box) == []
    box.settle([outcome(first)])
    assert numbers(claim(box)) == ["1"]


def test_two_processes_never_get_the_same(tmp_path):
    paths = files(tmp_path / "src", 60)
    with contextlib.closing(Outbox(tmp_path / "box")) as box:
        job = add(box, paths)
        script = (
            "import sys, time; from pathlib import Path; from wsiweb.outbox import Outbox\n"
            "box = Outbox(Path(sys.argv[1])); print('ready', flush=True); sys.stdin.readline()\n"
            "while group := box.claim(time.time(), 2**30, 2): print(*[one.id for one in group])"
        )
        command = [sys.executable, "-c", script, str(box.folder)]
        workers = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        for worker in workers:
            worker.stdout.readline()
        for worker in workers:
            worker.stdin.write("go\n")
            worker.stdin.flush()
        got = [worker.communicate(timeout=60)[0].split() for worker in workers]
        assert sorted(int(one) for ids in got for one in ids) == [one.id for one in box.items(job)]
        # They are gone, and what they had is to be asked about.
        assert len(box.orphans()) == 60


# Settling ---------------------------------------------------------------------------------------


def test_what_became_of_items_is_kept_and_their_copies_are_removed(box, sources):
    job = add(box, sources)
    items = claim(box)
    box.settle(
        [
            outcome(items[0], proof="answer", code=0xB000, warnings=("coerced",), comment="ok"),
            outcome(items[1], "held", proof="compared"),
            outcome(items[2], "failed", code=272, reason="general error", comment="said \udcff"),
            outcome(items[3], "queued", next_try=time.time() + 60, reason="busy"),
        ]
    )
    rows = box.items(job)
    assert [one.state for one in rows] == [
        "stored", "held", "failed", "queued", "sending", "sending",
    ]  # fmt: skip
    assert (rows[0].proof, rows[0].code, rows[0].warnings) == ("answer", 0xB000, ("coerced",))
    assert (rows[2].code, rows[2].reason) == (272, "general error")
    assert rows[2].comment == "said \\udcff"
    assert [one.settled is not None for one in rows] == [True] * 3 + [False] * 3
    assert [one.path.exists() for one in rows] == [False] * 2 + [True] * 4
    assert [one.tries for one in rows] == [1] * 6
    check(box)
    progress = box.job(job).progress
    assert (progress.items, progress.done) == (6, 2)
    assert progress.sent == sum(one.size for one in rows[:2])


def test_an_item_is_settled_once(box, sources):
    job = add(box, sources)
    one, two = claim(box, most_items=2)
    box.settle([outcome(one)])
    waiting = box.items(job, ["queued"])[0]
    for again, words in ((one, "it is stored"), (waiting, "it is queued")):
        with pytest.raises(ValueError, match=f"is not being sent: {words}. Nothing was changed"):
            box.settle([outcome(two), outcome(again, "failed")])
        assert box.items(job)[1].state == "sending"
    with pytest.raises(ValueError, match="there is none"):
        box.settle([Outcome(item=10_000, state="stored")])
    box.settle([])


def test_progress_is_told_to_others(box, sources):
    job = add(box, sources)
    items = claim(box, most_items=2)
    box.tell({job: 100}, now=5.0)
    with contextlib.closing(Outbox(box.folder)) as other:
        assert (other.job(job).progress.sent, other.job(job).progress.told) == (100, 5.0)
        box.settle([outcome(one) for one in items])
        assert other.job(job).progress.sent == sum(one.size for one in items)


def test_what_a_dead_sender_left_is_to_be_asked_about(box, sources):
    job = add(box, sources[:2])
    claim(box)
    with contextlib.closing(Outbox(box.folder)) as next_one:
        left = next_one.orphans()
        assert [one.state for one in left] == ["sending"] * 2
        assert next_one.claim(time.time(), 2**30, 10) == []
        next_one.settle([outcome(left[0], "held", proof="compared"), outcome(left[1], "queued")])
        assert next_one.orphans() == []
        assert numbers(claim(next_one)) == ["2"]
    assert box.job(job).counts["held"] == 1


def test_what_one_could_not_settle_oneself_is_asked_about_as_well(box, sources):
    job = add(box, sources[:2])
    claim(box)
    left = box.orphans()
    assert [one.state for one in left] == ["sending"] * 2
    box.settle([outcome(one, "queued") for one in left])
    assert len(claim(box)) == 2
    assert box.job(job).counts["sending"] == 2


def test_one_sends_at_a_time_and_a_killed_sender_makes_room(box):
    script = (
        "import sys, time; from pathlib import Path; from wsiweb.outbox import Outbox\n"
        "lock = Outbox(Path(sys.argv[1])).sender_lock(); print(lock is not None, flush=True)\n"
        "time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(box.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sender:
        assert sender.stdout.readline().strip() == "True"
        assert box.sender_lock() is None
        sender.send_signal(signal.SIGKILL)
        sender.wait()
    with box.sender_lock():
        assert box.sender_lock() is None
    box.sender_lock().release()


# What people ask --------------------------------------------------------------------------------


def test_a_paused_job_waits_and_what_is_under_way_is_finished(box, sources):
    job = add(box, sources)
    (one,) = claim(box, most_items=1)
    box.pause(job)
    assert box.job(job).state == "sending"
    assert claim(box) == []
    assert box.wait(time.time()) is None
    box.settle([outcome(one)])
    assert box.job(job).state == "paused"
    box.resume(job)
    assert len(claim(box)) == 5


def test_what_is_cancelled_while_it_is_sent_is_told_truly(box, sources):
    job = add(box, sources)
    one, two, three = claim(box, most_items=3)
    assert box.cancel(job) == 3
    assert box.job(job).cancelled
    box.settle([outcome(one), outcome(two, "queued"), outcome(three, "failed")])
    assert [row.state for row in box.items(job)] == [
        "stored", "cancelled", "failed", "cancelled", "cancelled", "cancelled",
    ]  # fmt: skip
    assert box.job(job).state == "partial"
    check(box)


def test_a_finished_job_is_not_cancelled_afterwards(box, sources):
    job = add(box, sources[:1])
    box.settle([outcome(one) for one in claim(box)])
    assert box.cancel(job) == 0
    assert (box.job(job).state, box.job(job).cancelled) == ("stored", False)


def test_a_retry_sends_only_what_failed_and_at_once(box, sources):
    job = add(box, sources[:3])
    later = time.time() + 600
    one, two, three = claim(box)
    box.settle(
        [outcome(one), outcome(two, "failed", reason="x"), outcome(three, "queued", next_try=later)]
    )
    assert claim(box) == []
    assert box.retry(job) == 2
    rows = box.items(job)
    assert [(row.state, row.refusals, row.reason) for row in rows[1:]] == [("queued", 0, "")] * 2
    assert [row.tries for row in rows] == [1, 1, 1]  # it may be there: the archive will be asked
    assert numbers(claim(box)) == ["2", "3"]


def test_only_what_succeeded_is_cleared_unless_it_is_named(box, sources):
    jobs = [add(box, [path]) for path in sources[:4]]
    items = claim(box, most_items=3)
    box.settle([outcome(items[0]), outcome(items[1], "failed"), outcome(items[2])])
    with pytest.raises(OutboxError, match="is queued: cancel it, or wait"):
        box.clear(jobs[3])
    assert box.clear() == 2
    assert [job.id for job in box.jobs()] == [jobs[1], jobs[3]]
    check(box)
    assert box.clear(jobs[1]) == 1
    assert [job.id for job in box.jobs()] == [jobs[3]]
    check(box)


# Jobs that are done elsewhere -------------------------------------------------------------------


def planned(count):
    return [Planned(origin=f"frame {number}", size=10) for number in range(count)]


def test_a_download_is_listed_with_the_jobs_and_not_sent(box):
    with box.running("download", title="slide", planned=planned(2), options={"a": 1}) as job:
        assert box.job(job).state == "sending"
        assert (claim(box), box.orphans(), box.used()) == ([], [], 0)
        box.tell({job: 7}, now=1.0)
        assert box.job(job).progress.sent == 7
        with contextlib.closing(Outbox(box.folder)):  # which sweeps
            box.settle([outcome(one) for one in box.items(job)])
    row = box.job(job)
    assert (row.kind, row.state, row.options) == ("download", "stored", {"a": 1})
    assert not list(box.folder.glob("running-*"))


def test_what_is_cancelled_elsewhere_stays_cancelled_when_it_is_tried_again(box):
    with box.running("download", title="slide", planned=planned(3)) as job:
        one, two, three = box.items(job)
        box.cancel(job)
        assert box.retry(job) == 0
        assert box.job(job).cancelled  # who does it may have stopped already
        box.settle([outcome(one), outcome(two, "queued"), outcome(three, "queued")])
        assert [item.state for item in box.items(job)] == ["stored", "cancelled", "cancelled"]
    assert box.clear(job) == 1


def test_what_is_done_elsewhere_never_waits(box):
    with box.running("download", title="slide", planned=planned(1)) as job:
        box.settle([outcome(one, "queued") for one in box.items(job)])
        assert box.job(job).state == "cancelled"


def test_a_paused_download_goes_on_when_it_is_tried_again(box):
    with box.running("download", title="slide", planned=planned(1)) as job:
        box.pause(job)
        box.retry(job)
        assert not box.job(job).paused


def test_a_download_has_no_copy_that_could_be_gone(box):
    with box.running("download", title="slide", planned=planned(1)) as job:
        pass
    with box._database.writing() as db:  # as earlier ones left it
        db.execute("UPDATE items SET state = 'queued', reason = ''")
    box.sweep()
    assert [one.reason for one in box.items(job)] == [
        "the process that did it ended before it came to this"
    ]


def test_what_it_did_not_come_to_has_failed(box):
    with box.running("import", title="x", planned=planned(2)) as job:
        box.settle([outcome(box.items(job)[0])])
    assert [one.reason for one in box.items(job)] == ["", "it ended before it came to this"]

    def fails():
        with box.running("import", title="x", planned=planned(1)) as job:
            jobs.append(job)
            raise OutboxError("no more.")

    jobs = []
    with pytest.raises(OutboxError, match="no more"):
        fails()
    assert box.items(jobs[0])[0].reason == "it ended: no more."
    assert box.clear(job) == 1


def test_a_killed_download_has_failed_when_somebody_looks(box):
    script = (
        "import sys, time; from pathlib import Path; from wsiweb.outbox import Outbox, Planned\n"
        "box = Outbox(Path(sys.argv[1]))\n"
        "with box.running('download', title='x', planned=[Planned(origin='a')]) as job:\n"
        "    print(job, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(box.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        job = process.stdout.readline().strip()
        box.sweep()
        assert box.job(job).state == "sending"
        process.send_signal(signal.SIGKILL)
        process.wait()
    box.sweep()
    assert box.job(job).state == "failed"
    assert "the process that did it ended" in box.items(job)[0].reason
    assert not list(box.folder.glob("running-*"))


# Forks ------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_connections_of_its_own(tmp_path):
    script = (
        "import os, sys, time; from pathlib import Path\n"
        "from wsiweb.outbox import Outbox, examine\n"
        "box = Outbox(Path(sys.argv[1])); job = box.add(examine(sys.argv[2]), title='x')\n"
        "child = os.fork()\n"
        "group = box.claim(time.time(), 2**30, 3)\n"
        "assert len(group) == 3, group\n"
        "if not child: os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert box.job(job).counts['sending'] == 6\n"
    )
    files(tmp_path / "src", 6)
    command = [sys.executable, "-c", script, str(tmp_path / "box"), str(tmp_path / "src")]
    subprocess.run(command, check=True, timeout=60)
    with contextlib.closing(Outbox(tmp_path / "box")) as box:
        check(box)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_in_the_midst_of_a_transaction_is_not_stuck(tmp_path):
    script = (
        "import os, signal, sys, threading; from pathlib import Path\n"
        "from wsiweb.outbox import Outbox\n"
        "box = Outbox(Path(sys.argv[1])); begun, end = threading.Event(), threading.Event()\n"
        "def work():\n"
        "    with box._database.writing(): begun.set(); end.wait()\n"
        "thread = threading.Thread(target=work); thread.start(); begun.wait()\n"
        "child = os.fork()\n"
        "if not child: signal.alarm(20); box.jobs(); os._exit(0)\n"
        "status = os.waitpid(child, 0)[1]; end.set(); thread.join(); sys.exit(status != 0)\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", script, str(tmp_path / "box")]
    subprocess.run(command, check=True, timeout=60)


# Everything in any order ------------------------------------------------------------------------


class Queue(RuleBasedStateMachine):
    """What a queue has to do, as plain dictionaries, beside one that does it on a disk."""

    jobs = Bundle("jobs")
    sent = Bundle("sent")

    @initialize()
    def open(self):
        self.place = Path(tempfile.mkdtemp(prefix="wsiweb-queue-"))
        self.boxes = [Outbox(self.place / "box") for _ in range(2)]
        self.box = self.boxes[0]
        self.states: dict[str, dict[str, str]] = {}  # by job and instance
        self.paused: set[str] = set()
        self.cancelled: set[str] = set()
        self.settled: dict[tuple[str, str], int] = {}
        self.now = 1_000_000.0
        self.waits: dict[tuple[str, str], float] = {}
        self.count = 0

    def teardown(self):
        for box in getattr(self, "boxes", []):
            box.close()
        shutil.rmtree(getattr(self, "place", Path("none")), ignore_errors=True)

    @rule(
        target=jobs,
        count=st.integers(1, 4),
        priority=st.integers(0, 1),
        study=st.sampled_from("12"),
    )
    def add(self, count, priority, study):
        paths = []
        for _ in range(count):
            self.count += 1
            path = self.place / f"{self.count}.dcm"
            path.write_bytes(dicom(f"1.9.{self.count}", study=f"1.2.{study}"))
            paths.append(path)
        job = self.box.add(examine(paths), title="x", priority=priority)
        self.states[job] = {f"1.9.{path.stem}": "queued" for path in paths}
        return job

    @rule(target=sent, most=st.integers(1, 5), who=st.integers(0, 1))
    def claim(self, most, who):
        group = self.boxes[who].claim(self.now, 2**30, most)
        due = {
            (job, uid)
            for job, items in self.states.items()
            for uid, state in items.items()
            if state == "queued"
            and job not in self.paused
            and self.waits.get((job, uid), 0) <= self.now
        }
        assert bool(group) == bool(due)
        assert len(group) <= most
        assert len({one.study_uid for one in group}) <= 1
        assert {(one.job, one.instance_uid) for one in group} <= due
        for one in group:
            self.states[one.job][one.instance_uid] = "sending"
        return multiple(*group)

    @rule(
        one=consumes(sent),
        state=st.sampled_from(["stored", "held", "failed", "queued"]),
        wait=st.sampled_from([0, 30]),
    )
    def settle(self, one, state, wait):
        self.box.settle([outcome(one, state, next_try=self.now + wait)])
        key = (one.job, one.instance_uid)
        if state == "queued" and one.job in self.cancelled:
            state = "cancelled"
        if state in {"stored", "held"}:
            self.settled[key] = self.settled.get(key, 0) + 1
        self.waits[key] = self.now + wait if state == "queued" else 0
        self.states[one.job][one.instance_uid] = state

    @rule(seconds=st.sampled_from([10, 40, 4000]))
    def pass_time(self, seconds):
        self.now += seconds

    @rule(job=jobs)
    def pause(self, job):
        if job in self.states:
            self.box.pause(job)
            self.paused.add(job)

    @rule(job=jobs)
    def resume(self, job):
        if job in self.states:
            self.box.resume(job)
            self.paused.discard(job)

    @rule(job=jobs)
    def cancel(self, job):
        if job not in self.states:
            return
        items = self.states[job]
        waiting = [uid for uid, state in items.items() if state == "queued"]
        assert self.box.cancel(job) == len(waiting)
        items.update(dict.fromkeys(waiting, "cancelled"))
        if {"cancelled", "sending"} & set(items.values()):
            self.cancelled.add(job)
            self.paused.discard(job)

    @rule(job=jobs)
    def retry(self, job):
        if job not in self.states:
            return
        items = self.states[job]
        again = [uid for uid, state in items.items() if state in {"failed", "queued"}]
        assert self.box.retry(job) == len(again)
        items.update(dict.fromkeys(again, "queued"))
        self.waits.update(dict.fromkeys(((job, uid) for uid in again), 0))
        self.paused.discard(job)
        self.cancelled.discard(job)

    @rule(job=jobs)
    def clear(self, job):
        if job not in self.states:
            return
        if {"queued", "sending"} & set(self.states[job].values()):
            with pytest.raises(OutboxError, match="before it is cleared"):
                self.box.clear(job)
        else:
            assert self.box.clear(job) == 1
            del self.states[job]

    @rule()
    def clear_all(self):
        over = [
            job
            for job, items in self.states.items()
            if set(items.values()) <= {"stored", "held", "cancelled"}
        ]
        assert self.box.clear() == len(over)
        for job in over:
            del self.states[job]

    @rule()
    def sweep(self):
        self.box.sweep()

    @invariant()
    def nothing_is_lost_and_counts_add_up(self):
        if not hasattr(self, "box"):
            return
        found = {
            job.id: {one.instance_uid: one.state for one in self.box.items(job.id)}
            for job in self.box.jobs()
        }
        assert found == self.states
        assert all(times == 1 for times in self.settled.values())
        check(self.box)


TestQueue = Queue.TestCase
TestQueue.settings = settings(
    deadline=None,
    max_examples=int(os.environ.get("WSIWEB_SOAK", "0")) or 25,
    stateful_step_count=30,
)
