"""The benchmark of viewing, run small: for what it does, not for its figures."""

from __future__ import annotations

import io
import os
import re

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from wsiweb_benchmarks import environment, link, slides
from wsiweb_benchmarks.link import Terms
from wsiweb_benchmarks.viewing import chromium, film, peer, studies
from wsiweb_benchmarks.viewing.__main__ import main
from wsiweb_benchmarks.viewing.document import document
from wsiweb_benchmarks.viewing.listing import Listed
from wsiweb_benchmarks.viewing.panning import Smoothness
from wsiweb_benchmarks.viewing.rounds import FAR, NEAR, PEER, Measured, Plan, Viewed, measure

SCENE = (64, 64, 192, 192)
STUDIES = 6


@pytest.fixture(scope="module")
def _driven():
    """What the benchmark drives: the browser, and the pages, which have to be built."""
    from wsiweb.browse.pages import HOW_TO_BUILD, Pages

    refuse = pytest.fail if os.environ.get("CI") else pytest.skip
    if chromium.program() is None:
        refuse(chromium.MISSING)
    if not Pages().built:
        refuse(HOW_TO_BUILD)


def _picture(*tiles: tuple[int, int]) -> bytes:
    """A screen on which some tiles of 64 pixels have been drawn."""
    array = np.full((256, 256, 3), 255, np.uint8)
    rows, columns = np.mgrid[:64, :64]
    for column, row in tiles:
        array[row * 64 : row * 64 + 64, column * 64 : column * 64 + 64, 1] = 2 * (rows + columns)
    out = io.BytesIO()
    Image.fromarray(array).save(out, "JPEG", quality=80)
    return out.getvalue()


def test_a_view_is_complete_when_its_last_tile_is_seen():
    outside = _picture((1, 1), (1, 2), (2, 1), (2, 2), (0, 0))
    pictures = [
        (10.0, _picture()),
        (11.0, _picture((1, 1), (2, 2))),
        (12.0, _picture((1, 1), (1, 2), (2, 1))),
        (13.0, _picture((1, 1), (1, 2), (2, 1), (2, 2))),
        (14.0, outside),  # what changes elsewhere does not count
    ]
    assert film.completed(pictures, SCENE) == 13.0
    assert film.completed(pictures[:1], SCENE) == 10.0


def test_a_view_that_was_complete_and_changes_again_was_not_complete():
    whole, part = _picture((1, 1), (2, 2)), _picture((1, 1))
    assert film.completed([(1.0, whole), (2.0, part), (3.0, whole)], SCENE) == 3.0
    with pytest.raises(ValueError, match="no pictures"):
        film.completed([], SCENE)


def test_an_empty_state_and_a_changing_one_are_no_rest(monkeypatch):
    class Page:
        def wait_for_timeout(self, milliseconds):
            waits.append(milliseconds)

    waits, states = [], iter([(0, 3), (0, 3), (1, 3), (2, 3), (2, 3), (2, 3)])
    clock = iter(range(100))
    monkeypatch.setattr(film.time, "monotonic", lambda: next(clock))
    film.quiet(Page(), lambda: next(states), end=1000)
    assert len(waits) == 4
    with pytest.raises(film.Unsettled, match=r"did not come to rest in 30 s: \(0,\)"):
        film.quiet(Page(), lambda: (0,), end=50)


def test_studies_are_many_and_all_different(tmp_path):
    import wsiweb

    folder = studies.made_studies(tmp_path, STUDIES)
    with wsiweb.connect(folder) as archive:
        found = archive.studies()
        assert len({one.study_uid for one in found}) == len(found) == STUDIES
        assert len({one.patient_id for one in found}) == STUDIES
        listed = archive.slides()
        assert len({one.series_uid for one in listed}) == STUDIES * studies.SLIDES
        with listed[0].open() as slide:
            assert max(slide.thumbnail(64).shape[:2]) == 64
    assert studies.made_studies(tmp_path, STUDIES) == folder


def test_pages_come_from_the_server_and_do_not_wait(made_folder, tmp_path):
    import time
    import urllib.request

    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "page.js").write_text("one")
    terms = Terms(delay=5.0)
    with link.served(made_folder, tmp_path / "index.sqlite", terms, pages) as url:
        began = time.monotonic()
        with urllib.request.urlopen(f"{url}{link.PAGES}/page.js", timeout=10) as answer:
            assert answer.read() == b"one"
        assert time.monotonic() - began < 4.0
        assert link.counts(url + link.CONTROL).requests == 0


@pytest.mark.usefixtures("_driven")
def test_it_measures_the_slide_and_the_list(work):
    arguments = ["--small", "--rounds", "1", "--strokes", "1", "--studies", str(STUDIES)]
    done = CliRunner().invoke(
        main,
        [*arguments, "--no-peer", "--delay", "5", "--work", str(work), "--out", str(work / "v.md")],
    )
    assert done.exit_code == 0, done.output
    written = (work / "v.md").read_text()
    assert "What failed" not in written
    assert re.search(r"\| first view complete \(s\) \| \d+\.\d\d \| \d+\.\d\d \|", written)
    assert re.search(r"\| panning: frames per second, median \| \d+ \| \d+ \|", written)
    assert re.search(r"\| first 12 thumbnails \(s\) \| \d+\.\d\d \| \d+\.\d\d \|", written)
    assert "Without the peer" in written


@pytest.mark.usefixtures("_driven")
def test_the_peer_shows_the_same_slide(work):
    try:
        pages = peer.pages(work)
    except peer.Absent as absent:
        pytest.skip(str(absent))
    plan = Plan(work=work, small=True, studies=0, delay=0.005, rounds=1, strokes=1, peer=pages)
    found = measure(plan, lambda _: None)
    assert found.errors == []
    for who in (NEAR, FAR, PEER):
        (viewed,) = found.viewed[who]
        assert viewed.tiles > 0
        assert 0 < viewed.arrived < viewed.first + 0.1


def test_without_npm_the_peer_is_absent(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(peer.Absent, match="npm is not here"):
        peer.pages(tmp_path)


def test_ratios_are_taken_round_by_round_and_failures_are_said(work):
    smooth = Smoothness(60.0, 58.0, 0.02, 0.0, 40)
    ours = [Viewed(1.0, 0.5, 0.9, 9, smooth), Viewed(10.0, 0.5, 0.9, 9, smooth)]
    peers = [Viewed(2.0, 0.5, 0.9, 9, smooth), Viewed(20.0, 0.5, 0.9, 9, smooth)]
    found = Measured(
        slide=slides.made("mosaic-small", work, small=True),
        viewed={NEAR: ours, FAR: [None, None], PEER: peers},
        listed={
            name: [Listed(0.1, 0.2, 0.3)] for name in (NEAR, FAR, f"{NEAR} again", f"{FAR} again")
        },
        errors=["wsiweb, far: it broke"],
    )
    plan = Plan(work=work, rounds=2, studies=5)
    text = document(plan, found, environment.machine())
    assert (
        "| first view complete (s) | 5.50 ± 4.50 | failed | 11.00 ± 9.00 | 2.0 x as long |" in text
    )
    assert "- wsiweb, far: it broke" in text
