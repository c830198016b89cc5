from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from wsiweb.errors import OutboxError
from wsiweb.outbox.folder import Lock, default_folder, known_folders, make

HOLD = """
import os, sys, time
from pathlib import Path
from wsiweb.outbox.folder import Lock
lock = Lock(Path(sys.argv[1]))
assert lock.take(wait=False)
child = os.fork() if sys.argv[2] == "fork" else 0
if sys.argv[2] == "fork" and not child:
    time.sleep(60)
    sys.exit()
print(child, flush=True)
print("held", flush=True)
time.sleep(60)
"""


def test_each_archive_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert known_folders() == []
    one, other = default_folder("https://a/dicom-web"), default_folder("https://b/dicom-web")
    assert one != other
    assert one == default_folder("https://a/dicom-web")
    make(one)
    assert known_folders() == [one]
    assert one.stat().st_mode & 0o777 == 0o700


def test_a_file_in_the_place_of_a_folder_is_refused_in_words(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutboxError, match="has to be a folder"):
        make(tmp_path / "file")
    with pytest.raises(OutboxError, match="has to be a folder"):
        make(tmp_path / "file" / "below")


def test_one_holds_a_lock_at_a_time_even_in_one_process(tmp_path):
    lock, other = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    with lock:
        assert lock.take(wait=False)
        assert not other.take(wait=False)
    with other:
        assert other.take(wait=False)


def test_shared_locks_exclude_only_the_one_that_is_not(tmp_path):
    first, second = (Lock(tmp_path / "lock", shared=True) for _ in range(2))
    alone = Lock(tmp_path / "lock")
    assert first.take(wait=True)
    assert second.take(wait=True)
    first.release()
    assert not alone.take(wait=False)
    second.release()
    assert alone.take(wait=False)
    assert not first.take(wait=False)
    alone.release()


def test_who_waits_for_a_lock_gets_it(tmp_path):
    lock, other = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    assert lock.take(wait=False)
    threading.Timer(0.2, lock.release).start()
    begun = time.monotonic()
    assert other.take(wait=True)
    assert time.monotonic() - begun > 0.1
    other.release()


@pytest.mark.parametrize("how", ["alone", "fork"])
def test_a_killed_process_frees_its_lock_although_its_child_lives_on(tmp_path, how):
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLD, str(path), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        child = int(holder.stdout.readline())
        assert holder.stdout.readline() == "held\n"
        assert not Lock(path).take(wait=False)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        lock = Lock(path)
        try:
            assert lock.take(wait=False)
        finally:
            lock.release()
            if child:
                os.kill(child, signal.SIGKILL)


def test_a_lock_without_a_place_is_an_error_in_words(tmp_path):
    with pytest.raises(OutboxError, match="cannot be locked"):
        Lock(tmp_path / "none" / "lock").take(wait=False)
