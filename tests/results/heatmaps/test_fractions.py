"""Heat maps as fractional segmentations; highdicom is the reader."""

from __future__ import annotations

import re
import shutil
import warnings

import dask.array
import highdicom
import numpy as np
import pytest
import zarr
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from results.about import objects_in, source_of
from results.checking import errors_in
from results.slides import place_on, slides

import wsiweb
from wsiweb.results.heatmaps.heatmap import add_heatmap
from wsiweb.results.masks.segments import Segment

TOLD = {"quantity": "DCM:Probability", "encoding": "fractional", "segment": "Neoplasm"}
HALF_STEP = 0.5 / 255 + 1e-6


@pytest.fixture(scope="module")
def source(made_folder):
    return source_of(made_folder)


@pytest.fixture
def objects(tmp_path, source):
    return objects_in(tmp_path / "made", source)


def waves(width, height):
    y, x = np.mgrid[:height, :width]
    return ((np.sin(x / 17) * np.cos(y / 23) + 1) / 2).astype(np.float32)


def fractions_of(made):
    read = highdicom.seg.segread(made.path)
    assert read.SegmentationType == "FRACTIONAL"
    return read.get_total_pixel_matrix(combine_segments=False)[..., 0], read


@st.composite
def placed(draw, source):
    """How large the pixels of a map are, its size, and pixels of level 0 along theirs."""
    pyramid = source.pyramid
    way = draw(st.sampled_from(["level", "patch", "mpp"]))
    if way == "level":
        level = draw(st.sampled_from(pyramid.levels))
        return {"level": level.index}, level.size, level.downsample
    edge = draw(st.integers(1, 70))
    size = tuple(-(-length // edge) for length in pyramid.levels[0].size)
    if way == "patch":
        return {"patch": edge}, size, edge
    mpp = edge * pyramid.mpp[0]
    factors = mpp / np.array(pyramid.mpp)
    size = tuple(np.ceil(np.array(pyramid.levels[0].size) / factors - 1e-9).astype(int).tolist())
    return {"mpp": mpp}, size, factors


@settings(max_examples=25, deadline=None)
@given(source=slides(300), data=st.data())
def test_maps_come_back_within_half_a_step(tmp_path_factory, source, data):
    how, (width, height), downsample = data.draw(placed(source))
    values = data.draw(
        arrays.arrays(np.float32, (height, width), elements=st.floats(0, 1, width=32))
    )
    assume(values.max() > 0.01)
    gaps = data.draw(st.integers(0, height))
    values[:gaps] = np.nan
    assume(np.nanmax(values, initial=0) > 0.01)
    objects = objects_in(tmp_path_factory.mktemp("made"), source)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if gaps else "error")
        made = add_heatmap(source, objects, values, **how, **TOLD)
    found, read = fractions_of(made[0])
    assert np.abs(found - np.nan_to_num(values)).max() <= HALF_STEP
    # The corner of the first pixel is that of the slide, and so is the far one, but for a pixel.
    corners = np.array([[0, 0], [width, height]])
    off = place_on(read)(corners) - place_on(source.dataset(0))(corners * downsample)
    assert np.abs(off).max() < 1e-4


@pytest.mark.parametrize("kind", ["numpy", "zarr", "dask", "list", "f8", "f2"])
def test_values_may_be_of_any_kind(source, objects, kind):
    size = source.pyramid.levels[3].size
    values = waves(*size)
    given = {
        "numpy": lambda: values,
        "zarr": lambda: zarr.array(values, chunks=(40, 50)),
        "dask": lambda: dask.array.from_array(values, chunks=64),
        "list": values.tolist,
        "f8": lambda: values.astype("f8"),
        "f2": lambda: values.astype("f2"),
    }[kind]()
    made = add_heatmap(source, objects, given, level=3, **TOLD)
    most = HALF_STEP if kind != "f2" else HALF_STEP + 1e-3
    assert np.abs(fractions_of(made[0])[0] - values).max() <= most


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8])
def test_truth_values_are_0_and_1(source, objects, dtype):
    values = (waves(*source.pyramid.levels[3].size) > 0.5).astype(dtype)
    made = add_heatmap(source, objects, values, level=3, **TOLD)
    np.testing.assert_array_equal(fractions_of(made[0])[0], values)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
def test_what_has_no_value_becomes_0_with_a_warning(source, objects, masked, chunked):
    values = waves(9, 6) * 0.5 + 0.25
    if masked:
        values = np.ma.masked_array(values, np.arange(54).reshape(6, 9) < 20)
    else:
        values[:2] = np.nan
        values[2, :2] = np.nan
    given = dask.array.from_array(values, chunks=4) if chunked else values
    with pytest.warns(UserWarning, match="20 pixels of the map have no value.*stored as 0"):
        made = add_heatmap(source, objects, given, patch=256, **TOLD)
    found, _ = fractions_of(made[0])
    assert np.count_nonzero(found == 0) == 20
    assert np.abs(found.ravel()[20:] - np.asarray(values).ravel()[20:]).max() <= HALF_STEP


def test_coarser_levels_show_the_pixels_under_their_centres(source, objects):
    levels = source.pyramid.levels
    values = waves(*levels[1].size)
    made = add_heatmap(source, objects, values, level=1, **TOLD)
    assert len(made) == len(levels) - 1
    assert len({one.series_uid for one in made}) == 1
    found, _ = fractions_of(made[1])
    assert found.shape == levels[2].size[::-1]
    height, width = found.shape
    assert np.abs(found - values[1::2, 1::2][:height, :width]).max() <= HALF_STEP


def test_it_says_what_it_is_the_probability_of(source, objects):
    values = waves(9, 6)
    told = {**TOLD, "segment": Segment(label="Nest", type="Neoplasm", color="crimson")}
    (made,) = add_heatmap(source, objects, values, patch=256, description="in words", **told)
    _, read = fractions_of(made)
    segment = read.get_segment_description(1)
    assert segment.segment_label == "Nest"
    assert segment.segmented_property_type.meaning == "Neoplasm"
    assert segment.segmented_property_category.meaning == "Morphologically Abnormal Structure"
    assert "RecommendedDisplayCIELabValue" in segment
    assert read.SegmentationFractionalType == "PROBABILITY"
    assert read.MaximumFractionalValue == 255
    assert read.ContentDescription == "in words"
    assert made.kind == "segmentation"
    assert errors_in(made.path) == []


@pytest.mark.parametrize("segment", ["Neoplasm", "SCT:Neoplasm", ("108369006", "SCT", "Neoplasm")])
def test_a_segment_may_be_a_term(source, objects, segment):
    told = {**TOLD, "segment": segment, "patch": 256}
    (plain,) = add_heatmap(source, objects, waves(9, 6), **told)
    (named,) = add_heatmap(source, objects, waves(9, 6), label="tumour cells, any", **told)
    labels = [
        fractions_of(one)[1].get_segment_description(1).segment_label for one in (plain, named)
    ]
    assert labels == ["Neoplasm", "tumour cells, any"]


def test_shares_of_area_are_told_from_probabilities(source, objects):
    told = {**TOLD, "quantity": "DCM:FractionalOccupancySegmentation"}
    (made,) = add_heatmap(source, objects, waves(9, 6), patch=256, **told)
    assert fractions_of(made)[1].SegmentationFractionalType == "OCCUPANCY"


def test_values_that_rounding_explains_are_clipped(source, objects):
    values = waves(9, 6)
    values[0, 0], values[0, 1] = 1.000001, -0.0000001
    (made,) = add_heatmap(source, objects, values, patch=256, **TOLD)
    assert fractions_of(made)[0][0, :2].tolist() == [1, 0]


ALL = waves(9, 6)


@pytest.mark.parametrize(
    ("values", "told", "words"),
    [
        (ALL * 2, {}, "its range reaches from 0 to 1"),
        (ALL - 1, {}, "its range reaches from 0 to 1"),
        (ALL, {"value_range": (0, 0.5)}, "its range reaches from 0 to 0.5"),
        (ALL, {"value_range": (0, 255)}, "numbers from 0 to 1, and value_range"),
        (ALL, {"value_range": (-1, 1)}, "numbers from 0 to 1, and value_range"),
        (ALL, {"value_range": (1, 0)}, "numbers from 0 to 1, and value_range"),
        (ALL * np.inf, {}, "from inf to inf"),
        (ALL * np.nan, {}, "all that was given is NaN"),
        (ALL * 0, {}, "All values of the map are 0"),
        (ALL * 0.001, {}, "nearly so (at most 0.0"),
        (ALL, {"segment": None}, 'give segment="Neoplasm"'),
        (ALL, {"segment": ["Neoplasm", "Necrosis"]}, "a segment"),
        (ALL, {"segment": "neoplasmus"}, "SCT:Neoplasm"),
        (ALL, {"segment": 5}, "a segment"),
        (ALL, {"quantity": ("S1", "99LAB", "Mitotic score")}, "not 'Mitotic score'"),
        (ALL, {"quantity": "Probablity"}, "Probability"),
        (ALL, {"unit": "UCUM:Percent"}, "Divide percents by 100"),
        (ALL, {"label": "x" * 65}, "label of a segment"),
        (ALL, {"description": "x" * 65}, "64 characters"),
        (ALL, {"tile_size": 100}, "multiple of 32"),
        (ALL, {"segment": Segment(label="a", type="Tissue"), "label": "b"}, "leave label away"),
        (ALL, {"patch": 100}, "21 x 15"),
        (ALL + 1j, {}, "real numbers"),
        (ALL, {"encoding": "16-bit"}, 'give encoding="fractional"'),
    ],
)
def test_refusals_say_what_is_wrong_and_leave_nothing(source, tmp_path, values, told, words):
    objects = objects_in(tmp_path / "made", source)
    with pytest.raises(ValueError, match=re.escape(words)):
        add_heatmap(source, objects, values, **{"patch": 256, **TOLD, **told})
    assert objects.made == ()
    assert not [*tmp_path.rglob("*.dcm*")]


def test_a_slide_reads_it_among_its_segmentations(made_folder, tmp_path):
    folder = shutil.copytree(made_folder, tmp_path / "slides")
    with wsiweb.connect(folder) as archive:
        session = archive.slides()[0].open().results("v1")
        size = archive.slides()[0].open().levels[1].size
        values = waves(*size)
        session.add_heatmap(values, level=1, **TOLD)
        session.save(folder / "results")
    with wsiweb.connect(folder) as archive:
        slide = archive.slides()[0].open()
        (read,) = slide.segmentations("v1")
        found = read.read_region((0, 0), 1, size, segment="Neoplasm")
        assert slide.heatmaps() == []
    assert np.abs(found - values).max() <= HALF_STEP
