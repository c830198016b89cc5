"""Studies copied into Orthanc and fetched from it again: every object byte for byte."""

from __future__ import annotations

import uuid

import pytest

import wsiweb
from wsiweb import synthetic

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def archive(orthanc, tmp_path):
    login = (orthanc.user, orthanc.password)
    with wsiweb.connect(orthanc.url, auth=login, outbox=tmp_path / "outbox") as archive:
        yield archive


def objects(folder):
    """All objects below a folder, by their bytes: names differ."""
    return sorted(path.read_bytes() for path in folder.rglob("*.dcm"))


def test_a_folder_is_copied_into_orthanc_and_fetched_again_byte_for_byte(archive, tmp_path):
    seed = uuid.uuid4().int % 2**31
    slide = synthetic.write_slide(tmp_path / "src", 1500, 1100, seed=seed)
    with wsiweb.connect(tmp_path / "src", outbox=tmp_path / "own") as source:
        job = archive.copy_from(source, slide.study_uid)
        assert job.wait(120).stored == len(slide.paths)
        assert {item.proof for item in job.items} == {"listed"}
        assert archive.copy_from(source, slide.study_uid).wait(60).already == len(slide.paths)
        verified = archive.copy_from(source, slide.study_uid, verify=True)
        assert verified.wait(120).already == len(slide.paths)
        assert {item.proof for item in verified.items} == {"compared"}
    assert archive.download(slide.study_uid, tmp_path / "to").wait(120).ok
    assert objects(tmp_path / "to") == objects(tmp_path / "src")
    (tmp_path / "back").mkdir()
    with wsiweb.connect(tmp_path / "back", outbox=tmp_path / "third") as back:
        assert back.copy_from(archive, slide.study_uid).wait(120).ok
    assert objects(tmp_path / "back") == objects(tmp_path / "src")
