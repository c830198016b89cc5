"""Studies of several archives in one list."""

from __future__ import annotations

import datetime
import os
import shutil
import time

import pytest
from browse.conftest import tiny
from faulty import Fault, Faulty

from wsiweb import names
from wsiweb.browse.filters import Filters
from wsiweb.browse.rows import Row, ordered
from wsiweb.server import create_app
from wsiweb.server import serve as dicomweb
from wsiweb.wire.records import SlideRecord, Study


@pytest.fixture
def many(home):
    folder = home / "many"
    for number in range(1, 31):
        tiny(
            folder,
            number,
            patient=f"P{number % 10}",
            name=f"Doe^{'Jane' if number % 2 else 'John'}^{number}",
            date=f"2026{number % 12 + 1:02}{number % 28 + 1:02}",
            description="Skin excision" if number % 3 else "Lung [biopsy]",
        )
    return folder


def uids(found):
    return [row["study"] for row in found["studies"]]


# Several archives ---------------------------------------------------------------------------------


def test_a_study_is_listed_once_and_says_where_it_is(browse, slides, home):
    tiny(home / "other", 5)
    with dicomweb(slides) as served:
        page = browse(slides, served.url, home / "other")
        found = page.listed()
        by_name = page.archives()
    assert found["total"] == len(found["studies"]) == 2
    held = {row["patientId"]: row["archives"] for row in found["studies"]}
    assert set(held["P1"]) == {by_name["slides0"]["id"], by_name[served.url[7:]]["id"]}
    assert held["P"] == [by_name["other"]["id"]]
    assert [one["found"] for one in found["archives"]] == [1, 1, 1]
    assert [one["count"] for one in by_name.values()] == [1, 1, 1]


def test_the_same_archive_twice_is_one(browse, slides, home):
    names.add(names.NamedArchive(name="lab", url=str(slides)))
    page = browse("lab", slides, f"{slides}/", "local")
    assert list(page.archives()) == ["lab", "local"]
    assert page.archives()["lab"]["id"] == "lab"
    assert page.archives()["local"]["local"]


def test_an_id_does_not_depend_on_how_a_folder_is_spelt(browse, home, monkeypatch):
    for place in ("here", "there"):
        (home / place).mkdir()
        tiny(home / place / "slides", 1)
        (home / place / "local").mkdir()
    names.add(names.NamedArchive(name="lab", url=str(home / "here")))
    found = []
    for place, target in (("here", "slides"), ("here", "./slides"), ("there", "slides")):
        monkeypatch.chdir(home / place)
        (one,) = browse(target).archives().values()
        found.append(one["id"])
    assert found[0] == found[1]
    assert found[0] != found[2]
    assert found[0].startswith("slides-")
    assert list(browse("lab").archives().values())[0]["id"] == "lab"  # noqa: RUF015
    # A folder of that name is not the archive of this user.
    both = browse("./local", "local").archives()
    assert len(both) == 1 or {one["id"] for one in both.values()} >= {"local"}
    assert browse("local").archives()["local"]["id"] == "local"


def test_one_that_is_away_hides_no_other(browse, slides):
    page = browse(slides, "http://127.0.0.1:1")
    found = page.listed(timeout=60)
    assert found["total"] == 1
    away = found["archives"][1]
    assert (away["state"], away["found"]) == ("failed", 0)
    assert "127.0.0.1" in away["error"]
    assert page.archives()["127.0.0.1:1"]["error"] == away["error"]


def test_an_archive_that_dies_while_it_is_listed_keeps_what_it_said(browse, home, slides):
    for number in range(450):
        tiny(home / "large", number)
    app = create_app(home / "large")
    dying = Faulty(app, Fault("offset=200", status=403, text="no more of it"))
    with dicomweb(app=dying) as served:
        page = browse(served.url, slides)
        found = page.listed()
        assert found["total"] == 201
        first, second = found["archives"]
        assert (first["state"], first["found"]) == ("failed", 200)
        assert "403" in first["error"]
        assert "no more of it" in first["error"]
        assert second["state"] == "ready"
        # Asked for again, it stays so: only who says "verify" has it listed anew.
        asked = len(dying.paths("/studies?"))
        assert page.studies()["total"] == 201
        assert len(dying.paths("/studies?")) == asked
        dying.faults.clear()
        said = page.do(f"/api/archives/{first['id']}/verify")
        assert said["ok"], said
        found = page.listed()
        assert found["total"] == 451
        assert page.archives()[served.url[7:]] | {"id": ""} == {
            "id": "",
            "name": served.url[7:],
            "url": served.url,
            "state": "ready",
            "count": 450,
            "error": "",
            "local": False,
            "folder": False,
            "readOnly": False,
        }
    app.state.store.close()


def test_an_archive_that_wants_credentials_says_so_and_does_not_shut_the_page_out(browse, home):
    tiny(home / "a", 1)
    app = create_app(home / "a")
    locked = Faulty(app, Fault("", status=401, text="who are you?"))
    with dicomweb(app=locked) as served:
        page = browse(served.url)
        found = page.listed()
        assert found["archives"][0]["state"] == "failed"
        (archive,) = page.archives().values()
        said = page.ask(f"/api/thumbnails/{archive['id']}/1.2.1")
        assert said.status == 502  # 401 would mean the cookie
        assert "401" in said.words
        said = page.ask(f"/feed/{archive['id']}/1.2.1/1.2.1.1/manifest")
        assert said.status == 502  # 401 would mean the cookie
        assert not page.do(f"/api/archives/{archive['id']}/verify")["ok"]
    app.state.store.close()


def test_archives_come_and_go(browse, many, slides, home):
    page = browse(many)
    assert page.listed()["total"] == 30
    added = page.do("/api/archives", {"target": str(slides)})
    assert page.listed()["total"] == 31
    assert page.do("/api/archives", {"target": f" {slides} "})["id"] == added["id"]
    names.add(names.NamedArchive(name="lab", url=str(slides)))
    for wrong, words in (("/no/such", "no folder"), ("gopher://x", "URL"), ("nobody", "no folder")):
        said = page.change("/api/archives", {"target": wrong})
        assert said.status in {400, 404}
        assert words in said.words
    page.do(f"/api/archives/{added['id']}", method="DELETE")
    assert page.listed()["total"] == 30
    assert len(page.archives()) == 1
    assert page.change(f"/api/archives/{added['id']}", method="DELETE").status == 404
    assert page.ask(f"/api/studies?archive={added['id']}").status == 404


def test_secrets_of_addresses_never_reach_the_page(browse, slides):
    secret = "qoPiTk0PNBHPEGZ4zCRXzk"
    app = create_app(slides)

    async def behind(scope, receive, send):
        path = scope["path"].removeprefix(f"/link/{secret}")
        await app({**scope, "path": path}, receive, send)

    with dicomweb(app=behind) as served:
        page = browse(f"{served.url}/link/{secret}", "http://127.0.0.1:1/link/eyJhbGciOiJI")
        found = page.listed(timeout=60)
        assert found["total"] == 1
        row = found["studies"][0]
        study = page.get(f"/api/studies/{row['study']}").json
        slide = study["slides"][0]
        feed = f"/feed/{row['archives'][0]}/{row['study']}/{slide['series']}"
        answers = [
            page.get("/api/archives"),
            page.get("/api/studies"),
            page.get(f"/api/studies/{row['study']}"),
            page.get(f"{feed}/manifest"),
            page.get(f"{feed}/python"),
            page.ask(f"{feed}/tiles/0/0/9/9/9"),
            page.ask(f"/feed/{row['archives'][0]}/1.2/1.3/manifest"),
            page.ask(f"/api/thumbnails/{row['archives'][0]}/1.2.3.4"),
            page.change(f"/api/archives/{found['archives'][1]['id']}/verify"),
        ]
        for said in answers:
            assert secret.encode() not in said.body
            assert b"eyJhbGciOiJI" not in said.body
            assert secret not in str(said.headers)
    app.state.store.close()


# Filters ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [True, False], ids=["in memory", "asked of the archive"])
@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"patient": "P3"}, 3),
        ({"patient": "doe%20jane"}, 15),
        ({"patient": "JOHN"}, 15),
        ({"patient": "Doe^J*n*"}, 30),
        ({"accession": "A7"}, 1),
        ({"accession": "A?"}, 30),
        ({"accession": "A1"}, 11),
        ({"date": "2026-01-01/2026-01-31"}, 2),
        ({"date": "20260101-20260131"}, 2),
        ({"date": "2026-07-01/"}, 13),
        ({"modality": "SM"}, 30),
        ({"modality": "SM,SEG"}, 30),
        ({"modality": "SEG"}, 0),
        ({"description": "Skin"}, 20),
        ({"description": "[biopsy]"}, 10),
        ({"description": "Lung*y"}, 10),
        ({"patient": "P3", "description": "Lung"}, 1),
        ({"patient": "nobody"}, 0),
        ({"date": "/"}, 30),
        ({"patient": "%20"}, 30),
    ],
)
def test_filters(browse, many, asked, count, first):
    page = browse(many)
    if first:
        assert page.listed()["total"] == 30
    found = page.listed(**asked)
    assert found["total"] == count


def test_what_is_in_memory_is_not_asked_for_again(browse, many):
    app = Faulty(create_app(many))
    with dicomweb(app=app) as served:
        page = browse(served.url)
        page.listed()
        asked = len(app.log)
        assert page.listed(patient="doe", description="SKIN")["total"] == 20
        assert len([path for path in app.paths("studies?") if "0020000D" not in path]) <= asked
        assert not app.paths("00100020=")
    app.app.state.store.close()


@pytest.mark.parametrize(
    "asked",
    [
        {"date": "yesterday"},
        {"date": "2026-02-30"},
        {"sort": "shoe-size"},
        {"offset": "-1"},
        {"limit": "0"},
        {"limit": "1000"},
        {"limit": "٣"},
        {"patient": "x" * 300},
        {"patient": "%00"},
        {"page": "a b"},
        {"archive": "nobody"},
    ],
)
def test_questions_that_make_no_sense(browse, many, asked):
    from urllib.parse import quote

    page = browse(many)
    query = "&".join(f"{name}={quote(value, safe='%')}" for name, value in asked.items())
    said = page.ask(f"/api/studies?{query}")
    assert said.status in {400, 404}
    assert said.words


def test_slides_are_looked_for_by_container_and_stain(browse, slides, many):
    page = browse(slides, many)
    for asked in (
        {"container": "S26-2"},
        {"container": "26"},
        {"stain": "H%26E"},
        {"stain": "h%26"},
    ):
        found = page.listed(**asked)
        assert [row["patientId"] for row in found["studies"]] == ["P1"], asked
        assert found["studies"][0]["series"] == 2
    assert page.listed(stain="PAS")["total"] == 0
    assert page.listed(container="S26-2", patient="nobody")["total"] == 0
    assert page.listed(container="S26-1", stain="H%26E", patient="doe", modality="SM")["total"] == 1


def test_only_some_archives(browse, slides, many):
    page = browse(slides, many)
    one = page.archives()["many"]["id"]
    found = page.listed(archive=one)
    assert found["total"] == 30
    assert [each["id"] for each in found["archives"]] == [one]


def test_filters_are_understood():
    assert Filters.parse({}).empty
    assert Filters.parse({"date": "2026-01-31"}).date == (datetime.date(2026, 1, 31),) * 2
    assert Filters.parse({"modality": "sm, seg"}).modality == "SM,SEG"
    study = Study(study_uid="1", patient_name="Müller^Änne", patient_id="7[a]", description="x*y")
    for asked in ({"patient": "MÜLLER änne"}, {"patient": "[A]"}, {"patient": "Müller, Änne"}):
        assert Filters.parse(asked).accepts(study)
    assert not Filters.parse({"patient": "Änne Müller"}).accepts(study)
    assert not Filters.parse({"date": "2026-01-01/"}).accepts(study)
    slide = SlideRecord(study_uid="1", series_uid="2", container_id="S-1", description="PAS, 20x")
    assert Filters.parse({"stain": "pas"}).accepts_slide(slide)
    assert not Filters.parse({"stain": "H&E"}).accepts_slide(slide, "Ki-67")


# Sorting and paging -------------------------------------------------------------------------------


def test_sorting(browse, many):
    page = browse(many)
    page.listed()
    for sort, key in (
        ("date", "date"),
        ("patient", "patientId"),
        ("name", "patientName"),
        ("accession", "accession"),
        ("description", "description"),
    ):
        up = page.studies(sort=sort)["studies"]
        assert [row[key] for row in up] == sorted(row[key] for row in up)
        down = page.studies(sort=f"-{sort}")["studies"]
        assert [row[key] for row in down] == sorted((row[key] for row in up), reverse=True)
    assert uids(page.studies()) == uids(page.studies(sort="-date"))


def test_patients_together(browse, many):
    page = browse(many)
    page.listed()
    found = page.studies(group="patient")
    patients = [row["patientId"] for row in found["studies"]]
    assert found["patients"] == len(set(patients)) == 10
    # Each patient once; the one with the newest study first.
    firsts = list(dict.fromkeys(patients))
    assert [one for first in firsts for one in patients if one == first] == patients
    newest = [max(r["date"] for r in found["studies"] if r["patientId"] == one) for one in firsts]
    assert newest == sorted(newest, reverse=True)


def test_rows_without_a_date_come_last_both_ways():
    def row(uid, date=None):
        return Row("a", Study(study_uid=uid, date=date))

    rows = [row("1"), row("2", datetime.date(2026, 1, 1)), row("3", datetime.date(2025, 1, 1))]
    for sort, wanted in (("date", "321"), ("-date", "231")):
        found = ordered(rows, sort, by_patient=False)
        assert "".join(one.study.study_uid for one in found) == wanted


def test_what_two_archives_say_is_put_together():
    one = Study(study_uid="1", patient_id="P", modalities=("SM",), series_count=1)
    other = Study(study_uid="1", patient_name="Doe", modalities=("SEG", "SM"), series_count=3)
    row = Row("a", one)
    assert row.add("b", other)
    assert not row.add("b", other)
    assert (row.study.patient_id, row.study.patient_name) == ("P", "Doe")
    assert (row.study.modalities, row.study.series_count) == (("SM", "SEG"), 3)
    assert row.drop("b")
    assert row.study == one
    assert not row.drop("a")


def test_pages(browse, many):
    page = browse(many)
    page.listed()
    seen = [
        uid for offset in (0, 7, 14, 21, 28) for uid in uids(page.studies(offset=offset, limit=7))
    ]
    assert seen == uids(page.studies())
    assert page.studies(offset=100)["studies"] == []


# A study ------------------------------------------------------------------------------------------


def test_slides_of_listed_studies_become_known(browse, slides):
    page = browse(slides)
    with page.events() as events:
        row = page.listed()["studies"][0]
        told = events.until("slides", lambda said: all(one["known"] for one in said[row["study"]]))
        (row,) = page.studies()["studies"]
    assert row["slides"] == told[row["study"]]
    slide = {one["container"]: one for one in row["slides"]}["S26-1"]
    assert (slide["stain"], slide["magnification"], slide["size"]) == ("H&E", 20.0, [900, 700])
    assert slide["mpp"] == 0.5


def test_a_study_page(browse, slides):
    with dicomweb(slides) as served:
        page = browse(slides, served.url, "http://127.0.0.1:1")
        uid = page.studies(archive=page.archives()["slides0"]["id"])["studies"][0]["study"]
        study = page.get(f"/api/studies/{uid}").json
    assert len(study["slides"]) == 2
    assert all(len(one["archives"]) == 2 for one in study["slides"])
    assert study["patientName"] == "Doe^Jane"
    (failed,) = study["failed"]
    assert "127.0.0.1" in failed["error"]
    said = page.ask("/api/studies/1.2.3.4.5")
    assert said.status == 404
    assert "None of the archives" in said.words


def test_names_that_are_code_arrive_as_data(browse, home):
    evil = '"><svg><script>alert(1)</script>^</script><script>alert(2)'
    study = tiny(home / "evil", 1, name=evil, patient="</td>", description="' onload=x //{{7*7}}")
    page = browse(home / "evil")
    (row,) = page.listed()["studies"]
    assert (row["patientName"], row["patientId"]) == (evil, "</td>")
    assert row["description"] == "' onload=x //{{7*7}}"
    said = page.get(f"/api/studies/{study}")
    assert said.json["patientName"] == evil
    assert said.headers["content-type"] == "application/json"
    assert said.headers["x-content-type-options"] == "nosniff"
    path = f"/api/metadata/{row['archives'][0]}/{study}/{study}.1"
    (instance,) = page.get(path).json
    tags = {one["keyword"]: one["value"] for one in page.get(f"{path}/{instance['uid']}").json}
    assert tags["PatientName"] == evil
    assert page.ask(f"/api/metadata/{row['archives'][0]}/1.2/1.3").status == 404


def test_what_is_added_is_found_when_it_is_verified(browse, many):
    page = browse(many)
    page.listed()
    tiny(many, 99)
    shutil.copy(many / "1.dcm", many / "again.dcm")
    (archive,) = page.archives().values()
    page.do(f"/api/archives/{archive['id']}/verify")
    os.utime(many / "1.dcm")
    end = time.monotonic() + 15
    while page.listed()["total"] != 31:  # a folder is looked at again after some seconds
        assert time.monotonic() < end
        time.sleep(0.5)
        page.do(f"/api/archives/{archive['id']}/verify")
