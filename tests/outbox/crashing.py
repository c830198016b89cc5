"""Kill an outbox at its work, in a process without threads, so that forks of it are cheap.

``python crashing.py lines SCENARIO FOLDER STEP OFFSET``: for each line of the outbox's code that
the act runs through, a fork does the act and is killed with -9 before that line; then what it left
is checked. Every STEPth line, beginning with OFFSET.

``python crashing.py moments FOLDER TIMES SEED``: a fork adds, claims and settles without end, and
is killed with -9 at a random moment, within a system call as likely as not.

The folders of the library and of its tests have to be on PYTHONPATH.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import pydicom  # noqa: F401 - before the forks, or each would spend its life on importing it
from outbox.boxes import add, check, claim, files, in_spool, outcome

import wsiweb.outbox
import wsiweb.server.scan
from wsiweb.errors import OutboxError
from wsiweb.outbox import Outbox

ROOM = str(Path(wsiweb.outbox.__file__).parent)
COUNT = 3


# The acts: each is given an outbox in which there is one job, and does one thing ------------------


def adding(box: Outbox, sources: list[Path]) -> None:
    add(box, sources)


def opening(folder: Path, _sources: list[Path]) -> None:
    Outbox(folder).close()


def claiming(box: Outbox, _sources: list[Path]) -> None:
    claim(box, most_items=2)


def settling(box: Outbox, _sources: list[Path]) -> None:
    one, two = box.items(box.jobs()[0].id, ["sending"])[:2]
    box.settle([outcome(one), outcome(two, "failed")])


def cancelling(box: Outbox, _sources: list[Path]) -> None:
    box.cancel(box.jobs()[0].id)


def clearing(box: Outbox, _sources: list[Path]) -> None:
    box.clear(box.jobs()[0].id)


# What may be found afterwards: the states of all items, before or after, and nothing between ------

QUEUED = ("queued",) * COUNT
ALLOWED = {
    adding: [[QUEUED], [QUEUED, QUEUED]],
    opening: [[]],
    claiming: [[QUEUED], [("sending", "sending", "queued")]],
    settling: [[("sending",) * COUNT], [("stored", "failed", "sending")]],
    cancelling: [[QUEUED], [("cancelled",) * COUNT]],
    clearing: [[("failed",) * COUNT], []],
}
ACTS = {act.__name__: act for act in ALLOWED}


def prepare(act, folder: Path, sources: list[Path]) -> None:
    if act is opening:
        return
    with contextlib.closing(Outbox(folder)) as box:
        add(box, sources)
        if act in {settling, clearing}:
            items = claim(box)
            if act is clearing:
                box.settle([outcome(one, "failed") for one in items])


def die_at(line: int) -> None:
    """Be killed before a line of the outbox's code, counted from now."""
    left = line

    def trace(frame, event, _):
        nonlocal left
        if not frame.f_code.co_filename.startswith(ROOM):
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)


def lines(act, folder: Path, step: int, offset: int) -> int:
    sources = files(folder / "src", COUNT)
    prepared = folder / "prepared"
    prepare(act, prepared, sources)
    kills, seen = 0, set()
    while True:
        place = folder / f"box-{kills}"
        if prepared.exists():
            shutil.copytree(prepared, place, copy_function=shutil.copy2)
        child = os.fork()
        if not child:
            given = place if act is opening else Outbox(place)
            die_at(offset + kills * step)
            act(given, sources)
            os._exit(0)
        killed = os.waitpid(child, 0)[1] == signal.SIGKILL
        with contextlib.closing(Outbox(place)) as box:
            check(box)
            found = [tuple(one.state for one in box.items(job.id)) for job in box.jobs()]
            assert found in ALLOWED[act], found
            left = [path.name for path in place.iterdir() if path.name.startswith(".")]
            assert not left, left
            whole = {path.read_bytes() for path in sources}
            assert set(in_spool(place).values()) <= whole
        seen.add(tuple(found))
        shutil.rmtree(place)
        if not killed:
            assert len(seen) == len(ALLOWED[act]), seen  # it was killed before it, and after it
            return kills
        kills += 1


def moments(folder: Path, times: int, seed: int) -> None:
    chance = random.Random(seed)
    sources = {path.read_bytes(): path for path in files(folder / "src", 20)}
    place = folder / "box"
    known: dict[str, int] = {}  # what was told to be taken in, and is to be there for good
    for _ in range(times):
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            busy(place, list(sources.values()), writing)
        os.close(writing)
        time.sleep(chance.uniform(0.005, 0.15))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with open(reading) as told:  # noqa: PTH123
            known.update(dict.fromkeys(told.read().split("\n")[:-1], 20))
        with contextlib.closing(Outbox(place)) as box:
            check(box)
            jobs = {job.id: job for job in box.jobs()}
            assert known.keys() <= jobs.keys(), "a job that was taken in is lost"
            assert all(sum(job.counts.values()) == 20 for job in jobs.values())
            assert set(in_spool(place).values()) <= sources.keys()
            with box.sender_lock():
                for one in box.orphans():
                    box.settle([outcome(one, "queued")])
    sys.stdout.write(f"{len(known)} {len(jobs)}\n")


def busy(place: Path, sources: list[Path], told: int) -> None:
    box = Outbox(place)
    with contextlib.suppress(OutboxError), box.sender_lock():
        while True:
            os.write(told, (add(box, sources) + "\n").encode())
            box.settle([outcome(one) for one in claim(box, most_items=30)])
    os._exit(1)


if __name__ == "__main__":
    what, *given = sys.argv[1:]
    if what == "lines":
        kills = lines(ACTS[given[0]], Path(given[1]), int(given[2]), int(given[3]))
        sys.stdout.write(f"{kills}\n")
    else:
        moments(Path(given[0]), int(given[1]), int(given[2]))
