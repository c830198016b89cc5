"""Downloads: whole files as the archive has them, and again only the rest."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from faulty import Fault, Faulty
from outbox.boxes import files
from server.making import dicom

import wsiweb
from wsiweb.errors import StoreError
from wsiweb.server import create_app, serve

QUICK = wsiweb.Settings(retries=3, patience=1.0)
DOWNLOAD = """
import sys, wsiweb
with wsiweb.connect(sys.argv[1], outbox=sys.argv[3]) as archive:
    job = archive.download("1.2.3", sys.argv[2])
    print("begun", flush=True)
    job.wait()
"""


@pytest.fixture
def served(tmp_path):
    """Serve objects behind faults; return the log's owner and an open archive."""
    with contextlib.ExitStack() as stack:

        def start(count=12, *, faults=(), side=30):
            files(tmp_path / "src", count, side=side)
            app = Faulty(create_app(tmp_path / "src"), *faults)
            server = stack.enter_context(serve(app=app))
            connection = wsiweb.connect(server.url, settings=QUICK, outbox=tmp_path / "outbox")
            return app, stack.enter_context(connection)

        yield start


def fetched(app):
    """The objects that were asked for, by their UIDs, in turn."""
    paths = [path for path in app.paths("/instances/") if "metadata" not in path]
    return [path.rpartition("/")[2] for path in paths]


def first_alone(body):
    return gzip.compress(json.dumps(json.loads(gzip.decompress(body))[:1]).encode())


def there(folder):
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*/*/*")}


def expected(folder):
    return {f"1.9.{path.stem}.dcm": path.read_bytes() for path in folder.glob("*.dcm")}


def test_objects_come_as_they_are_stored_and_only_once(served, tmp_path):
    app, archive = served()
    job = archive.download("1.2.3", tmp_path / "to" / "new")
    assert job.wait(30).stored == 12
    assert job.title == "download of study 1.2.3"
    assert job.progress.size == sum(map(len, expected(tmp_path / "src").values()))
    assert there(tmp_path / "to" / "new") == expected(tmp_path / "src")
    assert len(fetched(app)) == 12
    again = archive.download("1.2.3", tmp_path / "to" / "new")
    assert again.wait(30).already == 12
    assert len(fetched(app)) == 12
    archive.close()  # after a job says that it is done, its drafts are removed
    assert not list((tmp_path / "to" / "new").glob(".*"))


def test_only_the_rest_is_fetched(served, tmp_path):
    app, archive = served()
    archive.download("1.2.3", tmp_path / "to").wait(30)
    missing = sorted((tmp_path / "to").rglob("*.dcm"))[:5]
    for path in missing:
        path.unlink()
    app.log.clear()
    receipt = archive.download("1.2.3", tmp_path / "to").wait(30)
    assert (receipt.stored, receipt.already) == (5, 7)
    assert sorted(fetched(app)) == sorted(path.stem for path in missing)
    assert there(tmp_path / "to") == expected(tmp_path / "src")


def test_verifying_fetches_what_is_there_and_compares(served, tmp_path):
    app, archive = served(3)
    archive.download("1.2.3", tmp_path / "to").wait(30)
    odd = tmp_path / "to" / "1.2.3" / "1.2.3.4" / "1.9.1.dcm"
    data = bytearray(odd.read_bytes())
    data[-1] ^= 1  # what no list can tell
    odd.write_bytes(data)
    job = archive.download("1.2.3", tmp_path / "to")
    assert job.wait(30).already == 3
    assert all("was not compared" in item.warnings[0] for item in job.items)
    job = archive.download("1.2.3", tmp_path / "to", verify=True)
    with pytest.raises(StoreError, match="differs in PixelData"):
        job.wait(30)
    assert [item.state for item in job.items] == ["failed", "held", "held"]
    assert len(fetched(app)) == 6
    assert odd.read_bytes() == data


@pytest.mark.parametrize("content", [b"notes of mine", dicom("1.9.1", shape=(8, 8))])
def test_a_file_that_is_something_else_stays_and_is_named(served, tmp_path, content):
    _, archive = served(2)
    mine = tmp_path / "to" / "1.2.3" / "1.2.3.4" / "1.9.1.dcm"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(content)
    job = archive.download("1.2.3", tmp_path / "to")
    with pytest.raises(StoreError, match=r"another object with this UID is at .*1\.9\.1\.dcm"):
        job.wait(30)
    assert mine.read_bytes() == content
    assert len(there(tmp_path / "to")) == 2


def test_one_series_of_a_study(served, tmp_path):
    _, archive = served(3)
    (tmp_path / "src" / "other.dcm").write_bytes(dicom("1.9.50", series="1.2.3.5"))
    archive.download("1.2.3", tmp_path / "to", series="1.2.3.5").wait(30)
    assert list(there(tmp_path / "to")) == ["1.9.50.dcm"]
    with pytest.raises(wsiweb.NotFound, match=r"no series 1\.2\.9 in study 1\.2\.3"):
        archive.download("1.2.3", tmp_path / "to", series="1.2.9")
    with pytest.raises(wsiweb.NotFound, match=r"no study 7"):
        archive.download("7", tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_passing_faults_are_overcome(served, tmp_path):
    object_path = "/instances/1.9."
    faults = [
        Fault(object_path, times=3, status=503, headers={"Retry-After": "0"}),
        Fault(object_path, times=2, cut=700),
        Fault(object_path, times=1, keep=700),
        Fault(object_path, times=1, body=lambda body: body[:-300] + body[-80:]),
        Fault(object_path, times=1, body=lambda body: body.replace(b"1.9.", b"1.8.")),
    ]
    _, archive = served(faults=faults)
    assert archive.download("1.2.3", tmp_path / "to").wait(60).ok
    assert there(tmp_path / "to") == expected(tmp_path / "src")


def test_another_object_than_was_asked_for_is_refused(served, tmp_path):
    other = Fault("/instances/1.9.2", body=lambda body: body.replace(b"1.9.2", b"1.8.2"))
    _, archive = served(3, faults=[other])
    with pytest.raises(StoreError, match=r"1\.9\.2 was asked for, and 1\.8\.2 came"):
        archive.download("1.2.3", tmp_path / "to").wait(30)
    assert sorted(there(tmp_path / "to")) == ["1.9.1.dcm", "1.9.3.dcm"]


def test_an_archive_that_goes_away_is_left_alone(served, tmp_path):
    app, archive = served(40, faults=[Fault("/instances/1.9.", cut=0)])
    job = archive.download("1.2.3", tmp_path / "to")
    with pytest.raises(StoreError, match="it was not come to"):
        job.wait(60)
    assert len(fetched(app)) < 40
    assert there(tmp_path / "to") == {}
    app.faults.clear()
    assert archive.download("1.2.3", tmp_path / "to").wait(30).stored == 40


def test_an_archive_that_lets_nobody_in_any_more_is_not_asked_40_times(served, tmp_path):
    app, archive = served(40, faults=[Fault("/instances/1.9.", status=403)])
    with pytest.raises(StoreError, match="403"):
        archive.download("1.2.3", tmp_path / "to").wait(60)
    assert len(fetched(app)) < 10


def test_lists_that_fall_short_are_noticed(served, tmp_path):
    app, archive = served(7, faults=[Fault("/instances?", body=lambda _: b"[]")])
    assert archive.download("1.2.3", tmp_path / "to").wait(30).stored == 7  # by the metadata
    app.faults.append(Fault("/metadata", body=first_alone))
    with pytest.raises(wsiweb.ProtocolError, match="has 7 objects, and names 1 of them"):
        archive.download("1.2.3", tmp_path / "other")


def test_a_folder_is_downloaded_from_as_a_server_is(tmp_path):
    files(tmp_path / "src", 3)
    with wsiweb.connect(tmp_path / "src", outbox=tmp_path / "outbox") as archive:
        archive.download("1.2.3", tmp_path / "to").wait(30)
    assert there(tmp_path / "to") == expected(tmp_path / "src")


@pytest.mark.parametrize("moment", [0.05, 0.2])
def test_killed_and_begun_again_only_the_rest_is_fetched(served, tmp_path, moment):
    app, archive = served(80, side=60)
    given = [archive.url, str(tmp_path / "to"), str(tmp_path / "outbox")]
    with subprocess.Popen([sys.executable, "-c", DOWNLOAD, *given], stdout=-1) as process:
        process.stdout.readline()
        time.sleep(moment)
        os.kill(process.pid, signal.SIGKILL)
    kept = there(tmp_path / "to")
    assert kept.items() <= expected(tmp_path / "src").items()
    app.log.clear()
    receipt = archive.download("1.2.3", tmp_path / "to").wait(60)
    assert (receipt.stored, receipt.already) == (80 - len(kept), len(kept))
    assert len(fetched(app)) == 80 - len(kept)
    assert there(tmp_path / "to") == expected(tmp_path / "src")
