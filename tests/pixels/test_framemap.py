"""Judge for the order of TILED_FULL: highdicom. For sparse maps: a plain dictionary."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from highdicom.spatial import iter_tiled_full_frame_data
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from wsiweb.pixels.framemap import FrameMap

SMALL = st.integers(1, 4)
EXTENTS = st.tuples(SMALL, SMALL, SMALL, SMALL)


def tiled_full_dataset(columns: int, rows: int, planes: int, channels: int) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.6"
    dataset.Rows, dataset.Columns = 7, 9
    dataset.TotalPixelMatrixColumns = columns * 9 - 4
    dataset.TotalPixelMatrixRows = rows * 7 - 3
    dataset.TotalPixelMatrixFocalPlanes = planes
    dataset.NumberOfOpticalPaths = channels
    dataset.OpticalPathSequence = [Dataset() for _ in range(channels)]
    dataset.NumberOfFrames = columns * rows * planes * channels
    dataset.DimensionOrganizationType = "TILED_FULL"
    dataset.ImageOrientationSlide = [0, -1, 0, -1, 0, 0]
    origin = Dataset()
    origin.XOffsetInSlideCoordinateSystem = origin.YOffsetInSlideCoordinateSystem = 10
    dataset.TotalPixelMatrixOriginSequence = [origin]
    measures, groups = Dataset(), Dataset()
    measures.PixelSpacing, measures.SpacingBetweenSlices = [0.001, 0.001], 0.01
    measures.SliceThickness = 0.001
    groups.PixelMeasuresSequence = [measures]
    dataset.SharedFunctionalGroupsSequence = [groups]
    return dataset


@given(EXTENTS)
def test_a_full_map_counts_as_highdicom_does(extent):
    columns, rows, planes, channels = extent
    grid = FrameMap.full(columns=columns, rows=rows, planes=planes, channels=channels)
    dataset = tiled_full_dataset(*extent)
    # highdicom gives (channel, slice, column position, row position, x, y, z): one-based
    for number, (channel, plane, column, row, *_) in enumerate(
        iter_tiled_full_frame_data(dataset), start=1
    ):
        found = grid.find((column - 1) // 9, (row - 1) // 7, (channel or 1) - 1, plane - 1)
        assert found == (0, number)
        assert grid.find(*grid.place(0, number)) == (0, number)
    assert len(grid) == number
    assert grid.complete


@st.composite
def sparse_frames(draw):
    extent = draw(EXTENTS)
    cells = st.tuples(*(st.integers(0, length - 1) for length in extent))
    frames = draw(st.lists(cells, unique=True, max_size=40))
    return extent, frames


def arrays(frames):
    return np.array(frames, dtype=np.int64).reshape(-1, 4).T


@given(sparse_frames(), st.data())
def test_a_sparse_map_is_a_dictionary(drawn, data):
    extent, frames = drawn
    cuts = data.draw(st.lists(st.integers(0, len(frames)), max_size=3).map(sorted))
    starts = tuple(sorted({0, *cuts} - {len(frames)})) or (0,)
    grid = pickle.loads(
        pickle.dumps(FrameMap.sparse(*arrays(frames), extent=extent, starts=starts))
    )
    expected = {place: number for number, place in enumerate(frames)}
    assert len(grid) == len(frames)
    assert grid.complete == (len(frames) == np.prod(extent))
    for column, row, plane, channel in np.ndindex(*extent):
        found = grid.find(column, row, channel, plane)
        number = expected.get((column, row, plane, channel))
        if number is None:
            assert found is None
        else:
            part, within = found
            assert within >= 1
            assert starts[part] + within - 1 == number
            assert grid.place(part, within) == (column, row, channel, plane)


def test_a_complete_ordered_map_needs_no_table():
    extent = (5, 3, 2, 2)
    frames = [
        (column, row, plane, channel)
        for channel in range(2)
        for plane in range(2)
        for row in range(3)
        for column in range(5)
    ]
    assert FrameMap.sparse(*arrays(frames), extent=extent).cells is None
    assert FrameMap.sparse(*arrays(frames[::-1]), extent=extent).find(0, 0) == (0, 60)


@pytest.mark.parametrize("place", [(5, 0, 0, 0), (0, -1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 9)])
def test_frames_outside_the_grid_are_refused(place):
    with pytest.raises(ValueError, match="frame 2 lies in tile"):
        FrameMap.sparse(*arrays([(0, 0, 0, 0), place]), extent=(5, 5, 1, 1))


def test_two_frames_for_one_tile_are_refused():
    with pytest.raises(ValueError, match="frames 1 and 3 claim the same tile"):
        FrameMap.sparse(*arrays([(1, 1, 0, 0), (0, 0, 0, 0), (1, 1, 0, 0)]), extent=(5, 5, 1, 1))


def test_places_outside_are_index_errors():
    grid = FrameMap.full(columns=2, rows=2)
    for place in [(-1, 0), (2, 0), (0, 2), (0, 0, 1), (0, 0, 0, 1), (0, 0, -1)]:
        with pytest.raises(IndexError, match="There is no"):
            grid.find(*place)
    for part, number in [(0, 0), (0, 5), (1, 1), (-1, 1)]:
        with pytest.raises(IndexError, match="There is no frame"):
            grid.place(part, number)


def test_maps_of_other_grids_are_not_stacked():
    with pytest.raises(ValueError, match="one grid"):
        FrameMap.stacked([FrameMap.full(columns=3, rows=2), FrameMap.full(columns=2, rows=3)])
