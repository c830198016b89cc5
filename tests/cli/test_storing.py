from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from outbox.boxes import files

import wsiweb


@pytest.fixture
def scans(home):
    """Three objects, and a file that is none."""
    files(home / "scans", 3)
    (home / "scans" / "notes.txt").write_text("no DICOM")
    return home / "scans"


@pytest.fixture
def nowhere():
    """Where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{free.getsockname()[1]}"


def test_what_is_sent_is_there(call, archive, scans):
    server = archive()
    done = call("send", "scans", "--to", server.url, "--title", "of today")
    assert re.fullmatch(
        rf"Job [0-9a-f]{{12}}: of today to {re.escape(server.url)}\n3 objects, all stored.\n\n"
        r"1 file left out\n    scans/notes.txt: it is not a DICOM file\n",
        done.stdout,
    ), done.stdout
    assert done.stderr == ""
    sent = {path.read_bytes() for path in scans.glob("*.dcm")}
    assert {path.read_bytes() for path in server.stored()} == sent
    again = json.loads(call("send", "scans", "--to", server.url, "--json").stdout)
    assert again["ok"]
    assert [one["state"] for one in again["items"]] == ["held"] * 3
    assert len(server.stored()) == 3


def test_what_is_refused_is_named_and_can_be_sent_again(call, archive, scans, home):
    server = archive()
    call("send", "scans/1.dcm", "--to", server.url)
    files(home / "others", 1, side=6)  # the same UID, another picture
    done = call("send", "others", "scans/2.dcm", "--to", server.url, status=1)
    assert "2 objects: 1 failed, 1 stored." in done.stdout
    assert "1 failed: the archive holds another object with this UID" in done.stdout
    assert f"1.9.1  {home / 'others' / '1.dcm'}" in done.stdout
    job = re.search(r"wsiweb jobs retry (\w+)\n", done.stderr)[1]
    call("jobs", "retry", job, status=1)
    for path in server.stored():
        if b"1.9.1\0" in path.read_bytes():
            path.unlink()
    assert "2 objects, all stored." in call("jobs", "retry", job).stdout


def test_a_folder_takes_them_too(call, scans, home):
    (home / "folder").mkdir()
    assert "all stored" in call("send", scans, "--to", home / "folder").stdout
    assert len(list((home / "folder").rglob("*.dcm"))) == 3


def test_what_is_not_waited_for_is_sent_later(call, archive, scans):
    server = archive()
    done = call("send", "scans", "--to", server.url, "--no-wait")
    assert re.fullmatch(r"Job \w{12}: 3 objects to be sent.\n", done.stdout)
    assert "wsiweb jobs watch" in done.stderr
    shutil.rmtree(scans)
    assert re.search(r"stored +3 of 3", call("jobs", "watch").stdout)
    assert len(server.stored()) == 3


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["scans"], 2, "--to"),
        (["--to", "x"], 2, "PATHS"),
        (["missing", "--to", "x"], 2, "does not exist"),
        (["scans", "--to", "lab"], 1, "no folder 'lab', and no archive of that name"),
        (["scans/notes.txt", "--to", "http://127.0.0.1:1"], 1, "notes.txt.*not a DICOM"),
        (["empty", "--to", "http://127.0.0.1:1"], 1, "nothing to store"),
        (["scans", "--to", "http://127.0.0.1:1", "--header", "x"], 2, "NAME:VALUE"),
    ],
)
def test_mistakes_are_told_in_a_line_and_nothing_is_kept(call, scans, home, words, status, says):
    (home / "empty").mkdir()
    done = call("send", *words, status=status)
    assert re.search(says, done.stderr), done.stderr
    assert call("jobs", "list").stdout == "No jobs.\n"


@contextlib.contextmanager
def _sending(scans, target, **more):
    """The command as a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "wsiweb", "send", str(scans), "--to", target],
        cwd=Path(wsiweb.__file__).parents[1],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        **more,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_ctrl_c_loses_nothing(call, scans, nowhere):
    with _sending(scans, nowhere, stderr=subprocess.PIPE) as process:
        _interrupted(process, call)


def test_a_log_is_told_once_what_hinders(scans, nowhere):
    with _sending(scans, nowhere, stderr=subprocess.PIPE) as process:
        assert re.match(r"Not sent yet: No connection .*refused", process.stderr.readline())


def _interrupted(process, call):
    deadline = time.monotonic() + 30
    while not json.loads(call("jobs", "list", "--json").stdout):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    job = re.fullmatch(r"Not all is sent; it is kept: wsiweb jobs resume (\w+)\n", errors)[1]
    assert said == ""
    (listed,) = json.loads(call("jobs", "list", "--json").stdout)
    assert (listed["id"], listed["state"], listed["of"]) == (job, "queued", 3)


@pytest.mark.skipif(sys.platform == "win32", reason="terminals are asked for in the Unix way")
def test_a_terminal_is_shown_how_far_it_is(archive, scans):
    import pty

    server = archive(faults=["slow:on=store,seconds=1.5"])
    main, other = pty.openpty()
    with _sending(scans, server.url, stderr=other, env={**os.environ, "COLUMNS": "60"}) as process:
        os.close(other)
        drawn = b""
        with contextlib.suppress(OSError):  # as Linux says that this is the end
            while piece := os.read(main, 4096):
                drawn += piece
        os.close(main)
        assert "all stored" in process.communicate(timeout=20)[0]
    frames = re.split(r"\r(?:\x1b\[\d+A)?\x1b\[J", drawn.decode())
    assert frames[0].startswith("Checking and copying ")
    assert any(re.search(r"0 of 3 objects, .* of .* bytes|0 of 3 objects, .*B", f) for f in frames)
    assert frames[-1] == ""  # nothing of it stays
    assert max(map(len, frames)) < 60


# Results ----------------------------------------------------------------------------------------


@pytest.fixture
def slide(archive, made_folder, tmp_path):
    """An archive with a slide, and a table of cells."""
    shutil.copytree(made_folder, tmp_path / "slides")
    (tmp_path / "work" / "cells.csv").write_text("x,y,class\n10,20,Stroma\n30,40,Stroma\n")
    return archive("slides")


def test_results_go_back_to_where_the_slide_is(call, slide):
    words = ["results", slide.url, "--name", "cells", "--csv", "cells.csv"]
    assert "1 object, stored." in call(*words, "--to", slide.url).stdout
    assert "2 x Stroma" in call("annotations", slide.url).stdout
    made = json.loads(call(*words, "--to", slide.url, "-o", "kept", "--json").stdout)
    assert made["title"] == "cells"
    assert made["ok"]
    (kept,) = made["objects"]
    with wsiweb.connect(slide.url) as there:
        found = there.slides()[0].open().annotations("cells")
    assert len(found) == 2
    assert kept["instance_uid"] == made["items"][0]["instance_uid"]
    assert os.path.exists(kept["path"])  # noqa: PTH110 - as text


def test_results_go_to_another_archive_without_the_credentials_of_the_first(
    call, archive, made_folder, tmp_path
):
    shutil.copytree(made_folder, tmp_path / "slides")
    (tmp_path / "work" / "cells.csv").write_text("x,y\n1,2\n")
    reading = archive("slides", user="me", password="of reading")
    writing = archive("results", user="you", password="of writing")
    call("archives", "add", "lab", writing.url, "--user", "you")
    words = ["results", reading.url, "--user", "me", "--name", "n", "--csv", "cells.csv"]
    done = call(
        *words,
        "--to",
        "lab",
        WSIWEB_PASSWORD="of reading",
        WSIWEB_PASSWORD_LAB="of writing",
        WSIWEB_TOKEN="of somebody",
    )
    assert "1 object, stored." in done.stdout
    assert writing.gate.shown == {writing.gate.wanted}
    refused = call(*words, "--to", writing.url, status=1, WSIWEB_PASSWORD="of reading")
    assert "failed" in refused.stdout
    assert writing.gate.shown == {writing.gate.wanted, ""}


def test_results_that_go_nowhere_are_a_wrong_call(call, slide):
    done = call("results", slide.url, "--name", "n", "--csv", "cells.csv", status=2)
    assert "-o FOLDER, --to TARGET" in done.stderr
