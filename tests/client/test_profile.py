from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wsiweb.client.pace import Known, Pace
from wsiweb.client.profile import ServerProfile, recall, remember

URL = "https://pacs.example/dicom-web"
PACE = Known({4: (0.02, 0.0001), 1: (0.01, 0.0001)}, 0.015)


@pytest.mark.parametrize(("learnt", "remembered"), [(1, 1), (7, 1000), (1000, 1000)])
def test_what_was_learnt_is_remembered(tmp_path, learnt, remembered):
    remember(URL, ServerProfile(most_frames=learnt, pace=PACE), tmp_path)
    profile = recall(URL, tmp_path)
    # That lists are not answered is kept; how short one had to be may have been a passing fault.
    assert (profile.most_frames, profile.pace) == (remembered, PACE)
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


WRITER = """
import pathlib, sys
from wsiweb.client.pace import Known
from wsiweb.client.profile import ServerProfile, remember

sys.stdin.readline()
pace = Known({2**n: (float(sys.argv[1]), n / 1000) for n in range(10)}, None)
for _ in range(200):
    remember(sys.argv[2], ServerProfile(pace=pace), pathlib.Path(sys.argv[3]))
"""


def test_two_processes_that_write_at_once_leave_one_whole_file(tmp_path):
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, seconds, URL, str(tmp_path)], stdin=subprocess.PIPE
        )
        for seconds in ("0.125", "0.25")
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    seen = set()
    while any(writer.poll() is None for writer in writers):
        seen |= {first for first, _ in recall(URL, tmp_path).pace.lists.values()}
    for writer in writers:
        writer.communicate(timeout=20)
        assert writer.returncode == 0
    pace = recall(URL, tmp_path).pace
    assert len(pace.lists) == 10
    assert {first for first, _ in pace.lists.values()} in ({0.125}, {0.25})
    assert seen <= {0.125, 0.25}
    assert len(list(tmp_path.iterdir())) == 1


def test_what_stands_in_the_place_of_the_file_is_left_alone(tmp_path):
    remember(URL, ServerProfile(pace=PACE), tmp_path)
    (file,) = tmp_path.iterdir()
    file.unlink()
    file.mkdir()
    remember(URL, ServerProfile(pace=PACE), tmp_path)
    assert list(tmp_path.iterdir()) == [file]  # and no draft
    assert recall(URL, tmp_path) == ServerProfile()


SECONDS = st.sampled_from([0, -1, 0.01, 1e300])
FIGURES = st.dictionaries(
    st.sampled_from(["1", "2", "3", "0", "-4", "1024", str(2**70), "x"]),
    st.tuples(SECONDS, SECONDS) | st.lists(SECONDS | st.sampled_from(["x", None]), max_size=3),
    max_size=2,
)
CONTENTS = st.binary(max_size=40) | st.fixed_dictionaries(
    {"url": st.sampled_from([URL, "", 7])},
    optional={
        "most_frames": st.sampled_from([-5, 0, 1, 400, 2**40, 1.5, "x", None]),
        "pace": st.none()
        | st.fixed_dictionaries(
            {}, optional={"lists": FIGURES, "single": st.sampled_from([0.1, -1, 1e9, None, "x"])}
        ),
    },
).map(msgspec.json.encode)


@given(CONTENTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_in_the_file_what_is_recalled_can_be(tmp_path, content):
    if not list(tmp_path.iterdir()):
        remember(URL, ServerProfile(pace=PACE), tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(content)
    profile = recall(URL, tmp_path)
    assert profile.most_frames >= 1
    assert profile.pace == profile.pace.sane()
    plan = Pace(8, profile.most_frames, known=profile.pace).plan(1000)
    assert 1 <= plan.places <= 8
    assert 1 <= plan.frames <= profile.most_frames
