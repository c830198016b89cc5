"""Stored results over the wire: frames of single bits and of floats, annotations' bulk data."""

from __future__ import annotations

import base64
import io

import highdicom as hd
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.sr.codedict import codes
from results.reading.making import blobs, folder_of, identity, make_slide, segmentation
from server.making import ask

from wsiweb.server import serve
from wsiweb.wire.multipart import MultipartReader

STORED = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
BARE = 'multipart/related; type="application/octet-stream"'
SIZE = (300, 200)


def path_of(dataset):
    return (
        f"/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}"
        f"/instances/{dataset.SOPInstanceUID}"
    )


def parts(answer):
    assert answer.status == 200, answer.body
    reader = MultipartReader(answer.headers["content-type"])
    return [part.body for part in [*reader.feed(answer.body), *reader.close()]]


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    return make_slide(tmp_path_factory.mktemp("slide"), SIZE, (1,))


def a_map(slide, dtype):
    values = np.random.default_rng(1).normal(size=(1, SIZE[1], SIZE[0], 1)).astype(dtype)
    mapping = hd.pm.RealWorldValueMapping(
        lut_label="1",
        lut_explanation="all",
        unit=codes.UCUM.NoUnits,
        value_range=(-10.0, 10.0),
        slope=1,
        intercept=0,
    )
    return hd.pm.ParametricMap(
        [slide.headers[0]],
        values,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[[mapping]],
        voi_lut_transformations=[hd.VOILUTTransformation(window_center=50, window_width=100)],
        tile_pixel_array=True,
        tile_size=(101, 103),
        **identity(),
    )


def annotations(slide, coordinates, dtype, count=200):
    random = np.random.default_rng(2)
    places = [random.uniform(0, 200, (5, 2)).astype(dtype) for _ in range(count)]
    if coordinates == "3D":
        places = [np.pad(one, ((0, 0), (0, 1))) for one in places]
    group = hd.ann.AnnotationGroup(
        number=1,
        uid=hd.UID(),
        label="nuclei",
        annotated_property_category=codes.SCT.AnatomicalStructure,
        annotated_property_type=codes.SCT.Nucleus,
        graphic_type=hd.ann.GraphicTypeValues.POLYGON,
        graphic_data=places,
        algorithm_type=hd.ann.AnnotationGroupGenerationTypeValues.MANUAL,
        measurements=[
            hd.ann.Measurements(
                codes.SCT.Area, random.random(count).astype(np.float32), codes.UCUM.SquareMicrometer
            )
        ],
    )
    few = hd.ann.AnnotationGroup(
        number=2,
        uid=hd.UID(),
        label="marks",
        annotated_property_category=codes.SCT.AnatomicalStructure,
        annotated_property_type=codes.SCT.Nucleus,
        graphic_type=hd.ann.GraphicTypeValues.POINT,
        graphic_data=[one[:1] for one in places[:3]],
        algorithm_type=hd.ann.AnnotationGroupGenerationTypeValues.MANUAL,
    )
    made = identity()
    return hd.ann.MicroscopyBulkSimpleAnnotations(
        [slide.headers[0]],
        annotation_coordinate_type=coordinates,
        annotation_groups=[group, few],
        **made,
    )


@pytest.fixture(scope="module")
def objects(slide):
    labels = blobs(SIZE, 2)
    return {
        "bits": segmentation(slide.headers[0], labels, count=2, tile_size=(101, 103)),
        "whole bytes": segmentation(slide.headers[0], labels, count=2, tile_size=(64, 64)),
        "float": a_map(slide, np.float32),
        "double": a_map(slide, np.float64),
        "2D": annotations(slide, "2D", np.float32),
        "3D": annotations(slide, "3D", np.float64),
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory, slide, objects):
    folder = folder_of(tmp_path_factory.mktemp("objects"), slide, *objects.values())
    with serve(folder) as server:
        yield server


@pytest.mark.parametrize("kind", ["bits", "whole bytes"])
@pytest.mark.parametrize("accept", [STORED, BARE])
def test_frames_of_single_bits_begin_with_a_byte(server, objects, kind, accept):
    made = objects[kind]
    wanted = [np.packbits(frame, bitorder="little").tobytes() for frame in made.pixel_array]
    numbers = list(range(1, len(wanted) + 1))
    answer = ask(server.url, f"{path_of(made)}/frames/{','.join(map(str, numbers))}", Accept=accept)
    assert parts(answer) == wanted
    backwards = ",".join(map(str, numbers[::-1]))
    answer = ask(server.url, f"{path_of(made)}/frames/{backwards}", Accept=accept)
    assert parts(answer) == wanted[::-1]


@pytest.mark.parametrize(("kind", "dtype"), [("float", "<f4"), ("double", "<f8")])
@pytest.mark.parametrize("accept", [STORED, BARE])
def test_frames_of_floats(server, objects, kind, dtype, accept):
    made = objects[kind]
    wanted = [frame.astype(dtype).tobytes() for frame in made.pixel_array]
    numbers = ",".join(map(str, range(1, len(wanted) + 1)))
    answer = ask(server.url, f"{path_of(made)}/frames/{numbers}", Accept=accept)
    assert parts(answer) == wanted


def test_a_frame_of_single_bits_is_shown_black_and_white(server, objects):
    made = objects["bits"]
    for number in (1, 2):
        answer = ask(server.url, f"{path_of(made)}/frames/{number}/rendered", Accept="image/png")
        assert answer.status == 200
        shown = np.asarray(Image.open(io.BytesIO(answer.body)))
        np.testing.assert_array_equal(shown, made.pixel_array[number - 1] * 255)


def test_floats_are_not_shown(server, objects):
    answer = ask(server.url, f"{path_of(objects['float'])}/frames/1/rendered", Accept="image/png")
    assert answer.status == 406


# Annotations ----------------------------------------------------------------------------------


def value_of(server, entry):
    """Return a binary value as a client gets it."""
    if "InlineBinary" in entry:
        return base64.b64decode(entry["InlineBinary"])
    assert entry["BulkDataURI"].startswith(server.url)
    return parts(ask(server.url, entry["BulkDataURI"].removeprefix(server.url), Accept=BARE))[0]


@pytest.mark.parametrize(
    ("kind", "keyword", "dtype"),
    [("2D", "PointCoordinatesData", "<f4"), ("3D", "DoublePointCoordinatesData", "<f8")],
)
def test_annotations_are_bulk_data_within_their_group(server, objects, kind, keyword, dtype):
    made = objects[kind]
    (header,) = ask(server.url, f"{path_of(made)}/metadata", Accept="application/dicom+json").json
    groups = header["006A0002"]["Value"]
    assert len(groups) == 2
    for group, original in zip(groups, made.AnnotationGroupSequence, strict=True):
        coordinates = group[f"{pydicom.datadict.tag_for_keyword(keyword):08X}"]
        assert value_of(server, coordinates) == original[keyword].value
        assert coordinates["vr"] == original[keyword].VR
    large, small = groups
    assert "BulkDataURI" in large[f"{pydicom.datadict.tag_for_keyword(keyword):08X}"]
    assert "InlineBinary" in small[f"{pydicom.datadict.tag_for_keyword(keyword):08X}"]
    index = large["00660040"]  # LongPrimitivePointIndexList
    assert index["vr"] == "OL"
    first = np.frombuffer(value_of(server, index), "<u4")
    per_vertex = 3 if kind == "3D" else 2
    # highdicom stores 3D without z where z is the same for all (CommonZCoordinateValue).
    assert first[0] == 1
    assert len(first) == 200
    assert set(np.diff(first)) <= {5 * 2, 5 * per_vertex}
    measurements = large["00660121"]["Value"][0]
    values = measurements["00660132"]["Value"][0]["00660125"]
    theirs = made.AnnotationGroupSequence[0].MeasurementsSequence[0].MeasurementValuesSequence[0]
    assert value_of(server, values) == theirs.FloatingPointValues
