"""Judges: the real slide's own numbers, highdicom's transformer, and plain dictionaries."""

from __future__ import annotations

import contextlib
import copy
import json
import random
import time
import tracemalloc

import numpy as np
import pydicom
import pytest
from highdicom.spatial import ImageToReferenceTransformer
from hypothesis import given, settings
from hypothesis import strategies as st

from wsiweb.errors import ProtocolError, SlideError
from wsiweb.pixels.headers import read_pyramid
from wsiweb.pixels.image import FrameAddress
from wsiweb.wire.dicomjson import Attributes, tag_of

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"


def element(vr: str, *values) -> dict:
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}


def header(number: int, width: int = 500, height: int = 300, **changes) -> dict:
    """A plain level: tiles of 100 x 100, 0.5 micrometres at 500 pixels across."""
    spacing = 0.0005 * 500 / width
    values = {
        "SOPClassUID": element("UI", WHOLE_SLIDE),
        "Modality": element("CS", "SM"),
        "StudyInstanceUID": element("UI", "1.2.1"),
        "SeriesInstanceUID": element("UI", "1.2.2"),
        "SOPInstanceUID": element("UI", f"1.2.3.{number}"),
        "InstanceNumber": element("IS", number),
        "ImageType": element("CS", "ORIGINAL", "PRIMARY", "VOLUME", "NONE"),
        "FrameOfReferenceUID": element("UI", "1.2.4"),
        "ContainerIdentifier": element("LO", "S-1"),
        "Rows": element("US", 100),
        "Columns": element("US", 100),
        "SamplesPerPixel": element("US", 3),
        "PhotometricInterpretation": element("CS", "YBR_FULL_422"),
        "PlanarConfiguration": element("US", 0),
        "BitsAllocated": element("US", 8),
        "BitsStored": element("US", 8),
        "HighBit": element("US", 7),
        "PixelRepresentation": element("US", 0),
        "TotalPixelMatrixColumns": element("UL", width),
        "TotalPixelMatrixRows": element("UL", height),
        "NumberOfFrames": element("IS", -(-width // 100) * -(-height // 100)),
        "DimensionOrganizationType": element("CS", "TILED_FULL"),
        "ImageOrientationSlide": element("DS", 0, -1, 0, -1, 0, 0),
        "TotalPixelMatrixOriginSequence": sequence(
            XOffsetInSlideCoordinateSystem=element("DS", 20),
            YOffsetInSlideCoordinateSystem=element("DS", "40"),
        ),
        "SharedFunctionalGroupsSequence": sequence(
            PixelMeasuresSequence=sequence(PixelSpacing=element("DS", spacing, spacing))
        ),
        "OpticalPathSequence": sequence(OpticalPathIdentifier=element("SH", "a")),
    }
    values.update(changes)
    return {tag_of(keyword): value for keyword, value in values.items() if value is not None}


def sequence(*items: dict, **values) -> dict:
    if values:
        items = (values,)
    return element("SQ", *({tag_of(key): value for key, value in item.items()} for item in items))


def sparse(number: int, places: list[tuple], **changes) -> dict:
    """A level whose frames lie at (column, row[, path[, height]]) in tiles."""
    frames = []
    for column, row, *rest in places:
        position = {
            "ColumnPositionInTotalImagePixelMatrix": element("SL", column * 100 + 1),
            "RowPositionInTotalImagePixelMatrix": element("SL", row * 100 + 1),
        }
        if len(rest) > 1:
            position["ZOffsetInSlideCoordinateSystem"] = element("DS", rest[1])
        frame = {"PlanePositionSlideSequence": sequence(position)}
        if rest:
            frame["OpticalPathIdentificationSequence"] = sequence(
                OpticalPathIdentifier=element("SH", rest[0])
            )
        frames.append(frame)
    values = {
        "DimensionOrganizationType": element("CS", "TILED_SPARSE"),
        "PerFrameFunctionalGroupsSequence": sequence(*frames),
        "NumberOfFrames": element("IS", len(places)),
    }
    return header(number, **{**values, **changes})


def paths(*names: str) -> dict:
    return sequence(*({"OpticalPathIdentifier": element("SH", name)} for name in names))


def read(*headers: dict):
    return read_pyramid([Attributes.of(each) for each in headers])


def reasons(pyramid) -> dict[str, str]:
    return {each.instance_uid: each.reason for each in pyramid.left_out}


# The real slide


@pytest.fixture(scope="module")
def cmu(cmu_folder):
    return [pydicom.dcmread(path, stop_before_pixels=True) for path in cmu_folder.glob("*.dcm")]


@pytest.fixture(scope="module")
def cmu_json(cmu):
    return [Attributes.decode(dataset.to_json().encode())[0] for dataset in cmu]


def test_the_real_slide(cmu, cmu_json):
    pyramid = read_pyramid(cmu_json)
    assert [level.size for level in pyramid.levels] == [
        (2220, 2967), (1110, 1484), (555, 742), (278, 371), (139, 186),
    ]  # fmt: skip
    assert [level.downsample for level in pyramid.levels] == [1, 2, 4, 8, 16]
    assert [level.index for level in pyramid.levels] == [0, 1, 2, 3, 4]
    assert pyramid.levels[0].grid == (10, 13)
    assert pyramid.levels[0].frame_count == 130
    assert pyramid.left_out == ()
    assert pyramid.mpp == pytest.approx((0.499, 0.499))
    assert pyramid.magnification == 20
    assert pyramid.label.size == (387, 463)
    assert pyramid.label.geometry is None
    assert pyramid.overview.size == (1280, 431)
    assert pyramid.thumbnail.size == (574, 768)
    assert pyramid.container_id == "Unknown"
    datasets = {dataset.SOPInstanceUID: dataset for dataset in cmu}
    for level in pyramid.levels:
        dataset = datasets[level.instance_uids[0]]
        assert level.flavor == "VOLUME"
        assert level.format.photometric == dataset.PhotometricInterpretation
        assert level.frame_count == int(dataset.NumberOfFrames)
        judge = ImageToReferenceTransformer.for_image(dataset, for_total_pixel_matrix=True)
        points = np.array([[0.0, 0.0], [0.5, 0.5], [100.25, 7.0], level.size])
        np.testing.assert_allclose(level.geometry.to_slide(points), judge(points), atol=1e-9)


def test_the_order_of_instances_does_not_matter(cmu_json):
    expected = read_pyramid(cmu_json)
    for seed in range(5):
        mixed = random.Random(seed).sample(cmu_json, len(cmu_json))
        assert read_pyramid(mixed) == expected


# Tolerance


def test_levels_of_any_factor_in_any_order():
    pyramid = read(header(3, 100, 60), header(1, 500, 300), header(2, 333, 200))
    assert [level.size for level in pyramid.levels] == [(500, 300), (333, 200), (100, 60)]
    assert [level.downsample for level in pyramid.levels] == pytest.approx([1, 1.5, 5], rel=1e-2)
    assert pyramid.levels[0].mpp == pytest.approx((0.5, 0.5))
    assert pyramid.magnification == 20


def test_spacing_is_between_rows_first():
    measures = sequence(PixelSpacing=element("DS", 0.002, "0.001"))
    shared = sequence(PixelMeasuresSequence=measures)
    level = read(header(1, SharedFunctionalGroupsSequence=shared)).levels[0]
    assert level.mpp == pytest.approx((1.0, 2.0))
    assert level.geometry.spacing == (0.001, 0.002)


def test_spacing_from_the_imaged_volume():
    bare = header(
        1,
        SharedFunctionalGroupsSequence=None,
        ImagedVolumeWidth=element("FL", 1.0),
        ImagedVolumeHeight=element("FL", 0.6),
    )
    assert read(bare).mpp == pytest.approx((2.0, 2.0))


@pytest.mark.parametrize(
    "change",
    [
        {"TotalPixelMatrixOriginSequence": None},
        {"TotalPixelMatrixOriginSequence": {"vr": "SQ"}},
        {"ImageOrientationSlide": None},
        {"ImageOrientationSlide": element("DS", 0, 0, 0, 0, 0, 0)},
        {"SharedFunctionalGroupsSequence": None},
        {"SharedFunctionalGroupsSequence": sequence(PixelMeasuresSequence=sequence(
            PixelSpacing=element("DS", 0, 0)))},
    ],
)  # fmt: skip
def test_a_slide_without_geometry_can_be_read(change):
    level = read(header(1, **change)).levels[0]
    assert level.geometry is None
    assert level.frame(4, 2) == FrameAddress("1.2.3.1", 15)


@pytest.mark.parametrize(
    "image_type",
    [
        ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"],
        ["ORIGINAL", "PRIMARY", "VOLUME"],
        ["VOLUME"],
        ["derived", "primary", " volume ", "none"],
        ["VOLUME", "PRIMARY", "ORIGINAL", "NONE"],
    ],
)
def test_odd_image_types(image_type):
    assert len(read(header(1, ImageType=element("CS", *image_type))).levels) == 1


def test_other_origins_do_not_split_a_pyramid():
    moved = sequence(
        XOffsetInSlideCoordinateSystem=element("DS", 20.003),
        YOffsetInSlideCoordinateSystem=element("DS", 39.98),
    )
    pyramid = read(header(1), header(2, 250, 150, TotalPixelMatrixOriginSequence=moved))
    assert len(pyramid.levels) == 2


def test_a_missing_organisation_is_told_by_the_frames():
    full = read(header(1, DimensionOrganizationType=None)).levels[0]
    assert not full.sparse
    told = read(sparse(1, [(4, 2), (0, 0)], DimensionOrganizationType=None)).levels[0]
    assert told.sparse
    assert told.frame(4, 2).number == 1


def test_what_is_no_level_is_left_out_with_a_reason():
    segmentation = header(9, SOPClassUID=element("UI", "1.2.840.10008.5.1.4.1.1.66.4"))
    segmentation[tag_of("Modality")] = element("CS", "SEG")
    pyramid = read(
        header(1),
        header(2, 250, 150),
        header(3, 250, 150, ImageType=element("CS", "DERIVED", "PRIMARY", "VOLUME", "NONE")),
        segmentation,
        header(4, 100, 60, FrameOfReferenceUID=element("UI", "9.9")),
        header(5, 100, 60, PyramidUID=element("UI", "9.8")),
        header(6, 250, 60),
        header(7, 50, 30, OpticalPathSequence=paths("a", "b"), NumberOfFrames=element("IS", 2)),
        header(8, 50, 30, BitsAllocated=element("US", 16), HighBit=None, BitsStored=None),
        header(10, 50, 30, BitsAllocated=element("US", 32), HighBit=None, BitsStored=None),
        header(11, 50, 30, PhotometricInterpretation=element("CS", "PALETTE COLOR")),
        header(12, ImageType=element("CS", "ORIGINAL", "PRIMARY", "MAP")),
        header(13, SeriesInstanceUID=element("UI", "7.7")),
        header(2, 250, 150),
    )
    assert [level.size for level in pyramid.levels] == [(500, 300), (250, 150)]
    assert pyramid.levels[1].instance_uids == ("1.2.3.2",)
    expected = {
        "1.2.3.3": "is as large as level 1",
        "1.2.3.9": "Modality SEG",
        "1.2.3.4": "FrameOfReferenceUID differ",
        "1.2.3.5": "PyramidUID differ",
        "1.2.3.6": "other proportions",
        "1.2.3.7": "2 optical paths",
        "1.2.3.8": "uint16",
        "1.2.3.10": "BitsAllocated is 32",
        "1.2.3.11": "PALETTE COLOR",
        "1.2.3.12": "says not what it shows",
        "1.2.3.13": "belongs to series 7.7",
        "1.2.3.2": "listed twice",
    }
    found = reasons(pyramid)
    assert set(found) == set(expected)
    for uid, words in expected.items():
        assert words in found[uid]


def test_the_pyramid_with_the_most_pixels_is_kept():
    other = {"ContainerIdentifier": element("LO", "S-2")}
    pyramid = read(header(1), header(2, 1000, 600, **other), header(3, 250, 150))
    assert pyramid.container_id == "S-2"
    assert [level.size for level in pyramid.levels] == [(1000, 600)]
    assert set(reasons(pyramid)) == {"1.2.3.1", "1.2.3.3"}


def associated(number: int, flavor: str, **changes) -> dict:
    values = {
        "ImageType": element("CS", "ORIGINAL", "PRIMARY", flavor, "NONE"),
        "TotalPixelMatrixColumns": None,
        "TotalPixelMatrixRows": None,
        "SharedFunctionalGroupsSequence": None,
        "NumberOfFrames": None,
    }
    return header(number, **{**values, **changes})


def test_associated_images_need_little():
    pyramid = read(
        header(1),
        associated(2, "LABEL"),
        associated(3, "LOCALIZER"),
        associated(4, "THUMBNAIL"),
        associated(5, "LABEL", Rows=element("US", 200)),
        associated(6, "OVERVIEW", Rows=element("US", 0)),
    )
    assert pyramid.label.instance_uids == ("1.2.3.5",)
    assert pyramid.label.size == (100, 200)
    assert pyramid.label.flavor == "LABEL"
    assert pyramid.overview.instance_uids == ("1.2.3.3",)
    assert pyramid.thumbnail.frame(0, 0) == FrameAddress("1.2.3.4", 1)
    assert "beside 1.2.3.5" in reasons(pyramid)["1.2.3.2"]
    assert "Rows is 0" in reasons(pyramid)["1.2.3.6"]


def test_what_the_archive_says_of_encoding_is_kept():
    syntax = {"AvailableTransferSyntaxUID": element("UI", "1.2.840.10008.1.2.4.50")}
    assert read(header(1, **syntax)).levels[0].transfer_syntax == "1.2.840.10008.1.2.4.50"
    assert read(header(1)).levels[0].transfer_syntax is None


def test_objective_power_is_believed():
    optics = sequence(
        OpticalPathIdentifier=element("SH", "a"), ObjectiveLensPower=element("DS", "40")
    )
    assert read(header(1, OpticalPathSequence=optics)).magnification == 40


UNREADABLE = {
    "PixelSpacing": {"SharedFunctionalGroupsSequence": sequence(
        PixelMeasuresSequence=sequence(PixelSpacing=element("DS", "abc", 0.5)))},
    "PixelMeasuresSequence": {"SharedFunctionalGroupsSequence": sequence(
        PixelMeasuresSequence=element("SQ", "abc"))},
    "ImagedVolumeWidth": {"SharedFunctionalGroupsSequence": None,
        "ImagedVolumeWidth": element("FL", "wide"), "ImagedVolumeHeight": element("FL", 1)},
    "ObjectiveLensPower": {"OpticalPathSequence": sequence(
        OpticalPathIdentifier=element("SH", "a"), ObjectiveLensPower=element("DS", "20x"))},
    "XOffset": {"TotalPixelMatrixOriginSequence": sequence(
        XOffsetInSlideCoordinateSystem=element("DS", "left"),
        YOffsetInSlideCoordinateSystem=element("DS", 40))},
    "TotalPixelMatrixOriginSequence": {"TotalPixelMatrixOriginSequence": element("SQ", 7)},
    "ImageOrientationSlide": {"ImageOrientationSlide": element("DS", *"abcdef")},
    "InstanceNumber": {"InstanceNumber": element("IS", "abc")},
    "CIELab": {"RecommendedAbsentPixelCIELabValue": element("US", "white", 1.5, {})},
    "InConcatenationTotalNumber": {"ConcatenationUID": element("UI", "1.2.5"),
        "InConcatenationTotalNumber": element("US", "all")},
}  # fmt: skip


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_slide_is_not_refused_for_what_its_pixels_do_not_need(name):
    pyramid = read(header(1, **UNREADABLE[name]))
    (level,) = pyramid.levels
    assert level.frame(4, 2) == FrameAddress("1.2.3.1", 15)
    assert level.background.tolist() == [255, 255, 255]
    assert pyramid.objective_power is None
    unplaced = name not in {"ObjectiveLensPower", "InstanceNumber", "CIELab"} and "Conc" not in name
    assert (level.geometry is None) == unplaced
    assert (level.mpp is None) == (name.startswith(("Pixel", "Imaged")))


# Background


MONO = {"SamplesPerPixel": element("US", 1), "PlanarConfiguration": None}


def illuminated(code: str) -> dict:
    kind = sequence(CodeValue=element("SH", code))
    return sequence(OpticalPathIdentifier=element("SH", "a"), IlluminationTypeCodeSequence=kind)


@pytest.mark.parametrize(
    ("changes", "background"),
    [
        ({}, [255, 255, 255]),
        ({"RecommendedAbsentPixelCIELabValue": element("US", 0, 0x8080, 0x8080)}, [0, 0, 0]),
        ({"RecommendedAbsentPixelCIELabValue": element("US", 65535, 0x8080, 0x8080)}, [255] * 3),
        # L 53.585, a 78.998, b 66.013 at D50 is the red of sRGB within rounding
        (
            {"RecommendedAbsentPixelCIELabValue": element("US", 35572, 54050, 50860)},
            pytest.approx([255, 0, 0], abs=20),
        ),
        ({"PixelRepresentation": element("US", 1)}, [127, 127, 127]),
        ({**MONO, "PhotometricInterpretation": element("CS", "MONOCHROME2")}, [0]),
        ({**MONO, "PhotometricInterpretation": element("CS", "MONOCHROME1")}, [255]),
        (
            {
                **MONO,
                "PhotometricInterpretation": element("CS", "MONOCHROME2"),
                "BitsAllocated": element("US", 16),
                "BitsStored": element("US", 12),
                "HighBit": element("US", 11),
                "OpticalPathSequence": illuminated("111744"),
            },
            [4095],
        ),
        (
            {
                **MONO,
                "PhotometricInterpretation": element("CS", "MONOCHROME2"),
                "PixelRepresentation": element("US", 1),
            },
            [-128],
        ),
        (
            {
                **MONO,
                "PhotometricInterpretation": element("CS", "MONOCHROME1"),
                "PixelRepresentation": element("US", 1),
            },
            [127],
        ),
    ],
)
def test_background(changes, background):
    level = read(header(1, **changes)).levels[0]
    assert level.background.tolist() == background
    assert level.background.dtype == level.dtype


# Sparse


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 2), st.sampled_from("ab")),
        unique=True,
        min_size=1,
    )
)
def test_sparse_frames_are_found_where_they_said(places):
    image = read(sparse(1, places, OpticalPathSequence=paths("a", "b"))).levels[0]
    expected = {place: number for number, place in enumerate(places, start=1)}
    assert image.frame_count == len(places)
    for column in range(5):
        for row in range(3):
            for channel, name in enumerate("ab"):
                found = image.frame(column, row, channel)
                assert (found and found.number) == expected.get((column, row, name))


def test_focal_planes_are_counted_from_below():
    both = [(0, 0, "a", 0.002), (0, 0, "a", -0.001), (1, 0, "a", "0.002"), (1, 0, "a", "-0.001")]
    for stated in (None, element("UL", 2)):
        image = read(sparse(1, both, TotalPixelMatrixFocalPlanes=stated)).levels[0]
        assert image.focal_planes == 2
        assert [image.frame(c, 0, 0, z).number for c in (0, 1) for z in (0, 1)] == [2, 1, 4, 3]


def test_a_plane_that_follows_the_tissue_is_one_plane():
    wavy = [(column, 0, "a", column / 1000) for column in range(5)]
    for stated in (None, element("UL", 1)):
        image = read(sparse(1, wavy, TotalPixelMatrixFocalPlanes=stated)).levels[0]
        assert image.focal_planes == 1
        assert image.frame(4, 0).number == 5


def test_two_planes_that_follow_the_tissue_are_two():
    wavy = [(c, 0, "a", c / 1000 + z) for c in range(5) for z in (1, 0)]
    for stated in (None, element("UL", 2)):
        image = read(sparse(1, wavy, TotalPixelMatrixFocalPlanes=stated)).levels[0]
        assert image.focal_planes == 2
        assert not any(image.frame(c, 0, 0, z) is None for c in range(5) for z in (0, 1))
        assert [image.frame(c, 0, 0, z).number for c in (0, 4) for z in (0, 1)] == [2, 1, 10, 9]


def test_planes_are_those_of_the_fullest_tile():
    places = [(0, 0, "a", 0.3), (1, 0, "a", 0.1), (1, 0, "a", 1.1), (1, 0, "a", 2.1)]
    image = read(sparse(1, places)).levels[0]
    assert image.focal_planes == 3
    assert [image.frame(0, 0, 0, z) is None for z in range(3)] == [False, True, True]
    assert image.frame(1, 0, 0, 2).number == 4


def test_two_frames_of_one_tile_at_one_height_claim_the_same_tile():
    with pytest.raises(SlideError, match="same tile"):
        read(sparse(1, [(0, 0, "a", 0.5), (0, 0, "a", 0.5)]))
    with pytest.raises(SlideError, match="same tile"):
        read(sparse(1, [(0, 0, "a", 0), (0, 0, "a", 1), (1, 0, "a", 0.5), (1, 0, "a", 0.5)]))


def test_positions_as_text_and_small_digits_are_read():
    one = sparse(1, [(1, 2)])
    text = json.dumps(one).replace(": [101]", ': ["101"]')
    text = text.replace("0048021A", "0048021a").replace("0048021E", "0048021e")
    (attributes,) = Attributes.decode(text.encode())
    assert read_pyramid([attributes]).levels[0].frame(1, 2).number == 1


def test_fifty_thousand_sparse_frames_are_read_within_a_second():
    columns, rows = 250, 200
    one = sparse(1, [])
    frame = (
        '{"00209111":{"vr":"SQ","Value":[{"00209157":{"vr":"UL","Value":[%d,%d]}}]},'
        '"00480207":{"vr":"SQ","Value":[{"00480106":{"vr":"SH","Value":["a"]}}]},'
        '"0048021A":{"vr":"SQ","Value":[{"0040072A":{"vr":"DS","Value":[12.5]},'
        '"0040073A":{"vr":"DS","Value":[22.5]},"0040074A":{"vr":"DS","Value":["0.0"]},'
        '"0048021E":{"vr":"SL","Value":[%d]},"0048021F":{"vr":"SL","Value":[%d]}}]}}'
    )
    places = [(column, row) for row in range(rows) for column in range(columns)]
    random.Random(1).shuffle(places)
    frames = ",".join(frame % (c, r, c * 100 + 1, r * 100 + 1) for c, r in places)
    one.update(
        header(
            1,
            columns * 100,
            rows * 100,
            DimensionOrganizationType=element("CS", "TILED_SPARSE"),
            NumberOfFrames=element("IS", len(places)),
        )
    )
    one[tag_of("PerFrameFunctionalGroupsSequence")] = "HERE"
    text = json.dumps(one).replace('"HERE"', '{"vr":"SQ","Value":[' + frames + "]}")
    began = time.thread_time()
    (attributes,) = Attributes.decode(text.encode())
    level = read_pyramid([attributes]).levels[0]
    assert time.thread_time() - began < 2  # 0.5 s here
    for number in (0, 1, 777, 49_999):
        assert level.frame(*places[number]).number == number + 1


# Channels in instances of their own


def test_optical_paths_in_instances_of_their_own_are_channels_of_one_level():
    pyramid = read(
        header(1, OpticalPathSequence=paths("10")),
        header(2, 250, 150, OpticalPathSequence=paths("9")),
        header(3, OpticalPathSequence=paths("9")),
        header(4, 250, 150, OpticalPathSequence=paths("10")),
        header(5, 100, 60, OpticalPathSequence=paths("9")),
    )
    assert [level.channels for level in pyramid.levels] == [("9", "10")] * 2
    assert pyramid.levels[0].frame(4, 2, 0) == FrameAddress("1.2.3.3", 15)
    assert pyramid.levels[0].frame(0, 0, 1) == FrameAddress("1.2.3.1", 1)
    assert pyramid.levels[0].frame_count == 30
    assert not pyramid.levels[0].sparse
    assert pyramid.levels[1].frame(0, 0, 0) == FrameAddress("1.2.3.2", 1)
    assert pyramid.levels[1].frame(1, 0, 1) == FrameAddress("1.2.3.4", 2)
    assert pyramid.levels[1].crop_of(FrameAddress("1.2.3.4", 3)) == (50, 100)
    assert reasons(pyramid) == {"1.2.3.5": "has 1 optical paths, the finest level 2"}


def test_sparse_and_full_channels_are_put_together():
    (level,) = read(
        sparse(1, [(4, 2), (1, 0)], OpticalPathSequence=paths("a")),
        header(2, OpticalPathSequence=paths("b", "c"), NumberOfFrames=element("IS", 30)),
        sparse(3, [(3, 1)], OpticalPathSequence=paths("d")),
    ).levels
    assert level.channels == ("a", "b", "c", "d")
    assert level.frame(4, 2, 0) == FrameAddress("1.2.3.1", 1)
    assert level.frame(0, 0, 0) is None
    assert level.frame(0, 0, 2) == FrameAddress("1.2.3.2", 16)
    assert level.frame(3, 1, 3) == FrameAddress("1.2.3.3", 1)
    assert level.sparse


def test_a_claim_of_many_frames_beside_a_sparse_channel_takes_no_memory():
    big = {"Rows": element("US", 10), "Columns": element("US", 10)}
    many = header(2, 40_000, 40_000, OpticalPathSequence=paths("b"), **big,
                  NumberOfFrames=element("IS", 4000**2))  # fmt: skip
    one = sparse(1, [(0, 0)], OpticalPathSequence=paths("a"), **big)
    for keyword in ("TotalPixelMatrixColumns", "TotalPixelMatrixRows"):
        one[tag_of(keyword)] = element("UL", 40_000)
    tracemalloc.start()
    pyramid = read(one, many)
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()
    assert len(pyramid.left_out) == 1


def test_another_focal_plane_in_an_instance_of_its_own_is_left_out_loudly():
    higher = sequence(
        XOffsetInSlideCoordinateSystem=element("DS", 20),
        YOffsetInSlideCoordinateSystem=element("DS", 40),
        ZOffsetInSlideCoordinateSystem=element("DS", 0.001),
    )
    with pytest.warns(UserWarning, match=r"1\.2\.3\.2 is left out: it is another focal plane"):
        pyramid = read(header(1), header(2, TotalPixelMatrixOriginSequence=higher))
    assert "another focal plane of level 0" in reasons(pyramid)["1.2.3.2"]


# Concatenations


def part(number: int, frames: int, offset: int, **changes) -> dict:
    return header(
        number,
        **{
            "ConcatenationUID": element("UI", "1.2.5"),
            "ConcatenationFrameOffsetNumber": element("UL", offset),
            "InConcatenationNumber": element("US", number),
            "NumberOfFrames": element("IS", frames),
            **changes,
        },
    )


def test_a_concatenation_is_one_image():
    level = read(part(3, 5, 10), part(1, 6, 0), part(2, 4, 6)).levels[0]
    assert level.instance_uids == ("1.2.3.1", "1.2.3.2", "1.2.3.3")
    assert level.frame(0, 0) == FrameAddress("1.2.3.1", 1)
    assert level.frame(0, 1) == FrameAddress("1.2.3.1", 6)
    assert level.frame(1, 1) == FrameAddress("1.2.3.2", 1)
    assert level.frame(4, 2) == FrameAddress("1.2.3.3", 5)


def test_a_concatenation_has_a_name_as_a_whole():
    whole = {"SOPInstanceUIDOfConcatenationSource": element("UI", "1.2.6 ")}
    pyramid = read(part(2, 9, 6, **whole), part(1, 6, 0, **whole), header(4, 250, 150))
    level = pyramid.levels[0]
    assert level.whole_uids == ("1.2.6", "1.2.6")
    for uid in ("1.2.6", "1.2.3.1", "1.2.3.2"):
        assert pyramid.level_of(uid) is level
    assert pyramid.level_of("1.2.3.4").index == 1
    assert pyramid.level_of("") is None
    assert pyramid.level_of("1.2.5") is None
    # Frames of the whole are counted through its parts.
    assert level.place("1.2.6", 6) == level.place("1.2.3.1", 6) == (0, 1, 0, 0)
    assert level.place("1.2.6", 7) == level.place("1.2.3.2", 1) == (1, 1, 0, 0)
    assert level.place("1.2.6", 15) == (4, 2, 0, 0)
    for number in (0, 16):
        with pytest.raises(IndexError):
            level.place("1.2.6", number)


@pytest.mark.parametrize("junk", [{"vr": "UI", "Value": [{"a": 1}]}, {"vr": "UI", "Value": [[]]}])
def test_what_the_whole_is_called_is_not_needed_for_pixels(junk):
    level = read({**header(1), tag_of("SOPInstanceUIDOfConcatenationSource"): junk}).levels[0]
    assert level.whole_uids == ("",)


def test_channels_in_parts_have_a_name_each():
    def parts(name, first):
        more = {
            "OpticalPathSequence": paths(name),
            "ConcatenationUID": element("UI", f"1.5.{first}"),
            "SOPInstanceUIDOfConcatenationSource": element("UI", f"1.6.{first}"),
        }
        return part(first, 6, 0, **more), part(first + 1, 9, 6, **more)

    (level,) = read(*parts("b", 1), *parts("a", 3)).levels
    assert level.channels == ("a", "b")
    assert level.whole_uids == ("1.6.3", "1.6.3", "1.6.1", "1.6.1")
    assert level.place("1.6.3", 15) == (4, 2, 0, 0)
    assert level.place("1.6.1", 15) == (4, 2, 1, 0)
    with pytest.raises(IndexError, match=r"no frame 16 in 1\.6\.3"):
        level.place("1.6.3", 16)


def test_a_sparse_concatenation():
    def sparse_part(number, places, offset):
        said = sparse(number, places)
        keywords = ("PerFrameFunctionalGroupsSequence", "DimensionOrganizationType")
        own = {tag_of(keyword): said[tag_of(keyword)] for keyword in keywords}
        return {**part(number, len(places), offset), **own}

    level = read(sparse_part(2, [(0, 0)], 2), sparse_part(1, [(4, 2), (1, 1)], 0)).levels[0]
    assert level.frame(0, 0) == FrameAddress("1.2.3.2", 1)
    assert level.frame(1, 1) == FrameAddress("1.2.3.1", 2)
    assert level.frame(2, 2) is None


@pytest.mark.parametrize(
    "parts",
    [
        [part(1, 6, 0), part(3, 5, 10)],
        [part(1, 6, 0), part(2, 9, 0)],
        [part(1, 15, 0, InConcatenationTotalNumber=element("US", 2))],
        [part(1, 6, 0), part(2, 9, 6, Rows=element("US", 99))],
    ],
)
def test_concatenations_with_parts_missing_or_foreign_are_refused(parts):
    with pytest.raises(SlideError, match="Concatenation"):
        read(*parts)


# Refusals


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Rows": element("US", 0)}, "Rows is 0"),
        ({"Columns": element("US", -5)}, "Columns is -5"),
        ({"Columns": element("US", 2**31)}, "which is too much"),
        ({"Columns": None}, "Columns is missing"),
        ({"TotalPixelMatrixColumns": element("UL", 0)}, "TotalPixelMatrixColumns is 0"),
        ({"TotalPixelMatrixRows": None}, "TotalPixelMatrixRows is missing"),
        ({"TotalPixelMatrixRows": element("UL", 2**63)}, "too much"),
        ({"TotalPixelMatrixRows": element("UL", 2**31)}, "tiles of"),
        ({"NumberOfFrames": element("IS", 14)}, "NumberOfFrames is 14"),
        ({"NumberOfFrames": element("IS", 10**30)}, "NumberOfFrames"),
        ({"NumberOfFrames": element("IS", 0)}, "NumberOfFrames is 0"),
        ({"NumberOfOpticalPaths": element("UL", 2)}, "NumberOfFrames is 15"),
        ({"NumberOfOpticalPaths": element("UL", 2**32)}, "NumberOfOpticalPaths"),
        ({"TotalPixelMatrixFocalPlanes": element("UL", 3)}, "NumberOfFrames is 15"),
        ({"TotalPixelMatrixFocalPlanes": element("UL", 2**40)}, "tiles of"),
        ({"SamplesPerPixel": element("US", 1)}, "SamplesPerPixel is 1"),
        ({"BitsAllocated": None}, "BitsAllocated is missing"),
        ({"BitsAllocated": element("US", 32)}, "BitsAllocated is 32"),
        ({"BitsStored": element("US", 9)}, "BitsStored is 9"),
        ({"HighBit": element("US", 3)}, "HighBit is|HighBit 3"),
        ({"PixelRepresentation": element("US", 2)}, "PixelRepresentation is 2"),
        ({"PlanarConfiguration": element("US", 2)}, "PlanarConfiguration is 2"),
        ({"PhotometricInterpretation": None}, "PhotometricInterpretation is missing"),
        ({"PhotometricInterpretation": element("CS", "HSV")}, "HSV"),
        ({"SOPInstanceUID": element("UI", "../x")}, "SOPInstanceUID is '../x'"),
        ({"StudyInstanceUID": None}, "StudyInstanceUID is missing"),
        ({"Rows": element("US", "many")}, "Rows should be a whole number|Rows should be a number"),
        ({"ImageType": element("CS", 1, [])}, "ImageType should be text"),
        ({"DimensionOrganizationType": element("CS", "TILED_SPARSE")}, "no positions"),
    ],
)  # fmt: skip
def test_impossible_levels_are_refused(changes, words):
    for others in ([], [header(2, 2500, 1500)]):
        if others and {"BitsAllocated", "HighBit", "PlanarConfiguration"} & set(changes):
            continue  # those can be done without beside a finer level
        if others and words == "HSV":
            continue
        with pytest.raises(SlideError, match=words) as caught:
            read(header(1, **changes), *others)
        if "SOPInstanceUID" not in changes:
            assert "1.2.3.1" in str(caught.value)


@pytest.mark.parametrize(
    ("places", "changes", "words"),
    [
        ([(0.5, 0)], {}, "not on the grid"),
        ([(0.001, 0)], {}, "whole pixels"),
        ([(5, 0)], {}, "outside the grid"),
        ([(0, -1)], {}, "outside the grid"),
        ([(0, 0), (0, 0)], {"TotalPixelMatrixFocalPlanes": element("UL", 1)}, "same tile"),
        ([(0, 0)], {"NumberOfFrames": element("IS", 2)}, "has 1 items"),
        ([(0, 0, "c")], {"OpticalPathSequence": paths("a", "b")}, "OpticalPathIdentifier"),
        ([("x", 0)], {}, "not all numbers|can only|concatenate"),
        ([(1e300, 0)], {}, "whole pixels"),
        ([(0, 0)], {"TotalPixelMatrixRows": element("UL", 2**31)}, "tiles of"),
        ([(0, 0)], {"PerFrameFunctionalGroupsSequence": element("SQ", 1)}, "cannot be read"),
        ([(0, 0)], {"PerFrameFunctionalGroupsSequence": element("SQ", {}, None)}, "no positions"),
    ],
)  # fmt: skip
def test_impossible_sparse_levels_are_refused(places, changes, words):
    if places[0][0] == "x":
        one = sparse(1, [(0, 0)])
        text = json.dumps(one).replace('"SL", "Value": [1]', '"SL", "Value": ["x"]')
        instances = Attributes.decode(text.encode())
    else:
        instances = [Attributes.of(sparse(1, places, **changes))]
    with pytest.raises(SlideError, match=words) as caught:
        read_pyramid(instances)
    assert "1.2.3.1" in str(caught.value)


def test_a_finest_level_that_cannot_be_read_is_not_passed_over():
    wide = header(1, BitsAllocated=element("US", 32), HighBit=None, BitsStored=None)
    with pytest.raises(SlideError, match=r"finest level cannot be read.*1\.2\.3\.1.*BitsAllocated"):
        read(wide, header(2, 250, 150))


def test_a_frame_beyond_memory_is_refused_and_the_largest_is_not():
    def one_frame(width: int, height: int) -> dict:
        size = {"Rows": element("US", height), "Columns": element("US", width)}
        return header(1, width, height, NumberOfFrames=element("IS", 1), **size)

    assert read(one_frame(8192, 8192)).levels[0].tile_size == (8192, 8192)
    with pytest.raises(SlideError, match=r"1\.2\.3\.1 has frames of 8192 x 8193 pixels: more"):
        read(one_frame(8192, 8193))


def test_series_without_a_level_say_why():
    with pytest.raises(SlideError, match="no instances"):
        read_pyramid([])
    with pytest.raises(SlideError, match=r"1\.2\.3\.9 is not a whole-slide image: Modality SR"):
        read(header(9, SOPClassUID=element("UI", "1.2.840.10008.5.1.4.1.1.88.33"),
                    Modality=element("CS", "SR")))  # fmt: skip
    with pytest.raises(SlideError, match="ImageType VOLUME"):
        read(associated(1, "LABEL"))


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, 1, 2, 3, 255, 256, 2**16, 2**31, 2**32, 2**63]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["1.2.3", "TILED_SPARSE", "VOLUME", "MONOCHROME1", "1e400", "-0", "NaN"]),
    # New ones each time, as they are changed afterwards.
    st.builds(list),
    st.builds(dict),
    st.builds(lambda: {"Alphabetic": "x"}),
)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_header_gives_a_pyramid_or_our_error(data):
    headers = [
        header(1),
        sparse(2, [(0, 0, "a", 1), (1, 1, "a", 2)], TotalPixelMatrixFocalPlanes=element("UL", 2)),
        part(3, 6, 0),
        associated(4, "LABEL"),
    ]
    chosen = copy.deepcopy(data.draw(st.lists(st.sampled_from(headers), min_size=1, max_size=3)))
    for _ in range(data.draw(st.integers(1, 4))):
        holder = data.draw(st.sampled_from(chosen))
        while True:
            tag = data.draw(st.sampled_from(sorted(holder)))
            values = holder[tag].get("Value") if isinstance(holder[tag], dict) else None
            if not values or not isinstance(values[0], dict) or data.draw(st.booleans()):
                break
            if not values[0]:
                break
            holder = values[0]
        change = data.draw(st.sampled_from(["value", "values", "element", "remove"]))
        if change == "remove":
            del holder[tag]
            if not holder:
                break
        elif change == "element":
            holder[tag] = data.draw(JUNK)
        else:
            junk = data.draw(st.lists(JUNK, max_size=7))
            holder[tag] = {"vr": "UN", "Value": junk if change == "values" else junk[:1]}
    try:
        instances = Attributes.decode(json.dumps(chosen).encode())
    except ProtocolError:
        return
    with contextlib.suppress(SlideError):
        pyramid = read_pyramid(instances)
        assert pyramid.levels
        for level in pyramid.levels:
            assert min(level.size) > 0
            level.frame(0, 0)
            assert level.background.shape == (level.samples,)
