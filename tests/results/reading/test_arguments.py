"""Wrong kinds of arguments to what reads results: said in words of ours."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import shapely

import wsiweb
from wsiweb.results import Finding


@pytest.fixture(scope="module")
def slide(made_folder, tmp_path_factory):
    """A slide with a result of each kind."""
    folder = shutil.copytree(made_folder, tmp_path_factory.mktemp("stored") / "slides")
    square = shapely.box(100, 100, 900, 700)
    with wsiweb.connect(folder) as archive:
        slide = archive.slides()[0].open()
        session = slide.results("v1", folder=folder / "results")
        width, height = slide.levels[2].size
        session.add_mask(np.ones((height, width), bool), segments="Tissue")
        session.add_mask(np.full((height, width), 0.5), segments="Tissue")
        session.add_annotations([square], label="nuclei")
        session.add_heatmap(np.arange(54.0).reshape(6, 9), patch=256, quantity="Probability")
        session.add_report([Finding(region=square)])
    with wsiweb.connect(folder) as archive:
        yield archive.slides()[0].open()


@pytest.fixture(scope="module")
def mask(slide):
    return next(one for one in slide.segmentations() if one.type == "BINARY")


@pytest.fixture(scope="module")
def fractions(slide):
    return next(one for one in slide.segmentations() if one.type == "FRACTIONAL")


@pytest.fixture(scope="module")
def heatmap(slide):
    return slide.heatmaps()[0]


@pytest.fixture(scope="module")
def annotations(slide):
    return slide.annotations()[0]


NO_NUMBERS = ["0", 0.0, True, [], np.nan, np.array([0, 1]), object()]
NO_PAIRS = [None, 5, "ab", (0,), (0, 0, 0), (0.5, 0), ("0", 0), (np.nan, 0), (True, 0)]
NO_PATHS = [None, 5, b"a", "", "a\0b"]


@pytest.mark.parametrize("name", [5, b"v1", [], ["v1"], True])
@pytest.mark.parametrize("kind", ["segmentations", "annotations", "heatmaps", "reports"])
def test_names_are_texts(slide, kind, name):
    with pytest.raises(ValueError, match="name is that of a result, a text, not"):
        getattr(slide, kind)(name)


@pytest.mark.parametrize("level", [*NO_NUMBERS, None])
def test_levels_are_whole_numbers(mask, heatmap, annotations, tmp_path, level):
    for ask in (
        lambda: mask.read_region((0, 0), level, (4, 4)),
        lambda: heatmap.read_region((0, 0), level, (4, 4)),
        lambda: mask.to_dask(level),
        lambda: heatmap.to_dask(level),
        lambda: mask.to_zarr(tmp_path / "a", level),
        lambda: heatmap.to_zarr(tmp_path / "a", level),
        lambda: annotations.tiles(level),
        lambda: annotations.groups[0].tiles(level),
    ):
        with pytest.raises(ValueError, match="level is a whole number, not"):
            ask()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pair", NO_PAIRS)
def test_regions_are_whole_numbers(mask, heatmap, pair):
    for result in (mask, heatmap):
        with pytest.raises(ValueError, match="location takes two whole numbers"):
            result.read_region(pair, 0, (4, 4))
        with pytest.raises(ValueError, match="size takes two whole numbers"):
            result.read_region((0, 0), 0, pair)


@pytest.mark.parametrize("size", [None, "5", 5.0, True, (5,), (5, 5.0), np.array([5.0, 5])])
def test_sizes_of_pictures(mask, heatmap, tmp_path, size):
    for result in (mask, heatmap):
        for ask in (result.thumbnail, lambda size: result.save_png(tmp_path / "a.png", size)):  # noqa: B023 - called at once
            with pytest.raises(ValueError, match="size is a whole number of pixels, or"):
                ask(size)
    assert list(tmp_path.iterdir()) == []


def test_sizes_may_be_lists_and_of_numpy(mask, heatmap):
    for size in ([70, 50], np.array([70, 50]), (np.int64(70), 50)):
        assert mask.thumbnail(size).shape == heatmap.thumbnail(size).shape == (50, 70)


@pytest.mark.parametrize("segment", NO_NUMBERS)
def test_segments_are_numbers_or_labels(mask, fractions, segment):
    words = (
        "segment, where it is no label, is a whole number"
        if not isinstance(segment, str)
        else "No segment"
    )
    for result in (mask, fractions):
        for ask in (
            result.dtype,
            lambda one: result.to_dask(1, one),  # noqa: B023 - called at once
            lambda one: result.read_region((0, 0), 0, (4, 4), one),  # noqa: B023 - called at once
        ):
            with pytest.raises(ValueError, match=words):
                ask(segment)


@pytest.mark.parametrize("chunk", [*NO_NUMBERS, None, 0, -1])
def test_chunks_have_pixels(mask, heatmap, tmp_path, chunk):
    for result in (mask, heatmap):
        with pytest.raises(ValueError, match=r"chunk is a whole number|A chunk has at least"):
            result.to_dask(1, chunk=chunk)
        with pytest.raises(ValueError, match=r"chunk is a whole number|A chunk has at least"):
            result.to_zarr(tmp_path / "a", 1, chunk=chunk)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pair", [None, 5, "ab", (0,), (0, 0, 0), ("0", 0), (True, 0), (1j, 0)])
def test_windows_are_numbers(annotations, pair):
    for result in (annotations, annotations.groups[0]):
        with pytest.raises(ValueError, match="location takes two numbers"):
            result.window(pair, (4, 4))
        with pytest.raises(ValueError, match="size takes two numbers"):
            result.window((0, 0), pair)


@pytest.mark.parametrize("kind", [None, 5, "cells", [], ["cell"]])
def test_kinds_of_objects_of_qupath(annotations, tmp_path, kind):
    for ask in (
        lambda: annotations.to_geojson(object_type=kind),
        lambda: annotations.save_geojson(tmp_path / "a", object_type=kind),
    ):
        with pytest.raises(ValueError, match="object_type is one of annotation, detection"):
            ask()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", NO_PATHS)
def test_paths_are_texts(slide, mask, heatmap, annotations, path):
    results = (mask, heatmap, annotations, slide.reports()[0])
    saves = [result.save for result in results]
    files = [mask.save_png, heatmap.save_png, mask.to_zarr, heatmap.to_zarr]
    for save in (*saves, *files, annotations.save_geojson):
        with pytest.raises(ValueError, match=r"is a path, a text or pathlib\.Path"):
            save(path)


def test_places_that_cannot_be_written_to(slide, mask, heatmap, annotations, tmp_path):
    (tmp_path / "file").write_text("kept")
    (tmp_path / "a.png").mkdir()
    for result in (mask, heatmap, annotations, slide.reports()[0]):
        for place in ("file", "file/a"):
            with pytest.raises(NotADirectoryError, match="file is a file"):
                result.save(tmp_path / place)
    for save in (mask.save_png, heatmap.save_png, annotations.save_geojson):
        with pytest.raises(NotADirectoryError, match="file is a file"):
            save(tmp_path / "file" / "a.png")
        with pytest.raises(FileNotFoundError, match="no such folder"):
            save(tmp_path / "nowhere" / "a.png")
        with pytest.raises(IsADirectoryError, match="path wants a file"):
            save(tmp_path / "a.png")
    for result in (mask, heatmap):
        with pytest.raises(NotADirectoryError, match="file is a file"):
            result.to_zarr(tmp_path / "file" / "a", 1)
        with pytest.raises(FileExistsError, match="is there already"):
            result.to_zarr(tmp_path / "a.png", 1)
    assert {one.name for one in tmp_path.iterdir()} == {"file", "a.png"}
    assert (tmp_path / "file").read_text() == "kept"
