from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pydicom
import pytest
from click.testing import CliRunner

import wsiweb
from wsiweb.cli import main
from wsiweb.results.identity import random_uid
from wsiweb.results.shapes.tables import read_table

NUCLEI = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[10, 10], [200, 10], [200, 300], [10, 10]]],
            },
            "properties": {
                "objectType": "detection",
                "classification": {"name": "Tumor", "color": [255, 0, 0]},
                "measurements": {"Area px^2": 27550.0},
            },
        }
    ],
}


@pytest.fixture
def folder(tmp_path, made_folder):
    (tmp_path / "nuclei.geojson").write_text(json.dumps(NUCLEI))
    (tmp_path / "empty.npy").write_text("")
    (tmp_path / "cells.csv").write_text("x,y,class,score\n10,20,Stroma,0.5\n30,40,Stroma,\n")
    np.save(tmp_path / "mask.npy", np.arange(750 * 1050).reshape(750, 1050) % 3 == 0)
    return shutil.copytree(made_folder, tmp_path / "slides")


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*words, status=0):
        done = CliRunner().invoke(main, [str(word) for word in words])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == status, done.output
        return done.output

    return run


def test_geojson_there_and_back(run, folder, tmp_path):
    out = folder / "results"
    said = run("results", folder, "--name", "nuclei", "--geojson", "nuclei.geojson", "-o", out)
    assert "annotations-1-2.25." in said
    assert "nuclei" in run("stored", folder)
    run("annotations", folder, "--geojson", "back.geojson", "--csv", "back.csv")
    (feature,) = json.loads((tmp_path / "back.geojson").read_text())["features"]
    given = NUCLEI["features"][0]
    assert feature["geometry"] == given["geometry"]
    assert feature["properties"]["classification"] == given["properties"]["classification"]
    assert feature["properties"]["measurements"] == given["properties"]["measurements"]
    with (tmp_path / "back.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["class"], row["kind"], row["Area px^2"]) == ("Tumor", "polygon", "27550.0")


def test_the_optical_path_that_was_looked_at(run, folder):
    said = ("results", folder, "--name", "n", "--geojson", "nuclei.geojson", "-o", folder / "out")
    assert "There is no channel 7" in run(*said, "--channel", 7, status=1)
    run(*said, "--channel", 0)
    with wsiweb.connect(folder) as archive:
        (stored,) = archive.slides()[0].open().annotations("n")
        assert stored.groups[0].channels == ("1",)


def test_all_kinds_at_once_as_json(run, folder):
    words = ["--geojson", "nuclei.geojson", "--csv", "cells.csv", "--mask", "mask.npy"]
    words += ["--segments", "Tissue", "--algorithm", "net", "1.0", "-o", folder / "out", "--json"]
    made = json.loads(run("results", folder, "--name", "all", *words))
    assert [one["kind"] for one in made].count("annotations") == 2
    listed = json.loads(run("stored", folder, "--json"))
    assert {one["kind"] for one in listed} == {"segmentation", "annotations"}
    told = json.loads(run("annotations", folder, "--name", "all", "--json"))
    assert [one["count"] for one in told["groups"]] == [1, 2]
    with wsiweb.connect(folder) as archive:
        (segmentation,) = archive.slides()[0].open().segmentations()
        found = segmentation.read_region((0, 0), 1, (1050, 750))
    np.testing.assert_array_equal(found, np.load("mask.npy"))


def test_polygons_with_holes_become_a_mask_by_choice(run, folder, tmp_path):
    hole = [[50, 30], [150, 30], [150, 100], [50, 30]]
    polygon = {
        "type": "Polygon",
        "coordinates": [[[10, 10], [200, 10], [200, 300], [10, 10]], hole],
    }
    ring = {"type": "Feature", "geometry": polygon}
    plain = NUCLEI["features"][0]
    (tmp_path / "rings.geojson").write_text(json.dumps([ring, plain]))
    words = [
        "results",
        folder,
        "--name",
        "rings",
        "--geojson",
        "rings.geojson",
        "-o",
        folder / "out",
    ]
    assert 'holes="segmentation"' in run(*words, status=1)
    made = json.loads(run(*words, "--holes", "segmentation", "--json"))
    kinds = [one["kind"] for one in made]
    assert kinds == ["segmentation"] * (len(made) - 1) + ["annotations"]
    with wsiweb.connect(folder) as archive:
        (segmentation,) = archive.slides()[0].open().segmentations()
        found = segmentation.read_region((0, 0), 0, (300, 300))
    assert found[15, 100]
    assert not found[40, 120]
    assert found.sum() == pytest.approx(190 * 290 / 2 - 100 * 70 / 2, rel=0.01)


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ([], 2, "nothing to make results of"),
        (["--mask", "mask.npy"], 2, "belong together"),
        (["--segments", "Tissue", "--csv", "cells.csv"], 2, "belong together"),
        (["--mask", "mask.npy", "--segments", "Tissu"], 1, "is not in the dictionary"),
        (["--mask", "mask.npy", "--segments", "Tissue", "--level", "0"], 1, "2100"),
        (["--geojson", "cells.csv"], 1, "cells.csv|GeoJSON"),
        (["--csv", "nuclei.geojson"], 1, "first line"),
        (["--geojson", "missing.geojson"], 2, "does not exist"),
        (["--mask", "mask.npy", "--segments", "Tissue,,"], 1, "label of a segment"),
        (["--mask", "mask.npy", "--segments", "Tissue,Tissue"], 1, "nobody could tell them apart"),
        (["--mask", "cells.csv", "--segments", "Tissue"], 1, "cells.csv is none of these"),
        (["--mask", "slides", "--segments", "Tissue"], 1, "slides is none of these"),
        (["--mask", "empty.npy", "--segments", "Tissue"], 1, "cannot be read as an array"),
        (["--mask", "mask.npy", "--segments", "Tissue", "--level", "9"], 1, "There is no level 9"),
        (["--csv", "cells.csv", "--level", "x"], 2, "is not a valid integer"),
        (["--csv", "slides"], 1, "slides"),
        (["--geojson", "slides"], 1, "slides"),
        (["--csv", "cells.csv", "--algorithm", "", "1"], 1, "name of an algorithm"),
        (["--csv", "cells.csv", "--creator", "a\\b"], 1, "creator of a result"),
        (["--csv", "cells.csv", "--name", ""], 1, "name of a result"),
        (["--csv", "cells.csv", "--series", "1.2"], 1, "no slide with the series UID"),
    ],
)
def test_wrong_calls_are_said_in_words_and_leave_nothing(run, folder, words, status, message):
    said = run("results", folder, "--name", "x", *words, "-o", folder / "out", status=status)
    assert any(one in said for one in message.split("|")), said
    assert "Traceback" not in said
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("place", "status", "message"),
    [
        ("cells.csv", 2, "is a file"),
        ("cells.csv/out", 1, "cells.csv is a file; --out wants a folder, or a new name.\n"),
        ("", 2, "It is empty; give a path"),
    ],
)
def test_wrong_places_are_said_before_all_the_work(run, folder, tmp_path, place, status, message):
    before = {one.name for one in tmp_path.iterdir()}
    words = ["--name", "x", "--csv", "cells.csv", "-o", place]
    assert message in run("results", folder, *words, status=status)
    assert {one.name for one in tmp_path.iterdir()} == before


@pytest.mark.parametrize("option", ["--geojson", "--csv"])
@pytest.mark.parametrize(
    ("place", "status", "message"),
    [
        ("", 2, "It is empty; give a path"),
        ("slides", 2, "is a directory"),
        ("nowhere/a", 1, "There is no such folder"),
        ("cells.csv/a", 1, "cells.csv is a file"),
    ],
)
def test_wrong_places_of_annotations(run, folder, tmp_path, option, place, status, message):
    run("results", folder, "--name", "a", "--csv", "cells.csv", "-o", folder / "out")
    before = {one.name for one in tmp_path.iterdir()}
    said = run("annotations", folder, option, place, status=status)
    assert message in said
    assert ".part" not in said
    assert {one.name for one in tmp_path.iterdir()} == before


def test_all_objects_of_a_result_are_written(run, folder, tmp_path):
    """And only those of the newest."""
    old = ("results", folder, "--name", "a", "--csv", "cells.csv", "-o", folder / "old")
    run(*old)
    words = ["--geojson", "nuclei.geojson", "--csv", "cells.csv", "--geojson", "nuclei.geojson"]
    run("results", folder, "--name", "a", *words, "-o", folder / "new")
    said = run("annotations", folder, "--geojson", "back.geojson", "--csv", "back.csv")
    assert said.count("4 annotations of 'a'") == 2
    features = json.loads((tmp_path / "back.geojson").read_text())["features"]
    kinds = [one["geometry"]["type"] for one in features]
    assert kinds == ["Polygon", "Polygon", "Point", "Point"]
    with (tmp_path / "back.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["kind"] for row in rows] == ["polygon", "polygon", "point", "point"]
    assert [row["score"] for row in rows] == ["", "", "0.5", ""]
    told = json.loads(run("annotations", folder, "--name", "a", "--json"))
    assert [one["count"] for one in told["groups"]] == [1, 1, 2]
    shown = run("annotations", folder)
    assert (shown.count("1 x Tumor"), shown.count("2 x Stroma")) == (2, 1)


def test_objects_that_joined_a_result_are_written_with_it(run, folder, tmp_path):
    run("results", folder, "--name", "a", "--geojson", "nuclei.geojson", "-o", folder / "a")
    with wsiweb.connect(folder) as archive:
        session = archive.slides()[0].open().results("a", join=True)
        session.add_annotations(read_table(tmp_path / "cells.csv"))
        session.save(folder / "b")
    assert "3 annotations of 'a'" in run("annotations", folder, "--csv", "back.csv")


def test_a_table_there_and_back_and_there_again(run, folder, tmp_path):
    point = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [7, 9]}}
    named = [
        point | {"properties": {"classification": {"name": name}}} for name in ("=Tumor", "Point")
    ]
    (tmp_path / "named.geojson").write_text(json.dumps([*named, point, *NUCLEI["features"]]))
    run("results", folder, "--name", "a", "--geojson", "named.geojson", "-o", folder / "a")
    run("annotations", folder, "--name", "a", "--csv", "a.csv")
    run("results", folder, "--name", "b", "--csv", "a.csv", "-o", folder / "b")
    run("annotations", folder, "--name", "b", "--csv", "b.csv")
    rows = []
    for name in ("a.csv", "b.csv"):
        with (tmp_path / name).open(newline="") as file:
            rows.append(list(csv.DictReader(file)))
    assert [one["class"] for one in rows[0]] == ["'=Tumor", "Point", "", "Tumor"]
    kept = ("class", "x", "y", "Area px^2")
    assert [[one[key] for key in kept] for one in rows[0]] == [
        [one[key] for key in kept] for one in rows[1]
    ]
    assert {one["kind"] for one in rows[1]} == {"point"}


def test_nothing_stored_is_said(run, folder):
    assert "has no annotations of this slide" in run("annotations", folder, status=1)
    run("results", folder, "--name", "a", "--csv", "cells.csv", "-o", folder / "out")
    assert "of the name 'b'" in run("annotations", folder, "--name", "b", status=1)
    assert "2 x Stroma" in run("annotations", folder)


def test_a_second_run_is_a_second_version(run, folder):
    words = ["results", folder, "--name", "a", "--csv", "cells.csv", "-o", folder / "out"]
    run(*words)
    run(*words)
    assert len(json.loads(run("stored", folder, "--json"))) == 2


@pytest.fixture
def with_images(folder):
    """A slide, an image that was made of it, and one that was made of that."""
    with wsiweb.connect(folder) as archive:
        slide = archive.slides()[0].open()
        uids = [slide.series_uid]
        for name in ("stain", "darker"):
            session = slide.results(name)
            width, height = slide.levels[-1].size
            pixels = np.full((height, width, 3), 99, np.uint8)
            (image,) = session.add_image(pixels, level=len(slide.levels) - 1)
            session.save(folder / name)
            uids.append(image.series_uid)
            again = wsiweb.connect(folder)
            slide = again.open_slide(image.study_uid, image.series_uid)
    return folder, uids


def test_commands_take_the_slide_and_not_what_was_made_of_it(run, with_images):
    folder, uids = with_images
    out = folder / "out"
    said = run("results", folder, "--name", "a", "--csv", "cells.csv", "-o", out)
    assert f"the slide that the others were made of: {uids[0]}. For another say --series" in said
    assert "annotations" in run("stored", folder)
    assert "2 x Stroma" in run("annotations", folder)
    assert uids[0] in run("info", folder)
    for uid in uids:
        said = run("info", folder, "--series", uid)
        assert uid in said
        assert "made of" not in said


def test_the_slide_of_a_study_is_opened_and_not_what_was_made_of_it(with_images):
    folder, uids = with_images
    with wsiweb.connect(folder) as archive:
        listed = archive.slides()
        assert {one.series_uid for one in listed} == set(uids)
        assert {one.description for one in listed} >= {"stain", "darker"}
        assert archive.open_slide(listed[0].study_uid).series_uid == uids[0]


def test_where_the_slide_itself_is_missing_one_of_several_is_chosen(run, with_images):
    folder, uids = with_images
    for path in folder.glob("*.dcm"):
        path.unlink()
    assert uids[1] in run("info", folder)  # of which the other was made
    for path in (folder / "stain").glob("*.dcm"):
        path.unlink()
    assert uids[2] in run("info", folder)


def test_two_slides_of_one_study_are_to_be_chosen_from(run, folder):
    series = random_uid()
    for path in list(folder.glob("*volume*.dcm")):
        other = pydicom.dcmread(path)
        other.SeriesInstanceUID = series
        other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = random_uid()
        other.save_as(folder / f"other-{path.name}")
    said = run("info", folder, status=1)
    assert "There are several slides; choose one" in said
    with wsiweb.connect(folder) as archive, pytest.raises(ValueError, match="2 slides; say which"):
        archive.open_slide(archive.slides()[0].study_uid)
