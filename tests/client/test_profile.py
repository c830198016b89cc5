from __future__ import annotations

import os
import threading
import time

import pytest

from wsiweb.client.pace import Known
from wsiweb.client.profile import ServerProfile, recall, remember

URL = "https://pacs.example/dicom-web"
PACE = Known({4: (0.02, 0.0001), 1: (0.01, 0.0001)}, 0.015)


def test_what_was_learnt_is_remembered(tmp_path):
    remember(URL, ServerProfile(most_frames=7, pace=PACE), tmp_path)
    profile = recall(URL, tmp_path)
    assert (profile.most_frames, profile.pace) == (7, PACE)
    assert profile.accept is None


def test_another_archive_is_another(tmp_path):
    remember(URL, ServerProfile(pace=PACE), tmp_path)
    assert recall(URL + "2", tmp_path) == ServerProfile()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"url": 1}', b"\xff\x00", b"null"])
def test_a_damaged_file_is_passed_over(tmp_path, content):
    remember(URL, ServerProfile(pace=PACE), tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)
    assert recall(URL, tmp_path) == ServerProfile()


def test_the_file_of_another_address_is_not_believed(tmp_path):
    remember(URL, ServerProfile(pace=PACE), tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes().replace(b"pacs", b"evil"))
    assert recall(URL, tmp_path) == ServerProfile()


def test_what_is_old_is_forgotten(tmp_path):
    remember(URL, ServerProfile(pace=PACE), tmp_path)
    (file,) = tmp_path.iterdir()
    long_ago = time.time() - 40 * 24 * 3600
    os.utime(file, (long_ago, long_ago))
    assert recall(URL, tmp_path) == ServerProfile()


@pytest.mark.parametrize("url", ["http://127.0.0.1:8042", "http://localhost/x", "file:///data"])
def test_nothing_is_kept_of_this_machine(tmp_path, url):
    remember(url, ServerProfile(pace=PACE), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_learnt_is_nothing_kept(tmp_path):
    remember(URL, ServerProfile(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path):
    (tmp_path / "file").write_text("in the way")
    remember(URL, ServerProfile(pace=PACE), tmp_path / "file" / "folder")
    assert recall(URL, tmp_path / "file" / "folder") == ServerProfile()


def test_two_that_end_at_once_leave_one_whole_file(tmp_path):
    paces = [Known({1: (n / 1000, 0.0)}, None) for n in range(1, 9)]
    threads = [
        threading.Thread(target=remember, args=(URL, ServerProfile(pace=pace), tmp_path))
        for pace in paces
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(tmp_path.iterdir())) == 1
    assert recall(URL, tmp_path).pace in paces
