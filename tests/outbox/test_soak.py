"""A sender that is killed again and again, and an archive that is bad in every way at once.

At the end each object is stored exactly once, byte for byte, or listed as failed for a true reason:
nothing is lost and nothing is doubled. ``make soak`` kills it a hundred times.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

from outbox.boxes import check, files

import wsiweb
from wsiweb.outbox import Outbox
from wsiweb.server import serve

KILLS = int(os.environ.get("WSIWEB_SOAK", "4"))
OBJECTS, SLOW = (200, 0.35) if "WSIWEB_SOAK" in os.environ else (60, 0.05)
BAD = [
    f"slow:seconds={SLOW},on=store",  # so that it is not done before it was killed so often
    "too-large:most=6000",  # so that an object or two go in a request
    "expired:lasts=40",
    "busy:retry_after=0,rate=0.1,seed=1",
    "dropped:taken=700,rate=0.05,seed=2",
    "truncated:keep=20,rate=0.05,seed=3",
    "crash-after-store:rate=0.1,seed=4",
    "forgetful:rate=0.1,seed=5",
    "liar-409:rate=0.1,seed=6",
]

SENDER = """
import sys, time, wsiweb
from pathlib import Path

tokens = iter(range(time.time_ns(), 10**30))
archive = wsiweb.connect(
    sys.argv[1], outbox=sys.argv[2], auth=wsiweb.BearerAuth(lambda: str(next(tokens)))
)
given = sorted(Path(sys.argv[3]).iterdir(), key=lambda path: int(path.stem))
at = sum(len(job.items) for job in archive.jobs)
while at < len(given):  # a batch is in the outbox, or it is not
    archive.store(given[at : at + 20])
    at += 20
print("ready", flush=True)
for job in archive.jobs:
    try:
        job.wait()
    except wsiweb.StoreError:
        pass
print("done", flush=True)
archive.close()
"""


def life(url, box, given, seconds):
    """Send for some seconds, then die; tell whether everything was settled before."""
    words = [sys.executable, "-c", SENDER, url, box, given]
    with subprocess.Popen([*map(os.fspath, words)], stdout=subprocess.PIPE) as child:
        began = time.monotonic()
        while child.poll() is None and time.monotonic() - began < seconds:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        said = child.stdout.read().split()
    assert child.returncode in {0, -signal.SIGKILL}
    return said[-1:] == [b"done"]


def test_nothing_is_lost_and_nothing_doubled(tmp_path, capsys):
    given = files(tmp_path / "given", OBJECTS, side=32)
    held = tmp_path / "held"
    held.mkdir()
    chance = random.Random(KILLS)
    kills = 0
    began = time.monotonic()
    with serve(held, stow=True, faults=BAD) as server:
        box = tmp_path / "box"
        # Starting takes a second: some die before they send, some in the middle.
        while not life(server.url, box, tmp_path / "given", chance.uniform(0.3, 3.0)):
            kills += 1
            if kills == KILLS:
                assert life(server.url, box, tmp_path / "given", 600)
                break
        archive = wsiweb.connect(server.url, outbox=box, auth="a token")
        items = [item for job in archive.jobs for item in job.items]
        archive.close()

    assert kills == KILLS
    stored = [item for item in items if item.state in {"stored", "held"}]
    failed = [item for item in items if item.state == "failed"]
    contents = {path.stem: path.read_bytes() for path in given}
    found = Counter(path.read_bytes() for path in held.rglob("*.dcm"))
    assert len(items) == OBJECTS == len(stored) + len(failed)
    for item in stored:
        assert found.pop(contents[item.origin.rpartition("/")[2].removesuffix(".dcm")]) == 1
    assert not found  # nothing that failed, nothing twice, nothing else
    assert all(item.reason for item in failed)
    check(Outbox(box))
    proofs = Counter(item.proof for item in stored)
    seconds, tries = time.monotonic() - began, sum(item.tries for item in items)
    said = (
        f"\n{OBJECTS} objects, {kills} kills in {seconds:.0f} s: {len(stored)} stored "
        f"({dict(proofs)}), {len(failed)} failed, {tries} times claimed\n"
    )
    said += "".join(f"  {item.instance_uid}: {item.reason}\n" for item in failed)
    with capsys.disabled():
        sys.stdout.write(said)
