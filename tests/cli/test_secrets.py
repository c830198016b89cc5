"""Archives that are entered by a secret in their address: it is neither shown nor kept."""

from __future__ import annotations

import json
import logging

import pytest
from outbox.boxes import files
from server.making import dicom

import wsiweb
from wsiweb.server import create_app, serve
from wsiweb.server.faults.passing import Answer, Call

TOKEN = "qoPiTk0PNBHPEGZ4zCRXzk"
OTHER = "aBcdEfGh1234567890xyzA"


class Album:
    """An archive below /api/link/TOKEN, as Kheops has them; it may be closed."""

    def __init__(self, app, token=TOKEN):
        self.app = app
        self.root = f"/api/link/{token}"
        self.closed = False

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif not scope["path"].startswith(self.root + "/") or self.closed:
            await Call(scope, receive, send).respond(Answer(403, {}, b"no such album"))
        else:
            path = scope["path"].removeprefix(self.root)
            await self.app({**scope, "path": path, "raw_path": path.encode()}, receive, send)


@pytest.fixture
def album(home):
    (home / "held").mkdir()
    app = Album(create_app(home / "held", stow=True))
    with serve(app=app) as server:
        app.url = server.url + app.root
        yield app


def kept(home):
    """All that was written to the user's data and cache."""
    return [
        path for path in home.parent.rglob("*") if path.is_file() and "config" not in path.parts
    ]


def test_nothing_that_is_printed_or_kept_holds_the_secret(call, home, album):
    files(home / "slides", 2)
    said = [call("send", "slides", "--to", album.url).output]
    (home / "slides" / "1.dcm").write_bytes(dicom("1.9.1", shape=(8, 8)))
    said += [call("send", "slides", "--to", album.url, status=1).output]
    said += [call("send", "slides", "--to", album.url, "--json", status=1).output]
    ids = [one["id"] for one in json.loads(call("jobs", "list", "--json").stdout)]
    said += [call("jobs", "list").output, call("jobs", "list", "--json").output]
    said += [call("jobs", "show", ids[1]).output]
    for ending in ("html", "json", "txt"):
        call("jobs", "report", ids[1], "-o", f"report.{ending}")
        said.append((home / f"report.{ending}").read_text())
    said += [call("studies", album.url + "x", status=1).output]
    assert [words for words in said if TOKEN in words] == []
    assert "/api/link/hidden-" in call("jobs", "list").output
    assert [path for path in kept(home) if TOKEN.encode() in path.read_bytes()] == []


def test_a_copy_says_neither_where_from_nor_where_to(call, home, album):
    files(home / "held" / "1.2.3", 2)
    (home / "to").mkdir()
    said = [call("copy", album.url, "to", "--study", "1.2.3").output]
    said += [call("copy", album.url, "to", "--study", "7", status=1).output]
    said += [call("copy", album.url, album.url, "--study", "1.2.3", status=1).output]
    said += [call("download", album.url, "--study", "1.2.3", "-o", "x").output]
    said += [call("jobs", "list").output]
    for one in json.loads(call("jobs", "list", "--json").stdout):
        said += [json.dumps(one), call("jobs", "show", one["id"], "--every").output]
    album.closed = True
    said += [call("copy", album.url, "to", "--study", "1.2.3", status=1).output]
    assert [words for words in said if TOKEN in words] == []
    assert "from http://127.0.0.1" in "".join(said)
    assert [path for path in kept(home) if TOKEN.encode() in path.read_bytes()] == []


def test_what_failed_for_the_source_does_not_repeat_its_address(home, album, tmp_path):
    files(home / "held" / "1.2.3", 3)
    (home / "to").mkdir()
    with (
        wsiweb.connect(album.url, outbox=tmp_path / "one") as source,
        wsiweb.connect(home / "to", outbox=tmp_path / "two") as target,
    ):
        assert TOKEN not in repr(source)
        open_archive = album.app

        async def without_objects(scope, receive, send):
            if "/instances/" in scope.get("path", ""):
                await Call(scope, receive, send).respond(Answer(404, {}, b"gone"))
            else:
                await open_archive(scope, receive, send)

        album.app = without_objects
        job = target.copy_from(source, "1.2.3")
        with pytest.raises(wsiweb.StoreError) as failed:
            job.wait(60)
    assert TOKEN not in str(failed.value)
    assert TOKEN not in str(job.report())


def test_logs_and_errors_do_not_hold_it(home, album, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    with wsiweb.connect(album.url, outbox=tmp_path / "box") as archive:
        album.closed = True
        with pytest.raises(wsiweb.ArchiveError) as refused:
            list(archive.studies())
        album.closed = False
        archive.store(files(home / "slides", 1), start=False)
        _ = archive.jobs
    with pytest.raises(ValueError, match="was closed") as closed:
        list(archive.studies())
    logged = [one.getMessage() for one in caplog.records if one.name.startswith("wsiweb")]
    assert any("Not all is sent" in one for one in logged)
    for one in (str(refused.value), str(refused.value.url), str(closed.value), *logged):
        assert TOKEN not in one


def test_such_an_archive_is_sent_to_by_its_name_or_its_address(call, home, album):
    files(home / "slides", 1)
    call("send", "slides", "--to", album.url, "--no-wait")
    (job,) = json.loads(call("jobs", "list", "--json").stdout)
    said = call("jobs", "watch", status=1).output
    assert "holds a secret" in said
    assert "wsiweb archives add" in said
    assert TOKEN not in said
    call("archives", "add", "album", album.url)
    assert TOKEN not in call("archives", "list").output
    assert TOKEN not in call("archives", "list", "--json").output
    assert "album" in call("jobs", "list").output
    call("jobs", "watch")
    assert call("jobs", "watch", "--to", album.url).output.count("Nothing waits") == 1
    assert json.loads(call("jobs", "show", job["id"], "--json").stdout)["state"] == "stored"


def test_an_outbox_is_of_one_secret_address_alone(tmp_path):
    with wsiweb.connect(f"https://kheops.lab/api/link/{TOKEN}", outbox=tmp_path) as one:
        assert len(one.jobs) == 0
    other = wsiweb.connect(f"https://kheops.lab/api/link/{OTHER}", outbox=tmp_path)
    with other, pytest.raises(wsiweb.OutboxError, match="is the outbox of") as refused:
        _ = other.jobs
    assert TOKEN not in str(refused.value)
    assert OTHER not in str(refused.value)
