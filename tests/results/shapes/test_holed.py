"""Polygons with holes become segmentations; highdicom and shapely judge."""

from __future__ import annotations

import errno
import json
import os
import shutil
import warnings
from pathlib import Path

import highdicom
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from results.about import ALGORITHM, CREATED, objects_in, source_of
from results.checking import errors_in
from results.slides import place_on, slides

import wsiweb
from wsiweb.results.planes import Plane
from wsiweb.results.shapes.annotations import add_annotations
from wsiweb.results.shapes.given import shapes_of
from wsiweb.results.shapes.shapes import Holes, Shapes

RING = shapely.Point(0, 0).buffer(1, 8).difference(shapely.Point(0.2, 0.1).buffer(0.5, 8))
BOX = shapely.box(5, 5, 90, 70)


def ring(x, y, radius):
    return shapely.transform(RING, lambda points: points * radius + [x, y])


@pytest.fixture(scope="module")
def source(made_folder):
    return source_of(made_folder)


@pytest.fixture
def objects(tmp_path, source):
    return objects_in(tmp_path / "made", source)


def masks_of(made):
    """The segments of a level, shape (rows, columns, segments), by highdicom."""
    read = highdicom.seg.segread(made.path)
    return read.get_total_pixel_matrix(combine_segments=False).astype(bool), read


def inside(geometries, size, downsample=1.0):
    """Which centres of pixels are inside, and which are too near to an edge to ask."""
    y, x = ((np.arange(edge) + 0.5) * downsample for edge in size[::-1])
    x, y = np.meshgrid(x, y)
    whole = shapely.union_all(geometries)
    small, large = whole.buffer(-1e-4), whole.buffer(1e-4)
    shapely.prepare([small, large])
    inside = shapely.contains_xy(small, x, y)
    return inside, shapely.contains_xy(large, x, y) & ~inside


# What becomes of them ------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(
    source=slides(300),
    place=st.tuples(st.floats(0.3, 0.7), st.floats(0.3, 0.7), st.floats(0.1, 0.3)),
    given_in=st.sampled_from(["pixels", "millimetres"]),
    data=st.data(),
)
def test_a_pixel_belongs_when_its_centre_is_inside(tmp_path_factory, source, place, given_in, data):
    """On slides that are turned and mirrored, of odd sizes, at any level."""
    level = data.draw(st.sampled_from(source.pyramid.levels))
    width, height = level.size
    shape = ring(place[0] * width, place[1] * height, place[2] * min(width, height))
    expected, near = inside([shape], level.size)
    if not expected.any() or near.any():
        return
    (shapes,) = shapes_of(shape)
    if given_in == "millimetres":  # by highdicom, whose pixels count from the corner as well
        place_of = place_on(source.dataset(0))
        holes = Holes(
            coordinates=place_of(shapes.holes.coordinates * level.downsample),
            index=shapes.holes.index,
            owner=shapes.holes.owner,
        )
        points = place_of(shapes.coordinates * level.downsample)
        shapes = Shapes.of("polygon", points, shapes.index, holes=holes)
    objects = objects_in(tmp_path_factory.mktemp("made"), source)
    made = add_annotations(source, objects, shapes, level=level.index, holes="segmentation")
    assert {one.kind for one in made} == {"segmentation"}
    found, read = masks_of(made[0])
    np.testing.assert_array_equal(found[..., 0], expected)
    assert read.SegmentationType == "BINARY"
    coarser = [one for one in source.pyramid.levels if one.downsample > 1.1 * level.downsample]
    assert len(made) == 1 + len(coarser)


def test_the_rest_stays_annotations(source, objects):
    given = [ring(600, 500, 300), BOX, shapely.Point(40, 40), ring(200, 900, 90)]
    made = add_annotations(source, objects, given, holes="segmentation", label="Nest")
    assert [one.kind for one in made] == [
        "annotations",
        *["segmentation"] * len(source.pyramid.levels),
    ]
    assert len({one.series_uid for one in made[1:]}) == 1
    assert {one.instance_uid for one in made} == {one.instance_uid for one in objects.made}
    polygons, points = highdicom.ann.annread(made[0].path).get_annotation_groups()
    assert (polygons.number_of_annotations, points.number_of_annotations) == (1, 1)
    for one, level in zip(made[1:], source.pyramid.levels, strict=True):
        found, read = masks_of(one)
        expected, near = inside([given[0], given[3]], level.size, level.downsample)
        if level.index == 0:  # others show the pixels under their centres
            np.testing.assert_array_equal(found[~near, 0], expected[~near])
        assert (found[..., 0] != expected).mean() < 0.01
        assert read.get_segment_description(1).segment_label == "Nest"
        assert errors_in(one.path) == []


def test_where_all_have_holes_there_is_only_the_mask(source, objects):
    made = add_annotations(source, objects, ring(600, 500, 300), holes="segmentation")
    assert [one.kind for one in made] == ["segmentation"] * len(source.pyramid.levels)
    assert objects.made == made


def test_where_none_has_holes_there_are_only_annotations(source, objects):
    (made,) = add_annotations(source, objects, [BOX], holes="segmentation")
    assert made.kind == "annotations"


def test_classes_become_segments_that_may_overlap(source, objects):
    given = [ring(500, 500, 300), ring(600, 500, 300), ring(1500, 800, 200), BOX]
    shapes = shapes_of(
        given, classes=["Neoplasm", "Foo", "Neoplasm", "Foo"], colors={"Neoplasm": (200, 30, 30)}
    )
    made = add_annotations(source, objects, shapes, holes="segmentation", description="in words")
    found, read = masks_of(made[1])
    assert read.SegmentsOverlap == "YES"
    first, second = read.get_segment_description(1), read.get_segment_description(2)
    assert [one.segment_label for one in (first, second)] == ["Neoplasm", "Foo"]
    assert [one.segmented_property_type.meaning for one in (first, second)] == [
        "Neoplasm",
        "Tissue",
    ]
    assert first.segmented_property_category.meaning == "Morphologically Abnormal Structure"
    assert first.SegmentDescription == "in words"
    color = highdicom.color.CIELabColor.from_rgb(200, 30, 30)
    assert tuple(first.RecommendedDisplayCIELabValue) == color.value
    assert "RecommendedDisplayCIELabValue" not in second
    assert first.SegmentationAlgorithmIdentificationSequence[0].AlgorithmName == ALGORITHM.name
    for number, own in enumerate([[given[0], given[2]], [given[1]]]):
        expected, near = inside(own, source.pyramid.levels[0].size)
        np.testing.assert_array_equal(found[~near, number], expected[~near])


def test_types_and_categories_may_be_told_by_class(source, objects):
    shapes = shapes_of([ring(500, 300, 200)], classes="a")
    told = {"type": {"a": "Necrosis"}, "category": {"a": "Tissue"}}
    made = add_annotations(source, objects, shapes, level=1, holes="segmentation", **told)
    (segment,) = masks_of(made[0])[1].SegmentSequence
    assert segment.segmented_property_type.meaning == "Necrosis"
    assert segment.segmented_property_category.meaning == "Tissue"


def test_parts_are_split_and_joined_in_one_segment(source, objects):
    parts = shapely.MultiPolygon([ring(500, 500, 300), ring(1500, 900, 200), BOX])
    made = add_annotations(source, objects, parts, multi="split", holes="segmentation")
    (group,) = highdicom.ann.annread(made[0].path).get_annotation_groups()
    assert group.number_of_annotations == 1
    found, _ = masks_of(made[1])
    expected, near = inside(list(parts.geoms)[:2], source.pyramid.levels[0].size)
    np.testing.assert_array_equal(found[~near, 0], expected[~near])


def test_polygons_on_top_of_each_other_are_joined(source, objects):
    own = [ring(500, 500, 300), ring(550, 520, 300)]
    made = add_annotations(source, objects, own, holes="segmentation")
    expected, near = inside(own, source.pyramid.levels[0].size)
    np.testing.assert_array_equal(masks_of(made[0])[0][~near, 0], expected[~near])


def test_measurements_that_are_lost_are_told(source, objects):
    shapes = shapes_of([ring(500, 500, 300), BOX], measurements={"Area": [1, 2]})
    with pytest.warns(UserWarning, match="1 polygons have holes.*no place for .*'Area'"):
        made = add_annotations(source, objects, shapes, holes="segmentation")
    (group,) = highdicom.ann.annread(made[0].path).get_annotation_groups()
    assert group.get_measurements()[1].tolist() == [[2]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shapes = shapes_of([ring(500, 500, 300), BOX], measurements={"Area": [np.nan, 2]})
        add_annotations(source, objects, shapes, holes="segmentation")


def test_codes_of_measurements_that_are_lost_are_no_mistake(source, objects):
    shapes = shapes_of([ring(500, 500, 300)], measurements={"Area": [1]})
    told = {"measurements": {"Area": ("SCT:Area", "UCUM:Micrometer")}}
    with pytest.warns(UserWarning, match="no place"):
        add_annotations(source, objects, shapes, holes="segmentation", **told)


def test_a_deterministic_session_makes_the_same_again(source, tmp_path):
    uids = [
        [
            one.instance_uid
            for one in add_annotations(
                source,
                objects_in(tmp_path / name, source, deterministic=True),
                [ring(500, 500, 300), BOX],
                holes="segmentation",
            )
        ]
        for name in "ab"
    ]
    assert uids[0] == uids[1]
    assert len(set(uids[0])) == 1 + len(source.pyramid.levels)


def test_polygons_that_no_pixel_shows_are_told(source, objects):
    small = [ring(500, 500, 0.4), ring(700, 500, 0.3)]
    given = [BOX, small[0], ring(600, 500, 300), small[1], ring(100, 800, 50)]
    with pytest.warns(UserWarning, match=r"2 of 4 polygons .*number 1, 3 .*no pixel of level 0"):
        made = add_annotations(source, objects, given, holes="segmentation")
    found, _ = masks_of(made[1])
    expected, near = inside([given[2], given[4]], source.pyramid.levels[0].size)
    np.testing.assert_array_equal(found[~near, 0], expected[~near])


def test_many_that_no_pixel_shows_are_told_shortly(source, objects):
    given = [ring(500 + 10 * number, 500, 0.4) for number in range(20)]
    with pytest.warns(UserWarning, match=r"20 of 21 .*number 0, 1, 2, .*, 9 and 10 more "):
        add_annotations(source, objects, [*given, ring(600, 900, 30)], holes="segmentation")


def test_polygons_that_their_holes_fill_are_told(source, objects):
    square = np.array([[0, 0], [50, 0], [50, 50], [0, 50.0]])
    holes = Holes(coordinates=square, index=np.array([0]), owner=np.array([0]))
    (other,) = shapes_of(ring(600, 500, 300))
    given = [Shapes.of("polygon", square, holes=holes), other]
    with pytest.warns(UserWarning, match=r"1 of 2 polygons .*number 0 "):
        add_annotations(source, objects, given, holes="segmentation")


def test_where_the_mask_would_be_empty_the_rest_is_written(source, objects):
    with pytest.warns(UserWarning, match=r"1 of 1 polygons .*number 1 .*no pixel of level 1"):
        (made,) = add_annotations(
            source, objects, [BOX, ring(500, 500, 0.4)], level=1, holes="segmentation"
        )
    assert made.kind == "annotations"
    assert objects.made == (made,)
    (group,) = highdicom.ann.annread(made.path).get_annotation_groups()
    assert group.number_of_annotations == 1
    assert [one.name for one in objects.folder.iterdir()] == [made.path.name]


@pytest.mark.parametrize("classes", [["Gland", None], [None, "Gland"]])
def test_those_without_a_class_go_with_the_class_of_that_name(source, objects, classes):
    own = [ring(500, 500, 300), ring(1300, 700, 200)]
    shapes = shapes_of(own, classes=classes, colors={"Gland": "#c81e1e"})
    made = add_annotations(
        source, objects, shapes, label="Gland", type={"Gland": "Neoplasm"}, holes="segmentation"
    )
    found, read = masks_of(made[0])
    (segment,) = read.SegmentSequence
    assert segment.segment_label == "Gland"
    assert segment.segmented_property_type.meaning == "Neoplasm"
    color = highdicom.color.CIELabColor.from_rgb(200, 30, 30)
    assert tuple(segment.RecommendedDisplayCIELabValue) == color.value
    expected, near = inside(own, source.pyramid.levels[0].size)
    np.testing.assert_array_equal(found[~near, 0], expected[~near])


@pytest.mark.parametrize("at", ["segmentation", "annotations"])
def test_nothing_is_left_when_either_cannot_be_stored(source, objects, monkeypatch, at):
    settled = Path.hardlink_to

    def full(self, target):
        if self.name.startswith(at):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        settled(self, target)

    def rename(self, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    given = [ring(600, 500, 300), BOX]
    with monkeypatch.context() as patched:
        patched.setattr(Path, "hardlink_to", full)
        patched.setattr(Path, "rename", rename)
        with pytest.raises(OSError, match="No space left"):
            add_annotations(source, objects, given, holes="segmentation")
    assert objects.made == ()
    assert list(objects.folder.iterdir()) == []
    made = add_annotations(source, objects, given, holes="segmentation")
    assert [one.instance_number for one in made] == [1, *range(1, len(made))]


# Refusals ------------------------------------------------------------------------------------


def with_hole(points):
    holes = Holes(coordinates=np.array(points), index=np.array([0]), owner=np.array([0]))
    return Shapes.of("polygon", [[0, 0], [90, 0], [90, 90]], holes=holes)


@pytest.mark.parametrize(
    ("shapes", "told", "words"),
    [
        ([BOX, ring(2050, 500, 300)], {}, "points of the polygons lie outside the slide"),
        ([BOX, ring(1040, 300, 200)], {"level": 1}, "outside the slide.*level 1 has 1050 x 750"),
        (with_hole([[1, 1], [5, 1], [2.0, 9999]]), {}, "outside the slide"),
        (with_hole([[1, 1], [5, 1], [2, np.nan]]), {}, "holes, some have .*not finite"),
        ([BOX, ring(500, 500, 300)], {"type": "neoplasmus"}, "SCT:Neoplasm"),
        (shapes_of(ring(500, 500, 300), classes="x" * 65), {}, "1 to 64 characters"),
        ([ring(500, 500, 0.4)], {}, "no pixel of level 0.*finer level"),
    ],
)
def test_what_cannot_be_written_is_refused_and_leaves_nothing(
    source, tmp_path, shapes, told, words
):
    objects = objects_in(tmp_path / "made", source)
    with pytest.raises(ValueError, match=words):
        add_annotations(source, objects, shapes, holes="segmentation", **told)
    assert objects.made == ()
    assert not [*tmp_path.rglob("*.dcm*")]
    (made,) = add_annotations(source, objects, [BOX])
    assert made.instance_number == 1


def test_levels_that_are_not_there_are_refused(source, objects):
    with pytest.raises(IndexError, match="no level 9"):
        add_annotations(source, objects, ring(500, 500, 300), level=9, holes="segmentation")


# Read back -----------------------------------------------------------------------------------


def test_a_session_makes_both_and_a_slide_reads_them(made_folder, tmp_path):
    folder = shutil.copytree(made_folder, tmp_path / "slides")
    features = [
        {
            "type": "Feature",
            "geometry": json.loads(shapely.to_geojson(one)),
            "properties": {"classification": {"name": "Tumor", "color": [255, 0, 0]}},
        }
        for one in (ring(600, 500, 300), BOX)
    ]
    (tmp_path / "tumor.geojson").write_text(json.dumps(features))
    with wsiweb.connect(folder) as archive:
        session = archive.slides()[0].open().results("v1", created=CREATED)
        made = session.add_annotations(tmp_path / "tumor.geojson", holes="segmentation")
        assert [one.kind for one in made[:2]] == ["annotations", "segmentation"]
        session.save(folder / "results")
    with wsiweb.connect(folder) as archive:
        slide = archive.slides()[0].open()
        (segmentation,), (annotations,) = slide.segmentations("v1"), slide.annotations("v1")
        assert len(annotations) == 1
        assert [one.label for one in segmentation.segments] == ["Tumor"]
        size = slide.levels[0].size
        found = segmentation.read_region((0, 0), 0, size, segment="Tumor")
    expected, near = inside([ring(600, 500, 300)], size)
    np.testing.assert_array_equal(found[~near], expected[~near])


def test_the_matrix_is_that_of_the_slide(source, objects):
    made = add_annotations(source, objects, ring(500, 300, 200), level=1, holes="segmentation")
    read = masks_of(made[0])[1]
    plane = Plane.at_level(source.pyramid, 1)
    assert (read.TotalPixelMatrixColumns, read.TotalPixelMatrixRows) == plane.size
