from __future__ import annotations

import datetime
import gc
import inspect
import os
import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest

import wsiweb

CREATED = datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.UTC)
SQUARE = np.array([[100, 100], [300, 100], [300, 260], [100, 260]], float)


@pytest.fixture
def folder(tmp_path, made_folder):
    return shutil.copytree(made_folder, tmp_path / "slides")


@pytest.fixture
def slide(folder):
    with wsiweb.connect(folder) as archive:
        yield archive.slides()[0].open()


def mask_of(slide, level=1):
    return slide.read_region((0, 0), level, slide.levels[level].size).mean(axis=2) < 200


def add_all(session, slide):
    session.add_mask(mask_of(slide), segments="Tissue")
    session.add_annotations([SQUARE], label="nuclei")
    session.add_heatmap(np.linspace(0, 1, 9 * 6).reshape(6, 9), patch=256, quantity="Probability")
    return session


def test_all_kinds_there_and_back(slide, folder):
    session = add_all(slide.results("v1", algorithm=("net", "1.0"), created=CREATED), slide)
    assert repr(session).startswith("<ResultSession 'v1': 4 segmentation, 1 annotations, 1 heatmap")
    session.save(folder / "results")
    with wsiweb.connect(folder) as archive:
        again = archive.slides()[0].open()
        (segmentation,), (annotations,), (heatmap,) = (
            again.segmentations(),
            again.annotations("v1"),
            again.heatmaps(),
        )
        assert segmentation.name == annotations.name == heatmap.name == "v1"
        assert segmentation.created == CREATED
        found = segmentation.read_region((0, 0), 1, slide.levels[1].size)
        np.testing.assert_array_equal(found, mask_of(slide))
        np.testing.assert_allclose(annotations.groups[0].coordinates, SQUARE, atol=1e-3)
        assert heatmap.values()[0, 0] == pytest.approx(0, abs=1e-5)
        assert again.reports() == []
        assert again.annotations("v2") == []


def test_identity_is_that_of_the_source(slide, folder):
    session = add_all(slide.results("v1", algorithm=("net", "1.0"), creator="Doe^Jäne"), slide)
    source = pydicom.dcmread(next(folder.glob("*volume-1.dcm")), stop_before_pixels=True)
    for one in session.objects:
        made = pydicom.dcmread(one.path, stop_before_pixels=True)
        for keyword in (
            "PatientID",
            "PatientName",
            "StudyInstanceUID",
            "AccessionNumber",
            "ContainerIdentifier",
        ):
            assert made[keyword].value == source[keyword].value, (one.kind, keyword)
        assert made.SpecimenDescriptionSequence == source.SpecimenDescriptionSequence
        assert made.SeriesDescription == "v1"
        assert made.SpecificCharacterSet == "ISO_IR 192"
        assert made.ContentCreatorName == "Doe^Jäne"
        assert made.SeriesInstanceUID != source.SeriesInstanceUID
        assert made.SOPInstanceUID == one.instance_uid == made.file_meta.MediaStorageSOPInstanceUID
        if "FrameOfReferenceUID" in made:
            assert made.FrameOfReferenceUID == source.FrameOfReferenceUID


def test_a_deterministic_session_repeated_is_the_same_to_the_byte(slide, tmp_path):
    def run(name):
        session = slide.results(
            "v1",
            algorithm=("net", "1"),
            created=CREATED,
            deterministic=True,
            folder=tmp_path / name,
        )
        return add_all(session, slide).objects

    first, second = run("a"), run("b")
    assert [one.instance_uid for one in first] == [one.instance_uid for one in second]
    for one, other in zip(first, second, strict=True):
        assert one.path.read_bytes() == other.path.read_bytes()
    assert len({one.instance_uid for one in first}) == len(first)


def test_a_deterministic_session_wants_a_date(slide):
    with pytest.raises(ValueError, match="wants created="):
        slide.results("v1", deterministic=True)


def test_joining_goes_on_counting_in_the_newest_series(slide, folder):
    first = slide.results("v1", created=CREATED)
    first.add_annotations([SQUARE])
    first.add_annotations([SQUARE + 5])
    first.save(folder / "one")
    with wsiweb.connect(folder) as archive:
        again = archive.slides()[0].open()
        joined = again.results("v1", join=True)
        (one,) = joined.add_annotations([SQUARE + 10])
        assert (one.series_uid, one.instance_number) == (first.objects[0].series_uid, 3)
        other = again.results("v2", join=True)
        (one,) = other.add_annotations([SQUARE])
        assert one.series_uid != first.objects[0].series_uid
        assert one.instance_number == 1
        joined.save(folder / "two")
    with wsiweb.connect(folder) as archive:
        versions = archive.slides()[0].open().annotations("v1")
        assert len(versions) == 3
        assert versions[0].instance_uid == joined.objects[0].instance_uid  # the newest
        assert versions[0].created > versions[1].created


def test_an_empty_session_saves_nothing(slide, tmp_path):
    assert slide.results("v1").save(tmp_path / "out") == ()


def test_saving_twice_is_no_trouble_and_nothing_is_written_over(slide, tmp_path):
    session = slide.results("v1")
    session.add_annotations([SQUARE])
    paths = session.save(tmp_path)
    assert session.save(tmp_path) == paths
    paths[0].write_text("of somebody else")
    with pytest.raises(FileExistsError, match="is another file; give another folder"):
        session.save(tmp_path)
    assert paths[0].read_text() == "of somebody else"
    assert [one.name for one in tmp_path.glob("*annotations*")] == [paths[0].name]


def test_sessions_share_a_folder(slide, tmp_path):
    for name in ("one", "two"):
        slide.results(name, folder=tmp_path / "kept").add_annotations([SQUARE])
        other = slide.results(name)
        other.add_annotations([SQUARE])
        other.save(tmp_path / "saved")
    assert len(list((tmp_path / "kept").iterdir())) == 2
    assert len(list((tmp_path / "saved").iterdir())) == 2


def test_what_cannot_be_copied_leaves_nothing(slide, tmp_path, monkeypatch):
    session = slide.results("v1")
    session.add_annotations([SQUARE])
    session.add_annotations([SQUARE])

    def full(_, target):
        Path(target).write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        session.save(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_another_kind_is_made_while_an_image_is(slide):
    session = slide.results("v1")

    def slowly(_, size):
        done = threading.Thread(target=session.add_annotations, args=([SQUARE],))
        done.start()
        done.join(10)
        assert not done.is_alive()
        return np.zeros((size[1], size[0], 3), np.uint8)

    session.add_image(slowly, level=4)
    assert {one.kind for one in session.objects} == {"annotations", "image"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"algorithm": "net"}, "algorithm is an Algorithm or"),
        ({"algorithm": ("net",)}, "algorithm is an Algorithm or"),
        ({"algorithm": ("net", 1)}, "version of an algorithm has 1 to 64"),
        ({"algorithm": ("a\nb", "1")}, "name of an algorithm has 1 to 64"),
        ({"creator": "a\\b"}, "creator of a result has"),
        ({"creator": "a=b=c=d"}, "is a person's name"),
        ({"creator": "a" * 65}, "is a person's name"),
        ({"created": "2026"}, "created is a datetime"),
        ({"created": datetime.datetime(5, 1, 1, tzinfo=datetime.UTC)}, "years have four digits"),
        ({"deterministic": True, "created": CREATED.replace(tzinfo=None)}, "with a time zone"),
    ],
)
def test_slips_are_said_at_once(slide, changes, message):
    with pytest.raises(ValueError, match=message):
        slide.results("v1", **changes)


def test_a_folder_that_is_a_file_is_said_at_once(slide, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="is a file"):
        slide.results("v1", folder=tmp_path / "file")


def test_a_date_without_a_zone_is_that_of_this_machine(slide):
    noon = CREATED.replace(hour=12, tzinfo=None)
    session = slide.results("v1", created=noon)
    session.add_annotations([SQUARE])
    made = pydicom.dcmread(session.objects[0].path)
    assert made.ContentTime.startswith("12")
    assert made.TimezoneOffsetFromUTC == noon.astimezone().strftime("%z")


def test_another_date_or_algorithm_has_another_series(slide):
    def series(**changes):
        told = {"algorithm": ("net", "1"), "created": CREATED, "deterministic": True} | changes
        session = slide.results("v1", **told)
        session.add_annotations([SQUARE])
        return session.objects[0].series_uid

    later = CREATED + datetime.timedelta(days=1)
    uids = [series(), series(created=later), series(algorithm=("net", "2")), series()]
    assert len(set(uids)) == 3


def test_a_temporary_folder_is_gone_with_its_session(slide):
    session = slide.results("v1")
    session.add_annotations([SQUARE])
    folder = session.folder
    assert folder.is_dir()
    del session
    gc.collect()
    assert not folder.exists()


FORKED = """
import os, sys, wsiweb

session = wsiweb.connect(sys.argv[1]).slides()[0].open().results("v1")
session.add_annotations([[[100, 100], [300, 100], [300, 260]]])
child = os.fork()
if not child:
    sys.exit()
os.waitpid(child, 0)
assert session.objects[0].path.exists(), "gone"
print(session.folder)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_child_leaves_the_folder_of_its_parent(folder):
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    assert not Path(ran.stdout.strip()).exists()


def test_a_writer_may_outlive_its_session(slide):
    writer = slide.results("v1").mask_writer(segments="Tissue", level=4)
    gc.collect()
    width, height = slide.levels[4].size
    writer.write_region((0, 0), np.ones((height, width), bool))
    (one,) = writer.close()
    assert one.path.exists()
    del writer
    gc.collect()
    assert not one.path.exists()


@pytest.mark.parametrize("name", ["", " ", "a" * 65, "a\\b", "a\nb", 5, None])
def test_names_that_cannot_be_written_are_refused(slide, name):
    with pytest.raises(ValueError, match="name of a result has 1 to 64 characters"):
        slide.results(name)


def test_what_fails_leaves_the_session_as_it_was(slide):
    session = slide.results("v1")
    with pytest.raises(ValueError, match=r"finite|NaN"):
        session.add_annotations([SQUARE * np.nan])
    assert session.objects == ()
    assert list(session.folder.iterdir()) == []


def test_methods_show_the_arguments_of_their_makers(slide):
    told = inspect.signature(slide.results("v1").add_mask)
    assert list(told.parameters)[:2] == ["mask", "segments"]


def test_highdicom_reads_what_a_session_wrote(slide):
    session = add_all(slide.results("v1"), slide)
    kinds = {one.kind: one.path for one in session.objects[::-1]}
    assert hd.seg.segread(kinds["segmentation"]).number_of_segments == 1
    assert len(hd.ann.annread(kinds["annotations"]).get_annotation_groups()) == 1


def test_slides_and_results_survive_pickling(slide, folder):
    slide.results("v1", folder=folder / "r").add_mask(mask_of(slide), segments="Tissue")
    with wsiweb.connect(folder) as archive:
        again = pickle.loads(pickle.dumps(archive.slides()[0].open()))
        found = pickle.loads(pickle.dumps(again.segmentations()[0]))
        size = again.levels[1].size
        np.testing.assert_array_equal(found.read_region((0, 0), 1, size), mask_of(slide))


def test_two_that_join_at_once_count_from_the_same_object(slide, folder):
    """As it is said of join: what the other has not stored yet cannot be known."""
    slide.results("v1", folder=folder / "first").add_annotations([SQUARE])
    with wsiweb.connect(folder) as archive:
        again = archive.slides()[0].open()
        one, other = again.results("v1", join=True), again.results("v1", join=True)
        made = [session.add_annotations([SQUARE])[0] for session in (one, other)]
    assert [each.instance_number for each in made] == [2, 2]
    assert made[0].instance_uid != made[1].instance_uid
