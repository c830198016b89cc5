from __future__ import annotations

import io
import json
import re

import pytest
from outbox.boxes import files

import wsiweb
from wsiweb.cli.following import Drawing
from wsiweb.outbox.folder import known_folders

DOWN = "http://127.0.0.1:1"


@pytest.fixture
def keep(call, home):
    """Keep objects to be sent; return the id of the job."""

    def keep(target=DOWN, count=3, *, first=1, side=4, title="kept"):
        folder = home / f"scans-{first}"
        files(folder, count, first=first, side=side)
        done = call("send", folder, "--to", target, "--title", title, "--no-wait")
        return re.match(r"Job (\w{12}):", done.stdout)[1]

    return keep


@pytest.fixture
def failed(call, archive, keep, home):
    """A job of which one of two objects failed: the archive holds another one."""
    server = archive()
    files(home / "others", 1, side=6)
    call("send", home / "others", "--to", server.url)
    call("jobs", "clear")
    job = keep(server.url, 2, title="half")
    call("jobs", "watch", status=1)
    return job


def _listed(call):
    return {one["id"]: one for one in json.loads(call("jobs", "list", "--json").stdout)}


def _state(call, job):
    return _listed(call)[job]["state"]


# Looking ----------------------------------------------------------------------------------------


def test_jobs_of_all_archives_are_one_list(call, keep):
    assert call("jobs", "list").stdout == "No jobs.\n"
    first = keep(title="nuclei\x1b[31m")
    call("archives", "add", "lab", "http://127.0.0.1:2")
    second = keep("lab", 2, first=10, title="masks")
    lines = call("jobs", "list").stdout.splitlines()
    assert lines[0].split() == ["id", "state", "objects", "size", "archive", "title"]
    assert re.fullmatch(
        rf"{first[:6]}  queued  0 of 3   1.1 kB +{re.escape(DOWN)} +nuclei\?\[31m", lines[1]
    ), lines[1]
    assert re.fullmatch(rf"{second[:6]}  queued  0 of 2   .* +lab +masks", lines[2])
    assert [one["name"] for one in _listed(call).values()] == ["", "lab"]


def test_a_beginning_is_enough(call, keep):
    jobs = [keep(first=one * 10) for one in range(1, 19)]  # so many that two begin alike
    assert f"Job {jobs[0]}: kept" in call("jobs", "show", jobs[0][:8]).stdout
    alike = next(one[0] for one in jobs if sum(other[0] == one[0] for other in jobs) > 1)
    assert "Several jobs begin with" in call("jobs", "show", alike, status=1).stderr
    for wrong in ("zz", ""):
        assert "There is no job" in call("jobs", "show", wrong, status=1).stderr


def test_a_job_is_shown_and_reported(call, failed, home):
    short = call("jobs", "show", failed[:6]).stdout
    assert "2 objects: 1 failed, 1 stored." in short
    assert "1.9.1  " in short
    assert "1.9.2  " not in short
    assert "1.9.2  " in call("jobs", "show", failed, "--every").stdout
    told = json.loads(call("jobs", "show", failed, "--json").stdout)
    assert [one["state"] for one in told["items"]] == ["failed", "stored"]
    for ending in ("html", "json", "txt"):
        call("jobs", "report", failed, "-o", f"report.{ending}")
    assert json.loads((home / "report.json").read_text()) == told
    assert "1.9.2" in (home / "report.txt").read_text()
    assert "<table" in (home / "report.html").read_text()
    done = call("jobs", "report", failed, "-o", "report.pdf", status=1)
    assert ".html, .json, .txt" in done.stderr
    assert not (home / "report.pdf").exists()


def test_a_damaged_outbox_does_not_hide_the_others(call, keep):
    keep()
    (folder,) = known_folders()
    other = keep("http://127.0.0.1:2", first=10)
    (folder / "outbox.sqlite").write_bytes(b"no database " * 500)
    done = call("jobs", "list")
    assert other[:6] in done.stdout
    assert done.stderr.startswith("Warning: ")
    assert str(folder) in done.stderr


# Stopping ---------------------------------------------------------------------------------------


def test_pause_resume_cancel_clear(call, archive, keep):
    server = archive()
    job = keep(server.url)
    assert call("jobs", "pause", job).stdout == f"Job {job} is paused.\n"
    assert call("jobs", "watch").stdout == "Nothing waits.\n"
    assert not server.stored()
    assert "is paused: cancel it" in call("jobs", "clear", job, status=1).stderr
    assert call("jobs", "clear").stdout == "0 jobs forgotten.\n"
    done = call("jobs", "resume", job, "--no-wait")
    assert "3 objects to be sent" in done.stdout
    assert not server.stored()
    assert "3 objects, all stored." in call("jobs", "resume", job).stdout
    assert len(server.stored()) == 3

    other = keep(server.url, first=10)
    told = json.loads(call("jobs", "cancel", other, "--json").stdout)
    assert (told["id"], told["state"], told["done"]) == (other, "cancelled", 0)
    assert call("jobs", "clear").stdout == "2 jobs forgotten.\n"
    assert call("jobs", "list").stdout == "No jobs.\n"
    assert len(server.stored()) == 3


def test_what_failed_is_not_forgotten_without_a_word(call, failed):
    assert json.loads(call("jobs", "clear", "--json").stdout) == {"cleared": 0}
    done = call("jobs", "clear", failed, status=1, typed="n\n")
    assert "copies of 1 object that failed are removed" in done.stderr
    assert _state(call, failed) == "partial"
    assert call("jobs", "clear", failed, "--yes").stdout == "1 job forgotten.\n"


# Sending ----------------------------------------------------------------------------------------


def _mend(server):
    for path in server.stored():
        if b"1.9.1\0" in path.read_bytes():
            path.unlink()


@pytest.mark.parametrize("every", [False, True])
def test_what_failed_is_sent_again(call, archive, failed, every):
    words = ["--all"] if every else [failed]
    call("jobs", "retry", *words, status=1)
    _mend(archive())
    done = call("jobs", "retry", *words)
    assert re.search(r"stored +2 of 2" if every else "2 objects, all stored.", done.stdout)
    assert _state(call, failed) == "stored"


def test_retry_wants_one_or_all(call, failed):
    call("jobs", "retry", status=2)
    call("jobs", "retry", failed, "--all", status=2)
    done = call("jobs", "retry", "--all", "--user", "me", status=2)
    assert "--to TARGET" in done.stderr
    assert _state(call, failed) == "partial"


def test_what_has_no_copy_cannot_be_sent_again(call, archive, home):
    server = archive()
    (whole,) = files(home / "scans", 1, side=400)
    (home / "scans" / "cut.dcm").write_bytes(whole.read_bytes()[:3000])
    done = call("send", "scans", "--to", server.url, status=1)
    assert done.stderr == ""  # no word of another try, which there is not
    (job,) = _listed(call)
    assert "No copies are kept" in call("jobs", "retry", job, status=1).stderr


def test_watch_sends_to_all_archives(call, archive, keep):
    servers = [archive(name) for name in ("one", "two")]
    for first, server in zip((1, 10), servers, strict=True):
        keep(server.url, first=first)
    lines = call("jobs", "watch", "--json").stdout.splitlines()
    assert [one["state"] for one in json.loads(lines[-1])] == ["stored", "stored"]
    assert [len(server.stored()) for server in servers] == [3, 3]
    assert call("jobs", "watch").stdout == "Nothing waits.\n"


def test_watch_tells_of_what_failed(call, archive, keep, home):
    server = archive(faults=["failing:on=store,status=403"])
    keep(server.url)
    assert re.search(r"failed +0 of 3 .*\n +3 failed: ", call("jobs", "watch", status=1).stdout)


# Getting in -------------------------------------------------------------------------------------


def test_without_credentials_nothing_fails(call, archive, keep):
    server = archive(user="me")
    job = keep(server.url)
    for words in (["watch"], ["resume", job]):
        done = call("jobs", *words, status=1)
        assert "wants credentials" in done.stderr
        assert _state(call, job) == "queued"
    done = call("jobs", "watch", "--user", "me", status=2)
    assert "--to TARGET" in done.stderr
    words = ["--to", server.url, "--user", "me"]
    done = call("jobs", "watch", *words, status=1, WSIWEB_PASSWORD="wrong")
    assert "wants credentials, or other ones" in done.stderr
    done = call("jobs", "watch", *words, status=1, typed="")
    assert "There is no password of me: set the environment variable" in done.stderr
    done = call("jobs", "watch", *words, typed="secret\n")
    assert "Password of me" in done.stderr
    assert re.search(r"stored +3 of 3", done.stdout)


def test_one_archive_without_credentials_does_not_stop_the_others(call, archive, keep):
    closed, open_ = archive("closed", user="me"), archive("open")
    waiting, sent = keep(closed.url), keep(open_.url, first=10)
    done = call("jobs", "watch", status=1)
    assert done.stderr.startswith(f"{closed.url}: ")
    assert (_state(call, waiting), _state(call, sent)) == ("queued", "stored")


def test_each_archive_is_shown_its_own_credentials_only(call, archive, keep):
    mine, other = archive("mine", token="of mine"), archive("other", token="of another")
    call("archives", "add", "mine", mine.url)
    call("archives", "add", "other", other.url)
    keep("mine")
    keep("other", first=10)
    call("jobs", "watch", status=1, WSIWEB_TOKEN="of mine", WSIWEB_TOKEN_OTHER="of another")
    assert mine.gate.shown == {""}  # whose token the general one is, is not guessed
    assert other.gate.shown == {"Bearer of another"}
    call("jobs", "watch", "--to", "mine", WSIWEB_TOKEN="of mine")
    assert mine.gate.shown == {"", "Bearer of mine"}
    assert len(mine.stored()) == len(other.stored()) == 3


def test_a_job_goes_on_with_the_user_of_its_archive(call, archive, keep):
    server = archive(user="me")
    job = keep(server.url)
    call("archives", "add", "lab", server.url, "--user", "me")
    assert "all stored" in call("jobs", "resume", job, WSIWEB_PASSWORD_LAB="secret").stdout


# Names ------------------------------------------------------------------------------------------


def test_archives_get_and_lose_names(call, made_server, home):
    assert "wsiweb archives add" in call("archives", "list").stdout
    call("archives", "add", "lab", made_server.url + "/", "--user", "me", "--ca", "system")
    (home / "folder").mkdir()
    call("archives", "add", "here", "folder")
    assert json.loads(call("archives", "list", "--json").stdout) == [
        {"name": "lab", "url": made_server.url, "user": "me", "ca": "system"},
        {"name": "here", "url": str(home / "folder")},
    ]
    assert call("archives", "list").stdout.splitlines()[0].split() == ["name", "url", "user", "ca"]
    call("archives", "remove", "lab")
    assert "lab" not in call("archives", "list").stdout
    assert "There is no archive 'lab'" in call("archives", "remove", "lab", status=1).stderr


@pytest.mark.filterwarnings("default:lab is taken")
def test_a_name_is_a_target_of_every_command(call, made_server, made, home):
    call("archives", "add", "lab", made_server.url)
    assert made.series_uid in call("slides", "lab").stdout
    (home / "lab").mkdir()
    done = call("slides", "lab")
    assert made.series_uid in done.stdout
    assert done.stderr == (
        f"Warning: lab is taken for the archive {made_server.url}; the folder of that name is "
        "./lab\n"
    )
    assert made.series_uid not in call("slides", "./lab").stdout


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["a b", "http://x"], 1, "is no name"),
        (["lab", "missing"], 1, "no folder"),
        (["lab", "http://me:secret@x"], 1, "Credentials do not belong"),
        (["lab", "http://x", "--user", "me:secret"], 1, "holds a colon"),
        (["lab", "http://x", "--header", "X-Api-Key: abc"], 1, "MY_VARIABLE"),
        (["lab", "http://x", "--header", "abc"], 2, "NAME:VALUE"),
    ],
)
def test_what_makes_no_name_is_said_and_secrets_are_not(call, words, status, says):
    done = call("archives", "add", *words, status=status)
    assert re.search(says, done.stderr), done.stderr
    assert "secret@" not in done.stderr
    assert ":secret" not in done.stderr
    assert "No archive has a name" in call("archives", "list").stdout


# Drawing ----------------------------------------------------------------------------------------


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def test_lines_are_drawn_over_and_fit(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("LINES", "5")
    terminal = _Terminal()
    drawing = Drawing(terminal)
    drawing.show("a\nb")
    drawing.show("\n".join("x" * 50 for _ in range(9)))
    drawing.clear()
    drawing.clear()
    frames = terminal.getvalue().split("\x1b[J")
    assert frames[0] == "a\nb\r\x1b[1A"
    assert frames[1].splitlines() == ["x" * 19] * 3 + ["..."] + ["\x1b[3A"]
    assert frames[2:] == [""]


def test_nothing_is_drawn_where_nobody_looks():
    file = io.StringIO()
    Drawing(file).show("a")
    assert file.getvalue() == ""


def test_a_python_job_and_the_command_are_the_same(call, archive, home):
    server = archive()
    files(home / "scans", 2)
    with wsiweb.connect(server.url) as there:
        job = there.store(home / "scans")
        job.wait()
        report = job.report(home / "report.json")
        assert str(there.jobs.table()).splitlines()[1].startswith(job.id[:6])
    told = json.loads(call("jobs", "show", job.id, "--json").stdout)
    assert told == report.to_dict() == json.loads((home / "report.json").read_text())
