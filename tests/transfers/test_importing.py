"""Files taken into an archive: each once, whole, and counted; whatever is there stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from outbox.boxes import files
from outbox.test_disks import mounted
from server.making import dicom

import wsiweb
from wsiweb.errors import StoreError

IMPORT = """
import sys, wsiweb
with wsiweb.connect(sys.argv[1], outbox=sys.argv[3]) as archive:
    print("begun", flush=True)
    archive.import_folder(sys.argv[2]).wait()
"""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "archive"
    folder.mkdir()
    return folder


@pytest.fixture
def archive(folder, tmp_path):
    with wsiweb.connect(folder, outbox=tmp_path / "outbox") as archive:
        yield archive


def place(folder, uid, study="1.2.3"):
    return folder / study / "1.2.3.4" / f"{uid}.dcm"


def there(folder):
    """All that is in an archive, hidden drafts excepted."""
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*/*/*")}


def states(job):
    return [item.state for item in job.items]


def test_what_is_imported_is_in_the_archive_and_again_is_there_already(archive, folder, tmp_path):
    sources = files(tmp_path / "src", 5)
    job = archive.import_folder(tmp_path / "src")
    assert job.wait(30).stored == 5
    assert job.title == "import of src"
    assert job.progress.sent == sum(path.stat().st_size for path in sources)
    assert [study.instance_count for study in archive.studies()] == [5]
    for path in sources:
        assert place(folder, f"1.9.{path.stem}").read_bytes() == path.read_bytes()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.dcm")}
    again = archive.import_folder(tmp_path / "src")
    assert again.wait(30).already == 5
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*.dcm")}
    assert [one.id for one in archive.jobs] == [job.id, again.id]


def test_an_object_that_lies_elsewhere_in_the_archive_is_there_already(archive, folder, tmp_path):
    files(folder / "mine", 2)
    files(tmp_path / "src", 3)
    job = archive.import_folder(tmp_path / "src")
    assert job.wait(30).already == 2
    assert list(there(folder)) == ["1.9.3.dcm"]


def test_the_archive_itself_may_be_imported(archive, folder):
    files(folder / "mine", 2)
    assert archive.import_folder(folder).wait(30).already == 2
    assert there(folder) == {}


def test_another_object_under_a_held_uid_has_failed_and_the_first_stays(archive, folder, tmp_path):
    (path,) = files(tmp_path / "src", 1)
    archive.import_folder(path).wait(30)
    first = path.read_bytes()
    path.write_bytes(dicom("1.9.1", shape=(8, 8)))
    files(tmp_path / "src", 1, first=2)
    job = archive.import_folder(tmp_path / "src")
    with pytest.raises(StoreError, match=r"another object with this UID.* differs in Rows"):
        job.wait(30)
    assert states(job) == ["failed", "stored"]
    assert place(folder, "1.9.1").read_bytes() == first


def test_two_different_objects_of_one_uid_are_one_and_a_failure(archive, folder, tmp_path):
    for name, side in (("a", 4), ("b", 8), ("c", 4)):
        (tmp_path / f"{name}.dcm").write_bytes(dicom("1.9.1", shape=(side, side)))
    job = archive.import_folder(tmp_path / "a.dcm", tmp_path / "b.dcm")
    with pytest.raises(StoreError):
        job.wait(30)
    assert sorted(states(job)) == ["failed", "stored"]
    assert list(there(folder)) == ["1.9.1.dcm"]


def test_what_is_no_object_is_skipped_or_failed_with_its_reason(archive, tmp_path):
    source = tmp_path / "src"
    files(source, 1)
    (source / ".hidden.dcm").write_bytes(b"x")
    (source / "notes.txt").write_text("notes")
    (source / "empty").touch()
    (source / "inner").mkdir()
    (source / "circle").symlink_to(source, target_is_directory=True)
    os.mkfifo(source / "pipe")
    (source / "cut.dcm").write_bytes(dicom("1.9.7", shape=(30, 30))[:-100])
    job = archive.import_folder(source)
    with pytest.raises(StoreError, match="within the 900 bytes of pixel data"):
        job.wait(30)
    assert states(job) == ["stored", "failed"]
    assert {one.path.rpartition("/")[2]: one.reason for one in job.skipped} == {
        ".hidden.dcm": "it is hidden",
        "notes.txt": "it is not a DICOM file",
        "empty": "it is not a DICOM file",
        "circle": "it is a link to a folder",
        "pipe": "it is no regular file",
    }


def test_a_folder_of_other_files_is_a_job_with_nothing_to_do(archive, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "notes.txt").write_text("notes")
    job = archive.import_folder(tmp_path / "src")
    job.wait(30)
    assert (job.state, len(job.skipped), job.items) == ("stored", 1, [])


def test_what_cannot_be_imported_is_refused(archive, made_server, tmp_path):
    (tmp_path / "src").mkdir()
    with pytest.raises(ValueError, match="nothing to import"):
        archive.import_folder(tmp_path / "src")
    with pytest.raises(ValueError, match="no path was given"):
        archive.import_folder()
    with pytest.raises(wsiweb.NotFound):
        archive.import_folder(tmp_path / "nowhere")
    with wsiweb.connect(made_server.url, outbox=tmp_path / "other") as server:
        with pytest.raises(ValueError, match=r"is none\. To send them, call store"):
            server.import_folder(tmp_path)
        with pytest.raises(ValueError, match="remove deletes from a folder"):
            server.remove("1.2.3")


def test_links_need_no_room_and_count_as_the_same(archive, folder, tmp_path):
    (path,) = files(tmp_path / "src", 1)
    archive.import_folder(path, link=True).wait(30)
    assert path.samefile(place(folder, "1.9.1"))
    assert archive.import_folder(path, link=True).wait(30).already == 1
    assert path.stat().st_nlink == 2  # no draft is left


def test_where_there_are_no_links_it_is_copied_and_said(archive, folder, tmp_path):
    with mounted(tmp_path / "disk", "size=1m") as disk:
        (path,) = files(disk / "src", 1)
        job = archive.import_folder(path, link=True)
        job.wait(30)
        assert place(folder, "1.9.1").read_bytes() == path.read_bytes()
    assert "no links between them" in job.items[0].warnings[0]


def test_on_a_full_disk_what_fits_is_kept_and_the_rest_has_failed(tmp_path):
    sources = files(tmp_path / "src", 30, side=300)  # 90 kB each
    with (
        mounted(tmp_path / "disk", "size=1m") as disk,
        wsiweb.connect(disk, outbox=tmp_path / "outbox") as archive,
    ):
        job = archive.import_folder(tmp_path / "src")
        with pytest.raises(StoreError, match="the disk is full"):
            job.wait(30)
        kept = there(disk)
        assert 5 < len(kept) < 12
        assert states(job).count("stored") == len(kept)
        for path in sources:
            assert kept.get(f"1.9.{path.stem}.dcm", path.read_bytes()) == path.read_bytes()
        for path in disk.rglob("*.dcm"):
            path.unlink()
        assert archive.import_folder(*sources[:8]).wait(30).stored == 8


def test_a_file_that_changes_while_it_is_taken_has_failed(archive, folder, tmp_path, monkeypatch):
    from wsiweb.transfers import importing

    (path,) = files(tmp_path / "src", 1)
    copied = importing.copy_bytes

    def changing(*given, **more):
        copied(*given, **more)
        path.write_bytes(path.read_bytes() + b"more")

    monkeypatch.setattr(importing, "copy_bytes", changing)
    with pytest.raises(StoreError, match="it changed while it was taken in"):
        archive.import_folder(path).wait(30)
    assert there(folder) == {}


@pytest.mark.parametrize("moment", [0.0, 0.05, 0.15, 0.3])
def test_killed_and_begun_again_all_is_there_once_and_whole(folder, tmp_path, moment):
    sources = files(tmp_path / "src", 150, side=40)
    given = [str(folder), str(tmp_path / "src"), str(tmp_path / "outbox")]
    command = [sys.executable, "-c", IMPORT, *given]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        time.sleep(moment)
        os.kill(process.pid, signal.SIGKILL)
    expected = {f"1.9.{path.stem}.dcm": path.read_bytes() for path in sources}
    assert there(folder).items() <= expected.items()
    with wsiweb.connect(folder, outbox=tmp_path / "outbox") as archive:
        for job in archive.jobs:  # what the dead process was at is known
            assert job.state in {"partial", "failed", "stored"}
        receipt = archive.import_folder(tmp_path / "src").wait(60)
        assert receipt.ok
        assert receipt.stored + receipt.already == 150
    assert there(folder) == expected


def test_closing_the_archive_ends_an_import_and_says_so(folder, tmp_path):
    files(tmp_path / "src", 200, side=40)
    with wsiweb.connect(folder, outbox=tmp_path / "outbox") as archive:
        job = archive.import_folder(tmp_path / "src").id
    with wsiweb.connect(folder, outbox=tmp_path / "outbox") as archive:
        failed = [item for item in archive.jobs[job].items if item.state == "failed"]
        assert failed
        assert "the archive was closed" in failed[-1].reason
        assert archive.import_folder(tmp_path / "src").wait(60).ok


def test_an_import_can_be_paused_and_cancelled(archive, folder, tmp_path):
    files(tmp_path / "src", 200, side=40)
    job = archive.import_folder(tmp_path / "src")
    job.pause()
    time.sleep(1.2)
    before = len(there(folder))
    time.sleep(0.6)
    assert len(there(folder)) == before < 200
    job.cancel()
    deadline = time.monotonic() + 20
    while "sending" in states(job) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "cancelled" in states(job)
    assert set(states(job)) <= {"stored", "cancelled"}
    assert states(job).count("stored") == len(there(folder))
