"""Any image derived from any slide comes back, in its place; highdicom and wsidicom judge."""

from __future__ import annotations

import highdicom
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from results.about import objects_in
from results.slides import place_on, slides
from wsidicom import WsiDicom

from wsiweb.results.images.image import add_image


def shares(size, above, ratio):
    """How much each pixel of a level has of those of the level above, along one axis."""
    places = np.arange(size)[:, np.newaxis] * ratio
    begin = np.minimum(places, above - 1)  # where it covers nothing, it is the pixel at the edge
    edges = np.arange(above)
    covered = np.minimum(places + ratio, edges + 1) - np.maximum(begin, edges)
    covered = np.clip(covered, 0, None)
    return covered / covered.sum(axis=1, keepdims=True)


@settings(max_examples=30)
@given(
    source=slides(220),
    tile_size=st.sampled_from([None, 64, 75, 220]),
    given_as=st.sampled_from(["array", "function"]),
    data=st.data(),
)
def test_images_come_back_in_their_place(tmp_path_factory, source, tile_size, given_as, data):
    levels = source.pyramid.levels
    source_is_rounded_down = any(
        edge * one.downsample < whole
        for one in levels
        for edge, whole in zip(one.size, levels[0].size, strict=True)
    )
    level = data.draw(st.sampled_from(levels))
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    pixels = random.integers(0, 256, (*level.size[::-1], 3), np.uint8)

    def function(location, size):
        (x, y), (width, height) = location, size
        return pixels[y : y + height, x : x + width]

    made = add_image(
        source,
        objects_in(tmp_path_factory.mktemp("made"), source),
        pixels if given_as == "array" else function,
        level=level.index,
        tile_size=tile_size,
        pyramid=data.draw(st.booleans()),
    )
    assert len(made) in {1, len(levels) - level.index}
    above = None
    for result, one in zip(made, levels[level.index :], strict=False):
        image = highdicom.imread(result.path)
        found = image.get_total_pixel_matrix(apply_icc_profile=False)
        if above is None:
            np.testing.assert_array_equal(found, pixels)
        else:  # of the level above, each pixel has as much as it covers
            ratio = one.downsample / levels[one.index - 1].downsample
            across, down = (
                shares(edge, whole, ratio)
                for edge, whole in zip(one.size, above.shape[1::-1], strict=True)
            )
            expected = np.einsum("ri,cj,ijs->rcs", down, across, above, optimize=True)
            # At the edge it may cover pixels that the level above, rounded down, has left out.
            inside = tuple(
                slice(int(whole / ratio + 1e-6)) if source_is_rounded_down else slice(None)
                for whole in above.shape[:2]
            )
            assert np.abs(found - expected)[inside].max(initial=0) <= 0.5 + 1e-6
        above = found.astype(float)
        points = np.array([[0, 0], [1, 0], [0, 1], [2.5, 0.25], one.size])
        there = place_on(source.dataset(0))(points * one.downsample)
        np.testing.assert_allclose(place_on(image)(points), there, atol=1e-6)
    with WsiDicom.open([made[0].path]) as slide:
        region = np.asarray(slide.read_region((0, 0), 0, level.size))
    np.testing.assert_array_equal(region, pixels)
