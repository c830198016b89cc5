"""Headers of derived images to one image: segments as channels, labels, floating point maps."""

from __future__ import annotations

import io

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom.sr.codedict import codes
from results.reading.making import blobs, identity, layers, make_slide, segmentation

from wsiweb.errors import SlideError
from wsiweb.pixels.assembly import image_of
from wsiweb.pixels.instance import Unsupported, read_header
from wsiweb.wire.dicomjson import Attributes

SIZE = (300, 200)


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    return make_slide(tmp_path_factory.mktemp("slide"), SIZE, (1, 2))


def image_from(dataset):
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    file.seek(0)
    header = pydicom.dcmread(file, stop_before_pixels=True)
    attributes = Attributes.of(header.to_json_dict(bulk_data_element_handler=lambda _: "x"))
    return image_of(("1.2", "3.4"), [read_header(attributes, "VOLUME")])


def overlapping():
    stack = layers(blobs(SIZE, 3), 3)
    stack[..., 2] |= blobs(SIZE, seed=2)
    stack[:, :100, :, 1] = 0
    return stack


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
@pytest.mark.parametrize("tiling", ["TILED_FULL", "TILED_SPARSE"])
def test_segments_are_channels(slide, kind, tiling):
    made = segmentation(
        slide.headers[0],
        overlapping(),
        kind,
        3,
        tile_size=(70, 90),
        dimension_organization_type=tiling,
    )
    image = image_from(made)
    assert image.channels == ("1", "2", "3")
    assert image.sparse == (tiling == "TILED_SPARSE")
    assert (image.size, image.tile_size, image.focal_planes) == (SIZE, (90, 70), 1)
    assert image.dtype == np.uint8
    assert image.background.tolist() == [0]
    # What highdicom holds in each frame, is in the frame that we take for it.
    stored = made.get_stored_frames()
    theirs = made.get_total_pixel_matrix(rescale_fractional=False)
    for channel in range(3):
        for row in range(image.grid[1]):
            for column in range(image.grid[0]):
                address = image.frame(column, row, channel)
                width, height = image.crop(column, row)
                part = theirs[row * 70 :, column * 90 :, channel][:height, :width]
                if address is None:
                    assert not part.any()
                else:
                    frame = stored[address.number - 1][:height, :width]
                    np.testing.assert_array_equal(frame, part)


def test_the_number_of_one_segment_may_be_stated_for_all_frames(slide):
    made = segmentation(slide.headers[0], overlapping(), count=3, tile_size=(70, 90))
    before = image_from(made)
    group = made.PerFrameFunctionalGroupsSequence[0].SegmentIdentificationSequence
    for frame in made.PerFrameFunctionalGroupsSequence:
        if frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber == 1:
            del frame.SegmentIdentificationSequence
    made.SharedFunctionalGroupsSequence[0].SegmentIdentificationSequence = group
    assert image_from(made).frames.cells.tolist() == before.frames.cells.tolist()


def test_labels_are_one_channel_and_absent_tiles_are_what_pads(slide):
    made = segmentation(slide.headers[0], blobs(SIZE, 3), "LABELMAP", 3, tile_size=(64, 64))
    image = image_from(made)
    assert image.channels == ("1",)
    assert image.background.tolist() == [0]
    made.PixelPaddingValue = 3
    assert image_from(made).background.tolist() == [3]
    made.PhotometricInterpretation = "PALETTE COLOR"
    assert image_from(made).format.photometric == "MONOCHROME2"


@pytest.mark.parametrize(("dtype", "bits"), [(np.float32, 32), (np.float64, 64), (np.uint16, 16)])
def test_a_parametric_map_has_numbers(slide, dtype, bits):
    values = np.linspace(0, 100, SIZE[0] * SIZE[1]).reshape(1, SIZE[1], SIZE[0], 1).astype(dtype)
    mapping = hd.pm.RealWorldValueMapping(
        lut_label="1",
        lut_explanation="all",
        unit=codes.UCUM.NoUnits,
        value_range=(0, 100) if bits == 16 else (0.0, 100.0),
        slope=1,
        intercept=0,
    )
    made = hd.pm.ParametricMap(
        [slide.headers[0]],
        values,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[[mapping]],
        voi_lut_transformations=[hd.VOILUTTransformation(window_center=50, window_width=100)],
        tile_pixel_array=True,
        **identity(),
    )
    image = image_from(made)
    assert image.dtype == dtype
    assert image.format.floating == (bits > 16)
    assert np.isnan(image.background[0]) == (bits > 16)
    assert image.format.native_nbytes == image.tile_size[0] * image.tile_size[1] * bits // 8


def broken(change):
    def of(made):
        change(made)
        return made

    return of


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda made: delattr(made, "SegmentSequence"), SlideError, "SegmentSequence is missing"),
        (
            lambda made: delattr(made.SegmentSequence[1], "SegmentNumber"),
            SlideError,
            "SegmentSequence has segments without a SegmentNumber",
        ),
        (
            lambda made: setattr(made.SegmentSequence[1], "SegmentNumber", 1),
            SlideError,
            "SegmentSequence has segments without a SegmentNumber",
        ),
        (
            lambda made: setattr(made.SegmentSequence[1], "SegmentNumber", 9),
            SlideError,
            r"ReferencedSegmentNumber of frame \d+ is '2', which SegmentSequence does not have",
        ),
        (
            lambda made: setattr(made, "BitsAllocated", 4),
            Unsupported,
            "BitsAllocated is 4: 1, 8, 16 can be read",
        ),
        (
            lambda made: setattr(made, "NumberOfFrames", 3),
            SlideError,
            "NumberOfFrames is 3, and PerFrameFunctionalGroupsSequence has",
        ),
    ],
)
def test_what_cannot_be_true_is_named(slide, change, error, words):
    made = segmentation(slide.headers[0], overlapping(), count=3)
    change(made)
    with pytest.raises(error, match=words):
        image_from(made)


def test_too_few_frames_for_all_segments_are_told(slide):
    made = segmentation(
        slide.headers[0], overlapping(), count=3, dimension_organization_type="TILED_FULL"
    )
    made.NumberOfFrames = int(made.NumberOfFrames) - 1
    with pytest.raises(SlideError, match="3 optical paths or segments"):
        image_from(made)
