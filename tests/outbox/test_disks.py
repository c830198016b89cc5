"""Disks that are full, folders that cannot be written: clear errors, and nothing half-written.

The tests may run as root, whom permissions do not stop: these are disks that really refuse.
"""

from __future__ import annotations

import contextlib
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from outbox.boxes import add, check, claim, files, in_spool, outcome
from outbox.test_intake import native

from wsiweb.errors import OutboxError
from wsiweb.outbox import Outbox, examine, taking

# Run where a file may have at most so many bytes: a quota, as far as one process can have it.
LIMITED = """
import resource, sys
from pathlib import Path
from wsiweb.errors import OutboxError
from wsiweb.outbox import Outbox, examine
box = Outbox(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
try:
    box.add(examine(Path(sys.argv[2])), title="large")
except OutboxError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
box.add(examine(Path(sys.argv[2])), title="again")
"""


@contextlib.contextmanager
def mounted(place, *options):
    place.mkdir()
    mount = shutil.which("mount")
    command = [mount, "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(place)]
    if mount is None or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this machine lets us mount no small disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def small(tmp_path):
    """A disk of 1 MB."""
    with mounted(tmp_path / "disk", "size=1m") as disk:
        yield disk


def test_a_full_disk_takes_nothing_in_and_keeps_what_it_has(small, tmp_path):
    first = files(tmp_path / "a", 3)
    large = files(tmp_path / "b", 20, first=10, side=300)  # 90 kB each
    with contextlib.closing(Outbox(small / "box", limit=2**40)) as box:
        job = add(box, first)
        before = in_spool(box.folder)
        for _ in range(3):
            with pytest.raises(OutboxError, match=r"No space left on device.*Make room"):
                add(box, large)
            assert in_spool(box.folder) == before
        assert [one.id for one in box.jobs()] == [job]
        check(box)
        add(box, large[:2])  # what fits is taken in afterwards
        check(box)


def test_a_dataset_on_a_full_disk_is_the_fault_of_the_disk(small):
    given = native()
    given.Rows = given.Columns = 1000
    given.PixelData = bytes(2 * 1000 * 1000)
    with contextlib.closing(Outbox(small / "box", limit=2**40)) as box:
        with pytest.raises(OutboxError, match="No space left on device"):
            box.add(examine(given), title="x")
        assert in_spool(box.folder) == {}


def test_a_disk_without_a_byte_left_still_answers_and_nothing_is_lost(small, tmp_path):
    with contextlib.closing(Outbox(small / "box", limit=2**40)) as box:
        job = add(box, files(tmp_path / "a", 3))
        with (small / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(512))
        for _ in range(200):  # until the log of the database needs a new page
            try:
                items = claim(box, most_items=1)
                box.settle([outcome(items[0], "queued")])
            except OutboxError as error:
                assert "full" in str(error)  # noqa: PT017 - it may well go on for a while
                break
        else:
            pytest.fail("the disk never became full")
        assert box.job(job).progress.items == 3
        (small / "filler").unlink()
        with contextlib.closing(Outbox(box.folder, limit=2**40)) as again:
            check(again)
            for one in again.orphans():
                again.settle([outcome(one, "queued")])
            again.settle([outcome(one) for one in claim(again)])
            assert again.job(job).state == "stored"


def test_a_disk_that_is_full_from_the_beginning(tmp_path):
    with mounted(tmp_path / "disk", "size=16k") as disk:
        for _ in range(2):
            with pytest.raises(OutboxError, match=r"disk is full|No space left|disk I/O"):
                Outbox(disk / "box")
        left = [path.name for path in (disk / "box").iterdir()]
        assert left == ["intake.lock"]


def test_a_disk_that_is_only_read(tmp_path):
    with mounted(tmp_path / "disk", "size=1m") as disk:
        folder = disk / "box"
        with contextlib.closing(Outbox(folder, limit=2**40)) as box:
            add(box, files(tmp_path / "a", 1))
        command = ["mount", "-o", "remount,ro", str(disk)]
        subprocess.run(command, check=True, capture_output=True)
        before = sorted(path.name for path in folder.rglob("*"))
        for place in (folder, disk / "other"):
            with pytest.raises(OutboxError, match=r"Read-only file system.*may write into"):
                Outbox(place)
        assert sorted(path.name for path in folder.rglob("*")) == before


def test_a_file_in_the_place_of_the_folder_or_of_the_copies(tmp_path):
    sources = files(tmp_path / "a", 1)
    (tmp_path / "file").touch()
    with pytest.raises(OutboxError, match="has to be a folder"):
        Outbox(tmp_path / "file")
    with pytest.raises(OutboxError, match="has to be a folder"):
        Outbox(tmp_path / "file" / "box")
    with contextlib.closing(Outbox(tmp_path / "box")) as box:
        (box.folder / "spool").touch()
        with pytest.raises(OutboxError, match="has to be a folder"):
            add(box, sources)
        assert box.jobs() == []
        (box.folder / "spool").unlink()
        add(box, sources)
        check(box)


def test_a_folder_that_somebody_removed(tmp_path):
    with contextlib.closing(Outbox(tmp_path / "box")) as box:
        shutil.rmtree(box.folder)
        with pytest.raises(OutboxError, match="cannot be locked"):
            add(box, files(tmp_path / "a", 1))


def test_a_file_that_may_grow_no_further(tmp_path):
    files(tmp_path / "a", 3, side=200)  # 40 kB each
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "box"), str(tmp_path / "a")]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "File too large" in told
    with contextlib.closing(Outbox(tmp_path / "box")) as box:
        assert [job.title for job in box.jobs()] == ["again"]
        check(box)


# Bounds of our own ------------------------------------------------------------------------------


def test_the_limit_is_kept_and_room_comes_back(tmp_path):
    sources = files(tmp_path / "a", 6, side=100)
    size = sources[0].stat().st_size
    with contextlib.closing(Outbox(tmp_path / "box", limit=4 * size)) as box:
        job = add(box, sources[:3])
        assert box.used() == 3 * size
        with pytest.raises(OutboxError, match=r"The outbox is full.*more do not fit"):
            add(box, sources[3:5])
        assert len(in_spool(box.folder)) == 3
        box.settle([outcome(one) for one in claim(box, most_items=2)])
        assert box.used() == size
        add(box, sources[3:])
        check(box)
        assert box.cancel(job) == 1
        assert box.used() == 3 * size


def test_the_size_of_a_dataset_counts_as_it_is_written(tmp_path):
    given = native()
    with contextlib.closing(Outbox(tmp_path / "box", limit=100)) as box:
        with pytest.raises(OutboxError, match="The outbox is full"):
            box.add(examine(given), title="x")
        assert in_spool(box.folder) == {}


def test_a_part_of_the_disk_is_left_to_others(tmp_path, monkeypatch):
    sources = files(tmp_path / "a", 1)
    usage = SimpleNamespace(free=taking._LEFT_FREE + sources[0].stat().st_size - 1)
    with contextlib.closing(Outbox(tmp_path / "box")) as box:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
        with pytest.raises(OutboxError, match="1,073,741,824 bytes of its disk are left free"):
            add(box, sources)
        usage.free += 1
        add(box, sources)
        check(box)


def test_a_clock_that_jumps_does_not_stop_the_queue(tmp_path):
    with contextlib.closing(Outbox(tmp_path / "box")) as box:
        add(box, files(tmp_path / "a", 1))
        now, day = time.time(), 86_400
        (item,) = claim(box, now=now)
        box.settle([outcome(item, "queued", next_try=now + 60)])
        assert claim(box, now=now) == []
        assert 0 < box.wait(now) <= 60
        assert box.wait(now + day) == 0
        assert box.wait(now - 365 * day) == 0  # set back by a year: due, not in a year
        (item,) = claim(box, now=now - 365 * day)
        box.settle([outcome(item, "queued", next_try=now - 365 * day + 60)])
        (item,) = claim(box, now=now)  # and set right again
        box.settle([outcome(item)])
        assert box.wait(now) is None


def test_nothing_stays_open(tmp_path):
    def descriptors():
        return len(list(Path("/proc/self/fd").iterdir()))

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("this system does not list open files")
    sources = files(tmp_path / "a", 100)
    with contextlib.closing(Outbox(tmp_path / "box")):
        pass
    before = descriptors()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + 80, hard))
    try:
        for _ in range(2):
            with contextlib.closing(Outbox(tmp_path / "box", limit=2**20)) as box:
                add(box, sources)
                with pytest.raises(ValueError, match="no path"):
                    add(box, [*sources, ""])
                box.sender_lock().release()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert descriptors() == before
