"""Results that are saved into a folder which is being read, and others who read that folder."""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack

import highdicom
import numpy as np
import pydicom
import pytest
import shapely
from wsidicom import WsiDicom

import wsiweb
from wsiweb.results import shapes_of
from wsiweb.server import serve

SHAPES = [
    shapely.Point(10.5, 20.25),
    shapely.Polygon([(10, 20), (30.5, 20), (30, 40), (10, 40)]),
    shapely.LineString([(100, 200.125), (300, 400)]),
]


@pytest.fixture
def folder(tmp_path, made_folder):
    return shutil.copytree(made_folder, tmp_path / "slides")


@pytest.mark.parametrize("served", [False, True])
def test_what_is_saved_is_listed_without_connecting_anew(folder, served):
    with ExitStack() as stack:
        place = stack.enter_context(serve(folder)).url if served else folder
        archive = stack.enter_context(wsiweb.connect(place))
        slide = archive.slides()[0].open()
        assert slide.annotations() == []  # the folder was looked at just now
        session = slide.results("v1")
        session.add_annotations(SHAPES)
        session.save(folder / "results")
        latest = time.monotonic() + 20  # it is looked at again after two seconds
        while not slide.annotations() and time.monotonic() < latest:
            time.sleep(0.1)
        (found,) = slide.annotations()
        assert found.name == "v1"


def test_wsidicom_opens_the_slide_and_its_annotations(folder):
    """All results lie beside the slide; coordinates are those that highdicom reads."""
    with wsiweb.connect(folder) as archive:
        slide = archive.slides()[0].open()
        session = slide.results("v1")
        (annotations,) = session.add_annotations(
            shapes_of(SHAPES, measurements={"score": [1.5, 2, 3]})
        )
        session.add_mask(np.ones(slide.levels[2].size[::-1], bool), segments="Tissue")
        session.add_heatmap(np.ones((6, 9)) * range(9), patch=256, quantity="Probability")
        session.save(folder)
        region = slide.read_region((0, 0), 0, (300, 200))
    instances = [pydicom.dcmread(path, stop_before_pixels=True) for path in folder.glob("*.dcm")]
    levels = {one.SOPInstanceUID for one in instances if one.Modality == "SM"}
    assert len(instances) > len(levels) + 2
    with WsiDicom.open(folder) as opened:
        np.testing.assert_array_equal(opened.read_region((0, 0), 0, (300, 200)), region)
        (read,) = opened.annotations
        assert read.coordinate_type == "image"
        expected = highdicom.ann.annread(annotations.path).get_annotation_groups()
        assert len(read.groups) == len(expected) == len(SHAPES)
        for group, theirs, shape in zip(read.groups, expected, SHAPES, strict=True):
            (one,) = group.annotations
            points = np.array(one.geometry.to_coords())
            np.testing.assert_array_equal(points, theirs.get_graphic_data("2D")[0])
            outline = shape.exterior.coords[:-1] if shape.geom_type == "Polygon" else shape.coords
            np.testing.assert_allclose(points, outline, atol=1e-3)
            (measurement,) = one.measurements
            assert measurement.value in {1.5, 2, 3}
