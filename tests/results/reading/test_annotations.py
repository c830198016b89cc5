from __future__ import annotations

import copy
import functools
import json
import pickle
import time
from dataclasses import replace

import highdicom
import numpy as np
import pydicom
import pytest
import shapely
from highdicom.ann import AnnotationGroup, Measurements, MicroscopyBulkSimpleAnnotations
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid
from results.about import ALGORITHM, objects_in, source_of

import wsiweb
from wsiweb import loop
from wsiweb.errors import NotFound, SlideError
from wsiweb.places import frames_at
from wsiweb.results.planes import Plane
from wsiweb.results.reading.annotations import read_annotations
from wsiweb.results.reading.slide_pixels import SlidePixels
from wsiweb.results.shapes.annotations import add_annotations
from wsiweb.results.shapes.geojson import read_geojson
from wsiweb.results.shapes.given import shapes_of
from wsiweb.results.shapes.shapes import Shapes
from wsiweb.server import serve

SQUARE = [[10, 20], [30.5, 20], [30, 40], [10, 40]]
AXES = [[10, 50], [90, 50], [50, 30], [50, 70]]
TRIANGLE = [[300, 300], [700, 300], [300, 700]]
KINDS = {
    "point": [[1, 2], [3, 4], [500.5, 6]],
    "polyline": [*SQUARE, [1, 1]],
    "polygon": SQUARE,
    "ellipse": AXES + AXES,
    "rectangle": [[10, 20], [30, 20], [30, 40], [10, 40]],
}
POLYGONS = Shapes.of(
    "polygon",
    np.array([*SQUARE, *TRIANGLE, *SQUARE]),
    [0, 4, 7],
    classes=["Tumor", "Größe", "Tumor"],
    colors={"Tumor": (200, 30, 30)},
    measurements={"Area µm^2": [1.5, 2.5, np.nan], "n": [np.nan, np.nan, 3]},
)


@pytest.fixture(scope="module")
def source(made_folder):
    return source_of(made_folder)


class Place:
    """A folder with the slide, beside which annotations are laid, and how they are read there."""

    def __init__(self, folder, made, source, *, served):
        self.folder, self.made, self.source, self.served = folder, made, source, served
        self.objects = objects_in(folder, source)
        self.opened = []

    def add(self, shapes, **choices):
        return add_annotations(self.source, self.objects, shapes, **choices)[0].path

    def save(self, dataset):
        path = self.folder / f"{dataset.SOPInstanceUID}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        return path

    def read(self):
        where = self.folder
        if self.served:
            server = serve(self.folder)
            self.opened.append(server)
            where = server.__enter__().url
        archive = wsiweb.connect(where)
        self.opened.append(archive)
        slide = archive.open_slide(self.made.study_uid, self.made.series_uid)
        connect = functools.partial(frames_at, archive._place)
        return loop.run(read_annotations(slide._pyramid, connect))

    def close(self):
        for one in reversed(self.opened):
            one.__exit__(None, None, None)


@pytest.fixture
def place(tmp_path, made, source, request):
    folder = tmp_path / "archive"
    folder.mkdir()
    for path in made.paths:
        (folder / path.name).symlink_to(path)
    found = Place(folder, made, source, served=getattr(request, "param", "folder") == "server")
    yield found
    found.close()


def by_hand(source, graphics, *, level=0, kind="POLYGON", coordinates="2D", measured=(), **more):
    """Annotations by highdicom alone."""
    group = AnnotationGroup(
        number=1,
        uid=generate_uid(),
        label="By hand",
        annotated_property_category=codes.SCT.Tissue,
        annotated_property_type=codes.SCT.Tissue,
        graphic_type=kind,
        graphic_data=graphics,
        algorithm_type="MANUAL",
        measurements=list(measured) or None,
    )
    return MicroscopyBulkSimpleAnnotations(
        [source.dataset(level)],
        coordinates,
        [group],
        generate_uid(),
        7,
        generate_uid(),
        1,
        "somebody",
        "something",
        "1",
        "0",
        **more,
    )


# Round trips ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "points", "name"),
    [("point", [[1, 2]], "Point"), ("polygon", SQUARE, "POLYGON"), ("point", [[1, 2]], "polygon")],
)
def test_classes_are_read_though_they_are_called_like_kinds(place, kind, points, name):
    place.add([Shapes.of(kind, points, classes=name), Shapes.of(kind, points)])
    (found,) = place.read()
    assert [one.classes for one in found.shapes()] == [(name,), ("",)]


@pytest.mark.parametrize("place", ["folder", "server"], indirect=True)
def test_what_was_written_is_read(place):
    place.add(
        POLYGONS, description="in words", measurements={"n": (("N", "99X", "Zahl"), "UCUM:NoUnits")}
    )
    (found,) = place.read()
    assert found.name == place.objects.maker.name
    assert found.created == place.objects.maker.created
    assert (found.series_uid, found.instance_uid) == (
        place.objects.made[0].series_uid,
        place.objects.made[0].instance_uid,
    )
    assert len(found) == 3
    tumour, other = found.groups
    assert (tumour.label, other.label) == ("Tumor", "Größe")
    assert (tumour.number, other.number) == (1, 2)
    assert (len(tumour), tumour.kind, tumour.description) == (2, "polygon", "in words")
    assert tumour.type == ("108369006", "SCT", "Tumor")
    assert tumour.category[0] == codes.SCT.MorphologicallyAbnormalStructure.value
    assert other.type == ("85756007", "SCT", "Tissue")
    assert other.category == ("85756007", "SCT", "Tissue")
    assert np.allclose(tumour.color, (200, 30, 30), atol=1)
    assert other.color is None
    assert (tumour.generation, tumour.algorithm) == ("AUTOMATIC", ALGORITHM.name)
    assert [(name.meaning, unit.value) for name, unit in tumour.quantities] == [
        ("Area µm^2", "um2"),
        ("Zahl", "1"),
    ]
    assert tumour.coordinates.tolist() == SQUARE + SQUARE
    assert tumour.index.tolist() == [0, 4]
    assert np.array_equal(tumour.measurements["Area µm^2"], [1.5, np.nan], equal_nan=True)
    assert np.array_equal(tumour.measurements["Zahl"], [np.nan, 3], equal_nan=True)
    assert other.coordinates.tolist() == TRIANGLE
    assert repr(found).endswith("2 x Tumor, 1 x Größe>")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [0, 2])
@pytest.mark.parametrize("coordinates", ["2d", "3d"])
def test_every_kind_of_any_level_comes_back(place, kind, level, coordinates):
    given = Shapes.of(kind, np.array(KINDS[kind]) / 2)
    place.add(given, level=level, coordinates=coordinates)
    (found,) = place.read()
    (shapes,) = found.shapes()
    assert (shapes.kind, len(shapes)) == (kind, len(given))
    assert shapes.classes == ("",)
    downsample = place.source.pyramid.levels[level].downsample
    # 1e-6 mm are 2e-3 of these pixels.
    assert np.abs(shapes.coordinates - given.coordinates * downsample).max() <= 2e-3


def test_large_values_are_fetched_and_small_ones_stand_in_the_header(place):
    random = np.random.default_rng(3)
    points = random.uniform(0, 1400, (5000, 2))
    place.add(
        Shapes.of("polygon", points, np.arange(0, 5000, 5), measurements={"n": np.arange(1000)})
    )
    place.add(Shapes.of("point", points[:3]))
    large, small = sorted(place.read(), key=len, reverse=True)
    header = large._stored.header.items("AnnotationGroupSequence")[0]
    assert header.bulk("PointCoordinatesData").uri
    assert (
        small._stored.header.items("AnnotationGroupSequence")[0].bulk("PointCoordinatesData").inline
    )
    assert np.abs(large.groups[0].coordinates - points).max() <= 1e-3
    assert large.groups[0].measurements["n"].tolist() == list(range(1000))


# The work of others --------------------------------------------------------------------------


def test_the_work_of_highdicom_is_read(place):
    graphics = [np.array(SQUARE), np.array(TRIANGLE)]
    values = Measurements(
        name=codes.SCT.Area, values=np.array([np.nan, 7]), unit=codes.UCUM.SquareMicrometer
    )
    place.save(by_hand(place.source, graphics, measured=[values]))
    (found,) = place.read()
    (group,) = found.groups
    assert group.coordinates.dtype == np.float64
    assert group.coordinates.tolist() == SQUARE + TRIANGLE
    assert group.generation == "MANUAL"
    assert group.algorithm == ""
    assert np.array_equal(group.measurements["Area"], [np.nan, 7], equal_nan=True)


@pytest.mark.parametrize("heights", ["one", "several"])
def test_millimetres_are_placed(place, heights):
    geometry = Plane.at_level(place.source.pyramid, 0).geometry
    points = geometry.to_slide(np.array(SQUARE))
    if heights == "several":
        points[:, 2] = np.arange(4) / 100
    place.save(by_hand(place.source, [points, points], coordinates="3D"))
    (found,) = place.read()
    assert np.allclose(found.groups[0].coordinates, SQUARE + SQUARE, atol=1e-9)


def test_frames_have_a_corner_of_their_own(place):
    dataset = by_hand(place.source, [np.array(SQUARE)], pixel_origin_interpretation="FRAME")
    dataset.ReferencedImageSequence[0].ReferencedFrameNumber = 11
    place.save(dataset)
    (found,) = place.read()
    level = place.source.pyramid.levels[0]
    column, row, _, _ = level.frames.place(0, 11)
    corner = np.array([column, row]) * level.tile_size
    assert (column, row) != (0, 0)
    assert np.array_equal(found.groups[0].coordinates, np.array(SQUARE) + corner)


def changed(place, change, **choices):
    """Add polygons, change the file, and return its first group as it is read."""
    path = place.add(POLYGONS, **choices)
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)
    return place.read()[0].groups[0]


def group_of(dataset):
    return dataset.AnnotationGroupSequence[0]


def test_a_second_measurement_of_a_name_is_told_apart(place):
    def change(dataset):
        sequence = group_of(dataset).MeasurementsSequence
        sequence.append(copy.deepcopy(sequence[0]))

    assert list(changed(place, change).measurements) == ["Area µm^2", "n", "Area µm^2 (2)"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: setattr(g, "PointCoordinatesData", b"\0" * 12), "3 coordinates are no points"),
        (lambda g: setattr(g, "NumberOfAnnotations", 3), "2 entries for 3 annotations"),
        (
            lambda g: setattr(g, "LongPrimitivePointIndexList", np.int32([1, 10]).tobytes()),
            "do not begin a point",
        ),
        (
            lambda g: setattr(g, "LongPrimitivePointIndexList", np.int32([0, 9]).tobytes()),
            "do not begin a point|rises from 0",
        ),
        (
            lambda g: setattr(g, "LongPrimitivePointIndexList", np.int32([1, 999]).tobytes()),
            "rises from 0",
        ),
        (lambda g: g.pop("LongPrimitivePointIndexList"), "LongPrimitivePointIndexList is missing"),
        (lambda g: g.pop("PointCoordinatesData"), "no coordinates"),
        (
            lambda g: setattr(g, "PointCoordinatesData", np.full(16, np.nan, "<f4").tobytes()),
            "not finite",
        ),
        (
            lambda g: setattr(
                g.MeasurementsSequence[0].MeasurementValuesSequence[0],
                "AnnotationIndexList",
                np.int32([5]).tobytes(),
            ),
            "do not belong to the annotations",
        ),
        (
            lambda g: (
                g.MeasurementsSequence[0].MeasurementValuesSequence[0].pop("FloatingPointValues")
            ),
            "a measurement has no values",
        ),
    ],
)
def test_bulk_data_that_do_not_belong_together_are_refused(place, change, words):
    group = changed(place, lambda dataset: change(group_of(dataset)))
    with pytest.raises(SlideError, match=rf"Instance [\d.]+, annotation group 1: .*({words})"):
        group.shapes()


def test_what_lies_elsewhere_cannot_be_placed(place):
    def other(dataset):
        dataset.ReferencedImageSequence[0].ReferencedSOPInstanceUID = "1.2.3"

    group = changed(place, other)
    with pytest.raises(SlideError, match=r"pixels of instance 1\.2\.3, which is no level"):
        group.shapes()


def test_another_frame_of_reference_cannot_be_placed(place):
    group = changed(
        place, lambda dataset: setattr(dataset, "FrameOfReferenceUID", "1.2.3"), coordinates="3d"
    )
    with pytest.raises(SlideError, match=r"frame of reference 1\.2\.3"):
        group.shapes()


def test_objects_that_cannot_be_read_are_left_out(place):
    place.add(POLYGONS)
    path = place.add(POLYGONS)
    dataset = pydicom.dcmread(path)
    group_of(dataset).GraphicType = "SPIRAL"
    dataset.save_as(path)
    with pytest.warns(UserWarning, match=r"left out: Instance .*group 1 has GraphicType 'SPIRAL'"):
        assert len(place.read()) == 1


@pytest.mark.parametrize("uid", ["1.2.3", "1.2.3.2", "1.2.4"])
def test_a_concatenation_is_known_by_its_source(place, uid):
    group = changed(
        place,
        lambda dataset: setattr(
            dataset.ReferencedImageSequence[0], "ReferencedSOPInstanceUID", uid
        ),
    )
    pyramid = place.source.pyramid
    uids = {"instance_uids": ("1.2.3.1", "1.2.3.2"), "whole_uids": ("1.2.3", "1.2.3")}
    parts = replace(pyramid.levels[1], **uids)
    pyramid = replace(pyramid, levels=(pyramid.levels[0], parts))
    pixels = SlidePixels(pyramid, group._place._stored)
    if uid == "1.2.4":
        with pytest.raises(SlideError, match="no level of this slide"):
            pixels.found()
        return
    convert, dimensions = pixels.found()
    assert dimensions == 2
    assert convert(np.array([[3.0, 4.0]])).tolist() == [[6, 8]]


# Archives that give less ---------------------------------------------------------------------


class Client:
    """An archive that does not send bulk data by themselves."""

    def __init__(self, client, paths):
        self.client, self.paths, self.asked = client, paths, []

    async def bulkdata(self, uri, *, document_url):
        self.asked.append((uri, document_url))
        raise NotFound("No such thing here.")

    async def instance(self, study_uid, series_uid, instance_uid, path):
        self.asked.append(instance_uid)
        path.write_bytes(self.paths[instance_uid].read_bytes())


@pytest.mark.parametrize("leaves_out", [False, True])
def test_values_are_taken_out_of_the_whole_object(place, leaves_out, monkeypatch):
    random = np.random.default_rng(3)
    points = random.uniform(0, 1400, (5000, 2))
    given = Shapes.of(
        "polygon",
        points,
        np.arange(0, 5000, 5),
        measurements={"n": np.where(np.arange(1000) % 2, 1, np.nan)},
    )
    path = place.add(given)
    (found,) = place.read()
    client = Client(found._client, {found.instance_uid: path})
    found._values._client = client
    if leaves_out:
        monkeypatch.setattr("wsiweb.wire.dicomjson.Attributes.bulk", lambda *_: None)
        keep = type(found._stored.header).__contains__
        monkeypatch.setattr(
            "wsiweb.wire.dicomjson.Attributes.__contains__",
            lambda one, keyword: (
                keep(one, keyword) and not keyword.endswith(("Data", "List", "Values"))
            ),
        )
    shapes = found.groups[0].shapes()
    assert np.abs(shapes.coordinates - points).max() <= 1e-3
    assert np.array_equal(shapes.measurements["n"], given.measurements["n"], equal_nan=True)
    assert client.asked.count(found.instance_uid) == 1
    assert any(isinstance(one, tuple) for one in client.asked) != leaves_out


# What is made of them ------------------------------------------------------------------------


def test_windows_and_tiles(place):
    place.add(POLYGONS)
    (found,) = place.read()
    tumour, other = found.groups
    assert tumour.window((0, 0), (15, 25)).tolist() == [0, 1]
    assert [rows.tolist() for rows in found.window((600, 600), (50, 50))] == [[], [0]]
    with pytest.raises(ValueError, match="A window has"):
        found.window((0, 0), (-1, 5))
    level = place.source.pyramid.levels[0]
    assert level.tile_size == (256, 256)
    # The triangle's long side cuts off the tile at (2, 2).
    assert found.tiles(0) == [(0, 0), (1, 1), (2, 1), (1, 2)]
    assert other.tiles(0) == [(1, 1), (2, 1), (1, 2)]
    assert found.tiles(len(place.source.pyramid.levels) - 1) == [(0, 0)]
    with pytest.raises(IndexError, match="no level 99"):
        found.tiles(99)


def test_geometries_and_geojson(place, tmp_path):
    place.add(POLYGONS)
    (found,) = place.read()
    geometries = found.to_shapely()
    expected = [shapely.Polygon(SQUARE), shapely.Polygon(SQUARE), shapely.Polygon(TRIANGLE)]
    assert shapely.equals(geometries, expected).all()
    assert shapely.equals(found.groups[1].to_shapely(), expected[2:]).all()
    (again,) = read_geojson(found.to_geojson())
    assert again.classes == ("Tumor", "Größe")
    assert np.array_equal(again.coordinates, np.concatenate([SQUARE, SQUARE, TRIANGLE]))
    assert np.array_equal(again.measurements["Area µm^2"], [1.5, np.nan, 2.5], equal_nan=True)
    assert np.allclose(again.colors["Tumor"], (200, 30, 30), atol=1)
    found.save_geojson(tmp_path / "out.geojson", object_type="detection")
    document = json.loads((tmp_path / "out.geojson").read_text())
    assert {one["properties"]["objectType"] for one in document["features"]} == {"detection"}


def test_geojson_survives_dicom(place):
    text = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [[*SQUARE, SQUARE[0]]]},
                "properties": {
                    "objectType": "annotation",
                    "classification": {"name": "Tumor", "color": [200, 0, 0]},
                    "measurements": {"Area µm^2": 25.5},
                },
            },
            {
                "type": "Feature",
                "geometry": {"type": "Point", "coordinates": [3, 4]},
                "properties": {"objectType": "annotation"},
            },
        ],
    }
    place.add(text)
    (found,) = place.read()
    again = json.loads(found.to_geojson())
    color = again["features"][0]["properties"]["classification"]["color"]
    assert np.allclose(color, [200, 0, 0], atol=1)
    text["features"][0]["properties"]["classification"]["color"] = color
    assert again == text


def test_objects_are_saved_and_written_again(place, tmp_path):
    path = place.add(POLYGONS, coordinates="3d")
    (found,) = place.read()
    (saved,) = found.save(tmp_path / "saved")
    assert saved.read_bytes() == path.read_bytes()
    place.add(found.shapes(), level=0)
    newest = max(place.read(), key=lambda one: one._stored.number)
    assert np.allclose(newest.groups[0].coordinates, SQUARE + SQUARE, atol=2e-3)
    assert highdicom.ann.annread(saved).get_annotation_groups()[0].number_of_annotations == 2


def test_annotations_are_pickled(place):
    place.add(POLYGONS)
    (found,) = place.read()
    again = pickle.loads(pickle.dumps(found))
    assert again.groups[0].coordinates.tolist() == SQUARE + SQUARE


def test_they_are_awaited_in_any_loop(place):
    import asyncio

    place.add(POLYGONS)
    (found,) = place.read()

    async def main():
        return await found.groups[1].shapes_async(), await found.shapes_async()

    one, all_of_them = asyncio.run(main())
    assert one is all_of_them[1]


def test_a_window_of_many_is_found_at_once():
    from wsiweb.results.shapes.places import Places

    random = np.random.default_rng(0)
    triangle = np.array([[0, 0], [9, 0], [9, 9]])
    corners = random.uniform(0, 40_000, (1_000_000, 1, 2)) + triangle
    places = Places(shapes_of(corners, kind="polygon")[0])
    spent = []
    for _ in range(5):
        began = time.perf_counter()
        rows = places.window((10_000, 10_000), (2000, 2000))
        spent.append(time.perf_counter() - began)
    assert min(spent) < 0.05
    inside = (corners[:, 0] >= 10_000 - 9) & (corners[:, 0] <= 12_000)
    assert rows.tolist() == np.flatnonzero(inside.all(axis=1)).tolist()
