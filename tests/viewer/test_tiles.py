"""Tiles as a browser sees them, against read_region, and against pydicom."""

from __future__ import annotations

import numpy as np
import pydicom
import pytest
from faulty import Fault
from pydicom.uid import generate_uid
from viewer.asking import ask, pixels, region, told
from viewer.recoded import CODINGS, recoded_slide

import wsiweb
from wsiweb import synthetic
from wsiweb.errors import NotFound
from wsiweb.server import create_app, serve
from wsiweb.viewer import Feed


def same(slide, feed, level, column, row, *, mode="RGB"):
    """Compare a tile with `read_region`, as far as it is inside; return what it came as."""
    found = ask(feed, f"tiles/0/0/{level}/{column}/{row}")
    expected, (width, height) = region(slide, level, column, row)
    seen = pixels(found, mode)
    # Padded, as in DICOM; but the writer of the real slide has cut some off at their edge.
    assert height <= seen.shape[0] <= expected.shape[0]
    assert width <= seen.shape[1] <= expected.shape[1]
    expected = expected[:height, :width]
    np.testing.assert_array_equal(
        seen[:height, :width], expected if mode == "RGB" else expected[:, :, 0]
    )
    return found


def every_tile(slide):
    return [
        (level.index, column, row)
        for level in slide.levels
        for column in range(level.grid[0])
        for row in range(level.grid[1])
    ]


def test_every_tile_of_the_real_slide_is_right_and_hardly_touched(cmu_folder, reached):
    slide = reached(cmu_folder)
    feed = Feed(slide)
    for level, column, row in every_tile(slide):
        found = same(slide, feed, level, column, row)
        assert found.media_type == "image/jpeg"
        stored = slide.tile(level, column, row).data
        added = found.data[:2] + found.data[18:]
        assert stored in (found.data, added)  # as stored, but for Adobe's marker


@pytest.mark.filterwarnings("ignore:The .0028,0004. 'Photometric Interpretation':UserWarning")
def test_tiles_of_the_real_slide_are_those_of_pydicom(cmu_folder, opened):
    slide = opened(cmu_folder)
    feed = Feed(slide)
    by_uid = {
        header.SOPInstanceUID: path
        for path in cmu_folder.glob("*.dcm")
        if (header := pydicom.dcmread(path, stop_before_pixels=True))
    }
    for level in slide.levels[:2]:
        path = by_uid[level.instance_uids[0]]
        dataset = pydicom.dcmread(path)
        columns, rows = level.grid
        for column, row in ((0, 0), (columns // 2, rows // 2), (columns - 1, 0)):
            frame = pydicom.pixels.pixel_array(dataset, index=row * columns + column, raw=True)
            if level.index:  # the header says RGB, and the frames are subsampled YCbCr
                frame = pydicom.pixels.convert_color_space(frame, "YBR_FULL", "RGB")
            seen = pixels(ask(feed, f"tiles/0/0/{level.index}/{column}/{row}"))
            difference = np.abs(seen.astype(int) - frame)
            assert difference.max() <= (2 if level.index else 0)


@pytest.mark.parametrize("photometric", ["YBR_FULL_422", "RGB"])
def test_made_up_jpeg_passes(tmp_path, reached, photometric):
    synthetic.write_slide(tmp_path, 700, 500, seed=3, photometric=photometric)
    slide = reached(tmp_path)
    feed = Feed(slide)
    for place in every_tile(slide):
        assert same(slide, feed, *place).media_type == "image/jpeg"


def test_gray_jpeg_passes(tmp_path, opened):
    synthetic.write_slide(tmp_path, 300, 200, seed=3, photometric="MONOCHROME2")
    slide = opened(tmp_path)
    feed = Feed(slide)
    for place in every_tile(slide):
        assert same(slide, feed, *place, mode="L").media_type == "image/jpeg"


@pytest.mark.parametrize("coding", CODINGS)
def test_what_browsers_do_not_decode_is_encoded_anew_without_loss(tmp_path, reached, coding):
    made = recoded_slide(tmp_path, coding)
    slide = reached(tmp_path)
    assert slide.levels[0].transfer_syntax == CODINGS[coding][0]
    feed = Feed(slide)
    for place in every_tile(slide):
        assert same(slide, feed, *place).media_type == "image/webp"
    # Not only right by our own decoder: these are the pixels that were encoded.
    original = tmp_path / "original"
    native = synthetic.write_slide(
        original,
        300,
        200,
        seed=11,
        tile_size=128,
        transfer_syntax="1.2.840.10008.1.2.1",
        label=False,
        overview=False,
        thumbnail=False,
    )
    frame = pydicom.dcmread(native.levels[0]).pixel_array[1]
    np.testing.assert_array_equal(pixels(ask(feed, "tiles/0/0/0/1/0")), frame)
    assert made.levels


def test_bare_pixels_are_encoded(tmp_path, reached):
    synthetic.write_slide(tmp_path, 300, 200, seed=3, transfer_syntax="1.2.840.10008.1.2.1")
    slide = reached(tmp_path)
    feed = Feed(slide)
    for place in every_tile(slide):
        assert same(slide, feed, *place).media_type == "image/webp"


def test_sixteen_bits_are_spread_alike_over_all_tiles(tmp_path, opened):
    synthetic.write_slide(
        tmp_path,
        600,
        400,
        seed=3,
        photometric="MONOCHROME2",
        bits=16,
        transfer_syntax="1.2.840.10008.1.2.1",
    )
    slide = opened(tmp_path)
    feed = Feed(slide)
    coarse = slide.read_region((0, 0), len(slide.levels) - 1, slide.levels[-1].size)
    low, high = float(coarse.min()), float(np.percentile(coarse, 99.9))
    for level, column, row in every_tile(slide):
        stored, (width, height) = region(slide, level, column, row)
        expected = np.clip((stored[:, :, 0] - low) * 255 / (high - low), 0, 255)
        found = ask(feed, f"tiles/0/0/{level}/{column}/{row}")
        assert found.media_type == "image/png"
        difference = np.abs(pixels(found, "L")[:height, :width] - expected[:height, :width])
        assert difference.max() <= 0.51


def test_where_zero_is_white_the_picture_is_turned_round(tmp_path, opened):
    made = synthetic.write_slide(tmp_path, 300, 200, seed=3, photometric="MONOCHROME2")
    for path in made.levels:
        dataset = pydicom.dcmread(path)
        dataset.PhotometricInterpretation = "MONOCHROME1"
        dataset.save_as(path)
    slide = opened(tmp_path)
    found = ask(Feed(slide), "tiles/0/0/0/0/0")
    stored, _ = region(slide, 0, 0, 0)
    np.testing.assert_array_equal(pixels(found, "L"), 255 - stored[:, :, 0])


def test_a_tile_that_a_sparse_slide_lacks_is_nothing(tmp_path, reached):
    synthetic.write_slide(tmp_path, 2100, 1500, seed=7, tiling="TILED_SPARSE")
    slide = reached(tmp_path)
    feed = Feed(slide)
    absent = 0
    for level, column, row in every_tile(slide):
        if slide.levels[level].frame(column, row) is None:
            found = ask(feed, f"tiles/0/0/{level}/{column}/{row}")
            assert (found.data, found.media_type) == (b"", "")
            absent += 1
        else:
            same(slide, feed, level, column, row)
    assert absent


def bare_only(app):
    """Refuse frames as they are stored."""

    async def refusing(scope, receive, send):
        headers = dict(scope["headers"])
        if "/frames/" in scope["path"] and b"transfer-syntax" in headers.get(b"accept", b""):
            await send({"type": "http.response.start", "status": 406, "headers": []})
            await send({"type": "http.response.body"})
        else:
            await app(scope, receive, send)

    return refusing


def test_an_archive_that_gives_bare_pixels_only_is_seen_all_the_same(made_folder, opened):
    with serve(app=bare_only(create_app(made_folder))) as server:
        slide = opened(server.url)
        with pytest.warns(UserWarning, match="decompressed"):
            found = same(slide, Feed(slide), 0, 2, 1)
    assert found.media_type == "image/webp"
    truth = opened(made_folder).read_region((512, 256), 0, (256, 256))
    np.testing.assert_array_equal(pixels(found), truth)


def test_a_damaged_frame_is_an_error_that_names_it(faulty, opened):
    _, server = faulty(Fault("/frames/", body=lambda body: body.replace(b"\xff\xda", b"\xff\xfe")))
    slide = opened(server.url, settings=wsiweb.Settings(retries=0))
    with pytest.raises(wsiweb.DecodeError, match="Cannot decode frame"):
        ask(Feed(slide), "tiles/0/0/0/1/1")


@pytest.mark.parametrize(
    ("path", "error", "words"),
    [
        ("tiles/0/0/99/0/0", NotFound, "no level 99; the slide has 0 to"),
        ("tiles/0/0/0/99/0", NotFound, "99"),
        ("tiles/1/0/0/0/0", NotFound, "channel|optical"),
        ("tiles/0/1/0/0/0", NotFound, "focal plane"),
        ("tiles/0/0/0/0", ValueError, "tiles/CHANNEL/PLANE/LEVEL/COLUMN/ROW"),
        ("tiles/0/0/0/-1/0", ValueError, "column is a whole number from 0, not '-1'"),
        ("tiles/0/0/0/0/0?color=cmyk", ValueError, "color is source or srgb"),
        ("tiles/0/0/0/0/0?colour=srgb", ValueError, "color, not 'colour'"),
    ],
)
def test_wrong_places_are_told(made_folder, opened, path, error, words):
    with pytest.raises(error, match=words):
        ask(Feed(opened(made_folder)), path)


def test_channels_in_instances_of_their_own_have_tiles_of_their_own(tmp_path, reached):
    made = synthetic.write_slide(
        tmp_path, 300, 200, seed=3, photometric="MONOCHROME2", label=False, overview=False,
        thumbnail=False, transfer_syntax="1.2.840.10008.1.2.1", tile_size=128,
    )  # fmt: skip
    for path in made.levels:
        dataset = pydicom.dcmread(path)
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        (item,) = dataset.OpticalPathSequence
        item.OpticalPathIdentifier, item.OpticalPathDescription = "zz", "Other dye"
        dataset.PixelData = bytes(255 - np.frombuffer(dataset.PixelData, np.uint8))
        dataset.save_as(tmp_path / f"other-{path.name}")
    slide = reached(tmp_path)
    feed = Feed(slide)
    channels = told(feed, "manifest")["channels"]
    assert [one["id"] for one in channels] == ["0", "1"]
    assert channels[1]["name"] == "Other dye"
    for place in every_tile(slide):
        level, column, row = place
        first, second = (
            pixels(ask(feed, f"tiles/{channel}/0/{level}/{column}/{row}"), "L") for channel in "01"
        )
        width, height = slide.levels[level].crop(column, row)
        truth, _ = region(slide, *place)
        np.testing.assert_array_equal(first[:height, :width], truth[:height, :width, 0])
        np.testing.assert_array_equal(second[:height, :width], 255 - first[:height, :width])
