"""What is said of long calls: in a terminal, in a notebook, and nowhere else."""

from __future__ import annotations

import gc
import os
import pty
import re
import subprocess
import sys

import pytest
from viewer.kernels import kernel

from wsiweb import progress

COUNTING = (
    "import time\nfrom wsiweb.progress import following\n"
    "for _ in following((time.sleep(0.05) for _ in range(40)), 'Counting', 40): pass"
)


def in_terminal(code, *arguments, **environment):
    """Run code in a terminal of its own; return what stood there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", **environment},
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        said += piece
    os.close(ours)
    assert process.wait(60) == 0, said.decode()
    return said.decode()


def test_a_terminal_is_told_how_far_it_is_and_left_clean():
    said = in_terminal(COUNTING)
    lines = said.split("\r\x1b[K")
    counts = [int(one) for one in re.findall(r"Counting: (\d+) of 40", said)]
    assert counts == sorted(counts)
    assert len(counts) >= 2
    assert 15 <= counts[0] < 40, "the first second is quiet"
    assert "1 s left" in said
    assert lines[-1] == ""


def test_a_setting_turns_it_off():
    assert in_terminal(COUNTING, WSIWEB_PROGRESS="off") == ""
    assert in_terminal(COUNTING, TERM="dumb") == ""


def test_what_is_no_terminal_is_told_nothing():
    done = subprocess.run([sys.executable, "-c", COUNTING], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_what_is_quick_is_not_worth_a_word():
    assert in_terminal(COUNTING.replace("0.05", "0.001")) == ""


def test_one_line_at_a_time():
    code = (
        "import time\nfrom wsiweb.progress import ProgressLine\n"
        "with ProgressLine('Outer') as outer, ProgressLine('Inner') as inner:\n"
        "    for _ in range(30):\n        time.sleep(0.05); outer.step(); inner.step()\n"
        "with ProgressLine('Later') as later:\n"
        "    for _ in range(30):\n        time.sleep(0.05); later.step()"
    )
    said = in_terminal(code)
    assert "Outer" in said
    assert "Inner" not in said
    assert "Later" in said


def test_a_bar_of_another_is_not_drawn_over():
    code = (
        "import sys, types\nfake = types.ModuleType('tqdm')\n"
        "fake.tqdm = type('tqdm', (), {'_instances': [1]})\nsys.modules['tqdm'] = fake\n"
    )
    assert in_terminal(code + COUNTING) == ""


def test_a_notebook_is_told_in_one_output_that_ends_empty():
    with kernel() as running:
        shown = running.run(COUNTING)
        words = [one["text/plain"] for one in shown]
        assert words[0].startswith("Counting: ")
        assert words[-1] == ""
        assert running.run("import os; os.environ['WSIWEB_PROGRESS'] = '0'\n" + COUNTING) == []


def test_following_changes_nothing(monkeypatch):
    monkeypatch.setattr(progress, "wanted", lambda: True)
    closed = []

    def things():
        try:
            yield from range(5)
        finally:
            closed.append(True)

    followed = progress.following(things(), "Counting", None)
    assert next(followed) == 0
    followed.close()
    assert closed == [True]
    assert list(progress.following(things(), "Counting", None)) == [0, 1, 2, 3, 4]


def test_an_error_takes_the_line_away():
    code = (
        "import time\nfrom wsiweb.progress import ProgressLine\n"
        "try:\n    with ProgressLine('Doing') as line:\n"
        "        for _ in range(30):\n            time.sleep(0.05); line.step()\n"
        "        raise KeyError\nexcept KeyError:\n    print('caught')"
    )
    assert in_terminal(code).endswith("\r\x1b[Kcaught\r\n")


OPEN = "import sys, time, wsiweb\narchive = wsiweb.connect(sys.argv[1])\n"


def test_reading_many_regions_says_how_far_it_is(made_folder):
    code = (
        f"{OPEN}slide = archive.slides()[0].open()\n"
        "wanted = [((0, 0), 0, (64, 64))] * 60\n"
        "for region in slide.read_regions(wanted): time.sleep(0.03)"
    )
    assert re.search(r"Reading regions: \d+ of 60, 1 s left", in_terminal(code, made_folder))


def test_writing_a_mask_says_how_far_it_is(made_folder):
    code = (
        f"{OPEN}import numpy as np\nslide = archive.slides()[0].open()\n"
        "def mask(location, size):\n    time.sleep(0.6)\n    return np.ones(size[::-1], bool)\n"
        "slide.results('slow').add_mask(mask, segments='Tissue')"
    )
    assert re.search(r"Writing the mask: \d+ of \d+ tiles", in_terminal(code, made_folder))


@pytest.mark.parametrize("wait", ["job.wait(2.5)", "asyncio.run(job.wait_async(2.5))"])
def test_waiting_for_a_job_says_how_far_it_is(made_folder, tmp_path, wait):
    code = (
        "import asyncio, sys, wsiweb\n"
        "with wsiweb.connect('http://127.0.0.1:9/', outbox=sys.argv[2]) as archive:\n"
        "    job = archive.store(sys.argv[1], title='case 7')\n"
        f"    try:\n        {wait}\n    except TimeoutError:\n        print('late')"
    )
    said = in_terminal(code, made_folder, tmp_path)
    assert re.search(r"Storing case 7: 0 of \d+ objects, 0.0 of [\d.]+ MB", said)
    assert "\r\x1b[Klate" in said


def test_what_is_left_in_the_middle_lets_others_say_how_far_they_are(monkeypatch):
    """Closed or collected, it lets go of the one line that is drawn."""
    monkeypatch.setattr(progress, "wanted", lambda: True)
    monkeypatch.setattr(progress, "_MOMENT", 0.0)
    for end in ("close", "collected"):
        things = progress.following(iter(range(10)), "Counting", 10)
        next(things)
        next(things)
        assert progress._drawn.locked()
        if end == "close":
            things.close()
        else:
            del things
            gc.collect()
        assert not progress._drawn.locked()
