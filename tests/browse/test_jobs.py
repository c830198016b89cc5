"""The jobs panel, and what begins jobs."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from browse.conftest import tiny
from faulty import Fault, Faulty
from pydicom import dcmread

import wsiweb
from wsiweb import names
from wsiweb.browse.retrying import Retries
from wsiweb.errors import OutboxError
from wsiweb.server import create_app
from wsiweb.server import serve as dicomweb

THERE = {"state": "stored", "finished": True, "failed": False, "canRetry": False}


def is_like(job, wanted):
    assert {name: job[name] for name in wanted} == wanted, job


@pytest.fixture
def target(home):
    """Start an archive that stores, and may be a bad one."""
    running = []

    def start(*faults, name="target"):
        (home / name).mkdir(exist_ok=True)
        app = Faulty(create_app(home / name, stow=True), *faults)
        server = dicomweb(app=app)
        running.append((server, app))
        return app, server.url

    yield start
    for server, app in running:
        server.close()
        app.app.state.store.close()


# Sending ------------------------------------------------------------------------------------------


def test_a_study_is_sent_from_one_archive_to_another(browse, slides, target, home):
    _, url = target()
    page = browse(slides, url)
    row = page.listed()["studies"][0]
    ids = {name: one["id"] for name, one in page.archives().items()}
    with page.events() as events:
        events.until("archives")
        body = {"from": row["archives"][0], "to": ids[url[7:]], "study": row["study"]}
        started = page.do("/api/send", body)
        told = events.until("jobs", lambda jobs: any(one["finished"] for one in jobs))
        events.until("archives", lambda listed: listed[1]["count"] == 1)
    job = page.finished(ids[url[7:]], started["job"])
    count = len(list(slides.rglob("*.dcm")))
    is_like(job, {**THERE, "kind": "copy", "done": count, "total": count, "archive": ids[url[7:]]})
    assert job["bytes"] == job["bytesTotal"] > 0
    assert [one["id"] for one in told] == [job["id"]]
    assert len(list((home / "target").rglob("*.dcm"))) == count
    # The list knows of it without being asked to look.
    (row,) = page.listed()["studies"]
    assert len(row["archives"]) == 2


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "from is missing"),
        ({"from": "SLIDES", "to": "SLIDES", "study": "STUDY"}, "both"),
        ({"from": "SLIDES", "to": "nobody", "study": "STUDY"}, "no archive"),
        ({"from": "SLIDES", "to": "TARGET", "study": "1.2.3"}, "no"),
        ({"from": "SLIDES", "to": "TARGET", "study": "../x"}, "UID"),
        ({"from": "SLIDES", "to": "TARGET", "study": "STUDY", "series": "x"}, "UID"),
    ],
)
def test_sending_what_makes_no_sense(browse, slides, target, body, words):
    _, url = target()
    page = browse(slides, url)
    row = page.listed()["studies"][0]
    known = {
        "SLIDES": row["archives"][0],
        "TARGET": page.archives()[url[7:]]["id"],
        "STUDY": row["study"],
    }
    said = page.change("/api/send", {name: known.get(text, text) for name, text in body.items()})
    assert said.status in {400, 404}
    assert words in said.words


# What was stored from elsewhere -------------------------------------------------------------------


def stored(url, slides, **named):
    with wsiweb.connect(url) as archive:
        job = archive.store(slides, **named)
        while not job._row().finished:
            time.sleep(0.05)
        return job.id


def test_what_failed_is_sent_again(browse, slides, target, home):
    refusal = Fault("studies", status=400, text="not today")
    app, url = target(refusal)
    names.add(names.NamedArchive(name="lab", url=url))
    job_id = stored("lab", slides, title='<b>my "slides"</b>')
    app.faults.clear()
    page = browse("lab")
    (job,) = page.get("/api/jobs").json
    count = len(list(slides.rglob("*.dcm")))
    wanted = {"id": job_id, "archive": "lab", "state": "failed", "failedCount": count, "done": 0}
    is_like(job, {**wanted, "title": '<b>my "slides"</b>', "canRetry": True, "canCancel": False})
    assert "could not do this" in job["error"]
    detail = page.get(f"/api/jobs/lab/{job_id}").json
    assert len(detail["objects"]) == count
    assert all(one["state"] == "failed" for one in detail["objects"])
    assert all("not today" in one["words"] for one in detail["objects"])
    said = page.do(f"/api/jobs/lab/{job_id}/retry")
    assert said["count"] == count
    is_like(page.finished("lab", job_id), {**THERE, "done": count, "failedCount": 0})
    assert page.listed()["total"] == 1
    assert page.do("/api/jobs/clear")["count"] == 1
    assert page.get("/api/jobs").json == []
    assert page.ask(f"/api/jobs/lab/{job_id}").status == 204
    assert page.ask(f"/api/jobs/nobody/{job_id}").status == 404


def test_errors_of_each_object_are_in_words(browse, slides, target):
    _, url = target(Fault("studies", status=413))
    names.add(names.NamedArchive(name="lab", url=url))
    job_id = stored("lab", slides)
    page = browse("lab")
    detail = page.get(f"/api/jobs/lab/{job_id}").json
    assert detail["summary"]
    assert "as large as this" in detail["objects"][0]["words"]
    assert page.change(f"/api/jobs/lab/{job_id}/explode").status == 400
    assert page.change("/api/jobs/lab/nothing/retry").status in {404, 409}
    assert page.change("/api/jobs/nobody/nothing/retry").status == 404


def test_a_job_is_paused_resumed_and_cancelled(browse, slides, target):
    _, url = target(Fault("/studies", status=503, headers={"Retry-After": "1"}))
    names.add(names.NamedArchive(name="lab", url=url))
    with wsiweb.connect("lab") as archive:
        job_id = archive.store(slides, start=False).id
        archive.jobs[job_id].pause()
    page = browse("lab")
    (job,) = page.get("/api/jobs").json
    is_like(job, {"state": "paused", "canResume": True, "canPause": False, "canCancel": True})
    page.do(f"/api/jobs/lab/{job_id}/resume")
    (job,) = page.get("/api/jobs").json
    is_like(job, {"canResume": False, "canPause": True})
    page.do(f"/api/jobs/lab/{job_id}/pause")
    said = page.change(f"/api/jobs/lab/{job_id}/clear")
    assert said.status == 409
    assert "cancel" in said.words
    page.do(f"/api/jobs/lab/{job_id}/cancel")
    job = page.finished("lab", job_id)
    is_like(job, {"state": "cancelled", "canClear": True})
    page.do(f"/api/jobs/lab/{job_id}/clear")
    assert page.get("/api/jobs").json == []


def test_jobs_of_archives_that_are_not_in_the_list(browse, slides, target):
    _, url = target(Fault("studies", status=400))
    job_id = stored(url, slides)
    page = browse(slides)
    (job,) = page.get("/api/jobs").json
    is_like(job, {"id": job_id, "archiveName": url, "canRetry": False, "canClear": True})
    assert job["archive"].startswith("outbox-")
    assert page.get(f"/api/jobs/{job['archive']}/{job_id}").json["objects"]
    page.do(f"/api/jobs/{job['archive']}/{job_id}/clear")
    assert page.get("/api/jobs").json == []


def test_a_page_that_only_shows_sends_nothing(browse, slides, target, home):
    _, url = target()
    names.add(names.NamedArchive(name="lab", url=url))
    with wsiweb.connect("lab") as archive:
        archive.store(slides, start=False)
    page = browse("lab", read_only=True)
    with page.events() as events:
        (job,) = events.until("jobs", lambda jobs: jobs)
        is_like(job, {"state": "queued", "canCancel": False, "canPause": False})
        time.sleep(1.5)
    (job,) = page.get("/api/jobs").json
    assert job["state"] == "queued"
    assert not list((home / "target").rglob("*.dcm"))


def test_to_look_for_jobs_leaves_nothing_behind(browse, slides, home):
    page = browse(slides)
    page.listed()
    assert page.get("/api/jobs").json == []
    assert not list((home / "data").rglob("*.sqlite"))


# Import, download, remove -------------------------------------------------------------------------


def test_import_look_and_remove(browse, slides, home):
    page = browse("local")
    assert page.listed()["total"] == 0
    started = page.do("/api/import", {"folder": str(slides)})
    assert started["archive"] == "local"
    count = len(list(slides.rglob("*.dcm")))
    is_like(page.finished("local", started["job"]), {**THERE, "kind": "import", "done": count})
    end = time.monotonic() + 20
    while not (found := page.listed())["total"]:
        assert time.monotonic() < end
    row = found["studies"][0]
    series = page.get(f"/api/studies/{row['study']}").json["slides"][0]["series"]
    assert page.get(row["thumbnail"]).body
    body = {"archive": "local", "study": row["study"]}
    part = page.do("/api/remove", {**body, "series": series})
    assert 0 < part["count"] < count
    assert page.do("/api/remove", body)["count"] == count - part["count"]
    assert page.listed()["total"] == 0
    assert page.change("/api/remove", body).status == 404
    assert len(list(slides.rglob("*.dcm"))) == count


def test_import_adds_the_local_archive_to_the_list(browse, slides):
    page = browse(slides)
    paths = [str(path) for path in sorted(slides.rglob("*.dcm"))[:2]]
    started = page.do("/api/import", {"paths": paths})
    assert page.finished("local", started["job"])["done"] == 2
    assert page.archives()["local"]["local"]


def test_files_of_ones_own_are_never_removed(browse, own_slides):
    page = browse(own_slides)
    row = page.listed()["studies"][0]
    count = len(list(own_slides.rglob("*.dcm")))
    said = page.change("/api/remove", {"archive": row["archives"][0], "study": row["study"]})
    assert said.status == 400
    assert "wsiweb made" in said.words
    assert len(list(own_slides.rglob("*.dcm"))) == count


def test_download(browse, slides, home):
    page = browse(slides)
    row = page.listed()["studies"][0]
    body = {"archive": row["archives"][0], "study": row["study"], "folder": str(home / "here")}
    started = page.do("/api/download", body)
    job = page.finished(started["archive"], started["job"])
    is_like(job, {**THERE, "kind": "download"})
    assert len(list((home / "here").rglob("*.dcm"))) == job["done"]
    (home / "file").write_text("")
    for folder, words in (("here", "whole path"), ("", "missing"), (str(home / "file"), "a file")):
        said = page.change("/api/download", {**body, "folder": folder})
        assert said.status == 400
        assert words in said.words


def test_a_download_that_failed_is_begun_anew(browse, slides, home):
    app = create_app(slides)
    path = min(slides.rglob("*.dcm"))
    bad = dcmread(path, stop_before_pixels=True).SOPInstanceUID
    faulty = Faulty(app, Fault(f"instances/{bad}", status=403))
    with dicomweb(app=faulty) as served:
        page = browse(served.url)
        row = page.listed()["studies"][0]
        archive = row["archives"][0]
        body = {"archive": archive, "study": row["study"], "folder": str(home / "here")}
        job = page.finished(archive, page.do("/api/download", body)["job"])
        is_like(job, {"state": "partial", "canRetry": True, "canCancel": False})
        faulty.faults.clear()
        page.do(f"/api/jobs/{archive}/{job['id']}/retry")
        count = len(list(slides.rglob("*.dcm")))
        (again,) = [one for one in page.get("/api/jobs").json if one["id"] != job["id"]]
        is_like(page.finished(archive, again["id"]), {**THERE, "done": count})
    assert len(list((home / "here").rglob("*.dcm"))) == count
    app.state.store.close()


def test_folders_to_choose_from(browse, slides, home):
    page = browse(slides)
    (home / "there").mkdir()
    (home / "there" / "inner").mkdir()
    (home / "there" / ".hidden").mkdir()
    tiny(home / "there", 1)
    said = page.get(f"/api/folders?path={home}/there").json
    assert said["folders"] == [{"name": "inner", "path": str(home / "there" / "inner")}]
    assert (said["files"], said["parent"]) == (1, str(home))
    assert page.get("/api/folders").json["path"]
    for path, status in (("relative", 400), (f"{home}/no", 404), ("~nobody-at-all/x", 400)):
        assert page.ask(f"/api/folders?path={path}").status == status


# Tried again --------------------------------------------------------------------------------------


@pytest.fixture
def failed_copy(browse, slides, target):
    """A study of which an object could not be copied; the page, the source, and the job."""
    bad = dcmread(min(slides.rglob("*.dcm")), stop_before_pixels=True).SOPInstanceUID
    source = Faulty(create_app(slides), Fault(f"instances/{bad}", status=403))
    _, url = target()
    with dicomweb(app=source) as served:
        page = browse(served.url, url)
        ids = {one["url"]: one["id"] for one in page.archives().values()}
        row = page.listed()["studies"][0]
        body = {"from": ids[served.url], "to": ids[url], "study": row["study"]}
        job = page.finished(ids[url], page.do("/api/send", body)["job"])
        is_like(job, {"state": "partial", "canRetry": True})
        yield page, source, job
    source.app.state.store.close()


def test_a_copy_tried_again_keeps_what_it_knows_until_it_has_ended_well(failed_copy):
    page, source, job = failed_copy
    at = f"/api/jobs/{job['archive']}"
    page.do(f"{at}/{job['id']}/retry")
    (again,) = page.get("/api/jobs").json  # one line for both
    assert again["id"] != job["id"]
    again = page.finished(job["archive"], again["id"])
    box = page.server.app._service.jobs._boxes[job["archive"]]
    assert {one.id for one in box.jobs} == {job["id"], again["id"]}
    # The first one cannot be tried again besides, for the second one stands for it.
    said = page.change(f"{at}/{job['id']}/retry")
    assert (said.status, "already" in said.words) == (409, True)
    source.faults.clear()
    source.log.clear()
    page.do(f"{at}/{again['id']}/retry")
    (last,) = page.get("/api/jobs").json
    is_like(page.finished(job["archive"], last["id"]), THERE)
    # What the first one brought was not fetched again by the third.
    fetched = {path.split("/instances/")[1] for path in source.paths("/instances/")}
    uids = {path.split("/")[0].split("?")[0] for path in fetched}
    assert 0 < len(uids) <= job["failedCount"] < last["total"]
    page.get("/api/jobs")
    assert [one.id for one in box.jobs] == [last["id"]]


def test_where_the_new_copy_is_forgotten_the_old_one_is_back(failed_copy):
    page, _, job = failed_copy
    page.do(f"/api/jobs/{job['archive']}/{job['id']}/retry")
    (again,) = page.get("/api/jobs").json
    again = page.finished(job["archive"], again["id"])
    assert again["canClear"]
    page.do(f"/api/jobs/{job['archive']}/{again['id']}/clear")
    (back,) = page.get("/api/jobs").json
    is_like(back, {"id": job["id"], "canRetry": True})


def damaged_import(page, own_slides):
    """Import files of which two were cut off meanwhile; return the job and the two."""
    bad = sorted(own_slides.rglob("*.dcm"))[:2]
    whole = [path.read_bytes() for path in bad]
    for path, data in zip(bad, whole, strict=True):
        path.write_bytes(data[: len(data) * 2 // 3])
    started = page.do("/api/import", {"folder": str(own_slides)})
    job = page.finished("local", started["job"])
    assert (job["failedCount"], job["canRetry"]) == (2, True), job
    return job, bad, whole


def test_an_import_is_tried_again_without_what_is_still_damaged(browse, own_slides):
    page = browse("local")
    job, bad, whole = damaged_import(page, own_slides)
    path = f"/api/jobs/local/{job['id']}/retry"
    said = page.change(path)
    assert said.status == 400
    assert str(bad[0]) in said.words
    assert len(page.get("/api/jobs").json) == 1
    bad[0].write_bytes(whole[0])
    bad[1].unlink()
    said = page.do(path)
    assert said["count"] == 1
    assert str(bad[1]) in said["words"]
    old, new = page.get("/api/jobs").json  # the old one tells of the file that is missing
    assert old["id"] == job["id"]
    is_like(page.finished("local", new["id"]), {**THERE, "done": 1})


def test_a_job_is_tried_again_once_and_only_when_something_of_it_failed(browse, own_slides):
    page = browse("local")
    job, bad, whole = damaged_import(page, own_slides)
    for path, data in zip(bad, whole, strict=True):
        path.write_bytes(data)
    with ThreadPoolExecutor(4) as pool:
        path = f"/api/jobs/local/{job['id']}/retry"
        said = [one.status for one in pool.map(page.change, [path] * 4)]
    assert sorted(said) in ([200, 404, 404, 404], [200, 404, 404, 409], [200, 404, 409, 409],
                            [200, 409, 409, 409])  # fmt: skip
    (new,) = page.get("/api/jobs").json
    page.finished("local", new["id"])
    said = page.change(f"/api/jobs/local/{new['id']}/retry")
    assert said.status == 409
    assert "Nothing of it failed" in said.words


def test_a_job_that_is_begun_anew_while_others_are_listed_keeps_the_old_one_hidden():
    """It is not in the list that was read before it began, and has not gone for that."""
    retries = Retries(())

    def look():
        retries._before["local", "new"] = ["old"]  # by another thread
        return []

    box = SimpleNamespace(id="local", jobs=SimpleNamespace(look=look))
    assert retries.look(box) == []
    assert retries._before == {("local", "new"): ["old"]}
    box.jobs.look = list
    assert retries.look(box) == []
    assert retries._before == {}


def test_a_job_that_is_cleared_at_the_same_moment_is_not_tried_again(browse, own_slides):
    page = browse("local")
    job, *_ = damaged_import(page, own_slides)
    panel = page.server.app._service.jobs
    box = panel._boxes["local"]
    one = box.jobs[job["id"]]
    one.clear()
    with pytest.raises(OutboxError, match="cleared"):
        asyncio.run(asyncio.wait_for(panel._retries.again(box, one), 5))


def test_the_title_of_an_import_is_short(browse, slides, home):
    page = browse("local")
    paths = [str(path) for path in sorted(slides.rglob("*.dcm"))]
    job = page.finished("local", page.do("/api/import", {"paths": paths})["job"])
    assert job["title"].endswith(f"and {len(paths) - 3} more")
    assert job["title"].count(".dcm") == 3


def test_jobs_of_an_archive_that_is_added_later_are_listed_once(browse, slides, target):
    _, url = target(Fault("studies", status=400))
    job_id = stored(url, slides)
    page = browse(slides)
    (job,) = page.get("/api/jobs").json
    boxes = page.server.app._service.jobs._boxes
    elsewhere = boxes[job["archive"]]
    assert elsewhere.own._database._open
    added = page.do("/api/archives", {"target": url})
    (job,) = page.get("/api/jobs").json
    is_like(job, {"id": job_id, "archive": added["id"], "canRetry": True})
    assert elsewhere not in boxes.values()
    assert not elsewhere.own._database._open
    page.do(f"/api/archives/{added['id']}", method="DELETE")
    (job,) = page.get("/api/jobs").json
    assert job["archive"].startswith("outbox-")


def test_jobs_are_looked_at_again_whatever_happened(browse, slides, target, caplog):
    _, url = target()
    page = browse(slides, url)
    row = page.listed()["studies"][0]
    panel = page.server.app._service.jobs
    inner, broken = panel.look, threading.Event()

    async def odd():
        if not broken.is_set():
            broken.set()
            raise RuntimeError("nobody foresaw this")
        return await inner()

    panel.look = odd
    with page.events() as events:
        assert broken.wait(10)
        ids = {one["url"]: one["id"] for one in page.archives().values()}
        body = {"from": row["archives"][0], "to": ids[url], "study": row["study"]}
        page.do("/api/send", body)
        assert events.until("jobs", lambda jobs: any(one["finished"] for one in jobs))
    assert "nobody foresaw this" in caplog.text


def test_odd_names_hide_no_others_where_folders_are_chosen(browse, slides, home):
    there = home / "there"
    (there / "good").mkdir(parents=True)
    (there / os.fsdecode(b"\xff\xfe")).mkdir()
    (there / "endless").symlink_to("x" * 300)  # looking at what it leads to fails
    page = browse(slides)
    said = page.get(f"/api/folders?path={there}").json
    assert [one["name"] for one in said["folders"]] == ["good"]
