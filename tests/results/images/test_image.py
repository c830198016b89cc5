from __future__ import annotations

import copy
import re
import shutil
import tracemalloc

import dask.array
import highdicom
import numpy as np
import pydicom
import pytest
import zarr
from highdicom.spatial import ImageToReferenceTransformer
from results.about import headers_of, objects_in, source_of
from results.checking import errors_in
from wsidicom import WsiDicom

import wsiweb
from wsiweb.pixels.headers import read_pyramid
from wsiweb.results.images.image import add_image
from wsiweb.results.source import Source
from wsiweb.results.srgb import srgb_profile
from wsiweb.wire.dicomjson import Attributes


@pytest.fixture(scope="module")
def source(made_folder):
    return source_of(made_folder)


@pytest.fixture
def objects(tmp_path, source):
    return objects_in(tmp_path / "made", source)


def picture(width, height):
    """Soft colours with hard edges, and white all around."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([x // 5, y // 3, (x + y) // 7], axis=-1).astype(np.uint8)
    pixels[(x // 50 + y // 50) % 3 == 0] = (220, 40, 90)
    pixels[:20] = pixels[:, -30:] = 255
    return pixels


def means(pixels, size):
    """Means of blocks of two by two, of what is there of a block."""
    padded = np.pad(pixels.astype(float), ((0, 1), (0, 1), (0, 0)), constant_values=np.nan)
    height, width = size[1], size[0]
    blocks = padded[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
    return np.floor(np.nanmean(blocks, axis=(1, 3)) + 0.5).astype(np.uint8)


def matrix(path):
    """All pixels of an instance, as highdicom reads them."""
    return highdicom.imread(path).get_total_pixel_matrix(apply_icc_profile=False)


@pytest.fixture(scope="module")
def overlay(source, tmp_path_factory):
    """A lossless overlay of the whole slide with its levels."""
    objects = objects_in(tmp_path_factory.mktemp("overlay"), source)
    pixels = picture(*source.pyramid.levels[0].size)
    return pixels, add_image(source, objects, pixels, description="Coloured by hand")


def test_the_finest_level_is_what_was_given(overlay):
    pixels, made = overlay
    np.testing.assert_array_equal(matrix(made[0].path), pixels)


def test_each_lower_level_is_made_of_means(overlay, source):
    pixels, made = overlay
    assert len(made) == len(source.pyramid.levels)
    for one, level in zip(made[1:], source.pyramid.levels[1:], strict=True):
        pixels = means(pixels, level.size)
        np.testing.assert_array_equal(matrix(one.path), pixels)


def test_it_says_what_it_is_and_what_it_was_made_of(overlay, source):
    _, made = overlay
    for number, one in enumerate(made):
        dataset = pydicom.dcmread(one.path, stop_before_pixels=True)
        origin = source.dataset(number)
        kind = "RESAMPLED" if number else "NONE"
        assert dataset.ImageType == ["DERIVED", "PRIMARY", "VOLUME", kind]
        assert dataset.DimensionOrganizationType == "TILED_FULL"
        for keyword in (
            *("PatientID", "PatientName", "StudyInstanceUID", "ContainerIdentifier"),
            *("FrameOfReferenceUID", "AcquisitionDateTime", "ImageOrientationSlide"),
        ):
            assert dataset[keyword].value == origin[keyword].value
        assert dataset.SeriesInstanceUID != origin.SeriesInstanceUID
        assert dataset.InstanceNumber == number + 1
        assert dataset.DerivationDescription == "Coloured by hand"
        assert dataset.SourceImageSequence[0].ReferencedSOPInstanceUID == origin.SOPInstanceUID
        assert dataset.ReferencedSeriesSequence[0].SeriesInstanceUID == origin.SeriesInstanceUID
        path, own = dataset.OpticalPathSequence[0], origin.OpticalPathSequence[0]
        assert path.ICCProfile == own.ICCProfile
        assert path.ObjectiveLensPower == own.ObjectiveLensPower
        # Without loss by us, but the source was compressed with loss.
        assert dataset.LossyImageCompression == "01"
        assert dataset.LossyImageCompressionRatio == origin.LossyImageCompressionRatio
        assert dataset.LossyImageCompressionMethod == "ISO_10918_1"
    assert len({pydicom.dcmread(one.path).PyramidUID for one in made}) == 1
    assert len({one.series_uid for one in made}) == 1


def test_levels_share_their_corner_with_the_slide(overlay, source, made):
    theirs = ImageToReferenceTransformer.for_image(
        headers_of(made.levels)[0], for_total_pixel_matrix=True
    )
    places = np.array([[0, 0], [7, 3]])
    for one, level in zip(overlay[1], source.pyramid.levels, strict=True):
        dataset = pydicom.dcmread(one.path, stop_before_pixels=True)
        ours = ImageToReferenceTransformer.for_image(dataset, for_total_pixel_matrix=True)
        expected = theirs(places * level.downsample)
        np.testing.assert_allclose(ours(places), expected, atol=1e-6)


def test_our_own_slide_reads_it(overlay, tmp_path):
    pixels, made = overlay
    for one in made:
        shutil.copy(one.path, tmp_path)
    with wsiweb.connect(tmp_path) as archive:
        slide = archive.open_slide(made[0].study_uid, made[0].series_uid)
        assert len(slide.levels) == len(made)
        assert [level.downsample for level in slide.levels] == [2.0**n for n in range(len(made))]
        region = slide.read_region((300, 200), 0, (500, 400))
        np.testing.assert_array_equal(region, pixels[200:600, 300:800])
        coarse = slide.read_region((0, 0), 2, slide.levels[2].size)
        np.testing.assert_array_equal(coarse, matrix(made[2].path))


def test_wsidicom_reads_it(overlay):
    pixels, made = overlay
    with WsiDicom.open([one.path for one in made]) as slide:
        assert len(slide.levels) == len(made)
        region = np.asarray(slide.read_region((100, 50), 0, (600, 500)))
        np.testing.assert_array_equal(region, pixels[50:550, 100:700])
        coarse = np.asarray(slide.read_region((0, 0), 1, (300, 200)))
        np.testing.assert_array_equal(coarse, matrix(made[1].path)[:200, :300])


def test_the_checker_finds_no_fault(overlay):
    for one in overlay[1]:
        assert errors_in(one.path) == []


@pytest.mark.parametrize("level", [1, 3])
def test_it_may_begin_at_a_lower_level(source, objects, level):
    pixels = picture(*source.pyramid.levels[level].size)
    made = add_image(source, objects, pixels, level=level)
    assert len(made) == len(source.pyramid.levels) - level
    np.testing.assert_array_equal(matrix(made[0].path), pixels)
    dataset = pydicom.dcmread(made[0].path, stop_before_pixels=True)
    assert dataset.ImageType[3] == "RESAMPLED"
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert float(measures.PixelSpacing[0]) == pytest.approx(0.5e-3 * 2**level)


def test_it_may_do_without_lower_levels(source, objects):
    pixels = picture(*source.pyramid.levels[1].size)
    assert len(add_image(source, objects, pixels, level=1, pyramid=False)) == 1


def test_jpeg_is_nearly_what_was_given_and_adds_to_the_history(source, objects):
    level = source.pyramid.levels[1]
    y, x = np.mgrid[: level.size[1], : level.size[0]]
    soft = np.stack([x / 5, y / 4, (x + y) / 9], axis=-1).astype(np.uint8)
    (fine,) = add_image(source, objects, soft, level=1, pyramid=False, encoding="jpeg", quality=95)
    (rough,) = add_image(source, objects, soft, level=1, pyramid=False, encoding="jpeg", quality=20)
    assert rough.size < fine.size / 2
    assert np.abs(matrix(fine.path).astype(int) - soft).mean() < 1
    dataset = pydicom.dcmread(fine.path)
    assert dataset.PhotometricInterpretation == "YBR_FULL_422"
    assert dataset.LossyImageCompression == "01"
    assert list(dataset.LossyImageCompressionMethod) == ["ISO_10918_1"] * 2
    earlier, own = dataset.LossyImageCompressionRatio
    assert earlier == source.dataset(1).LossyImageCompressionRatio
    tiles = dataset.NumberOfFrames * dataset.Rows * dataset.Columns * 3
    assert float(own) == pytest.approx(tiles / len(dataset.PixelData), rel=0.02)
    assert errors_in(fine.path) == []


def test_numpy_zarr_dask_and_functions_make_the_same_objects(source, tmp_path):
    pixels = picture(*source.pyramid.levels[1].size)
    stored = zarr.create_array(tmp_path / "it.zarr", data=pixels, chunks=(300, 200, 3))
    lazy = dask.array.from_array(pixels, chunks=(170, 900, 3))

    def made_up(location, size):
        (x, y), (width, height) = location, size
        return pixels[y : y + height, x : x + width]

    found = []
    for number, given in enumerate((pixels, stored, lazy, made_up)):
        objects = objects_in(tmp_path / str(number), source, deterministic=True)
        made = add_image(source, objects, given, level=1)
        found.append([one.path.read_bytes() for one in made])
    assert found[0] == found[1] == found[2] == found[3]


def rescaled(source, sizes):
    """The same slide, had its levels these sizes."""
    headers = []
    for number, (width, height) in enumerate(sizes):
        header = copy.deepcopy(source.dataset(0))
        header.SOPInstanceUID = f"1.2.3.{number + 1}"
        header.TotalPixelMatrixColumns, header.TotalPixelMatrixRows = width, height
        header.NumberOfFrames = -(-width // header.Columns) * -(-height // header.Rows)
        measures = header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        measures.PixelSpacing = [0.5e-3 * sizes[0][0] / width] * 2
        headers.append(header)
    return source_of(headers)


@pytest.mark.parametrize(
    "sizes",
    [
        [(901, 601), (450, 300), (225, 150)],  # rounded down
        [(901, 601), (451, 301), (113, 76)],  # rounded up, with a step of four
        [(900, 600), (360, 240), (144, 96)],  # two and a half
        [(900, 600), (450, 300), (300, 200)],  # two, and then three: one and a half between
        [(1000, 700), (125, 88), (41, 29)],
    ],
)
def test_levels_of_any_factor(source, tmp_path, sizes):
    slide = rescaled(source, sizes)
    assert [level.size for level in slide.pyramid.levels] == sizes
    y, x = np.mgrid[: sizes[0][1], : sizes[0][0]]
    soft = np.stack([x / 5, y / 4, (x + y) / 8], axis=-1).astype(np.uint8)
    made = add_image(slide, objects_in(tmp_path, slide), soft)
    for one, level in zip(made, slide.pyramid.levels, strict=True):
        found = matrix(one.path)
        assert found.shape == (*level.size[::-1], 3)
        # The mean of a slope is its value at the centre of the pixel.
        down, across = (np.mgrid[: level.size[1], : level.size[0]] + 0.5) * level.downsample
        expected = np.stack([across / 5, down / 4, (across + down) / 8], axis=-1) - 0.5
        inner = found[:-1, :-1].astype(float) - expected[:-1, :-1]
        assert np.abs(inner).max() < 1.6


def test_memory_grows_with_the_width_only(source, tmp_path):
    peaks = []
    for number, size in enumerate([(3000, 3000), (3000, 12_000)]):
        slide = rescaled(source, [size, tuple(edge // 2 for edge in size)])

        def white(location, size):
            return np.full((size[1], size[0], 3), 255, np.uint8)

        tracemalloc.start()
        add_image(slide, objects_in(tmp_path / str(number), slide), white)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
    assert peaks[1] < 3000 * 12_000 * 3 / 4


def test_a_profile_of_ones_own_the_sources_or_srgb(source, tmp_path):
    pixels = picture(*source.pyramid.levels[3].size)
    header = copy.deepcopy(source.dataset(3))
    del header.OpticalPathSequence[0].ICCProfile
    without = source_of([header])

    def profile_of(slide, number, **told):
        objects = objects_in(tmp_path / str(number), slide)
        level = len(slide.pyramid.levels) - 1
        size = slide.pyramid.levels[level].size
        (made,) = add_image(slide, objects, picture(*size), level=level, **told)
        return pydicom.dcmread(made.path).OpticalPathSequence[0]

    assert pixels.size
    assert profile_of(without, 1).ICCProfile == srgb_profile()
    assert profile_of(without, 1).ColorSpace == "SRGB"
    own = srgb_profile().replace(b"sRGB", b"mine")
    path = profile_of(source, 2, profile=own)
    assert path.ICCProfile == own
    assert "ColorSpace" not in path


def test_a_profile_that_the_archive_keeps_elsewhere_is_fetched(made, tmp_path):
    header = headers_of(made.levels)[3]
    own = header.OpticalPathSequence[0].ICCProfile
    model = header.to_json_dict(0, lambda element: f"bulk/{element.keyword}")
    attributes = [Attributes.of(model)]
    asked = []

    def fetch(uri):
        asked.append(uri)
        return own

    slide = Source(read_pyramid(attributes), attributes, fetch)
    pixels = picture(*slide.pyramid.levels[0].size)
    (one,) = add_image(slide, objects_in(tmp_path, slide), pixels)
    assert asked == ["bulk/ICCProfile"]
    path = pydicom.dcmread(one.path).OpticalPathSequence[0]
    assert path.ICCProfile == own
    assert path.ColorSpace == "SRGB"


@pytest.mark.parametrize(
    ("pixels", "told", "words"),
    [
        (np.zeros((1500, 2100), np.uint8), {}, "(height, width, 3)"),
        (np.zeros((1500, 2100, 4), np.uint8), {}, "(height, width, 3)"),
        (np.zeros((2100, 1500, 3), np.uint8), {}, "transposed"),
        (np.zeros((750, 1050, 3), np.uint8), {}, "2100 x 1500"),
        (np.zeros((1500, 2100, 3)), {}, "uint8"),
        (np.zeros((1500, 2100, 3), np.uint8), {"encoding": "png"}, "encoding"),
        (np.zeros((1500, 2100, 3), np.uint8), {"quality": 0}, "quality"),
        (np.zeros((1500, 2100, 3), np.uint8), {"tile_size": 4}, "64 to 1024"),
        (np.zeros((1500, 2100, 3), np.uint8), {"profile": b"no"}, "ICC"),
        (np.zeros((1500, 2100, 3), np.uint8), {"description": "x" * 1025}, "1024"),
        (lambda location, size: np.zeros((1, 1, 3), np.uint8), {}, "asked for 2048 x"),
    ],
)
def test_refusals_say_what_is_wrong_and_leave_nothing(source, tmp_path, pixels, told, words):
    objects = objects_in(tmp_path / "made", source)
    with pytest.raises(ValueError, match=re.escape(words)):
        add_image(source, objects, pixels, **told)
    assert objects.made == ()
    assert not [*tmp_path.rglob("*.dcm*")]


@pytest.mark.parametrize("level", [-1, 9])
def test_a_level_that_is_not_there(source, objects, level):
    with pytest.raises(IndexError, match=f"no level {level}"):
        add_image(source, objects, picture(9, 9), level=level)
    assert not objects.folder.exists()


def test_what_fails_half_way_leaves_nothing_behind(source, tmp_path):
    objects = objects_in(tmp_path / "made", source)

    def failing(location, size):
        if location[1] > 1000:
            raise RuntimeError("The model has no more memory.")
        return np.zeros((size[1], size[0], 3), np.uint8)

    with pytest.raises(RuntimeError, match="no more memory"):
        add_image(source, objects, failing)
    assert not [*tmp_path.rglob("*.dcm*")]


def test_the_real_slide(cmu_folder, tmp_path):
    source = source_of(cmu_folder)
    objects = objects_in(tmp_path, source)
    level = source.pyramid.levels[1]
    made = add_image(source, objects, picture(*level.size), level=1)
    np.testing.assert_array_equal(matrix(made[0].path), picture(*level.size))
    assert [matrix(one.path).shape[1::-1] for one in made] == [
        one.size for one in source.pyramid.levels[1:]
    ]
    assert [errors_in(one.path) for one in made] == [[]] * len(made)


def test_an_array_that_numpy_masks_is_refused(source, objects):
    pixels = picture(*source.pyramid.levels[2].size)
    masked = np.ma.masked_array(pixels, pixels == 255)
    for given in (masked, dask.array.from_array(masked, chunks=64)):
        with pytest.raises(ValueError, match="masked"):
            add_image(source, objects, given, level=2)
    assert objects.made == ()
