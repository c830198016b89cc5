"""Segmentations that highdicom wrote, read by us, judged by highdicom and by the masks."""

from __future__ import annotations

import functools
import pickle
import time
import warnings

import highdicom as hd
import numpy as np
import pydicom
import pytest
from faulty import Fault, Faulty
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)
from results.reading.making import (
    SIZE,
    blobs,
    connected,
    describe,
    folder_of,
    identity,
    in_jpeg_2000,
    layers,
    make_slide,
    place,
    segmentation,
    segmentations_at,
    turned,
)

import wsiweb
from wsiweb import loop
from wsiweb.places import frames_at
from wsiweb.results.planes import Plane
from wsiweb.results.reading.segmentation import read_segmentations
from wsiweb.server import create_app, serve

FULL, SPARSE = "TILED_FULL", "TILED_SPARSE"


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    return make_slide(tmp_path_factory.mktemp("slide"))


@pytest.fixture(scope="module", params=["folder", "server"])
def where(request):
    return request.param


class Way:
    """A folder with the slide and objects about it, as an archive: by itself, or served."""

    def __init__(self, tmp_path_factory, slide, where):
        self._make = functools.partial(tmp_path_factory.mktemp, "results")
        self._slide = slide
        self._where = where
        self._open = []

    def __call__(self, *objects, slide=None):
        slide = slide or self._slide
        folder = folder_of(self._make(), slide, *objects)
        target = folder
        if self._where == "server":
            server = serve(folder).__enter__()
            self._open.append(server)
            target = server.url
        archive = connected(target)
        self._open.append(archive)
        return segmentations_at(archive, slide)

    def close(self):
        for one in reversed(self._open):
            one.__exit__(None, None, None)


@pytest.fixture(scope="module")
def stored(tmp_path_factory, slide, where):
    way = Way(tmp_path_factory, slide, where)
    yield way
    way.close()


@pytest.fixture(scope="module")
def here(tmp_path_factory, slide):
    way = Way(tmp_path_factory, slide, "folder")
    yield way
    way.close()


# Every kind that highdicom writes -------------------------------------------------------------

KINDS = [
    ("BINARY", 1, None, SPARSE, ExplicitVRLittleEndian, None),
    ("BINARY", 1, None, FULL, ExplicitVRLittleEndian, None),
    ("BINARY", 3, "apart", SPARSE, ExplicitVRLittleEndian, (101, 103)),
    ("BINARY", 3, "overlapping", FULL, ExplicitVRLittleEndian, (101, 103)),
    ("BINARY", 2, "overlapping", SPARSE, ExplicitVRLittleEndian, (64, 200)),
    ("BINARY", 2, "apart", SPARSE, JPEG2000Lossless, (101, 103)),
    ("FRACTIONAL", 1, None, FULL, ExplicitVRLittleEndian, None),
    ("FRACTIONAL", 2, "overlapping", SPARSE, RLELossless, (101, 103)),
    ("FRACTIONAL", 1, None, SPARSE, JPEGLSLossless, (100, 60)),
    ("FRACTIONAL", 1, None, FULL, JPEG2000Lossless, None),
    ("LABELMAP", 3, "apart", FULL, JPEGLSLossless, None),
    ("LABELMAP", 3, "apart", SPARSE, RLELossless, (101, 103)),
    ("LABELMAP", (3, 90, 300), "apart", FULL, ExplicitVRLittleEndian, None),
    ("LABELMAP", (3, 90, 300), "apart", SPARSE, JPEG2000Lossless, (70, 90)),
]


def pixels_of(kind, count, manner, size):
    """Return what is handed to highdicom, and each segment by itself: (height, width, segment)."""
    if kind == "FRACTIONAL":
        random = np.random.default_rng(3)
        fractions = random.random((1, size[1], size[0], count)).astype(np.float32)
        fractions[blobs(size)[None] == 0] = 0
        return fractions, fractions[0]
    if isinstance(count, tuple):
        labels = np.array([0, *count], np.uint16)[blobs(size, len(count))]
        return labels, np.stack([labels == number for number in count], -1)
    labels = blobs(size, count)
    stack = layers(labels, count)
    if manner == "overlapping":
        stack[..., -1] |= blobs(size, 1, seed=9)
    if manner is None:
        return labels.astype(bool), stack[0]
    return (stack if manner == "overlapping" else labels), stack[0]


@pytest.fixture(scope="module")
def kinds(slide):
    """One of each kind, as highdicom made it."""
    return [
        segmentation(
            slide.headers[0],
            pixels_of(kind, count, manner, SIZE)[0],
            kind,
            count,
            dimension_organization_type=tiling,
            transfer_syntax_uid=ExplicitVRLittleEndian if syntax == JPEG2000Lossless else syntax,
            tile_size=tile,
        )
        for kind, count, manner, tiling, syntax, tile in KINDS
    ]


@pytest.fixture(scope="module")
def read_back(stored, kinds):
    """All of them, in an archive: ours by UID."""
    written = [
        in_jpeg_2000(made) if syntax == JPEG2000Lossless else made
        for made, (*_, syntax, _) in zip(kinds, KINDS, strict=True)
    ]
    return {one.instance_uids[0]: one for one in stored(*written)[1]}


@pytest.mark.parametrize("case", range(len(KINDS)), ids=lambda case: str(KINDS[case]))
def test_each_kind_is_read_as_highdicom_reads_it(kinds, read_back, case):
    made = kinds[case]
    ours = read_back[str(made.SOPInstanceUID)]
    kind, count, manner, *_ = KINDS[case]
    _, each = pixels_of(kind, count, manner, SIZE)
    assert ours.type == kind
    numbers = count if isinstance(count, tuple) else range(1, count + 1)
    assert [one.number for one in ours.segments] == list(numbers)
    if kind == "LABELMAP":  # apart, highdicom (0.28) shows label 300 as 44
        labels = made.get_total_pixel_matrix(combine_segments=True)
        theirs = labels[:, :, None] == np.array(numbers)
    else:
        theirs = made.get_total_pixel_matrix(rescale_fractional=True)
    for which in {0, len(numbers) - 1}:
        whole = ours.read_region((0, 0), 0, SIZE, numbers[which])
        judge = theirs[:, :, which]
        if kind == "FRACTIONAL":
            assert whole.dtype == np.float32
            np.testing.assert_allclose(whole, judge, atol=1e-6)
            np.testing.assert_allclose(whole, each[:, :, which], atol=0.5 / 255 + 1e-6)
        else:
            assert whole.dtype == np.bool_
            np.testing.assert_array_equal(whole, judge)
            np.testing.assert_array_equal(whole, each[:, :, which])
    if kind == "FRACTIONAL" and count == 1:
        only = ours.read_region((0, 0), 0, SIZE)
        np.testing.assert_array_equal(only, ours.read_region((0, 0), 0, SIZE, 1))
        return
    if kind == "FRACTIONAL":
        with pytest.raises(ValueError, match=r"fractions, which are no labels.*1 \('Kind 1'\)"):
            ours.read_region((0, 0), 0, (5, 5))
        return
    labels = ours.read_region((0, 0), 0, SIZE)
    assert labels.dtype == ours.dtype() == (np.uint16 if max(numbers) > 255 else np.uint8)
    # The highest number is on top, which for labels that do not overlap is the only one.
    order = np.array(numbers) * (each > 0)
    np.testing.assert_array_equal(labels, order.max(axis=2))


# Regions --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def labelled(here, slide):
    """Overlapping segments in odd tiles, for regions of any size."""
    stack = layers(blobs(SIZE, 3, seed=4), 3)
    stack[..., 2] |= blobs(SIZE, 1, seed=8)
    made = segmentation(slide.headers[0], stack, count=3, tile_size=(101, 103))
    pyramid, (ours,) = here(made)
    return pyramid, ours, (np.arange(1, 4) * stack[0]).max(axis=2)


def shown_by(pixels, factor, edge):
    """Return the pixels of level 0 under the centres of those of a level.

    The last one may reach beyond the slide; then it shows the last pixel of the slide.
    """
    centres = np.floor((pixels + 0.5) * factor).astype(int)
    reaches_over = (pixels * factor < edge) & (centres >= edge)
    return np.where(reaches_over, edge - 1, centres)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    location=st.tuples(st.integers(-300, 900), st.integers(-300, 700)),
    size=st.tuples(st.integers(0, 400), st.integers(0, 400)),
    number=st.integers(0, 2),
)
def test_a_region_is_a_slice_of_what_each_level_shows(labelled, location, size, number):
    pyramid, ours, mask = labelled
    level = pyramid.levels[number]
    factor = level.downsample
    x, y = (int(np.floor(value / factor + 0.5)) for value in location)
    columns, rows = (
        shown_by(corner + np.arange(count), factor, edge)
        for corner, count, edge in zip((x, y), size, SIZE, strict=True)
    )
    inside = [(each >= 0) & (each < edge) for each, edge in zip((columns, rows), SIZE, strict=True)]
    clipped = [np.clip(each, 0, edge - 1) for each, edge in zip((columns, rows), SIZE, strict=True)]
    expected = mask[np.ix_(clipped[1], clipped[0])] * np.outer(inside[1], inside[0])
    np.testing.assert_array_equal(ours.read_region(location, number, size), expected)


def test_it_can_be_awaited_and_read_from_threads(labelled):
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    _, ours, mask = labelled
    region = asyncio.run(ours.read_region_async((10, 20), 0, (50, 40)))
    np.testing.assert_array_equal(region, mask[20:60, 10:60])
    with ThreadPoolExecutor(4) as threads:
        rows = threads.map(lambda y: ours.read_region((0, y), 0, (SIZE[0], 7)), range(0, 420, 7))
        np.testing.assert_array_equal(np.concatenate(list(rows)), mask[:420])


def test_the_second_read_asks_for_nothing(labelled):
    _, ours, _ = labelled
    ours.read_region((0, 0), 0, (300, 300))
    with wsiweb.trace() as cost:
        ours.read_region((0, 0), 0, (300, 300))
    assert cost.requests == 0
    ours.close()
    with wsiweb.trace() as cost:
        ours.read_region((0, 0), 0, (300, 300))
    assert cost.requests > 0


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        (((0, 0), 3, (5, 5)), IndexError, "no level 3; the slide has 0 to 2"),
        (((0, 0), -1, (5, 5)), IndexError, "no level -1"),
        (((0, 0), 0, (-5, 5)), ValueError, "cannot be -5 x 5"),
        (((0.5, 0), 0, (5, 5)), ValueError, "location takes two whole numbers"),
        (((0, 0), 0, 5), ValueError, "size takes two whole numbers"),
        (((0, 0), 0, (2**20, 2**20)), ValueError, "more than 16 GiB"),
        (((0, 0), 0, (5, 5), 4), ValueError, r"No segment has the number 4; there are 1 \('Kind 1"),
        (((0, 0), 0, (5, 5), "tumor"), ValueError, r"No segment has the label 'tumor'; there are"),
    ],
)
def test_what_is_not_there_is_refused_in_words(labelled, asked, error, words):
    with pytest.raises(error, match=words):
        labelled[1].read_region(*asked)


def test_segments_are_described(here, slide):
    lab = hd.color.CIELabColor.from_rgb(255, 0, 0)
    made = segmentation(slide.headers[0], blobs(SIZE).astype(bool))
    description = describe(1, display_color=lab, tracking_id="lesion", tracking_uid="1.2.3")[0]
    description.SegmentDescription = "of the left side"
    made.SegmentSequence = [description]
    _, (ours,) = here(made)
    (segment,) = ours.segments
    assert (segment.number, segment.label) == (1, "Kind 1")
    assert segment.type == ("108369006", "SCT", "Neoplasm")
    assert segment.category[2] == "Morphologically Altered Structure" or segment.category[0]
    assert segment.description == "of the left side"
    assert (segment.tracking_id, segment.tracking_uid) == ("lesion", "1.2.3")
    assert np.abs(np.subtract(segment.color, (255, 0, 0))).max() <= 2
    assert ours.name == "made by hand"
    assert ours.created is not None
    assert "Kind 1; binary, 613 x 427 px, 1 levels" in repr(ours)
    by_name = ours.read_region((0, 0), 0, SIZE, "Kind 1")
    np.testing.assert_array_equal(by_name, blobs(SIZE).astype(bool))


# Levels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP", "FRACTIONAL"])
def test_a_pyramid_of_highdicom_is_one_result(stored, slide, kind):
    pixels, _ = pixels_of(kind, 2, "apart", SIZE)
    more = identity()
    for key in ("sop_instance_uid", "instance_number"):
        more.pop(key)
    made = hd.seg.create_segmentation_pyramid(
        list(slide.headers), [pixels], kind, describe(2), pyramid_uid=generate_uid(), **more
    )
    pyramid, (ours,) = stored(*made)
    assert [image.size for image in ours.levels] == [slide.size(level) for level in range(3)]
    for level, one in zip(pyramid.levels, made, strict=True):
        whole = ours.read_region((0, 0), level.index, level.size, 2)
        judge = one.get_total_pixel_matrix(rescale_fractional=True)[:, :, 1]
        np.testing.assert_allclose(whole, judge, atol=1e-6)


def test_a_coarse_mask_is_shown_on_finer_levels_pixel_by_pixel(here, slide):
    mask = blobs(slide.size(1), 2)
    pyramid, (ours,) = here(segmentation(slide.headers[1], mask, count=2))
    columns, rows = (np.minimum(np.arange(edge) // 2, edge // 2) for edge in SIZE)
    np.testing.assert_array_equal(ours.read_region((0, 0), 0, SIZE), mask[np.ix_(rows, columns)])
    np.testing.assert_array_equal(ours.read_region((0, 0), 1, slide.size(1)), mask)
    # As the levels of our own pyramids are made of each other.
    fine, coarse = (Plane.at_level(pyramid, level) for level in (1, 2))
    columns, rows = (fine.picks(coarse, axis) for axis in (0, 1))
    whole = ours.read_region((0, 0), 2, slide.size(2))
    np.testing.assert_array_equal(whole, mask[np.ix_(rows, columns)])


def test_an_origin_that_was_copied_from_level_0_is_understood(here, slide):
    mask = blobs(slide.size(2))
    made = segmentation(slide.headers[2], mask.astype(bool))
    made.TotalPixelMatrixOriginSequence = slide.headers[0].TotalPixelMatrixOriginSequence
    _, (ours,) = here(made)
    np.testing.assert_array_equal(ours.read_region((0, 0), 2, slide.size(2), 1), mask == 1)


def test_objects_without_a_pyramid_uid_are_levels_if_they_may_be(here, slide):
    series = generate_uid()
    masks = [blobs(slide.size(level), 2) for level in (0, 1)]
    levels = [
        segmentation(slide.headers[level], mask, count=2, **identity(level + 1, series))
        for level, mask in enumerate(masks)
    ]
    other = segmentation(slide.headers[0], masks[0].astype(bool), **identity(3, series))
    twin = segmentation(slide.headers[0], masks[0], count=2, **identity(4, series))
    _, found = here(*levels, other, twin)
    shapes = sorted((len(one.segments), [image.size for image in one.levels]) for one in found)
    assert shapes == [(1, [SIZE]), (2, [SIZE]), (2, [SIZE, slide.size(1)])]


# Elsewhere, turned and mirrored ---------------------------------------------------------------


def cut_out(slide, left, top, size, level=0):
    """Return the header of a part of a level, as of an image that was taken there."""
    from wsiweb.pixels.instance import read_header
    from wsiweb.wire.dicomjson import Attributes

    header = turned(slide.headers[level], (1, 0), (0, 1))
    model = header.to_json_dict(bulk_data_element_handler=lambda _: "x")
    geometry = read_header(Attributes.of(model), "VOLUME").geometry
    header.TotalPixelMatrixColumns, header.TotalPixelMatrixRows = size
    place(header, geometry.to_slide([left + 0.5, top + 0.5]))
    return header


def test_a_crop_that_others_wrote_lies_where_it_says(stored, slide):
    mask = blobs((200, 150), 2)
    _, (ours,) = stored(segmentation(cut_out(slide, 130, 77, (200, 150)), mask, count=2))
    expected = np.zeros(SIZE[::-1], np.uint8)
    expected[77:227, 130:330] = mask
    np.testing.assert_array_equal(ours.read_region((0, 0), 0, SIZE), expected)
    np.testing.assert_array_equal(ours.read_region((130, 77), 0, (200, 150)), mask)
    np.testing.assert_array_equal(
        ours.read_region((0, 0), 1, slide.size(1)),
        expected[
            np.ix_(*(shown_by(np.arange(slide.size(1)[axis]), 2, SIZE[axis]) for axis in (1, 0)))
        ],
    )


def test_a_crop_of_a_coarse_level_too(here, slide):
    mask = blobs((40, 30))
    made = segmentation(cut_out(slide, 11, 23, (40, 30), level=2), mask.astype(bool))
    _, (ours,) = here(made)
    expected = np.zeros(slide.size(2)[::-1], bool)
    expected[23:53, 11:51] = mask
    np.testing.assert_array_equal(ours.read_region((0, 0), 2, slide.size(2), 1), expected)
    whole = ours.read_region((0, 0), 0, SIZE, 1)
    repeated = expected.repeat(4, axis=0).repeat(4, axis=1)[: SIZE[1], : SIZE[0]]
    np.testing.assert_array_equal(whole, repeated)


TURNS = {
    ((1, 0), (0, 1)): lambda mask: mask,
    ((-1, 0), (0, 1)): lambda mask: mask[:, ::-1],
    ((1, 0), (0, -1)): lambda mask: mask[::-1],
    ((-1, 0), (0, -1)): lambda mask: mask[::-1, ::-1],
    ((0, 1), (1, 0)): lambda mask: mask.T,
    ((0, 1), (-1, 0)): lambda mask: mask.T[::-1],
    ((0, -1), (1, 0)): lambda mask: mask.T[:, ::-1],
    ((0, -1), (-1, 0)): lambda mask: mask.T[::-1, ::-1],
}


@pytest.mark.parametrize("axes", TURNS)
def test_a_matrix_that_is_turned_or_mirrored_is_turned_back(here, slide, axes):
    mask = blobs(SIZE, 2)
    made = segmentation(turned(slide.headers[0], *axes), TURNS[axes](mask).copy(), count=2)
    pyramid, (ours,) = here(made)
    np.testing.assert_array_equal(ours.read_region((0, 0), 0, SIZE), mask)
    np.testing.assert_array_equal(ours.read_region((101, 99), 0, (57, 33)), mask[99:132, 101:158])
    coarse = ours.read_region((0, 0), 1, pyramid.levels[1].size)
    direct = np.pad(mask, ((0, 9), (0, 9)))[1::2, 1::2][: coarse.shape[0], : coarse.shape[1]]
    # Centres of coarse pixels lie between four; mirrored, it is the other one of two that counts.
    mirrored = [np.roll(np.roll(mask, dy, 0), dx, 1) for dy in (0, 1) for dx in (0, 1)]
    shown = [
        np.pad(one, ((0, 9), (0, 9)))[1::2, 1::2][: coarse.shape[0], : coarse.shape[1]]
        for one in (mask, *mirrored)
    ]
    inner = (slice(1, -1), slice(1, -1))
    assert any((coarse[inner] == one[inner]).all() for one in (direct, *shown))


@pytest.mark.parametrize("axes", TURNS)
def test_so_it_is_on_a_slide_that_is_itself_turned(tmp_path, slide, axes):
    """The other way round: the matrix of the slide is turned, that of the segmentation is not."""
    mask = blobs(SIZE, 2)
    base = turned(slide.headers[0], *axes)
    size = int(base.TotalPixelMatrixColumns), int(base.TotalPixelMatrixRows)
    other = make_slide(tmp_path / "turned", size, (1,), seed=6)
    dataset = pydicom.dcmread(other.paths[0])
    for keyword in (
        *("StudyInstanceUID", "FrameOfReferenceUID", "ContainerIdentifier"),
        *("ImageOrientationSlide", "TotalPixelMatrixOriginSequence"),
    ):
        setattr(dataset, keyword, getattr(base, keyword))
    dataset.save_as(other.paths[0], enforce_file_format=True)
    slide_as_turned = type(slide)(other.paths, (dataset,))
    made = segmentation(slide.headers[0], mask, count=2)
    with connected(folder_of(tmp_path / "all", slide_as_turned, made)) as archive:
        _, (ours,) = segmentations_at(archive, slide_as_turned)
        np.testing.assert_array_equal(ours.read_region((0, 0), 0, size), TURNS[axes](mask))


def test_what_says_nothing_of_its_place_is_placed_by_its_size(here, slide):
    mask = blobs(slide.size(1))
    made = segmentation(slide.headers[1], mask.astype(bool))
    del made.TotalPixelMatrixOriginSequence
    _, (ours,) = here(made)
    np.testing.assert_array_equal(ours.read_region((0, 0), 1, slide.size(1), 1), mask == 1)
    made = segmentation(cut_out(slide, 130, 77, (200, 150)), blobs((200, 150)).astype(bool))
    del made.TotalPixelMatrixOriginSequence
    with pytest.warns(UserWarning, match=r"left out: .*200 x 150 pixels are those of no level"):
        _, found = here(made)
    assert found == []


# What cannot be read --------------------------------------------------------------------------


def test_one_that_cannot_be_read_is_left_out_and_the_others_are_read(here, slide):
    good = segmentation(slide.headers[0], blobs(SIZE).astype(bool))
    bad = segmentation(slide.headers[0], blobs(SIZE).astype(bool))
    bad.SegmentationType = "CONTOUR"
    worse = segmentation(slide.headers[0], blobs(SIZE).astype(bool))
    del worse.TotalPixelMatrixColumns
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        _, (ours,) = here(good, bad, worse)
    assert ours.instance_uids == (str(good.SOPInstanceUID),)
    said = sorted(str(one.message) for one in heard)
    assert any("SegmentationType is CONTOUR" in one for one in said)
    assert any("TotalPixelMatrixColumns is missing" in one for one in said)
    assert all("is left out" in one for one in said)


# Whole objects --------------------------------------------------------------------------------


def spoilt(folder, *faults):
    app = Faulty(create_app(folder), *faults)
    return app, serve(app=app)


@pytest.fixture(scope="module")
def odd(tmp_path_factory, slide):
    """A segmentation in tiles that are not whole bytes."""
    mask = blobs(SIZE, 2)
    made = segmentation(slide.headers[0], mask, count=2, tile_size=(101, 103))
    return folder_of(tmp_path_factory.mktemp("odd"), slide, made), str(made.SOPInstanceUID), mask


REFUSALS = {
    "refused": Fault("/frames/", status=400),
    "not acceptable": Fault("/frames/", status=406),
    "not implemented": Fault("/frames/", status=501),
    "failing": Fault("/frames/", status=500),
}


@pytest.mark.parametrize("fault", REFUSALS)
def test_refused_frames_are_taken_from_the_whole_object(odd, slide, fault):
    folder, uid, mask = odd
    fault = REFUSALS[fault]
    quick = wsiweb.Settings(retries=1)
    app, server = spoilt(folder, Fault(f"{uid}/frames/", status=fault.status))
    with server as running, connected(running.url, settings=quick) as archive:
        _, (ours,) = segmentations_at(archive, slide)
        np.testing.assert_array_equal(ours.read_region((0, 0), 0, SIZE), mask)
        asked = len(app.log)
        np.testing.assert_array_equal(ours.read_region((0, 0), 1, (99, 9))[5], mask[11, 1:199:2])
        assert len(app.log) == asked  # it is here now
        assert len(app.paths(f"/instances/{uid}")) < 30


def test_frames_that_were_cut_out_at_whole_bytes_are_not_believed(odd, slide):
    folder, uid, mask = odd

    def naive(body):
        """Drop the last byte of each part: so many bytes as the bits have, rounded down."""
        from wsiweb.wire.multipart import MultipartReader, Part, encode

        boundary = body[4 : body.index(b"\r\n", 4)].decode()
        reader = MultipartReader(f"multipart/related; boundary={boundary}")
        parts = [*reader.feed(body), *reader.close()]
        return b"".join(encode([Part(one.headers, one.body[:-1]) for one in parts], boundary))

    _, server = spoilt(folder, Fault(f"{uid}/frames/", body=naive))
    with server as running, connected(running.url) as archive:
        _, (ours,) = segmentations_at(archive, slide)
        np.testing.assert_array_equal(ours.read_region((0, 0), 0, SIZE), mask)


def test_an_archive_that_wants_credentials_is_not_asked_for_the_object(odd, slide):
    folder, uid, _ = odd
    app, server = spoilt(folder, Fault(f"{uid}/frames/", status=403))
    with server as running, connected(running.url) as archive:
        _, (ours,) = segmentations_at(archive, slide)
        with pytest.raises(wsiweb.Unauthorized):
            ours.read_region((0, 0), 0, (9, 9))
        assert not [path for path in app.paths(uid) if "/frames/" not in path]


def test_whole_objects_are_gone_with_the_segmentation(odd, slide, monkeypatch, tmp_path):
    import gc
    import tempfile

    folder, uid, _ = odd
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    _, server = spoilt(folder, Fault(f"{uid}/frames/", status=400))
    with server as running, connected(running.url) as archive:
        _, (ours,) = segmentations_at(archive, slide)
        ours.read_region((0, 0), 0, (9, 9))
        assert len(list(tmp_path.iterdir())) == 1
        del ours
        until = time.monotonic() + 10
        while list(tmp_path.iterdir()) and time.monotonic() < until:
            time.sleep(0.05)  # until the loop has let go of the last task
            gc.collect()
        assert list(tmp_path.iterdir()) == []


# Elsewhere ------------------------------------------------------------------------------------


def test_a_thumbnail_shows_all_of_it(labelled):
    pyramid, ours, mask = labelled
    small = ours.thumbnail(200)
    width, height = pyramid.levels[0].size
    assert small.shape == (round(200 * height / width), 200)
    columns, rows = (
        np.floor((np.arange(small.shape[axis]) + 0.5) * edge / small.shape[axis]).astype(int)
        for axis, edge in ((1, width), (0, height))
    )
    np.testing.assert_array_equal(small, mask[np.ix_(rows, columns)])
    np.testing.assert_array_equal(ours.thumbnail(5000), mask)
    assert ours.thumbnail((50, 5000), "Kind 2").dtype == np.bool_
    with pytest.raises(ValueError, match="at least one pixel"):
        ours.thumbnail(0)


@pytest.mark.parametrize("level", [0, 1])
def test_dask_reads_what_regions_are(labelled, level):
    pyramid, ours, _ = labelled
    size = pyramid.levels[level].size
    array = ours.to_dask(level, chunk=128)
    assert (array.shape, array.dtype) == (size[::-1], np.uint8)
    np.testing.assert_array_equal(array.compute(), ours.read_region((0, 0), level, size))
    part = ours.to_dask(level, 2, chunk=50)[11:99, 33:200]
    whole = ours.read_region((0, 0), level, size, 2)
    np.testing.assert_array_equal(part.compute(), whole[11:99, 33:200])
    with pytest.raises(ValueError, match="at least one pixel"):
        ours.to_dask(chunk=0)


@pytest.mark.parametrize(("level", "segment"), [(0, None), (1, None), (0, 3)])
def test_zarr_holds_what_regions_are(labelled, tmp_path, monkeypatch, level, segment):
    from wsiweb.results.reading import export

    monkeypatch.setattr(export, "_BLOCK", 150)
    pyramid, ours, _ = labelled
    size = pyramid.levels[level].size
    array = ours.to_zarr(tmp_path / "mask.zarr", level, segment, chunk=64)
    assert array.chunks == (64, 64)
    np.testing.assert_array_equal(array[:], ours.read_region((0, 0), level, size, segment))
    with pytest.raises(FileExistsError, match="is there already"):
        ours.to_zarr(tmp_path / "mask.zarr")
    assert [path.name for path in tmp_path.iterdir()] == ["mask.zarr"]


def test_a_zarr_that_could_not_be_written_leaves_nothing(here, slide, tmp_path):
    _, (ours,) = here(segmentation(slide.headers[0], blobs(SIZE).astype(bool)))
    ours.read_region = None
    ours._read = None
    with pytest.raises(TypeError):
        ours.to_zarr(tmp_path / "mask.zarr")
    assert list(tmp_path.iterdir()) == []


def test_objects_are_saved_as_they_are_stored(stored, slide, tmp_path):
    made = segmentation(slide.headers[0], blobs(SIZE).astype(bool))
    _, (ours,) = stored(made)
    (path,) = ours.save(tmp_path / "new" / "folder")
    assert path.name == f"{made.SOPInstanceUID}.dcm"
    again = hd.seg.segread(path)
    np.testing.assert_array_equal(again.get_total_pixel_matrix()[:, :, 0], blobs(SIZE))
    assert list(path.parent.iterdir()) == [path]


def test_a_picture_has_the_colours_of_segments(labelled, tmp_path):
    _, ours, mask = labelled
    ours.save_png(tmp_path / "mask.png", size=SIZE)
    with Image.open(tmp_path / "mask.png") as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (*mask.shape, 4)
    np.testing.assert_array_equal(pixels[..., 3] > 0, mask > 0)
    colours = {number: {tuple(one) for one in pixels[mask == number]} for number in (1, 2, 3)}
    assert all(len(one) == 1 for one in colours.values())
    assert len(set.union(*colours.values())) == 3
    ours.save_png(tmp_path / "one.png", segment=2)
    with pytest.raises(ValueError, match=r"does not end in \.png"):
        ours.save_png(tmp_path / "mask.jpg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mask.png", "one.png"]


def test_fractions_are_painted_by_how_opaque_they_are(here, slide, tmp_path):
    fractions, each = pixels_of("FRACTIONAL", 1, None, SIZE)
    _, (ours,) = here(segmentation(slide.headers[0], fractions, "FRACTIONAL"))
    ours.save_png(tmp_path / "map.png", SIZE, segment=1)
    with Image.open(tmp_path / "map.png") as picture:
        opaque = np.asarray(picture)[..., 3]
    np.testing.assert_allclose(opaque, each[..., 0] * 255, atol=0.51)
    ours.save_png(tmp_path / "other.png", SIZE)  # of the only segment there is
    assert (tmp_path / "other.png").read_bytes() == (tmp_path / "map.png").read_bytes()


def test_fractions_of_several_segments_are_no_picture(here, slide, tmp_path):
    fractions, _ = pixels_of("FRACTIONAL", 2, None, SIZE)
    _, (ours,) = here(segmentation(slide.headers[0], fractions, "FRACTIONAL", count=2))
    with pytest.raises(ValueError, match="say which segment"):
        ours.save_png(tmp_path / "other.png")


def test_a_segmentation_can_be_pickled(labelled):
    _, ours, mask = labelled
    again = pickle.loads(pickle.dumps(ours))
    np.testing.assert_array_equal(again.read_region((0, 0), 0, SIZE), mask)
    assert again.segments == ours.segments


def test_there_may_be_none(here, slide):
    assert here()[1] == []


def test_the_newest_comes_first(here, slide):
    made = []
    for day in ("20240105", "20260301", "20250709"):
        one = segmentation(slide.headers[0], blobs(SIZE).astype(bool), series_description=day)
        one.ContentDate = day
        made.append(one)
    _, found = here(*made)
    assert [one.name for one in found] == ["20260301", "20250709", "20240105"]
    assert [one.created.year for one in found] == [2026, 2025, 2024]


def test_slides_of_one_study_have_their_own(tmp_path_factory):
    identity_of = {"patient_id": "P", "accession_number": "A"}
    first, second = (
        make_slide(tmp_path_factory.mktemp("twin"), (300, 200), (1,), seed=seed, **identity_of)
        for seed in (1, 2)
    )
    assert first.study_uid == second.study_uid
    made = [
        segmentation(one.headers[0], blobs((300, 200), seed=seed).astype(bool))
        for seed, one in enumerate((first, second))
    ]
    folder = folder_of(tmp_path_factory.mktemp("study"), first, *made)
    for path in second.paths:
        (folder / f"second-{path.name}").symlink_to(path)
    with connected(folder) as archive:
        for one, result in zip((first, second), made, strict=True):
            _, (ours,) = segmentations_at(archive, one)
            assert ours.instance_uids == (str(result.SOPInstanceUID),)


def test_it_is_told_where_it_can_be_unpickled(here, slide):
    """The frames come from a callable, so that another process can make them anew."""
    _, (ours,) = here(segmentation(slide.headers[0], blobs(SIZE).astype(bool)))
    assert ours._connect.func is frames_at
    again = loop.run(read_segmentations(ours._pyramid, ours._connect))
    assert again[0].instance_uids == ours.instance_uids
