from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsiweb.errors import SlideError
from wsiweb.pixels.framemap import FrameMap
from wsiweb.pixels.image import FrameAddress, PixelFormat, TiledImage
from wsiweb.pixels.pyramid import Level, Pyramid


def image(width: int, height: int, mpp: float | None = None, **changes) -> TiledImage:
    values = {
        "study_uid": "1.2",
        "series_uid": "1.3",
        "instance_uids": ("1.4",),
        "size": (width, height),
        "format": PixelFormat(64, 64),
        "mpp": None if mpp is None else (mpp, mpp),
        "frames": FrameMap.full(columns=-(-width // 64), rows=-(-height // 64)),
    }
    return TiledImage(**{**values, **changes})


def downsample(base: TiledImage, other: TiledImage) -> float:
    return Level.of(other, 1, base).downsample


def pyramid(*images: TiledImage, **changes) -> Pyramid:
    levels = tuple(Level.of(each, index, images[0]) for index, each in enumerate(images))
    return Pyramid(study_uid="1.2", series_uid="1.3", levels=levels, **changes)


@given(
    st.integers(10**4, 10**6),
    st.integers(10**4, 10**6),
    st.integers(1, 6),
    st.sampled_from([math.floor, math.ceil, round]),
)
def test_powers_of_two_are_found_however_sizes_were_rounded(width, height, power, rounding):
    factor = 2**power
    coarse = image(rounding(width / factor), rounding(height / factor))
    assert downsample(image(width, height), coarse) == factor


@given(st.integers(10**5, 10**6), st.integers(10**5, 10**6), st.integers(1, 60))
def test_any_whole_factor_is_found_where_sizes_tell(width, height, factor):
    coarse = image(width // factor, height // factor)
    assert downsample(image(width, height), coarse) == factor


def test_spacing_decides_where_sizes_leave_a_choice():
    base = image(2220, 2967, 0.5)
    assert downsample(base, image(9, 12)) == 256
    assert downsample(base, image(9, 12, 0.5 * 247)) == 247
    assert downsample(base, image(9, 12, 0.5 * 246.9)) == 256


def test_fractional_factors_come_from_spacing_then_from_sizes():
    assert downsample(image(3000, 3000, 0.5), image(2000, 2000, 0.75)) == pytest.approx(1.5)
    assert downsample(image(3000, 3000), image(2000, 2010)) == pytest.approx(1.4963, abs=1e-4)
    # Spacing that contradicts the sizes is not believed.
    assert downsample(image(3000, 3000, 0.5), image(2000, 2000, 5.0)) == pytest.approx(1.5)


def test_levels_show_themselves_in_a_line():
    slide = pyramid(image(3000, 2000, 0.5), image(1500, 1000))
    first, second = map(repr, slide.levels)
    assert first.startswith("<Level 0: 3000 x 2000 px, 0.5 um/px, tiles of ")
    assert "unknown scale" in second


def test_cmu_levels_have_whole_downsamples():
    base = image(2220, 2967, 0.499)
    sizes = [(1110, 1484), (555, 742), (278, 371), (139, 186)]
    assert [downsample(base, image(*size)) for size in sizes] == [2, 4, 8, 16]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6, unique=True), st.floats(0.01, 2000))
def test_the_level_for_a_downsample_is_openslides(powers, wanted):
    slide = pyramid(*(image(2**19 >> power, 2**18 >> power) for power in sorted(powers)))
    downsamples = [level.downsample for level in slide.levels]
    best = 0 if wanted < downsamples[0] else len(downsamples) - 1
    for index in range(1, len(downsamples)):
        if wanted >= downsamples[0] and wanted < downsamples[index]:
            best = index - 1
            break
    assert slide.level_for_downsample(wanted).index == best


def test_the_level_for_an_mpp_forgives_one_percent():
    slide = pyramid(image(4096, 4096, 0.2501), image(1024, 1024, 1.0004), image(256, 256, 4.0))
    assert [slide.level_for_mpp(mpp).index for mpp in (0.1, 0.25, 0.9, 1.0, 3.9, 4.0, 99)] == [
        0, 0, 0, 1, 1, 2, 2,
    ]  # fmt: skip
    with pytest.raises(SlideError, match="PixelSpacing"):
        pyramid(image(9, 9)).level_for_mpp(1)
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="positive"):
            slide.level_for_mpp(wrong)
        with pytest.raises(ValueError, match="positive"):
            slide.level_for_downsample(wrong)


@pytest.mark.parametrize(
    ("mpp", "power"), [(0.499, 20), (0.2505, 40), (0.25, 40), (0.17, 60), (1.01, 10), (None, None)]
)
def test_magnification_is_a_usual_one(mpp, power):
    assert pyramid(image(99, 99, mpp)).magnification == power
    assert pyramid(image(99, 99, mpp), objective_power=20.0).magnification == 20


def test_frames_of_a_concatenation_are_found_in_their_part():
    parts = image(200, 64, instance_uids=("1.4", "1.5"), frames=FrameMap.full(
        columns=4, rows=1, starts=(0, 3)
    ))  # fmt: skip
    assert parts.frame(2, 0) == FrameAddress("1.4", 3)
    assert parts.frame(3, 0) == FrameAddress("1.5", 1)
    assert parts.frame_count == 4
    assert not parts.sparse
    assert parts.crop_of(FrameAddress("1.5", 1)) == (8, 64)
    assert parts.crop_of(FrameAddress("1.4", 3)) == (64, 64)
    for address in (FrameAddress("1.4", 4), FrameAddress("1.5", 2), FrameAddress("9", 1)):
        with pytest.raises(IndexError):
            parts.crop_of(address)


def test_edge_tiles_are_cropped():
    edge = image(200, 100)
    assert edge.grid == (4, 2)
    assert edge.crop(0, 0) == (64, 64)
    assert edge.crop(3, 1) == (8, 36)
    for place in [(4, 0), (0, 2), (-1, 0)]:
        with pytest.raises(IndexError):
            edge.crop(*place)


def test_background_has_the_images_type():
    np.testing.assert_array_equal(image(9, 9, absent=(255, 254, 253)).background, [255, 254, 253])
    deep = image(9, 9, format=PixelFormat(8, 8, 1, 16, 12), absent=(4095,))
    assert deep.background.dtype == np.uint16
    assert deep.background.shape == (1,)


def test_values_can_be_pickled_compared_and_hashed():
    slide = pyramid(image(999, 999, 0.5), image(500, 500, 1.0), label=image(9, 9))
    again = pickle.loads(pickle.dumps(slide))
    assert again == slide
    assert hash(again.levels[0]) == hash(slide.levels[0])
    assert again.levels[1].frame(7, 7) == slide.levels[1].frame(7, 7)


def test_a_format_knows_its_sizes():
    deep = PixelFormat(4, 6, 1, 16, 12, signed=True)
    assert (deep.dtype, deep.shape, deep.nbytes) == (np.dtype(np.int16), (4, 6, 1), 48)
    assert PixelFormat(4, 6, photometric="YBR_FULL_422").native_nbytes == 48
    assert PixelFormat(4, 6).native_nbytes == PixelFormat(4, 6).nbytes == 72


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": 0},
        {"columns": 2**16},
        {"samples": 4},
        {"bits_allocated": 32},
        {"bits_stored": 9},
        {"bits_stored": 0},
        {"planar": 2},
    ],
)
def test_formats_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match=r"cannot|can be read|BitsStored|Planar"):
        PixelFormat(**{"rows": 4, "columns": 4, **wrong})
