"""Any heat map about any slide comes back, in its place; highdicom judges both."""

from __future__ import annotations

import numpy as np
import pydicom
from hypothesis import given, settings
from hypothesis import strategies as st
from results.about import objects_in
from results.heatmaps.mapped import values_by_highdicom
from results.slides import place_on, slides

from wsiweb.results.heatmaps.heatmap import add_heatmap

# How finely values are kept: within half a step of 16 bits, or within the rounding of float32.
ENCODINGS = {"16-bit": 1 / 131_068, "float32": 2.0**-24}


def numbers(size, low, high, gaps, seed):
    """Noise, so that no two pixels can be taken for each other; some have no value."""
    random = np.random.default_rng(seed)
    values = random.uniform(low, high, size[::-1])
    values[random.random(values.shape) < gaps] = np.nan
    values.flat[random.integers(values.size)] = low  # there is one at least
    return values


@st.composite
def scales(draw, source):
    """How large the pixels of a map are, as it is told, and their number and size in level 0."""
    (width, height), pyramid = source.pyramid.levels[0].size, source.pyramid
    way = draw(st.sampled_from(["level", "patch", "mpp"]))
    if way == "level":
        level = draw(st.sampled_from(pyramid.levels))
        return {"level": level.index}, level.size, level.downsample
    patch = draw(st.floats(0.8, 40))
    rounded = draw(st.sampled_from([np.ceil, np.floor]))
    size = tuple(max(1, int(rounded(edge / patch))) for edge in (width, height))
    if way == "patch":
        return {"patch": patch}, size, patch
    factors = patch * pyramid.mpp[0] / np.array(pyramid.mpp)
    size = tuple(
        max(1, int(rounded(edge / factor)))
        for edge, factor in zip((width, height), factors, strict=True)
    )
    return {"mpp": patch * pyramid.mpp[0]}, size, factors


@settings(max_examples=30)
@given(
    source=slides(),
    encoding=st.sampled_from(list(ENCODINGS)),
    # Not as small as float32 cannot hold, which is refused.
    span=st.tuples(st.floats(-1e6, 1e6).map(lambda low: round(low, 6)), st.floats(1e-3, 1e6)),
    gaps=st.sampled_from([0, 0.3, 1]),
    tile_size=st.sampled_from([None, 32, 96, 512]),
    data=st.data(),
)
def test_maps_come_back_in_their_place(
    tmp_path_factory, source, encoding, span, gaps, tile_size, data
):
    told, size, scale = data.draw(scales(source))
    low, high = span[0], span[0] + span[1]
    values = numbers(size, low, high, gaps, data.draw(st.integers(0, 99)))
    objects = objects_in(tmp_path_factory.mktemp("made"), source)
    (made,) = add_heatmap(
        source,
        objects,
        values,
        quantity="DCM:Probability",
        value_range=data.draw(st.sampled_from([None, (low, high)])),
        encoding=encoding,
        tile_size=tile_size,
        **told,
    )
    dataset = pydicom.dcmread(made.path)
    back = values_by_highdicom(dataset)
    np.testing.assert_array_equal(np.isnan(back), np.isnan(values))
    of = high - low if encoding == "16-bit" else max(abs(low), abs(high))
    # Slope and intercept are numbers of 64 bits, and so is the arithmetic.
    most = of * ENCODINGS[encoding] * 1.0001 + 1e-15 * max(abs(low), abs(high)) * 4
    assert np.nanmax(np.abs(back - values)) <= most
    points = np.array([[0, 0], [1, 0], [0, 1], [2.5, 0.25], size])
    there = place_on(source.dataset(0))(points * scale)
    np.testing.assert_allclose(place_on(dataset)(points), there, atol=1e-6)
