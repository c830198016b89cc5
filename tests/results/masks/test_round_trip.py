"""Any mask about any slide comes back, in its place, on all its levels; highdicom judges."""

from __future__ import annotations

import highdicom
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from results.about import objects_in
from results.masks.drawn import labels, picked, planes
from results.slides import place_on, slides

from wsiweb.results.masks.mask import add_mask
from wsiweb.results.planes import Plane

NAMES = ("Neoplasm", "Necrosis", "Inflammation")
# What is given, and what it becomes: (dtype, axes, kind, profile) to SegmentationType.
FORMS = {
    "truth": ("?", 2, "auto", "slim"),
    "labels": ("u2", 2, "binary", "slim"),
    "label map": ("i4", 2, "auto", "standard"),
    "planes": ("u1", 3, "auto", "slim"),
    "planes as labels": ("?", 3, "labelmap", "standard"),
    "fraction": ("f4", 2, "auto", "slim"),
    "fractions": ("f8", 3, "fractional", "standard"),
}
TYPES = {"label map": "LABELMAP", "planes as labels": "LABELMAP"} | dict.fromkeys(
    ("fraction", "fractions"), "FRACTIONAL"
)


def drawn(form, size, seed):
    """A mask of a form, and how many segments it has."""
    dtype, axes, _, _ = FORMS[form]
    random = np.random.default_rng(seed)
    if dtype.startswith("f"):
        shape = size[::-1] if axes == 2 else (*size[::-1], 3)
        mask = random.integers(0, 256, shape) / 255
        mask[0, 0] = 1
        return mask.astype(dtype), 1 if axes == 2 else 3
    if form == "planes":
        mask = planes(size, 3, seed)
        mask[0, 0] = True
        return mask.astype(dtype), 3
    if form == "planes as labels":
        mask = labels(size, 3, seed)
        return np.stack([mask == number for number in (1, 2, 3)], axis=-1), 3
    count = 1 if form == "truth" else 3
    return labels(size, count, seed).astype(dtype), count


def planes_of(image, count):
    """What highdicom reads: shape (rows, columns, segments)."""
    if image.SegmentationType == "LABELMAP":
        found = image.get_total_pixel_matrix(combine_segments=True)
        return found[..., np.newaxis] == np.arange(1, count + 1)
    return image.get_total_pixel_matrix(combine_segments=False)


def as_planes(mask, count):
    if mask.ndim == 3:
        return mask
    if mask.dtype.kind == "f":
        return mask[..., np.newaxis]
    return mask[..., np.newaxis] == np.arange(1, count + 1)


@st.composite
def places(draw, source):
    """For which matrix a mask is: as it is told, its plane, and the part of it that is given."""
    pyramid = source.pyramid
    way = draw(st.sampled_from(["level", "mpp", "part"]))
    if way == "mpp":
        scale = draw(st.floats(0.7, 9))
        mpp = scale * pyramid.mpp[0]
        size = tuple(
            max(1, round(edge * step / mpp))
            for edge, step in zip(pyramid.levels[0].size, pyramid.mpp, strict=True)
        )
        return {"mpp": mpp}, Plane.at_mpp(pyramid, mpp, size), (0, 0), size
    level = draw(st.integers(0, len(pyramid.levels) - 1))
    plane = Plane.at_level(pyramid, level)
    if way == "level":
        return {"level": level}, plane, (0, 0), plane.size
    start = tuple(draw(st.integers(0, edge - 1)) for edge in plane.size)
    size = tuple(
        draw(st.integers(1, edge - first)) for edge, first in zip(plane.size, start, strict=True)
    )
    return {"level": level, "location": start}, plane, start, size


# pydicom's guess, of a frame of noise that is compressed to as many bytes as it had.
@pytest.mark.filterwarnings("ignore:The number of bytes of compressed pixel data matches")
@settings(max_examples=30)
@given(
    source=slides(260),
    form=st.sampled_from(list(FORMS)),
    tile=st.tuples(st.integers(16, 90), st.integers(16, 90)),
    data=st.data(),
)
def test_masks_come_back_in_their_place(tmp_path_factory, source, form, tile, data):
    told, plane, start, size = data.draw(places(source))
    mask, count = drawn(form, size, data.draw(st.integers(0, 99)))
    _, _, kind, profile = FORMS[form]
    made = add_mask(
        source,
        objects_in(tmp_path_factory.mktemp("made"), source),
        mask,
        segments=NAMES[:count],
        kind=kind,
        profile=profile,
        tile_size=tile,
        **told,
    )
    given_planes = as_planes(mask, count)
    whole = np.zeros((*plane.size[::-1], count), given_planes.dtype)
    (x, y), (width, height) = start, size
    whole[y : y + height, x : x + width] = given_planes
    pyramid = source.pyramid
    factors = np.array(plane.factors)
    np.testing.assert_allclose(factors * pyramid.mpp, np.array(plane.geometry.spacing) * 1000)
    if "mpp" in told:
        np.testing.assert_allclose(factors * pyramid.mpp, [told["mpp"]] * 2)
    coarser = [one for one in pyramid.levels if one.downsample > factors.max() * 1.1]
    assert len(made) == 1 + len(coarser)
    steps = [factors, *([one.downsample] * 2 for one in coarser)]
    for result, one, step in zip(made, [plane, *coarser], np.array(steps), strict=True):
        image = highdicom.seg.segread(result.path)
        assert image.SegmentationType == TYPES.get(form, "BINARY")
        expected = picked(whole, step / factors, one.size)
        found = planes_of(image, count)
        assert found.shape == expected.shape
        assert np.abs(found.astype(float) - expected).max() < 1e-6
        points = np.array([[0, 0], [1, 0], [0, 1], [2.5, 0.25], one.size])
        there = place_on(source.dataset(0))(points * step)
        np.testing.assert_allclose(place_on(image)(points), there, atol=1e-6)
