"""10,000 studies: listed in the background, without holding up the page."""

from __future__ import annotations

import asyncio
import threading
import time
import tracemalloc

import pytest
from browse.conftest import tiny

from wsiweb.browse.filters import Filters
from wsiweb.browse.rows import Row, ordered
from wsiweb.browse.search import Found, Search
from wsiweb.browse.sources import Source
from wsiweb.server import serve as dicomweb
from wsiweb.wire.records import Study

COUNT = 10_000


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    for number in range(COUNT):
        tiny(
            folder,
            number,
            patient=f"P{number % 3000}",
            name=f"Case^{number % 3000}",
            date=f"20{number % 26:02}{number % 12 + 1:02}{number % 28 + 1:02}",
            description=f"Study {number}",
        )
    with dicomweb(folder) as served:  # looked at once; the tests are about what comes after
        yield served


def test_the_page_answers_while_ten_thousand_are_listed(browse, many):
    page = browse(many.url)
    began = time.monotonic()
    while len((found := page.studies())["studies"]) < 50:
        assert time.monotonic() - began < 10
    first = time.monotonic() - began
    assert not found["complete"]
    slowest = 0.0
    totals = []
    while not found["complete"]:
        asked = time.monotonic()
        found = page.studies(group="patient", offset=len(totals) * 10)
        slowest = max(slowest, time.monotonic() - asked)
        totals.append(found["total"])
        assert time.monotonic() - began < 200
        time.sleep(0.1)
    took = time.monotonic() - began
    assert found["total"] == COUNT
    assert found["patients"] == 3000
    assert totals == sorted(totals)
    assert len(set(totals)) > 3
    assert slowest < 3, f"first page {first:.2f} s, all {took:.1f} s"
    # Now that they are here, nothing has to be asked.
    began = time.monotonic()
    assert page.studies(patient="P29", sort="patient")["total"] > 300
    assert page.studies(description="Study%2077", offset=10)["total"] == 111
    assert page.studies(sort="name", offset=9_990)["studies"][-1]["patientId"] == "P999"
    filtered = time.monotonic() - began
    assert filtered < 3


def test_a_large_list_is_sorted_beside_the_loop_and_not_for_every_page_of_it(monkeypatch):
    asyncio.run(_sorted_while_it_grows(monkeypatch))


async def _sorted_while_it_grows(monkeypatch):
    """While studies come in, the loop goes on; in the end all of them are in order."""
    search = Search(Filters.parse({}), [], changed=lambda _: None, stain_of=None)
    sorts = []

    def slow(*rows, **how):
        sorts.append(threading.get_ident())
        time.sleep(0.1)
        return ordered(*rows, **how)

    monkeypatch.setattr("wsiweb.browse.search.ordered", slow)
    under_way = Found(Source("http://127.0.0.1:1"))
    search.found["one"] = under_way
    for number in range(3000):
        search._take(under_way, Study(study_uid=f"1.2.{number}", patient_id=f"P{number}"))
    began = time.monotonic()
    late = 0.0
    looking = asyncio.create_task(search.ordered("patient", by_patient=False))
    while not looking.done():
        asked = time.monotonic()
        await asyncio.sleep(0.001)
        late = max(late, time.monotonic() - asked)
    assert late < 0.09
    for number in range(3000, 3010):
        search._take(under_way, Study(study_uid=f"1.2.{number}", patient_id=f"P{number}"))
        search._version += 1
        assert len(await search.ordered("patient", by_patient=False)) in {3000, number + 1}
    assert len(sorts) <= 2 + time.monotonic() - began
    assert threading.get_ident() not in sorts
    under_way.state = "ready"
    search._version += 1
    rows = await search.ordered("patient", by_patient=False)
    assert [row.study.patient_id for row in rows] == sorted(f"P{one}" for one in range(3010))
    assert (await search.counted())[1] == 3010


def test_what_a_row_takes():
    tracemalloc.start()
    rows = [
        Row(
            "archive",
            Study(
                study_uid=f"1.2.826.0.1.3680043.8.498.{number}",
                patient_id=f"P{number}",
                patient_name=f"Case^{number}",
                accession_number=f"A{number}",
                description=f"Skin excision {number}",
                modalities=("SM",),
            ),
        )
        for number in range(COUNT)
    ]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held / COUNT < 1500
    began = time.perf_counter()
    wanted = Filters.parse({"patient": "case 77"})
    assert len([row for row in rows if wanted.accepts(row.study)]) == 280
    ordered(rows, "-date", by_patient=True)
    assert time.perf_counter() - began < 3
