from __future__ import annotations

import copy
import re
import tracemalloc

import dask.array
import numpy as np
import pydicom
import pytest
import zarr
from highdicom.spatial import ImageToReferenceTransformer
from results.about import ALGORITHM, ORIENTATIONS, headers_of, objects_in, source_of, turned
from results.checking import errors_in
from results.heatmaps.mapped import stored_numbers, values_by_highdicom

from wsiweb.results.heatmaps.heatmap import add_heatmap
from wsiweb.results.heatmaps.palettes import palette_table

QUANTITY = "DCM:Probability"
HALF_STEP = 1 / 131_068


@pytest.fixture(scope="module")
def source(made_folder):
    return source_of(made_folder)


@pytest.fixture
def objects(tmp_path, source):
    return objects_in(tmp_path / "made", source)


def waves(width, height, holes=True):
    """A smooth map from 0 to 1 with a corner that has no values."""
    y, x = np.mgrid[:height, :width]
    values = (np.sin(x / 17) * np.cos(y / 23) + 1) / 2
    if holes:
        values[: height // 4, : width // 3] = np.nan
    return values.astype(np.float32)


def written(source, objects, values, **told):
    (made,) = add_heatmap(source, objects, values, **{"quantity": QUANTITY, **told})
    assert made.kind == "heatmap"
    assert made.size == made.path.stat().st_size
    return pydicom.dcmread(made.path)


@pytest.mark.parametrize("level", [0, 1, 3])
def test_sixteen_bits_come_back_within_half_a_step(source, objects, level):
    values = waves(*source.pyramid.levels[level].size)
    dataset = written(source, objects, values, level=level)
    back = values_by_highdicom(dataset)
    np.testing.assert_array_equal(np.isnan(back), np.isnan(values))
    low, high = np.nanmin(values), np.nanmax(values)
    assert np.nanmax(np.abs(back - values)) <= (high - low) * HALF_STEP * 1.0001
    assert dataset.file_meta.TransferSyntaxUID == pydicom.uid.JPEG2000Lossless
    assert dataset.PixelPaddingValue == 0


@pytest.mark.parametrize("level", [1, 2])
def test_float32_comes_back_exactly(source, objects, level):
    values = waves(*source.pyramid.levels[level].size)
    dataset = written(source, objects, values, level=level, encoding="float32")
    np.testing.assert_array_equal(values_by_highdicom(dataset), values)
    assert "PixelData" not in dataset
    assert dataset.BitsAllocated == 32


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.bool_])
def test_counts_come_back_exactly(source, objects, dtype):
    width, height = source.pyramid.levels[2].size
    values = (np.arange(width * height).reshape(height, width) % 200).astype(dtype)
    back = values_by_highdicom(written(source, objects, values, level=2, unit="UCUM:Counts"))
    np.testing.assert_array_equal(back, values)


def test_it_says_what_it_is_about_and_what_it_means(source, objects, made):
    values = waves(*source.pyramid.levels[1].size)
    told = {"label": "p(tumour)", "description": "Probability of tumour"}
    dataset = written(source, objects, values, level=1, unit="UCUM:Percent", **told)
    slide = pydicom.dcmread(made.levels[1], stop_before_pixels=True)
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert dataset[keyword].value == slide[keyword].value
    assert dataset.ContainerIdentifier == slide.ContainerIdentifier
    specimen = dataset.SpecimenDescriptionSequence[0]
    assert specimen.SpecimenUID == slide.SpecimenDescriptionSequence[0].SpecimenUID
    reference = dataset.ReferencedSeriesSequence[0]
    assert reference.SeriesInstanceUID == slide.SeriesInstanceUID
    assert reference.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == slide.SOPInstanceUID
    assert dataset.ImageType == ["DERIVED", "PRIMARY", "VOLUME", "QUANTITY"]
    assert dataset.DimensionOrganizationType == "TILED_FULL"
    assert dataset.SpecificCharacterSet == "ISO_IR 192"
    assert dataset.ContentCreatorName == "Doe^Jäne"
    assert dataset.SeriesDescription == "Tumor-Wahrscheinlichkeit ≥ 0,5"
    assert dataset.ManufacturerModelName == ALGORITHM.name
    assert dataset.ContentDescription == told["description"]
    assert dataset.LossyImageCompression == slide.LossyImageCompression == "01"
    assert dataset.LossyImageCompressionRatio == slide.LossyImageCompressionRatio
    mapping = dataset.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    assert mapping.LUTLabel == "p(tumour)"
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "%"
    quantity = mapping.QuantityDefinitionSequence[0].ConceptCodeSequence[0]
    assert (quantity.CodeValue, quantity.CodeMeaning) == ("122157", "Probability")


def test_a_palette_is_spread_over_the_values(source, objects):
    values = waves(*source.pyramid.levels[2].size)
    for encoding in ("16-bit", "float32"):
        dataset = written(source, objects, values, level=2, encoding=encoding)
        assert dataset.PixelPresentation == "COLOR_RANGE"
        assert list(dataset.RedPaletteColorLookupTableDescriptor) == [256, 0, 16]
        blue = np.frombuffer(dataset.BluePaletteColorLookupTableData, "<u2")
        np.testing.assert_array_equal(blue // 257, palette_table("viridis")[:, 2])
        groups = dataset.SharedFunctionalGroupsSequence[0]
        spread = groups.StoredValueColorRangeSequence[0]
        stored = stored_numbers(dataset)[~np.isnan(values)]
        assert spread.MinimumStoredValueMapped == stored.min()
        assert spread.MaximumStoredValueMapped == stored.max()
        window = groups.FrameVOILUTSequence[0]
        assert float(window.WindowWidth) == pytest.approx(stored.max() - stored.min())
    plain = written(source, objects, values, level=2, palette=None)
    assert plain.PixelPresentation == "MONOCHROME"
    assert "RedPaletteColorLookupTableData" not in plain


# Place --------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=ORIENTATIONS)
@pytest.mark.parametrize("patch", [256, 100, 7.5])
def test_a_map_of_patches_lies_right_to_the_half_pixel(made, tmp_path, orientation, patch):
    headers = turned(headers_of(made.levels), orientation)
    source = source_of(headers)
    width, height = (int(np.ceil(edge / patch)) for edge in source.pyramid.levels[0].size)
    objects = objects_in(tmp_path / "made", source)
    dataset = written(source, objects, waves(width, height), patch=patch)
    ours = ImageToReferenceTransformer.for_image(dataset, for_total_pixel_matrix=True)
    theirs = ImageToReferenceTransformer.for_image(headers[0], for_total_pixel_matrix=True)
    # Image coordinates count from the corner of the first pixel.
    places = np.array([[0, 0], [1, 0], [0, 1], [3, 2], [2.5, 0.5]])
    np.testing.assert_allclose(ours(places), theirs(places * patch), atol=1e-6)


@pytest.mark.parametrize("level", [0, 1, 3])
def test_a_map_of_a_level_has_the_corner_of_the_slide(made, source, objects, level):
    dataset = written(source, objects, waves(*source.pyramid.levels[level].size), level=level)
    ours = ImageToReferenceTransformer.for_image(dataset, for_total_pixel_matrix=True)
    finest = headers_of(made.levels)[0]
    theirs = ImageToReferenceTransformer.for_image(finest, for_total_pixel_matrix=True)
    places = np.array([[0, 0], [5, 9]])
    scale = source.pyramid.levels[level].downsample
    np.testing.assert_allclose(ours(places), theirs(places * scale), atol=1e-6)


def test_a_scale_in_micrometres(source, objects):
    # 2100 x 1500 pixels of 0.5 um
    dataset = written(source, objects, waves(33, 24), mpp=32.0)
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert [float(step) for step in measures.PixelSpacing] == pytest.approx([0.032, 0.032])
    assert (dataset.TotalPixelMatrixColumns, dataset.TotalPixelMatrixRows) == (33, 24)
    assert dataset.NumberOfFrames == 1
    assert dataset.Columns < 100


@pytest.mark.parametrize("scale", [{"patch": 256}, {"mpp": 128.0}], ids=["patch", "mpp"])
@pytest.mark.parametrize("stated", [None, 0])
def test_nothing_is_without_thickness(made, tmp_path, scale, stated):
    """Of pixels that no level has, highdicom does not take the thickness of the source."""
    headers = headers_of(made.levels)
    for header in headers:
        measures = header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        measures.SliceThickness = stated
    source = source_of(headers)
    (made,) = add_heatmap(
        source, objects_in(tmp_path, source), waves(9, 6), quantity=QUANTITY, **scale
    )
    assert errors_in(made.path) == []
    shared = pydicom.dcmread(made.path).SharedFunctionalGroupsSequence[0]
    assert float(shared.PixelMeasuresSequence[0].SliceThickness) == 0.001


def test_pixels_that_are_not_square(made, tmp_path):
    headers = headers_of(made.levels)
    for header in headers:
        measures = header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        measures.PixelSpacing = [
            float(step) * factor
            for step, factor in zip(measures.PixelSpacing, (1.5, 1.0), strict=True)
        ]
    source = source_of(headers)
    dataset = written(source, objects_in(tmp_path, source), waves(9, 6), patch=256)
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    expected = [0.5e-3 * 1.5 * 256, 0.5e-3 * 256]  # DICOM has the distance between rows first
    assert [float(step) for step in measures.PixelSpacing] == pytest.approx(expected)


def test_a_slide_whose_scale_is_said_elsewhere(made, tmp_path):
    headers = headers_of(made.levels)
    for header in headers:
        del header.SharedFunctionalGroupsSequence
    source = source_of(headers)
    dataset = written(source, objects_in(tmp_path, source), waves(9, 6), patch=256)
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert [float(step) for step in measures.PixelSpacing] == pytest.approx([0.128, 0.128])


# Arrays -------------------------------------------------------------------------------------


def test_numpy_zarr_and_dask_make_the_same_object(source, tmp_path):
    values = waves(*source.pyramid.levels[0].size)
    stored = zarr.create_array(tmp_path / "it.zarr", data=values, chunks=(300, 200))
    lazy = dask.array.from_array(values, chunks=(170, 900))
    made = []
    for number, array in enumerate((values, stored, lazy, values.astype(np.float64))):
        objects = objects_in(tmp_path / str(number), source, deterministic=True)
        (one,) = add_heatmap(source, objects, array, level=0, quantity=QUANTITY)
        made.append(one.path.read_bytes())
    assert made[0] == made[1] == made[2] == made[3]


class Vast:
    """An array that is never all there."""

    dtype = np.dtype(np.float64)

    def __init__(self, width, height):
        self.shape = (height, width)

    def __getitem__(self, rows):
        part = np.full((rows.stop - rows.start, self.shape[1]), np.nan)
        part[:, :40] = 0.5
        return part


def test_a_large_map_is_never_in_memory(source, tmp_path):
    vast = enlarged(source, 9000)
    objects = objects_in(tmp_path, vast)
    tracemalloc.start()
    told = {"level": 0, "quantity": QUANTITY, "value_range": (0, 1)}
    (made,) = add_heatmap(vast, objects, Vast(9000, 9000), **told)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150 * 2**20  # all of it would be 648 MB, and as written 162 MB
    assert pydicom.dcmread(made.path, stop_before_pixels=True).TotalPixelMatrixRows == 9000


def test_a_map_that_no_element_holds_is_refused_before_it_is_written(source, tmp_path):
    vast = enlarged(source, 30_000)
    told = {"level": 0, "value_range": (0, 1), "encoding": "float32"}
    with pytest.raises(ValueError, match="too large for float32"):
        written(vast, objects_in(tmp_path / "made", vast), Vast(30_000, 30_000), **told)
    assert not [*tmp_path.rglob("*.dcm*")]


def enlarged(source, edge):
    """The same slide, had it been so large."""
    header = copy.deepcopy(source.dataset(0))
    header.TotalPixelMatrixColumns = header.TotalPixelMatrixRows = edge
    header.NumberOfFrames = (-(-edge // header.Columns)) ** 2
    return source_of([header])


# Refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "told", "words"),
    [
        (waves(2100, 1499), {"level": 0}, "2100 x 1500"),
        (waves(1500, 2100), {"level": 0}, "transposed"),
        (waves(9, 6), {"patch": 100}, "21 x 15"),
        (waves(9, 6), {"patch": 0}, "positive"),
        (waves(9, 6), {"patch": float("nan")}, "positive"),
        (waves(9, 6), {"mpp": 100}, "has 10.5 x 7.5"),
        (waves(9, 6), {}, "one of level, mpp and patch"),
        (waves(9, 6), {"patch": 256, "mpp": 128}, "one of level, mpp and patch"),
        (np.full((6, 9), np.nan), {"patch": 256}, "all that was given is NaN"),
        (np.full((6, 9), np.inf), {"patch": 256}, "infinity"),
        (np.full((6, 9), 1e300), {"patch": 256, "encoding": "float32"}, "finite"),
        (waves(9, 6), {"patch": 256, "value_range": (0, 0.1)}, "value_range"),
        (waves(9, 6), {"patch": 256, "value_range": (1, 0)}, "lower one first"),
        (waves(9, 6) + 1j, {"patch": 256}, "real numbers"),
        (np.zeros((6, 9, 3)), {"patch": 256}, "(height, width)"),
        (waves(9, 6), {"patch": 256, "quantity": "Probablity"}, "Probability"),
        (waves(9, 6), {"patch": 256, "unit": "smoots"}, "unit of a heat map"),
        (waves(9, 6), {"patch": 256, "palette": "plaid"}, "viridis"),
        (waves(9, 6), {"patch": 256, "encoding": "8-bit"}, "encoding"),
        (waves(9, 6), {"patch": 256, "tile_size": 100}, "multiple of 32"),
        (waves(9, 6), {"patch": 256, "label": "x" * 17}, "16 characters"),
        (waves(9, 6), {"patch": 256, "description": "x" * 65}, "64"),
    ],
)
def test_refusals_say_what_is_wrong_and_leave_nothing(source, tmp_path, values, told, words):
    objects = objects_in(tmp_path / "made", source)
    with pytest.raises(ValueError, match=re.escape(words)):
        written(source, objects, values, **told)
    assert objects.made == ()
    assert not [*tmp_path.rglob("*.dcm*")]


def test_a_level_that_is_not_there(source, objects):
    with pytest.raises(IndexError, match="no level 9"):
        written(source, objects, waves(9, 6), level=9)


def test_what_fails_half_way_leaves_nothing_behind(source, tmp_path):
    objects = objects_in(tmp_path / "made", source)
    values = waves(*source.pyramid.levels[0].size)
    values[-1, -1] = 7
    with pytest.raises(ValueError, match="value_range"):
        written(source, objects, values, level=0, value_range=(0, 1))
    assert not [*tmp_path.rglob("*.dcm*")]
    values[-1, -1] = 1
    written(source, objects, values, level=0, value_range=(0, 1))
    assert [one.instance_number for one in objects.made] == [1]


# Others -------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["16-bit", "float32"])
def test_the_checker_finds_no_fault(source, objects, encoding):
    add_heatmap(source, objects, waves(9, 6), patch=256, quantity=QUANTITY, encoding=encoding)
    assert errors_in(objects.made[-1].path) == []


def test_the_real_slide(cmu_folder, tmp_path):
    source = source_of(cmu_folder)
    width, height = (-(-edge // 128) for edge in source.pyramid.levels[0].size)
    objects = objects_in(tmp_path, source)
    values = waves(width, height)
    dataset = written(source, objects, values, patch=128)
    np.testing.assert_allclose(values_by_highdicom(dataset), values, atol=1e-5)
    assert errors_in(objects.made[-1].path) == []


def test_maps_have_a_series_each(source, objects):
    for _ in range(2):
        written(source, objects, waves(9, 6), patch=256)
    first, second = objects.made
    assert first.series_uid != second.series_uid
    assert (first.instance_number, second.instance_number) == (1, 1)


@pytest.mark.parametrize("dtype", ["f4", "u1"])
@pytest.mark.parametrize("chunked", [False, True])
def test_what_numpy_masks_has_no_value(source, objects, dtype, chunked):
    width, height = source.pyramid.levels[3].size
    values = np.arange(width * height).reshape(height, width).astype(dtype) % 200
    masked = np.ma.masked_array(values, values < 50)
    given = dask.array.from_array(masked, chunks=64) if chunked else masked
    back = values_by_highdicom(written(source, objects, given, level=3))
    np.testing.assert_array_equal(np.isnan(back), values < 50)
    most = 0 if dtype == "u1" else 150 * HALF_STEP  # whole numbers stay so
    np.testing.assert_allclose(back[values >= 50], values[values >= 50], rtol=1e-9, atol=most)


def test_the_smallest_number_that_there_is_can_be_mapped(source, objects):
    values = np.zeros(source.pyramid.levels[3].size[::-1])
    values[0, 0] = 5e-324
    dataset = written(source, objects, values, level=3)
    assert stored_numbers(dataset)[0, 0] > stored_numbers(dataset)[0, 1]
    with pytest.raises(ValueError, match=r"float32.*16-bit"):
        written(source, objects, np.full(values.shape, 1e-300), level=3, encoding="float32")


def test_blocks_of_another_shape_than_declared_are_refused(source, objects):
    width, height = source.pyramid.levels[3].size
    array = dask.array.from_array(np.ones((height, width)), chunks=(height, width))
    with pytest.raises(ValueError, match=r"A heat map .* declared"):
        written(source, objects, array.map_blocks(lambda block: block[:5], dtype=float), level=3)
