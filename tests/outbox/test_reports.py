from __future__ import annotations

import json
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outbox.boxes import add, claim, files, outcome

import wsiweb
from wsiweb.errors import OutboxError
from wsiweb.outbox import ItemRow, JobRow, Outbox, Progress, examine
from wsiweb.outbox.jobs import Job, Jobs
from wsiweb.outbox.reports import JobReport, report_of
from wsiweb.outbox.tables import JobLine, JobTable, line_of

ARCHIVE = "https://pacs.lab/dicom-web"
HOSTILE = "<script>alert('x')</script>&amp;\"'\x1b[2J\n\u202e"


@pytest.fixture
def box(tmp_path):
    box = Outbox(tmp_path / "box", archive=ARCHIVE)
    yield box
    box.close()


@pytest.fixture
def job(box, tmp_path):
    """A job in which everything happened: stored, held, failed, refused at once, left out."""
    folder = tmp_path / "scans"
    paths = files(folder, 4, side=200)
    (folder / "cut.dcm").write_bytes(paths[0].read_bytes()[:3000])
    (folder / "notes.txt").write_text("no DICOM")
    job = box.add(examine(folder), title="a <b>title</b>")
    one, two, three, four = claim(box)
    box.settle(
        [
            outcome(one, proof="listed", warnings=("its label was <removed>",)),
            outcome(two, "held", proof="compared"),
            outcome(three, "failed", code=0xA700, reason="out of space", comment="<i>disk full"),
            outcome(four, "failed", code=0xA700, reason="out of space", comment="<i>disk full"),
        ]
    )
    return job


class _Page(HTMLParser):
    """What stands in a page, and of what it is made."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.words, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def _item(number=1, **more):
    plain = {
        "id": number, "job": "j", "number": number, "path": Path("x"), "origin": f"/{number}.dcm",
        "study_uid": "1.2", "series_uid": "1.3", "instance_uid": f"1.4.{number}",
        "class_uid": "1.5", "transfer_syntax": "1.6", "size": 1000, "mtime": 1, "sha256": "0",
        "state": "failed", "tries": 1, "refusals": 0, "next_try": 0.0, "code": None,
        "reason": "why",
        "comment": "", "warnings": (), "proof": "", "settled": None,
    }  # fmt: skip
    return ItemRow(**(plain | more))


def _row(items, *, title="title", next_try=None, sent=0, paused=False, kind="store"):
    states = [one.state for one in items]
    counts = {
        state: states.count(state)
        for state in ("queued", "sending", "stored", "held", "failed", "cancelled")
    }
    size = sum(one.size for one in items)
    done = counts["stored"] + counts["held"]
    progress = Progress(items=len(items), done=done, size=size, sent=sent, told=None)
    return JobRow(
        id="0123456789ab", kind=kind, title=title, priority=0, created=1.7e9, options={},
        paused=paused, cancelled=False, counts=counts, progress=progress, next_try=next_try,
        skipped=0,
    )  # fmt: skip


def _report(*items, **more):
    return JobReport(job=_row(items, **more), archive=ARCHIVE, items=items)


# Text -------------------------------------------------------------------------------------------


def test_a_short_text_tells_of_what_is_not_stored(box, job, tmp_path):
    folder = tmp_path / "scans"
    assert str(report_of(box, job)).splitlines() == [
        f"Job {job}: a <b>title</b> to {ARCHIVE}",
        "5 objects: 1 stored, 1 already there, 3 failed.",
        "",
        "2 failed: out of space (code A700)",
        "  The archive says: <i>disk full",
        f"    1.9.3  {folder / '3.dcm'}",
        f"    1.9.4  {folder / '4.dcm'}",
        "",
        "1 failed: the file ends at byte 3000, within the 40000 bytes of pixel data",
        f"    {folder / 'cut.dcm'}",
        "",
        "1 stored: the archive lists it",
        "  Warning: its label was <removed>",
        f"    1.9.1  {folder / '1.dcm'}",
        "",
        "1 file left out",
        f"    {folder / 'notes.txt'}: it is not a DICOM file",
    ]


def test_a_long_text_names_every_object(box, job):
    report = report_of(box, job)
    assert "1.9.2" not in str(report)
    assert "1 already there: compared with what the archive holds\n    1.9.2 " in report.text()


def test_thousands_of_failures_are_told_shortly():
    many = _report(*(_item(number) for number in range(1, 3001)))
    assert many.summary == "3,000 objects, all failed."
    assert len(str(many).splitlines()) == 10
    assert str(many).endswith("    and 2,995 more")
    each = _report(*(_item(number, reason=f"for reason {number}") for number in range(1, 3001)))
    assert len(str(each).splitlines()) == 18
    assert str(each).endswith("\nand 2,995 more")
    assert each.text().count("failed: for reason") == 3000


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (["stored"], "1 object, stored."),
        (["held"] * 2, "2 objects, all already there."),
        (["queued", "sending", "stored"], "3 objects: 1 waiting, 1 under way, 1 stored."),
    ],
)
def test_summaries(states, said):
    assert _report(*(_item(at, state=one) for at, one in enumerate(states))).summary == said


def test_other_kinds_are_said_as_they_are():
    items = (_item(state="stored"), _item(2))
    text = _report(*items, kind="download").text()
    assert f"title from {ARCHIVE}\n2 objects: 1 fetched, 1 failed." in text
    assert "1 fetched" in text
    page = _report(*items, kind="download").html()
    assert "Not fetched (1)" in page
    assert "Fetched (1)" in page
    assert "added" in _report(*items, kind="import").summary


# HTML -------------------------------------------------------------------------------------------


def test_a_page_says_all_and_needs_nothing(box, job):
    text = report_of(box, job).html()
    page = _Page(text)
    assert not page.open
    assert set(page.tags) == {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "table", "thead",
        "tbody", "tr", "th", "td", "small",
    }  # fmt: skip
    assert "http" not in text.replace(ARCHIVE, "")
    assert "url(" not in text
    for words in (
        "a <b>title</b>",
        "Not stored (3)",
        "In the archive (2)",
        "Left out (1)",
        "out of space (code A700)",
        "The archive says: <i>disk full",
        "Warning: its label was <removed>",
        "compared with what the archive holds",
        "it is not a DICOM file",
    ):
        assert words in page.words, words


@given(st.text(), st.text(), st.text())
def test_nothing_that_others_write_becomes_markup_or_steers_a_terminal(title, comment, origin):
    items = [
        _item(1, comment=comment + HOSTILE, origin=origin + HOSTILE, reason=title),
        _item(2, state="stored", warnings=(comment, HOSTILE), instance_uid="", origin=comment),
    ]
    report = _report(*items, title=title + HOSTILE)
    plain = {one.partition(" ")[0] for one in _Page(_report(_item()).html()).tags}
    stored = _Page(_report(_item(), _item(2, state="stored", warnings=("w",))).html())
    assert set(_Page(report.html()).tags) <= plain | set(stored.tags)
    line = JobLine(job=report.job, archive=ARCHIVE, trouble=comment + HOSTILE)
    for shown in (report._repr_html_(), JobTable([line])._repr_html_()):
        page = _Page(shown)
        assert "script" not in page.tags
        assert not page.open
    for text in (report.text(), str(JobTable([line]))):
        assert all(one.isprintable() for one in text.split("\n"))


# Programs ---------------------------------------------------------------------------------------


def test_json_says_all(box, job, tmp_path):
    told = json.loads(json.dumps(report_of(box, job).to_dict()))
    assert (told["id"], told["archive"], told["state"]) == (job, ARCHIVE, "partial")
    assert not told["ok"]
    assert told["counts"]["failed"] == 3
    third = told["items"][2]
    assert (third["number"], third["code"], third["comment"]) == (3, 0xA700, "<i>disk full")
    assert third["sha256"]
    assert told["items"][1]["proof"] == "compared"
    assert told["skipped"] == [
        {"path": str(tmp_path / "scans" / "notes.txt"), "reason": "it is not a DICOM file"}
    ]


def test_the_ending_says_what_is_written(box, job, tmp_path):
    held = Job(box, None, job)
    report = held.report()
    assert held.report(tmp_path / "r.HTML").html() == (tmp_path / "r.HTML").read_text()
    held.report(str(tmp_path / "r.json"))
    assert json.loads((tmp_path / "r.json").read_text()) == report.to_dict()
    held.report(tmp_path / "r.txt")
    assert (tmp_path / "r.txt").read_text() == report.text() + "\n"
    for wrong in ("r", "r.pdf"):
        with pytest.raises(ValueError, match=r"ends in \.html, \.json, \.txt"):
            held.report(tmp_path / wrong)
    with pytest.raises(FileNotFoundError):
        held.report(tmp_path / "no" / "r.txt")
    with pytest.raises(OutboxError, match="no job"):
        Job(box, None, "x").report()


# Tables -----------------------------------------------------------------------------------------


def test_a_table_of_jobs(box, job, tmp_path):
    other = add(box, files(tmp_path / "more", 2, first=10))
    jobs = Jobs(box)
    first, second = str(jobs.table()).splitlines()[1::2]
    assert first.split()[:2] == [job[:6], "partial"]
    lines = str(jobs.table()).splitlines()
    assert lines[0].split() == ["id", "state", "objects", "size", "title"]
    assert lines[2] == "        3 failed: out of space (others for other reasons)"
    assert lines[3].split()[:2] == [other[:6], "queued"]
    assert second == lines[3]
    assert len(jobs.table(other)) == 1
    told = jobs.table().to_dict()["jobs"]
    assert [one["of"] for one in told] == [5, 2]
    assert "<table" in jobs.table()._repr_html_()


def test_no_jobs(box):
    table = Jobs(box).table()
    assert (str(table), table.to_dict(), len(table)) == ("No jobs.", {"jobs": []}, 0)
    assert "No jobs." in table._repr_html_()


def test_columns_that_say_nothing_are_left_out():
    plain = JobLine(job=_row([_item()]), archive=ARCHIVE)
    other = JobLine(job=_row([_item()], kind="download"), archive="https://x", name="lab")
    assert "archive" not in str(JobTable([plain]))
    assert ARCHIVE in str(JobTable([plain], archives=True))
    heading, *_, last, _ = str(JobTable([plain, other])).splitlines()
    assert heading.split() == ["id", "state", "objects", "size", "kind", "archive", "title"]
    assert last.split()[-3:] == ["download", "lab", "title"]


def test_notes():
    def note(item, *, next_try=None, sent=0, **more):
        row = _row([item], next_try=next_try, sent=sent)
        return JobLine(job=row, archive=ARCHIVE, **more).note

    queued, sending = _item(state="queued", reason=""), _item(state="sending", reason="")
    assert note(queued) == ""
    assert note(sending, speed=2e6, seconds_left=90.0) == "2.0 MB/s, 90 s left"
    assert note(sending, sent=1000, speed=2e6, seconds_left=0.0).startswith("all sent")
    assert note(queued, trouble="busy", next_try=time.time() + 50.2) == "next try in 50 s: busy"
    assert note(queued, trouble="busy", next_try=time.time() - 5) == "tried again: busy"
    assert note(_item(), trouble="why") == "1 failed: why"
    assert note(_item()) == "1 failed"


def test_ids_are_as_short_as_they_may_be(tmp_path):
    row = _row([_item()])
    twin = JobRow(**{name: getattr(row, name) for name in row.__slots__} | {"id": "01234567xxxx"})
    lines = str(JobTable([JobLine(job=one, archive="") for one in (row, twin)])).splitlines()
    assert [line.split()[0] for line in lines[1::2]][:1] == ["012345678"]


def test_what_hinders_a_waiting_job_is_told(box, tmp_path):
    job = add(box, files(tmp_path / "scans", 2))
    assert line_of(box, box.job(job)).trouble == ""
    first, second = claim(box)
    later = time.time() + 100
    box.settle([outcome(first, "queued", reason="the archive is busy", next_try=later)])
    box.settle([outcome(second, "queued", reason="the archive is busy", next_try=later)])
    assert "next try in " in str(Jobs(box).table())
    assert "the archive is busy" in str(Jobs(box).table())
    claim(box, now=later + 1)
    assert line_of(box, box.job(job)).job.state == "sending"


def test_speeds_are_those_since_the_last_look(box, tmp_path):
    job = add(box, files(tmp_path / "scans", 1, side=500))
    jobs = Jobs(box)
    claim(box)
    assert jobs.table().lines[0].speed == 0
    box.tell({job: 100_000}, time.time())
    time.sleep(0.05)
    (line,) = jobs.table().lines
    assert 0 < line.speed <= 2e6
    assert line.seconds_left == pytest.approx((line.job.progress.size - 100_000) / line.speed)


def test_a_real_job(made_folder, tmp_path):
    from wsiweb.server import serve

    target = tmp_path / "archive"
    target.mkdir()
    with serve(target, stow=True) as server, wsiweb.connect(server.url) as archive:
        job = archive.store(made_folder, title="a slide")
        job.wait()
        report = job.report()
        assert report.ok
        assert report.summary.endswith("all stored.")
        assert report.skipped == ()
        assert archive.jobs.table(job.id).lines[0].job.state == "stored"
