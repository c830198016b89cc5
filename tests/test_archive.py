from __future__ import annotations

import pytest

import wsiweb


def test_a_folder_is_an_archive(made_folder, made):
    with wsiweb.connect(made_folder) as archive:
        assert archive.url.startswith("file://")
        (study,) = archive.studies()
        assert study.study_uid == made.study_uid
        (record,) = archive.slides()
        assert record.series_uid == made.series_uid
        slide = record.open()
        assert slide.read_region((0, 0), 0, (64, 64)).shape == (64, 64, 3)


def test_a_folder_and_a_server_give_the_same(made_folder, made_server):
    regions = []
    for target in (made_folder, made_server.url):
        with wsiweb.connect(target) as archive:
            regions.append(archive.slides()[0].open().read_region((500, 300), 0, (700, 600)))
            assert archive.studies().to_dicts()
    assert (regions[0] == regions[1]).all()


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        ("/no/such/folder", wsiweb.NotFound, "no folder"),
        ("ftp://a/b", ValueError, "URL"),
        ("http://u:s3cret@host/", ValueError, "auth"),
    ],
)
def test_a_wrong_target_is_told(target, error, words):
    with pytest.raises(error, match=words) as caught:
        wsiweb.connect(target)
    assert "s3cret" not in str(caught.value)


def test_a_file_is_no_folder(made):
    with pytest.raises(wsiweb.NotFound, match="no folder"):
        wsiweb.connect(made.paths[0])


def test_an_empty_folder_has_nothing(tmp_path):
    with wsiweb.connect(tmp_path) as archive:
        assert list(archive.studies()) == []
        assert len(archive.slides()) == 0
        assert repr(archive.slides()).startswith("[0 found")


def test_settings_and_bundles_are_checked(tmp_path):
    with pytest.raises(ValueError, match="connections"):
        wsiweb.Settings(connections=0)
    with pytest.raises(ValueError, match="read_timeout"):
        wsiweb.Settings(read_timeout=0)
    with pytest.raises(ValueError, match="patience"):
        wsiweb.Settings(patience=float("nan"))
    broken = tmp_path / "ca.pem"
    broken.write_text("no certificate")
    for ca in (str(broken), str(tmp_path / "absent.pem")):
        with pytest.raises(ValueError, match="CA bundle"):
            wsiweb.connect("https://a/b", ca=ca)


def test_secrets_are_in_no_repr():
    archive = wsiweb.connect("https://a/b", auth=("me", "s3cret"))
    for thing in (archive, archive._place, archive._client):
        assert "s3cret" not in repr(thing)


def test_a_listing_is_a_lazy_sequence(made_server):
    with wsiweb.connect(made_server.url) as archive:
        with wsiweb.trace() as cost:
            slides = archive.slides()
        assert cost.requests == 0
        assert slides[0] is slides[-1]
        assert slides[:5] == [slides[0]]
        assert len(slides) == 1
        assert slides[0] in slides
        with pytest.raises(IndexError):
            slides[1]
        assert slides.to_dicts()[0]["study_uid"] == slides[0].study_uid


def test_a_closed_archive_says_so(made_server):
    archive = wsiweb.connect(made_server.url)
    slide = archive.slides()[0].open()
    archive.close()
    archive.close()
    with pytest.raises(ValueError, match="closed"):
        slide.read_region((0, 0), 0, (10, 10))
    with pytest.raises(ValueError, match="closed"):
        archive.studies()[0]


def test_a_listing_is_awaited_in_an_event_loop(made_server):
    import asyncio

    async def main(archive):
        return [study async for study in archive.studies()]

    with wsiweb.connect(made_server.url) as archive:
        assert asyncio.run(main(archive)) == list(archive.studies())


def test_many_threads_list_one_search_once(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    from wsiweb import synthetic

    for seed in range(5):
        synthetic.write_slide(tmp_path / str(seed), 260, 260, seed=seed, levels=[1], label=False)
    with wsiweb.connect(tmp_path) as archive, ThreadPoolExecutor(8) as threads:
        slides = archive.slides()
        counts = list(threads.map(lambda _: len(list(slides)), range(16)))
    assert counts == [5] * 16


def test_a_search_that_fails_half_way_is_never_taken_for_a_whole_one(faulty, monkeypatch):
    from faulty import Fault

    from wsiweb.client import client

    monkeypatch.setattr(client, "_PAGE", 1)
    _, server = faulty(Fault("offset=1", status=400, times=2))
    with wsiweb.connect(server.url, settings=wsiweb.Settings(retries=0)) as archive:
        studies = archive.studies()
        for _ in range(2):
            with pytest.raises(wsiweb.ArchiveError):
                len(studies)
        assert len(studies) == 1
