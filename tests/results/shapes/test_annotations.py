from __future__ import annotations

import copy
import warnings
from dataclasses import replace

import highdicom
import numpy as np
import pydicom
import pytest
import shapely
import wsidicom.graphical_annotations
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.sr.codedict import codes
from results.about import (
    ALGORITHM,
    CREATED,
    ORIENTATIONS,
    headers_of,
    objects_in,
    source_of,
    turned,
)
from results.checking import errors_in
from results.masks.sized import sized
from results.slides import slides

from wsiweb.results.objects import Objects
from wsiweb.results.planes import Plane
from wsiweb.results.shapes import bulk
from wsiweb.results.shapes.annotations import add_annotations
from wsiweb.results.shapes.shapes import Shapes

SQUARE = [[10, 20], [30.5, 20], [30, 40], [10, 40]]
AXES = [[10, 50], [90, 50], [50, 30], [50, 70]]
POLYGONS = Shapes.of(
    "polygon",
    np.array([*SQUARE, *AXES[:3], *SQUARE]),
    [0, 4, 7],
    classes=["Tumor", "Stroma", "Tumor"],
    colors={"Tumor": (200, 30, 30)},
    measurements={"Area µm^2": [1.5, 2.5, np.nan], "n": [np.nan, np.nan, 3]},
)


@pytest.fixture(scope="module")
def source(made_folder):
    return source_of(made_folder)


@pytest.fixture
def add(source, tmp_path):
    """Add shapes to a session, and return what highdicom reads of them."""
    objects = objects_in(tmp_path / "made", source)

    def added(shapes, **choices):
        (made,) = add_annotations(source, objects, shapes, **choices)
        assert made.path.stat().st_size == made.size
        return highdicom.ann.annread(made.path)

    added.objects = objects
    return added


def graphics(group, kind="2D"):
    return [points.tolist() for points in group.get_graphic_data(kind)]


# What is written -----------------------------------------------------------------------------


def test_highdicom_reads_groups_by_class(add):
    read = add(
        POLYGONS, category="Tissue", measurements={"n": (("N1", "99X", "Count"), "UCUM:NoUnits")}
    )
    tumour, stroma = read.get_annotation_groups()
    assert [group.label for group in (tumour, stroma)] == ["Tumor", "Stroma"]
    assert [group.number for group in (tumour, stroma)] == [1, 2]
    assert tumour.uid != stroma.uid
    assert graphics(tumour) == [SQUARE, SQUARE]
    assert graphics(stroma) == [AXES[:3]]
    names, values, units = tumour.get_measurements()
    assert [name.meaning for name in names] == ["Area µm^2", "Count"]
    assert [unit.value for unit in units] == ["um2", "1"]
    assert np.array_equal(values, [[1.5, np.nan], [np.nan, 3]], equal_nan=True)
    names, values, _ = stroma.get_measurements()
    assert [name.meaning for name in names] == ["Area µm^2"]  # of n, none is given
    assert values.tolist() == [[2.5]]
    assert tumour.algorithm_type.value == "AUTOMATIC"
    assert tumour.algorithm_identification.name == ALGORITHM.name
    lab = highdicom.color.CIELabColor.from_dicom_value(tumour.RecommendedDisplayCIELabValue)
    assert np.allclose(lab.to_rgb(clip=True), (200, 30, 30), atol=1)
    assert "RecommendedDisplayCIELabValue" not in stroma


@pytest.mark.parametrize(
    ("kind", "points"),
    [
        ("point", [[1, 2], [3, 4], [5, 6]]),
        ("polyline", [*SQUARE, [1, 1]]),
        ("polygon", SQUARE),
        ("ellipse", AXES + AXES),
        ("rectangle", [[10, 20], [30, 20], [30, 40], [10, 40]]),
    ],
)
@pytest.mark.parametrize("coordinates", ["2d", "3d"])
def test_every_kind_is_written(add, source, kind, points, coordinates):
    read = add(Shapes.of(kind, points), coordinates=coordinates, label="of a kind")
    (group,) = read.AnnotationGroupSequence
    assert group.graphic_type.value == kind.upper()
    assert group.label == "of a kind"
    found = np.concatenate(group.get_graphic_data(coordinates.upper()))
    if coordinates == "3d":
        geometry = Plane.at_level(source.pyramid, 0).geometry
        assert read.FrameOfReferenceUID == source.pyramid.frame_of_reference_uid
        assert group.CommonZCoordinateValue == geometry.origin[2]
        expected, tolerance = geometry.to_slide(points), 1e-6
    else:
        assert found.dtype == np.float32
        assert read.PixelOriginInterpretation == "VOLUME"
        expected, tolerance = points, 0
    assert np.abs(found - expected).max() <= tolerance


def test_the_object_is_about_the_slide(add, source):
    read = add(POLYGONS, level=1, description="By hand ≥ 3")
    slide = source.dataset(1)
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "ContainerIdentifier"):
        assert read[keyword].value == slide[keyword].value
    assert read.ReferencedImageSequence[0].ReferencedSOPInstanceUID == slide.SOPInstanceUID
    (series,) = read.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == slide.SeriesInstanceUID
    assert read.Modality == "ANN"
    assert read.SpecificCharacterSet == "ISO_IR 192"
    assert read.SeriesDescription == "Tumor-Wahrscheinlichkeit ≥ 0,5"
    assert read.ContentDate == CREATED.strftime("%Y%m%d")
    assert read.AnnotationGroupSequence[0].AnnotationGroupDescription == "By hand ≥ 3"
    assert read.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian


def test_a_person_needs_no_algorithm(source, tmp_path):
    objects = objects_in(tmp_path, source)
    objects = Objects(objects.folder, replace(objects.maker, algorithm=None), {})
    (made,) = add_annotations(source, objects, POLYGONS)
    (group, _) = highdicom.ann.annread(made.path).get_annotation_groups()
    assert group.algorithm_type.value == "MANUAL"


def test_classes_have_codes(add):
    shapes = Shapes.of("point", [[1, 1], [2, 2], [3, 3]], classes=["Necrosis", "Sonstiges", ""])
    necrosis, other, none = add(shapes, label="rest").get_annotation_groups()
    assert necrosis.annotated_property_type == codes.SCT.Necrosis
    assert necrosis.annotated_property_category == codes.SCT.MorphologicallyAbnormalStructure
    assert other.annotated_property_type == codes.SCT.Tissue
    assert (other.label, none.label) == ("Sonstiges", "rest")
    terms = {"Necrosis": "Neoplasm", "Sonstiges": ("1", "99X", "Eins"), "": codes.SCT.Nucleus}
    first, second, third = add(shapes, type=terms, category="Tissue").get_annotation_groups()
    assert first.annotated_property_type == codes.SCT.Neoplasm
    assert second.annotated_property_type.value == "1"
    assert third.annotated_property_type.meaning == codes.SCT.Nucleus.meaning
    assert first.annotated_property_category == codes.SCT.Tissue


def test_one_object_takes_several_kinds(add):
    read = add([shapely.Point(1, 2), shapely.box(0, 0, 9, 9), shapely.Point(3, 4)])
    point, polygon = read.get_annotation_groups()
    assert (point.label, polygon.label) == ("point", "polygon")
    assert graphics(point) == [[[1, 2]], [[3, 4]]]
    assert len(graphics(polygon)[0]) == 4


@pytest.mark.parametrize("coordinates", ["2d", "3d"])
def test_viewers_find_what_they_expect(add, coordinates):
    # As dicom-microscopy-viewer reads it: an image that is referred to, groups whose number is
    # their place, and values of types that it knows.
    read = pydicom.dcmread(_path(add, POLYGONS, coordinates=coordinates))
    assert len(read.ReferencedImageSequence) == 1
    assert read.ReferencedSeriesSequence[0].SeriesInstanceUID
    for number, group in enumerate(read.AnnotationGroupSequence, 1):
        assert group.AnnotationGroupNumber == number
        values = "PointCoordinatesData"
        assert group[values if values in group else f"Double{values}"].VR in {"OF", "OD"}
        assert group["LongPrimitivePointIndexList"].VR == "OL"
        assert group.AnnotationPropertyCategoryCodeSequence[0].CodeMeaning
        measured = group.MeasurementsSequence[0].MeasurementValuesSequence[0]
        assert measured["FloatingPointValues"].VR == "OF"


def _path(add, *given, **choices):
    add(*given, **choices)
    return add.objects.made[-1].path


def test_objects_of_a_session_are_numbered(add):
    numbers = [int(add(POLYGONS).InstanceNumber) for _ in range(3)]
    assert numbers == [1, 2, 3]
    assert len({one.series_uid for one in add.objects.made}) == 1


def test_a_session_may_be_repeated(source, tmp_path):
    def made(folder, shapes):
        objects = objects_in(tmp_path / folder, source, deterministic=True)
        return add_annotations(source, objects, shapes)[0].path.read_bytes()

    assert made("a", POLYGONS) == made("b", POLYGONS)
    others = (
        replace(POLYGONS, coordinates=POLYGONS.coordinates + 1),
        replace(POLYGONS, measurements={"n": np.arange(3.0)}),
    )
    assert len({made(f"c{number}", one) for number, one in enumerate((POLYGONS, *others))}) == 3


def test_group_uids_are_never_those_of_others(add):
    uids = [group.uid for _ in range(2) for group in add(POLYGONS).get_annotation_groups()]
    assert len(set(uids)) == 4


@pytest.mark.parametrize("coordinates", ["2d", "3d"])
def test_the_checker_finds_nothing(add, coordinates):
    read = add(POLYGONS, coordinates=coordinates)
    assert coordinates == "3d" or all(
        "CommonZCoordinateValue" not in group for group in read.AnnotationGroupSequence
    )
    assert errors_in(add.objects.made[-1].path) == []


# Coordinates ---------------------------------------------------------------------------------


@st.composite
def polygons(draw, width=2100, height=1500):
    count = draw(st.integers(1, 6))
    number = st.tuples(st.floats(0, width, allow_nan=False), st.floats(0, height, allow_nan=False))
    parts = [draw(st.lists(number, min_size=3, max_size=6, unique=True)) for _ in range(count)]
    return [np.array(part) for part in parts]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)
@given(polygons(), st.sampled_from(["2d", "3d"]), st.sampled_from(list(ORIENTATIONS)))
def test_coordinates_come_back(made_folder, tmp_path_factory, parts, coordinates, way):
    headers = headers_of(sorted(made_folder.glob("*.dcm")))
    source = source_of(turned(headers, ORIENTATIONS[way]))
    objects = objects_in(tmp_path_factory.mktemp("made"), source)
    (made,) = add_annotations(source, objects, parts, coordinates=coordinates)
    (group,) = highdicom.ann.annread(made.path).AnnotationGroupSequence
    found = group.get_graphic_data(coordinates.upper())
    assert len(found) == len(parts)
    # highdicom's own way between pixels and millimetres: the origin is a centre.
    level = source.dataset(0)
    spacing = level.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing
    origin = level.TotalPixelMatrixOriginSequence[0]
    place = highdicom.spatial.ImageToReferenceTransformer(
        image_position=(
            origin.XOffsetInSlideCoordinateSystem,
            origin.YOffsetInSlideCoordinateSystem,
            0.0,
        ),
        image_orientation=level.ImageOrientationSlide,
        pixel_spacing=spacing,
    )
    for points, given_points in zip(found, parts, strict=True):
        expected = place(given_points) if coordinates == "3d" else given_points
        tolerance = 1e-6 if coordinates == "3d" else 1e-3
        assert np.abs(points - expected).max() <= tolerance


def test_double_precision_is_for_what_needs_it(add, source, tmp_path):
    fine = np.array([[1000.0001, 1.5], [2000.5, 3]])
    assert "PointCoordinatesData" in add(Shapes.of("point", fine)).AnnotationGroupSequence[0]
    large = _enlarged(source, 40_000)
    objects = objects_in(tmp_path / "large", large)
    for points, keyword in (
        ([[39_000.0017, 1]], "DoublePointCoordinatesData"),
        ([[39_000.5, 1]], "PointCoordinatesData"),
        (np.array([[39_000.0017, 1]], np.float32), "PointCoordinatesData"),
    ):
        (made,) = add_annotations(large, objects, Shapes.of("point", points))
        (group,) = highdicom.ann.annread(made.path).AnnotationGroupSequence
        assert keyword in group
        assert np.abs(group.get_graphic_data("2D")[0] - points).max() <= 1e-3


def _enlarged(source, edge):
    """The same slide, were it larger: its model only."""
    large = copy.copy(source)
    first = replace(source.pyramid.levels[0], size=(edge, edge))
    large.pyramid = replace(source.pyramid, levels=(first, *source.pyramid.levels[1:]))
    return large


def test_arrays_of_mixed_precision_do_not_double_the_file(add):
    parts = [np.array(SQUARE, np.float32), np.array(AXES, np.float64)]
    assert "PointCoordinatesData" in add(parts).AnnotationGroupSequence[0]


def test_pixels_are_stored_though_the_place_on_the_glass_is_unknown(source, tmp_path):
    unplaced = copy.copy(source)
    levels = [replace(level, geometry=None) for level in source.pyramid.levels]
    unplaced.pyramid = replace(source.pyramid, levels=tuple(levels))
    objects = objects_in(tmp_path, unplaced)
    assert add_annotations(unplaced, objects, POLYGONS)
    with pytest.raises(ValueError, match="do not say its PixelSpacing"):
        add_annotations(unplaced, objects, POLYGONS, coordinates="3d")


def test_coordinates_are_those_of_the_level(add, source):
    level = source.pyramid.levels[2]
    corner = Shapes.of("point", [level.size])
    (group,) = add(corner, level=2, coordinates="3d").AnnotationGroupSequence
    found = Plane.at_level(source.pyramid, 0).geometry.to_pixel(group.get_graphic_data("3D")[0])
    assert np.allclose(found, np.array(level.size) * level.downsample)
    with pytest.raises(ValueError, match=r"1 points of the points lie outside.* level \(level="):
        add(Shapes.of("point", [source.pyramid.levels[0].size]), level=2)


@settings(max_examples=40, deadline=None)
@given(
    source=slides(3000),
    coordinates=st.sampled_from(["2d", "3d"]),
    again=st.sampled_from(["2d", "3d"]),
    data=st.data(),
)
def test_what_lies_on_the_edge_of_a_level_lies_on_the_slide(
    tmp_path_factory, source, coordinates, again, data
):
    """The last pixel of a coarse level may reach beyond level 0; it is read back, and stored."""
    level = data.draw(st.sampled_from(source.pyramid.levels))
    share = data.draw(st.tuples(*[st.sampled_from([0, 0.3, 1])] * 2))
    points = Shapes.of("point", [np.array(level.size) * share])
    objects = objects_in(tmp_path_factory.mktemp("made"), source)
    (made,) = add_annotations(source, objects, points, level=level.index, coordinates=coordinates)
    (group,) = highdicom.ann.annread(made.path).get_annotation_groups()
    stored = np.array(group.get_graphic_data(coordinates.upper())[0], np.float64)
    if coordinates == "3d":
        stored = Plane.at_level(source.pyramid, 0).geometry.to_pixel(stored)
    else:
        stored = stored * level.downsample
    assert np.allclose(stored, points.coordinates * level.downsample, atol=0.05)
    other = data.draw(st.sampled_from(source.pyramid.levels))
    for one, number in ((stored, 0), (stored / other.downsample, other.index)):
        given = Shapes.of("point", one)
        assert add_annotations(source, objects, given, level=number, coordinates=again)


def test_the_slide_still_ends_somewhere(tmp_path):
    source = sized((101, 99), (1, 8))  # 13 x 13 pixels of level 1 reach to 104
    objects = objects_in(tmp_path, source)
    assert add_annotations(source, objects, Shapes.of("point", [[104, 104]]))
    with pytest.raises(ValueError, match="outside the slide"):
        add_annotations(source, objects, Shapes.of("point", [[104.1, 50]]))


def test_millimetres_are_stored_either_way(add, source):
    geometry = Plane.at_level(source.pyramid, 0).geometry
    points = geometry.to_slide(np.array(SQUARE))
    shapes = Shapes.of("polygon", points)
    (group,) = add(shapes).AnnotationGroupSequence
    assert np.allclose(group.get_graphic_data("2D")[0], SQUARE, atol=1e-3)
    (group,) = add(shapes, coordinates="3d").AnnotationGroupSequence
    assert np.allclose(group.get_graphic_data("3D")[0], points, atol=1e-9)


def test_heights_that_differ_are_stored(add, source):
    points = Plane.at_level(source.pyramid, 0).geometry.to_slide(np.array(SQUARE))
    points[:, 2] = [0, 0.001, 0.002, 0.003]
    shapes = Shapes.of("polygon", np.concatenate([points, points]), [0, 4])
    (group,) = add(shapes, coordinates="3d").AnnotationGroupSequence
    assert "CommonZCoordinateValue" not in group
    found = group.get_graphic_data("3D")
    assert np.allclose(found, [points, points], atol=1e-9)


@pytest.mark.parametrize("coordinates", ["2d", "3d"])
def test_wsidicom_reads_what_it_can(add, coordinates):
    add(
        [shapely.Point(10, 20), shapely.Polygon(SQUARE), shapely.LineString(SQUARE)],
        coordinates=coordinates,
    )
    path = add.objects.made[-1].path
    (read,) = wsidicom.graphical_annotations.AnnotationInstance.open([path])
    assert read.coordinate_type == {"2d": "image", "3d": "volume"}[coordinates]
    point, polygon, line = (group[0].geometry for group in read.groups)
    expected = highdicom.ann.annread(path)
    for geometry, group in zip(
        (point, polygon, line), expected.get_annotation_groups(), strict=True
    ):
        points = group.get_graphic_data(coordinates.upper())[0][:, :2]
        assert np.allclose(geometry.to_coords(), points)
    add(POLYGONS)
    (read,) = wsidicom.graphical_annotations.AnnotationInstance.open([add.objects.made[-1].path])
    assert [len(group) for group in read.groups] == [2, 1]
    measured = read.groups[0][0].measurements
    assert [one.value for one in measured] == [1.5]


# Large ones ----------------------------------------------------------------------------------


def test_many_blocks_make_one_value(add, source):
    random = np.random.default_rng(1)
    count = 30_000
    lengths = random.integers(3, 9, count)
    index = np.cumsum(lengths) - lengths
    points = random.uniform(0, 1500, (int(lengths.sum()), 2)).astype(np.float32)
    classes = random.choice(["a", "b"], count)
    shapes = Shapes.of("polygon", points, index, classes=classes)
    groups = add(shapes).get_annotation_groups()
    parts = np.split(points, index[1:])
    for group in groups:
        expected = [parts[row] for row in np.flatnonzero(classes == group.label)]
        found = group.get_graphic_data("2D")
        assert len(found) == group.number_of_annotations == len(expected)
        assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    (group,) = add(
        replace(shapes, classes=("",), class_of=shapes.class_of * 0)
    ).get_annotation_groups()
    assert np.array_equal(np.concatenate(group.get_graphic_data("2D")), points)


def test_what_no_element_can_hold_is_refused(monkeypatch):
    with pytest.raises(ValueError, match=r"4\.0 GiB, and a DICOM element holds 4 GiB"):
        bulk.Bulk("The coordinates", 2**32, lambda: iter(()))


@pytest.mark.parametrize("coordinates", ["2d", "3d"])
def test_millimetres_and_pixels_are_turned_into_each_other(add, source, coordinates):
    geometry = Plane.at_level(source.pyramid, 0).geometry
    millimetres = geometry.to_slide(np.array(SQUARE))
    given, kept = (
        (millimetres, np.array(SQUARE)) if coordinates == "2d" else (np.array(SQUARE), millimetres)
    )
    (group,) = add(Shapes.of("polygon", given), coordinates=coordinates).AnnotationGroupSequence
    (found,) = group.get_graphic_data(coordinates.upper())
    assert found.shape == kept.shape
    assert np.abs(found - kept).max() <= {"2d": 1e-3, "3d": 1e-6}[coordinates]


def test_spaces_make_no_classes_or_codes(add):
    shapes = Shapes.of(
        "point", [[1, 2], [3, 4]], classes=["a", "a "], measurements={" Foo ": [1, 2]}
    )
    (group,) = add(shapes).get_annotation_groups()
    assert group.label == "a"
    assert group.number_of_annotations == 2
    assert group.get_measurements()[0][0].meaning == "Foo"


# Refusals ------------------------------------------------------------------------------------


HOLED = shapely.Polygon([(0, 0), (20, 0), (20, 20), (0, 20)], [[(5, 5), (9, 5), (9, 9)]])
BOW_TIE = shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])


def test_holes_are_refused_or_dropped(add):
    shapes = [shapely.box(0, 0, 5, 5), HOLED]
    with pytest.raises(
        ValueError, match=r'1 of 2 polygons have holes \(1 in all\).*number 1.*holes="segmentation"'
    ):
        add(shapes)
    with pytest.warns(UserWarning, match="they are left out"):
        read = add(shapes, holes="drop")
    assert len(graphics(read.AnnotationGroupSequence[0])[1]) == 4


def test_polygons_that_cross_themselves_are_kept_unless_refused(add):
    (group,) = add([BOW_TIE]).AnnotationGroupSequence
    assert graphics(group) == [[[0, 0], [10, 10], [10, 0], [0, 10]]]
    with pytest.raises(ValueError, match=r"1 of 2 polygons cross or touch themselves.*number 1"):
        add([shapely.box(0, 0, 5, 5), BOW_TIE], crossing="refuse")


@pytest.mark.parametrize(
    ("shapes", "choices", "words"),
    [
        ([], {}, "list of nothing"),
        (Shapes.of("point", [[-0.1, 5]]), {}, "1 points of the points lie outside the slide"),
        (Shapes.of("point", [[0, 1], [2112.1, 5]]), {}, r"first of them at \[2112\.1,"),
        (Shapes.of("point", [[0, 1e300]]), {}, "outside the slide"),
        (Shapes.of("point", [[0, 1, 1e300]]), {"coordinates": "3d"}, "outside the slide"),
        (POLYGONS, {"coordinates": "4d"}, "coordinates is one of 2d, 3d"),
        (POLYGONS, {"holes": "fill"}, "holes is one of"),
        (POLYGONS, {"crossing": "mend"}, "crossing is one of"),
        (POLYGONS, {"label": "x" * 65}, "label of annotations has 0 to 64"),
        (POLYGONS, {"label": "a\\b"}, "none of them a backslash"),
        (POLYGONS, {"description": "x" * 1025}, "up to 1024"),
        (POLYGONS, {"type": "neoplasmus"}, "SCT:Neoplasm"),
        (POLYGONS, {"type": {"Tumor": "Neoplasm"}}, "No type is given for class 'Stroma'"),
        (POLYGONS, {"category": {}}, "No category is given for class 'Tumor'"),
        (POLYGONS, {"measurements": {"m": ("SCT:Area", "UCUM:Micrometer")}}, "'m', which"),
        (POLYGONS, {"measurements": {"n": "SCT:Area"}}, "by its name and its unit"),
        (Shapes.of("point", [[1, 1]], classes="x" * 65), {}, "name of a class has 1 to 64"),
        (Shapes.of("point", [[1, 1]], classes="a\\b"), {}, "no backslash"),
        (Shapes.of("point", [[1, 1]], measurements={"x" * 65: [1]}), {}, "1 to 64 characters"),
        (Shapes.of("point", [[1, 1]], measurements={"m": [np.inf]}), {}, "cannot hold, such as"),
        (Shapes.of("point", [[1, 1]], measurements={"m": [1e39]}), {}, "NaN is for"),
    ],
)
def test_what_cannot_be_written_is_refused(add, shapes, choices, words):
    with pytest.raises(ValueError, match=words):
        add(shapes, **choices)
    assert add.objects.made == ()
    assert not add.objects.folder.exists() or not list(add.objects.folder.iterdir())


def test_levels_that_are_not_there_are_refused(add):
    with pytest.raises(IndexError, match="no level 99"):
        add(POLYGONS, level=99)


def test_measurements_that_lose_digits_are_told(add):
    shapes = Shapes.of("point", [[1, 1], [2, 2]], measurements={"id": [1, 2**24 + 1]})
    with pytest.warns(UserWarning, match=r"'id' has 1 whole numbers above 2\*\*24"):
        add(shapes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        add(Shapes.of("point", [[1, 1]], measurements={"m": [2.0**25]}))


def test_a_failure_leaves_nothing_behind(add, monkeypatch):
    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("wsiweb.results.shapes.annotations.write_object", fails)
    with pytest.raises(OSError, match="No space"):
        add(POLYGONS)
    assert list(add.objects.folder.iterdir()) == []
    monkeypatch.undo()
    assert int(add(POLYGONS).InstanceNumber) == 1


def test_names_that_latin_1_lacks_are_written(add):
    shapes = Shapes.of("point", [[1, 1]], classes="Опухоль ≥ 3", measurements={"面積 µm^2": [2]})
    (group,) = add(shapes).AnnotationGroupSequence
    assert group.label == "Опухоль ≥ 3"
    assert group.get_measurements()[0][0].meaning == "面積 µm^2"


def test_dates_are_those_of_the_session(add):
    read = add(POLYGONS)
    assert read.InstanceCreationDate == CREATED.strftime("%Y%m%d")
    assert read.ContentTime == CREATED.strftime("%H%M%S.%f")
