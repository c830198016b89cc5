"""Rectangles without right angles and ellipses with crooked axes, as others have stored them."""

from __future__ import annotations

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

import wsiweb
from wsiweb.results.shapes.shapes import Shapes

# Each with one that is as it should be, so that one crooked among many is seen as well.
CROOKED = {
    "rectangle": [
        [[10, 10], [90, 10], [90, 60], [10, 60]],
        [[100, 100], [180, 105], [190, 160], [95, 150]],  # no right angle
        [[200, 200], [280, 260], [280, 200], [200, 260]],  # crossed
    ],
    "ellipse": [
        [[10, 50], [90, 50], [50, 30], [50, 70]],
        [[110, 150], [190, 150], [160, 130], [160, 170]],  # axes that do not share their middle
        [[210, 250], [290, 250], [240, 230], [260, 270]],  # nor cross at a right angle
    ],
}


@pytest.fixture(params=list(CROOKED))
def crooked(request, made, tmp_path):
    """A slide with crooked shapes by highdicom, and their points."""
    for path in made.paths:
        (tmp_path / path.name).symlink_to(path)
    points = np.array(CROOKED[request.param], np.float32)
    group = highdicom.ann.AnnotationGroup(
        number=1,
        uid=generate_uid(),
        label="By hand",
        annotated_property_category=codes.SCT.Tissue,
        annotated_property_type=codes.SCT.Tissue,
        graphic_type=request.param.upper(),
        graphic_data=list(points),
        algorithm_type="MANUAL",
    )
    highdicom.ann.MicroscopyBulkSimpleAnnotations(
        source_images=[pydicom.dcmread(made.levels[0], stop_before_pixels=True)],
        annotation_coordinate_type="2D",
        annotation_groups=[group],
        series_instance_uid=generate_uid(),
        series_number=7,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="somebody",
        manufacturer_model_name="something",
        software_versions="1",
        device_serial_number="0",
    ).save_as(tmp_path / "crooked.dcm")
    with wsiweb.connect(tmp_path) as archive:
        yield archive.open_slide(made.study_uid, made.series_uid), request.param, points


def test_they_are_read_as_they_are_stored(crooked):
    slide, kind, points = crooked
    (group,) = slide.annotations()[0].groups
    assert group.kind == kind
    np.testing.assert_array_equal(group.coordinates, points.reshape(-1, 2))
    with pytest.raises(ValueError, match=kind):  # who makes such ones is told
        Shapes.of(kind, points)


def test_they_are_found_and_given_on(crooked, tmp_path):
    slide, _, points = crooked
    (stored,) = slide.annotations()
    (group,) = stored.groups
    assert group.window((0, 0), (95, 95)).tolist() == [0]
    assert set(group.window((90, 90), (500, 500)).tolist()) == {1, 2}
    assert (0, 0) in stored.tiles(0)
    geometries = group.to_shapely()
    assert [geometry.is_empty for geometry in geometries] == [False] * 3
    stored.save_geojson(tmp_path / "crooked.geojson")
    assert (tmp_path / "crooked.geojson").stat().st_size
    # Into a session of one's own, corner by corner.
    session = slide.results("again")
    (made,) = session.add_annotations(group.shapes())
    (again,) = highdicom.ann.annread(made.path).get_annotation_groups()
    np.testing.assert_array_equal(again.get_graphic_data("2D"), points)
