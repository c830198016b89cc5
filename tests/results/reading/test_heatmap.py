from __future__ import annotations

import copy
import functools
import pickle

import highdicom
import numpy as np
import pydicom
import pytest
import zarr
from PIL import Image
from pydicom.sr.codedict import codes
from results.about import headers_of, objects_in, source_of
from results.reading.making import identity

import wsiweb
from wsiweb import loop
from wsiweb.places import frames_at
from wsiweb.results.heatmaps.heatmap import add_heatmap
from wsiweb.results.reading.heatmap import read_heatmaps
from wsiweb.server import serve

QUANTITY = "DCM:Probability"


@pytest.fixture(scope="module")
def source(made_folder):
    return source_of(made_folder)


@pytest.fixture(params=["folder", "server"])
def read(request, tmp_path, made, source):
    """Write results beside the slide; return how the archive's heat maps of it are read."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for path in made.paths:
        (folder / path.name).symlink_to(path)
    objects = objects_in(folder, source)
    opened = []

    def maps():
        where = folder
        if request.param == "server":
            server = serve(folder)
            opened.append(server)
            where = server.__enter__().url
        archive = wsiweb.connect(where)
        opened.append(archive)
        slide = archive.open_slide(made.study_uid, made.series_uid)
        connect = functools.partial(frames_at, archive._place)
        return loop.run(read_heatmaps(slide._pyramid, connect))

    maps.objects, maps.folder = objects, folder
    yield maps
    for one in reversed(opened):
        one.__exit__(None, None, None)


def waves(width, height):
    y, x = np.mgrid[:height, :width]
    values = (np.sin(x / 17) * np.cos(y / 23) + 1) / 2
    values[: height // 4, : width // 3] = np.nan
    return values.astype(np.float32)


def under(values, source, level, downsample):
    """What each pixel of a level has under its centre, by the definition.

    The last pixels of a level may reach beyond the slide, with their centres, too: they have what
    the last pixel of the slide has.
    """
    factor = source.pyramid.levels[level].downsample
    x, y = (
        np.floor(np.minimum((np.arange(edge) + 0.5) * factor, whole - 0.5) / downsample).astype(int)
        for edge, whole in zip(
            source.pyramid.levels[level].size, source.pyramid.levels[0].size, strict=True
        )
    )
    padded = np.pad(values, ((0, 2), (0, 2)), constant_values=np.nan)
    return padded[np.minimum(y, len(values))][:, np.minimum(x, values.shape[1])]


@pytest.mark.parametrize("encoding", ["16-bit", "float32"])
def test_a_map_of_patches_lies_on_every_level(read, source, encoding):
    values = waves(9, 6)
    add_heatmap(source, read.objects, values, patch=256, quantity=QUANTITY, encoding=encoding)
    (heatmap,) = read()
    assert heatmap.size == (9, 6)
    assert heatmap.downsample == pytest.approx(256)
    assert heatmap.quantity[:2] == ("122157", "DCM")
    assert heatmap.unit.value == "1"
    assert heatmap.label == "Probability"
    assert heatmap.name == "Tumor-Wahrscheinlichkeit ≥ 0,5"
    assert heatmap.created.isoformat() == "2026-03-04T05:06:07+00:00"
    error = 0 if encoding == "float32" else 1 / 131_068 * 1.001
    np.testing.assert_allclose(heatmap.values(), values, atol=error, rtol=0)
    for level in source.pyramid.levels:
        found = heatmap.read_region((0, 0), level.index, level.size)
        expected = under(values, source, level.index, 256)
        np.testing.assert_allclose(found, expected, atol=error, rtol=0)
        assert found.dtype == np.float32


@pytest.mark.parametrize("level", [0, 2])
def test_a_map_of_a_level_lies_on_every_level(read, source, level):
    values = waves(*source.pyramid.levels[level].size)
    add_heatmap(source, read.objects, values, level=level, quantity=QUANTITY)
    (heatmap,) = read()
    for other in source.pyramid.levels:
        found = heatmap.read_region((0, 0), other.index, other.size)
        expected = under(values, source, other.index, source.pyramid.levels[level].downsample)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_whole_map_has_no_gaps_at_any_level(tmp_path):
    """Of sizes that no level divides, so that the last pixels reach beyond the slide."""
    made = wsiweb.synthetic.write_slide(
        tmp_path, 333, 221, seed=1, tile_size=64, levels=(1, 2, 4, 8)
    )
    source = source_of(tmp_path)
    values = waves(333, 221)
    values[np.isnan(values)] = 0.5
    add_heatmap(source, objects_in(tmp_path, source), values, level=0, quantity=QUANTITY)
    with wsiweb.connect(tmp_path) as archive:
        slide = archive.open_slide(made.study_uid, made.series_uid)
        (heatmap,) = slide.heatmaps()
        for level in slide.levels:
            found = heatmap.read_region((0, 0), level.index, level.size)
            np.testing.assert_allclose(found, under(values, source, level.index, 1), atol=1e-5)
            assert not np.isnan(found).any()
            np.testing.assert_array_equal(heatmap.to_dask(level.index).compute(), found)


def test_regions_may_lie_outside(read, source):
    values = waves(9, 6)
    add_heatmap(source, read.objects, values, patch=256, quantity=QUANTITY, encoding="float32")
    (heatmap,) = read()
    whole = heatmap.read_region((0, 0), 0, (2100, 1500))
    found = heatmap.read_region((-50, 1400), 0, (300, 200))
    assert np.isnan(found[:, :50]).all()
    np.testing.assert_array_equal(found[:100, 50:], whole[1400:, :250])
    far = heatmap.read_region((9000, 0), 1, (10, 20))
    assert far.shape == (20, 10)
    assert np.isnan(far).all()
    assert heatmap.read_region((0, 0), 0, (0, 5)).shape == (5, 0)
    with pytest.raises(IndexError, match="no level 9"):
        heatmap.read_region((0, 0), 9, (1, 1))
    with pytest.raises(ValueError, match="-1"):
        heatmap.read_region((0, 0), 0, (-1, 1))
    with pytest.raises(ValueError, match="location"):
        heatmap.read_region((0.5, 0), 0, (1, 1))
    with pytest.raises(ValueError, match="at least one pixel"):
        heatmap.thumbnail(0)


def test_as_dask_zarr_picture_and_file(read, source, tmp_path):
    values = waves(9, 6)
    add_heatmap(source, read.objects, values, patch=256, quantity=QUANTITY, encoding="float32")
    (heatmap,) = read()
    expected = under(values, source, 1, 256)
    np.testing.assert_array_equal(heatmap.to_dask(1, chunk=300).compute(), expected)
    heatmap.to_zarr(tmp_path / "it.zarr", 1, chunk=400)
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "it.zarr")[:], expected)
    heatmap.save_png(tmp_path / "it.png", 210)
    with Image.open(tmp_path / "it.png") as picture:
        assert picture.size == (210, 150)
        pixels = np.asarray(picture)
    np.testing.assert_array_equal(pixels[..., 3] == 0, np.isnan(heatmap.thumbnail(210)))
    (path,) = heatmap.save(tmp_path / "saved")
    assert path.read_bytes() == read.objects.made[0].path.read_bytes()
    again = pickle.loads(pickle.dumps(heatmap))
    np.testing.assert_array_equal(again.values(), values)
    assert repr(again) == repr(heatmap)


def by_highdicom(header, pixels, *, mapping=None, **more):
    """A map as highdicom writes it, with its usual settings."""
    mapping = mapping or highdicom.pm.RealWorldValueMapping(
        lut_label="1",
        lut_explanation="as it is",
        unit=codes.UCUM.NoUnits,
        value_range=(0.0, 1.0) if pixels.dtype.kind == "f" else (0, 1000),
        slope=2.0,
        intercept=-1.0,
    )
    window = highdicom.VOILUTTransformation(window_center=0.5, window_width=1)
    return highdicom.pm.ParametricMap(
        [header],
        pixels,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        voi_lut_transformations=[window],
        tile_pixel_array=True,
        **{**identity(), **more},
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16, np.uint8])
@pytest.mark.parametrize("tiling", ["TILED_FULL", "TILED_SPARSE"])
def test_maps_of_highdicom(read, made, dtype, tiling):
    header = headers_of(made.levels)[2]
    shape = (header.TotalPixelMatrixRows, header.TotalPixelMatrixColumns)
    random = np.random.default_rng(3)
    kind = np.dtype(dtype).kind
    pixels = random.random(shape) if kind == "f" else random.integers(0, 256, shape)
    pixels = pixels.astype(dtype)
    dataset = by_highdicom(header, pixels, dimension_organization_type=tiling)
    dataset.save_as(read.folder / "other.dcm")
    (heatmap,) = read()
    expected = pixels.astype(np.float64) * 2 - 1
    found = heatmap.values()
    assert found.dtype == (np.float64 if dtype == np.float64 else np.float32)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    aligned = heatmap.read_region((0, 0), 2, shape[::-1])
    np.testing.assert_array_equal(aligned, found)


def test_a_map_with_a_table_of_values(read, made):
    header = headers_of(made.levels)[3]
    shape = (header.TotalPixelMatrixRows, header.TotalPixelMatrixColumns)
    pixels = np.random.default_rng(3).integers(0, 8, shape).astype(np.uint8)
    table = np.array([1.5, -2, 10, 0.25])
    mapping = highdicom.pm.RealWorldValueMapping(
        lut_label="1",
        lut_explanation="steps",
        unit=codes.UCUM.Percent,
        value_range=(2, 5),
        lut_data=table,
        quantity_definition=codes.DCM.Probability,
    )
    by_highdicom(header, pixels, mapping=mapping).save_as(read.folder / "other.dcm")
    (heatmap,) = read()
    expected = np.full(shape, np.nan)
    known = (pixels >= 2) & (pixels <= 5)
    expected[known] = table[pixels[known] - 2]
    np.testing.assert_array_equal(heatmap.values(), expected.astype(np.float32))
    assert heatmap.unit == ("%", "UCUM", "Percent")
    assert heatmap.quantity.meaning == "Probability"


def test_what_cannot_be_read_is_left_out_and_said(read, made, source):
    header = headers_of(made.levels)[3]
    shape = (header.TotalPixelMatrixRows, header.TotalPixelMatrixColumns)
    good = by_highdicom(header, np.ones(shape, np.float32))
    bad = copy.deepcopy(good)
    bad.SOPInstanceUID = "1.2.3"
    bad.file_meta.MediaStorageSOPInstanceUID = bad.SOPInstanceUID
    shared = bad.SharedFunctionalGroupsSequence[0]
    mapping = shared.RealWorldValueMappingSequence[0]
    del shared.RealWorldValueMappingSequence
    for number, frame in enumerate(bad.PerFrameFunctionalGroupsSequence):
        own = copy.deepcopy(mapping)
        own.LUTLabel = f"map {number}"
        frame.RealWorldValueMappingSequence = [own]
    good.save_as(read.folder / "good.dcm")
    bad.save_as(read.folder / "bad.dcm")
    assert len(bad.PerFrameFunctionalGroupsSequence) == 2
    with pytest.warns(UserWarning, match="different quantities"):
        found = read()
    assert [one.instance_uid for one in found] == [good.SOPInstanceUID]


def test_the_newest_comes_first(read, source):
    for patch in (256, 512):
        width, height = (-(-edge // patch) for edge in (2100, 1500))
        add_heatmap(source, read.objects, waves(width, height), patch=patch, quantity=QUANTITY)
    path = read.objects.made[0].path
    dataset = pydicom.dcmread(path)
    dataset.ContentDate = "20270101"
    dataset.save_as(path)
    assert [one.size for one in read()] == [(9, 6), (5, 3)]
