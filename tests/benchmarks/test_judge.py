"""The judge: it lets the right through, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from wsiweb_benchmarks.judge import Comparison, Judge
from wsiweb_benchmarks.model import Source
from wsiweb_benchmarks.operations import operation_of
from wsiweb_benchmarks.slides import described

import wsiweb


@pytest.fixture(scope="module")
def source(made_folder, made_server):
    return Source(url=made_server.url, slide=described("made", "", made_folder))


@pytest.mark.parametrize("name", ["region-1024", "random-tiles", "loop-row", "level-6144"])
def test_it_agrees_with_wsiweb_to_the_pixel(source, made_folder, name):
    operation = operation_of(name)
    parameters = operation.draw(source.slide)
    expected = list(operation.truth(Judge(source), parameters))
    assert expected
    with wsiweb.connect(made_folder) as archive:
        slide = archive.open_slide(source.slide.study_uid, source.slide.series_uid)
        if "location" in parameters:
            place = tuple(parameters["location"]), parameters["level"], tuple(parameters["size"])
            assert np.array_equal(slide.read_region(*place), expected[0])
        else:
            left, top = parameters["tiles"][0] if "tiles" in parameters else parameters["first"]
            size = expected[0].shape[1], expected[0].shape[0]
            assert np.array_equal(slide.read_region((256 * left, 256 * top), 0, size), expected[0])


def test_frames_come_from_a_server_as_from_files(source):
    import msgspec

    remote = msgspec.structs.replace(source, slide=msgspec.structs.replace(source.slide, folder=""))
    assert np.array_equal(Judge(remote).tile(0, 1, 1), Judge(source).tile(0, 1, 1))


def test_the_real_slide_is_decoded_as_rgb(cmu_folder):
    slide = described("cmu", "", cmu_folder)
    assert slide.levels[0].photometric == "RGB"
    with wsiweb.connect(cmu_folder) as archive:
        pixels = archive.open_slide(slide.study_uid, slide.series_uid).read_region(
            (700, 500), 0, (300, 300)
        )
    assert np.array_equal(
        Judge(Source(url="", slide=slide)).region(0, (700, 500), (300, 300)), pixels
    )


def tiles(*values):
    return [np.full((4, 4, 3), value, np.uint8) for value in values]


def compared(got, want, *, exact=True):
    comparison = Comparison(iter(want), exact=exact)
    for array in got:
        comparison.take(array)
    return comparison.result()


def test_a_difference_of_one_is_let_through_and_told():
    check = compared(tiles(10, 21), tiles(10, 20))
    assert check.right
    assert (check.largest, check.differing) == (1, 0.5)


@pytest.mark.parametrize(
    ("got", "want", "message"),
    [
        (tiles(10, 22), tiles(10, 20), "array 2 differs by up to 2"),
        (tiles(10), tiles(10, 20), "only 1 arrays came"),
        (tiles(10, 20, 30), tiles(10, 20), "only 2 arrays were asked for"),
        ([tiles(1)[0][:3]], tiles(1), "has the shape (3, 4, 3)"),
        ([tiles(1)[0].astype(float)], tiles(1), "is float64"),
        ([tiles(1)[0][..., ::-1] * [1, 2, 9]], [tiles(1)[0] * [9, 2, 1]], "is int64"),
    ],
)
def test_what_is_wrong_is_said(got, want, message):
    check = compared(got, want)
    assert not check.right
    assert message in check.message


def test_what_lies_beyond_the_edge_of_a_tile_does_not_count():
    whole = np.zeros((6, 6, 3), np.uint8)
    whole[:4, :4] = 7
    assert compared([whole], tiles(7)).right


def test_thumbnails_are_compared_loosely():
    assert compared(tiles(100), tiles(108), exact=False).right
    assert not compared(tiles(100), tiles(150), exact=False).right
    assert not compared([np.zeros((2, 9, 3), np.uint8)], tiles(0), exact=False).right


def test_a_sparse_slide_is_not_judged(source):
    import msgspec

    sparse = msgspec.structs.replace(source.slide, tiling="TILED_SPARSE")
    with pytest.raises(ValueError, match="sparse"):
        Judge(msgspec.structs.replace(source, slide=sparse))
