"""Masks to Segmentations and back; highdicom and pydicom judge."""

from __future__ import annotations

import os
import warnings

import dask.array as da
import highdicom as hd
import numpy as np
import pydicom
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from PIL import Image
from results.about import ALGORITHM, CREATED, ORIENTATIONS, objects_in
from results.checking import errors_in
from results.masks.drawn import labels, picked, planes, read
from results.masks.sized import sized

from wsiweb.results.masks.mask import add_mask
from wsiweb.results.masks.segments import Segment, describe, segments_of

NAMES = ("Neoplasm", "Necrosis", "Inflammation")
SIZE = (300, 220)
FACTORS = (1, 2, 4)


@pytest.fixture
def source():
    return sized(SIZE, FACTORS)


@pytest.fixture
def objects(tmp_path, source):
    return objects_in(tmp_path / "objects", source)


# What is written is what was given ------------------------------------------------------------


# pydicom's guess, of a frame of noise that is compressed to as many bytes as it had.
@pytest.mark.filterwarnings("ignore:The number of bytes of compressed pixel data matches")
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    size=some.tuples(some.integers(1, 260), some.integers(1, 260)),
    tile=some.tuples(some.integers(16, 90), some.integers(16, 90)),
    count=some.integers(1, 3),
    form=some.sampled_from(["binary", "labelmap", "planes", "fractional"]),
    orientation=some.sampled_from(list(ORIENTATIONS.values())),
    factors=some.sampled_from([(1,), (1, 2), (1, 4, 16), (1, 3)]),
    seed=some.integers(0, 99),
)
def test_masks_come_back_to_the_pixel(
    tmp_path, size, tile, count, form, orientation, factors, seed
):
    source = sized(size, factors, orientation)
    objects = objects_in(tmp_path, source)
    mask = labels(size, count, seed)
    if form == "planes":
        mask = planes(size, count, seed)
        mask[0, 0] = True
    elif form == "fractional":
        mask = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], count)) / 255
        mask[0, 0] = 1
    made = add_mask(
        source,
        objects,
        mask,
        segments=NAMES[:count],
        level=0,
        kind={"planes": "auto"}.get(form, form),
        profile="standard" if form == "labelmap" else "slim",
        tile_size=tile,
    )
    levels = source.pyramid.levels
    assert len(made) == len(levels)
    for result, level in zip(made, levels, strict=True):
        expected = picked(mask, level.downsample, level.size)
        if form == "fractional":
            got = read(result, combined=False)
            assert np.abs(got - expected).max() < 1e-6
        elif form == "planes":
            assert (read(result, combined=False) == expected).all()
        else:
            assert (read(result) == expected).all()


@pytest.mark.parametrize("form", ["binary", "one", "labelmap", "fractional", "planes"])
@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
def test_it_is_the_object_that_highdicom_would_make(tmp_path, form, orientation):
    source = sized(SIZE, (1,), orientation)
    count = 1 if form == "one" else 3
    mask = labels(SIZE, count)
    mask[64:128, :160] = 0  # some tiles are empty
    given_mask = mask
    if form == "fractional":
        given_mask = np.random.default_rng(3).random((*mask.shape, 3)).astype(np.float32)
    elif form == "planes":
        given_mask = planes(SIZE)
    kind = {"labelmap": "labelmap", "fractional": "fractional"}.get(form, "binary")
    objects = objects_in(tmp_path, source)
    (result,) = add_mask(
        source,
        objects,
        given_mask,
        segments=NAMES[:count],
        kind=kind,
        profile="standard",
        tile_size=(80, 64),
        description="the same",
    )
    ours = pydicom.dcmread(result.path)
    full = kind != "binary"
    theirs = hd.seg.Segmentation(
        [source.dataset(0)],
        given_mask if given_mask.ndim == 2 else given_mask[np.newaxis],
        kind.upper(),
        describe(segments_of(NAMES[:count]), ALGORITHM),
        series_instance_uid=ours.SeriesInstanceUID,
        series_number=int(ours.SeriesNumber),
        sop_instance_uid=ours.SOPInstanceUID,
        instance_number=1,
        manufacturer=ours.Manufacturer,
        manufacturer_model_name=ours.ManufacturerModelName,
        software_versions=ours.SoftwareVersions,
        device_serial_number=ours.DeviceSerialNumber,
        series_description=ours.SeriesDescription,
        content_description="the same",
        content_creator_name=ours.ContentCreatorName,
        transfer_syntax_uid=ours.file_meta.TransferSyntaxUID,
        tile_pixel_array=True,
        tile_size=(64, 80),
        dimension_organization_type="TILED_FULL" if full else "TILED_SPARSE",
        omit_empty_frames=not full,
        pyramid_uid=ours.PyramidUID,
        pyramid_label=ours.PyramidLabel,
    )
    theirs.save_as(tmp_path / "theirs.dcm")
    theirs = pydicom.dcmread(tmp_path / "theirs.dcm")
    same = set(ours.keys()) | set(theirs.keys())
    for tag in sorted(same):
        keyword = pydicom.datadict.keyword_for_tag(tag)
        if keyword in {
            "ContributingEquipmentSequence",  # ours says who wrote it
            "DimensionOrganizationSequence",  # of UIDs of their own
            "DimensionIndexSequence",
            "TimezoneOffsetFromUTC",
        } or keyword.endswith(("Date", "Time")):
            continue
        assert tag in ours, keyword
        assert tag in theirs, keyword
        assert alike(ours[tag], theirs[tag]), keyword


def alike(one, other):
    """Whether two elements are equal, numbers as text within their rounding."""
    if one.VR == "SQ":
        return len(one.value) == len(other.value) and all(
            a.keys() == b.keys() and all(alike(a[tag], b[tag]) for tag in a.keys())  # noqa: SIM118
            for a, b in zip(one.value, other.value, strict=True)
        )
    if one.VR == "DS":
        return np.allclose(
            np.array(one.value, float), np.array(other.value, float), rtol=0, atol=1e-8
        )
    return one.VR == other.VR and one.value == other.value


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
@pytest.mark.parametrize("profile", ["slim", "standard"])
def test_every_level_lies_where_the_slide_does(tmp_path, orientation, profile):
    source = sized(SIZE, FACTORS, orientation)
    objects = objects_in(tmp_path, source)
    made = add_mask(
        source, objects, labels(SIZE), segments=NAMES, profile=profile, tile_size=(80, 64)
    )
    base = source.pyramid.levels[0].geometry
    points = np.array([[0.0, 0.0], [10.0, 20.0], [70.25, 50.5]])  # from the corner
    for result, level in zip(made, source.pyramid.levels, strict=True):
        seg = hd.imread(result.path)
        # highdicom counts from the centre of the first pixel.
        for frame in (1, seg.NumberOfFrames):
            transformer = hd.spatial.ImageToReferenceTransformer.for_image(seg, frame_number=frame)
            corner = np.array([[-0.5, -0.5]]) + 0.5
            first = transformer(corner)
            tiles = base.to_pixel(first) / level.downsample / (80, 64)
            assert np.allclose(tiles, np.round(tiles), atol=1e-6)
        whole = hd.spatial.ImageToReferenceTransformer.for_image(seg, for_total_pixel_matrix=True)
        got = whole(points / level.downsample)
        assert np.allclose(got, base.to_slide(points), atol=1e-6)


def test_negative_zeros_are_written_as_zeros(tmp_path):
    source = sized(SIZE, (1,), (-0.0, -1, 0, -1, -0.0, 0))
    (result,) = add_mask(
        source, objects_in(tmp_path, source), labels(SIZE), segments=NAMES, tile_size=64
    )
    written = pydicom.dcmread(result.path)
    assert [str(one) for one in written.ImageOrientationSlide] == [
        *("0.0", "-1.0", "0.0"),
        *("-1.0", "0.0", "0.0"),
    ]


# What a mask may be ---------------------------------------------------------------------------


def as_function(mask):
    def function(location, size):
        (x, y), (width, height) = location, size
        return mask[y : y + height, x : x + width]

    return function


def as_tiles(mask):
    return (
        (column, row, mask[row * 64 : row * 64 + 64, column * 80 : column * 80 + 80])
        for column in reversed(range(4))
        for row in range(4)
    )


def as_regions(mask):
    return [((0, 0), mask[:128]), ((160, 128), mask[128:, 160:]), ((0, 128), mask[128:, :160])]


def saved(folder, name, mask):
    path = folder / name
    if name.endswith("npy"):
        np.save(path, mask)
    elif name.endswith("zarr"):
        zarr.create_array(path, data=mask, chunks=(50, 70))
    else:
        Image.fromarray(mask).save(path)
    return path


@pytest.mark.parametrize(
    "given_as",
    [
        lambda mask, _: mask,
        lambda mask, _: mask.astype(np.int64),
        lambda mask, _: np.asfortranarray(mask),
        lambda mask, _: da.from_array(mask, chunks=(70, (100, 200))),
        lambda mask, folder: zarr.open_array(saved(folder, "a.zarr", mask)),
        lambda mask, folder: saved(folder, "a.npy", mask),
        lambda mask, folder: str(saved(folder, "a.zarr", mask)),
        lambda mask, folder: saved(folder, "a.png", mask),
        lambda mask, folder: saved(folder, "a.tif", mask),
        lambda mask, _: as_function(mask),
        lambda mask, _: as_tiles(mask),
        lambda mask, _: as_regions(mask),
    ],
)
def test_masks_of_all_kinds_become_the_same(tmp_path, source, objects, given_as):
    mask = labels(SIZE)
    made = add_mask(source, objects, given_as(mask, tmp_path), segments=NAMES, tile_size=(80, 64))
    for result, level in zip(made, source.pyramid.levels, strict=True):
        assert (read(result) == picked(mask, level.downsample, level.size)).all()


@pytest.mark.parametrize("dtype", ["?", "u1", "i1", "u2", "i4", "u8"])
def test_one_segment_may_be_truth_values_or_numbers(source, objects, dtype):
    mask = labels(SIZE, 1).astype(dtype)
    made = add_mask(source, objects, mask, segments="Neoplasm", pyramid=False)
    assert (read(made[0]) == mask).all()


def test_many_segments_take_16_bits(source, objects):
    mask = labels(SIZE, 700, dtype=np.uint16)
    names = [Segment(label=f"Cell {number}", type="Tissue") for number in range(1, 701)]
    made = add_mask(source, objects, mask, segments=names, profile="standard", pyramid=False)
    assert pydicom.dcmread(made[0].path, stop_before_pixels=True).BitsAllocated == 16
    assert (read(made[0]) == mask).all()


def test_planes_may_become_a_label_map(source, objects):
    mask = labels(SIZE)
    stacked = np.stack([mask == number for number in (1, 2, 3)], axis=-1)
    (first, *_) = add_mask(
        source, objects, stacked, segments=NAMES, kind="labelmap", profile="standard"
    )
    assert (read(first) == mask).all()


@pytest.mark.parametrize(("overlapping", "said"), [(True, "YES"), (False, "NO")])
def test_whether_segments_overlap_is_said(source, objects, overlapping, said):
    mask = labels(SIZE)
    stacked = np.stack([mask == number for number in (1, 2, 3)], axis=-1)
    if overlapping:
        stacked[-1, -1] = True
    (first, *_) = add_mask(source, objects, stacked, segments=NAMES)
    assert pydicom.dcmread(first.path).SegmentsOverlap == said
    assert (read(first, combined=False) == stacked).all()


@pytest.mark.parametrize("fractional_type", ["probability", "occupancy"])
def test_fractions_of_one_segment(source, objects, fractional_type):
    mask = np.random.default_rng(0).random(SIZE[::-1]).astype(np.float32)
    (first, *_) = add_mask(
        source, objects, mask, segments="Neoplasm", fractional_type=fractional_type
    )
    written = pydicom.dcmread(first.path)
    assert written.SegmentationFractionalType == fractional_type.upper()
    assert written.MaximumFractionalValue == 255
    assert written.file_meta.TransferSyntaxUID.name == "JPEG-LS Lossless Image Compression"
    assert np.abs(read(first, combined=False)[..., 0] - mask).max() <= 0.5 / 255 + 1e-6


# Where a mask lies ----------------------------------------------------------------------------


@pytest.mark.parametrize("told", [True, False])
def test_a_mask_of_a_level_is_written_for_it_and_coarser_ones(source, objects, told):
    level = source.pyramid.levels[1]
    mask = labels(level.size)
    made = add_mask(source, objects, mask, segments=NAMES, level=1 if told else None)
    assert len(made) == 2
    assert (read(made[0]) == mask).all()
    assert (read(made[1]) == picked(mask, 2, source.pyramid.levels[2].size)).all()
    referenced = pydicom.dcmread(made[0].path).SourceImageSequence[0].ReferencedSOPInstanceUID
    assert referenced == level.instance_uids[0]


def test_a_mask_of_another_scale_lies_between_levels(source, objects):
    mpp = source.pyramid.mpp[0] * 3
    size = (100, 73)
    mask = labels(size)
    made = add_mask(source, objects, mask, segments=NAMES, mpp=mpp)
    assert [read(one).shape for one in made] == [(73, 100), (55, 75)]
    assert (read(made[0]) == mask).all()
    assert (read(made[1]) == picked(mask, 4 / 3, (75, 55))).all()
    base = source.pyramid.levels[0].geometry
    whole = hd.spatial.ImageToReferenceTransformer.for_image(
        hd.imread(made[0].path), for_total_pixel_matrix=True
    )
    points = np.array([[0.0, 0.0], [30, 60]])
    assert np.allclose(whole(points / 3), base.to_slide(points), atol=1e-6)


@pytest.mark.parametrize("location", [(0, 0), (70, 33), (299, 219), (64, 64)])
@pytest.mark.parametrize("profile", ["slim", "standard"])
def test_the_mask_of_a_part_is_written_as_one_of_the_whole(source, objects, location, profile):
    size = (min(130, 300 - location[0]), min(90, 220 - location[1]))
    mask = labels(size)
    made = add_mask(
        source,
        objects,
        mask,
        segments=NAMES,
        level=0,
        location=location,
        profile=profile,
        tile_size=32,
    )
    whole = np.zeros(SIZE[::-1], np.uint8)
    whole[location[1] : location[1] + size[1], location[0] : location[0] + size[0]] = mask
    for result, level in zip(made, source.pyramid.levels, strict=True):
        assert (read(result) == picked(whole, level.downsample, level.size)).all()


def test_the_mask_of_a_part_may_be_planes_at_another_scale(source, objects):
    mask = planes((50, 40))
    (first, *_) = add_mask(
        source,
        objects,
        mask,
        segments=NAMES,
        mpp=source.pyramid.mpp[0] * 3,
        location=(30, 20),
        tile_size=16,
    )
    whole = np.zeros((73, 100, 3), bool)
    whole[20:60, 30:80] = mask
    assert (read(first, combined=False) == whole).all()


# What objects say of themselves ---------------------------------------------------------------


def test_a_mask_is_a_series_and_a_pyramid_of_its_own(source, objects):
    mask = labels(SIZE)
    first = add_mask(source, objects, mask, segments=NAMES)
    second = add_mask(source, objects, mask, segments=NAMES, profile="standard")
    assert objects.made == first + second
    headers = [[pydicom.dcmread(one.path) for one in made] for made in (first, second)]
    for made, read_back in zip((first, second), headers, strict=True):
        assert len({one.SeriesInstanceUID for one in read_back}) == 1
        assert len({one.PyramidUID for one in read_back}) == 1
        assert [one.InstanceNumber for one in read_back] == [1, 2, 3]
        assert [one.SOPInstanceUID for one in read_back] == [one.instance_uid for one in made]
    (one, *_), (other, *_) = headers
    assert one.SeriesInstanceUID != other.SeriesInstanceUID
    assert one.PyramidUID != other.PyramidUID
    assert one.SeriesNumber != other.SeriesNumber
    assert (one.SegmentationType, other.SegmentationType) == ("BINARY", "LABELMAP")


def test_objects_say_whose_they_are_and_who_made_them(source, objects):
    (result, *_) = add_mask(
        source,
        objects,
        labels(SIZE),
        segments=[Segment(label="Größe ≥ 2", type="Neoplasm", color="red"), *NAMES[1:]],
        label="TUMOUR 1",
        description="Größe",
    )
    origin = source.dataset(0)
    written = pydicom.dcmread(result.path)
    for keyword in (
        "PatientID",
        "PatientName",
        "StudyInstanceUID",
        "FrameOfReferenceUID",
        "ContainerIdentifier",
        "SpecimenDescriptionSequence",
        "AccessionNumber",
        "LossyImageCompression",
        "LossyImageCompressionRatio",
    ):
        assert written.get(keyword) == origin.get(keyword), keyword
    assert written.SpecificCharacterSet == "ISO_IR 192"
    assert written.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert written.SegmentSequence[0].SegmentLabel == "Größe ≥ 2"
    assert written.ContentLabel == "TUMOUR 1"
    assert written.ContentDescription == "Größe"
    assert written.SeriesDescription == objects.maker.name
    assert written.ContentDate == CREATED.strftime("%Y%m%d")
    assert written.TotalPixelMatrixColumns == SIZE[0]


def test_a_repeated_session_makes_the_same_objects(tmp_path, source):
    made = []
    for place in ("one", "two"):
        objects = objects_in(tmp_path / place, source, deterministic=True)
        made.append(add_mask(source, objects, labels(SIZE), segments=NAMES, tile_size=32))
    for one, other in zip(*made, strict=True):
        assert one.path.read_bytes() == other.path.read_bytes()


@pytest.mark.parametrize("profile", ["slim", "standard"])
def test_a_level_that_shows_nothing_of_it_is_written(source, objects, profile):
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[0, 0] = 1
    made = add_mask(source, objects, mask, segments=NAMES, profile=profile)
    assert [int(read(one).sum()) for one in made] == [1, 0, 0]


def test_empty_tiles_are_left_out_where_nothing_is_compressed(source, objects):
    mask = np.zeros(SIZE[::-1], np.uint8)
    mask[100, 100] = 1
    slim = add_mask(source, objects, mask, segments="Neoplasm", tile_size=50, pyramid=False)
    full = add_mask(
        source, objects, mask, segments="Neoplasm", tile_size=50, pyramid=False, profile="standard"
    )
    assert pydicom.dcmread(slim[0].path).NumberOfFrames == 1
    assert pydicom.dcmread(full[0].path).NumberOfFrames == 6 * 5


def test_pydicom_reads_frames_that_are_not_whole_bytes(source, objects):
    mask = labels(SIZE, 1)
    mask[:, 100:] = 1 - mask[:, 100:]
    (result,) = add_mask(
        source, objects, mask, segments="Neoplasm", tile_size=(17, 19), pyramid=False
    )
    written = pydicom.dcmread(result.path)
    assert written.Rows * written.Columns % 8
    for frame, group in zip(
        written.pixel_array, written.PerFrameFunctionalGroupsSequence, strict=True
    ):
        place = group.PlanePositionSlideSequence[0]
        y = place.RowPositionInTotalImagePixelMatrix - 1
        x = place.ColumnPositionInTotalImagePixelMatrix - 1
        part = mask[y : y + 19, x : x + 17]
        assert (frame[: part.shape[0], : part.shape[1]] == part).all()


# Others' judgement ----------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["binary", "labelmap", "fractional"])
def test_dciodvfy_finds_no_fault(source, objects, form):
    mask = labels(SIZE)
    if form == "fractional":
        mask = np.random.default_rng(0).random((*mask.shape, 3))
    profile = "standard" if form == "labelmap" else "slim"
    made = add_mask(source, objects, mask, segments=NAMES, kind=form, profile=profile)
    for result in made:
        assert errors_in(result.path) == []


def _not_in(process):
    def chunk(block):
        assert os.getpid() != process
        return block

    return chunk


def test_chunks_of_a_cluster_are_computed_there(source, objects):
    import distributed

    mask = labels(SIZE)
    array = da.from_array(mask, chunks=64).map_blocks(_not_in(os.getpid()), dtype=np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster = distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        )
        with cluster, distributed.Client(cluster):
            made = add_mask(source, objects, array, segments=NAMES, tile_size=64)
    assert (read(made[0]) == mask).all()


@settings(deadline=None, max_examples=25)
@given(
    size=some.tuples(some.integers(40, 400), some.integers(40, 400)),
    factors=some.sampled_from([(1, 7.9856), (1, 3.9957, 15.9711), (1, 2.0013, 7.9856)])
    | some.tuples(some.just(1), some.floats(1.2, 12)),
    rounded=some.sampled_from([np.ceil, np.floor]),
    tile=some.tuples(some.integers(16, 70), some.integers(16, 70)),
    seed=some.integers(0, 99),
)
def test_levels_need_not_be_whole_times_coarser(
    tmp_path_factory, size, factors, rounded, tile, seed
):
    source = sized(size, factors, rounded=rounded)
    mask = labels(size, 2, seed)
    objects = objects_in(tmp_path_factory.mktemp("made"), source)
    made = add_mask(source, objects, mask, segments=NAMES[:2], level=0, tile_size=tile)
    kept = [level for level in source.pyramid.levels if level.index == 0 or level.downsample > 1.1]
    assert len(made) == len(kept)
    for result, level in zip(made, kept, strict=True):
        got = read(result)
        assert (got == picked(mask, level.downsample, level.size)).all()


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_pictures_of_one_bit_are_masks(tmp_path, suffix):
    source = sized(SIZE, (1, 2))
    mask = labels(SIZE, 1) > 0
    picture = Image.fromarray(mask)
    picture.save(tmp_path / f"mask.{suffix}")
    objects = objects_in(tmp_path / "made", source)
    for given_mask in (tmp_path / f"mask.{suffix}", np.asarray(picture)):
        result, _ = add_mask(source, objects, given_mask, segments=NAMES[:1])
        assert (read(result) == mask).all()
