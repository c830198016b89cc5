"""What is easily got wrong in Segmentations, and what others have got wrong."""

from __future__ import annotations

import highdicom
import numpy as np
import pydicom
import pytest
from results.about import objects_in
from results.checking import errors_in
from results.masks.drawn import labels, read
from results.masks.sized import sized

from wsiweb.results.masks.mask import add_mask

SIZE = (100, 76)
NAMES = ("Neoplasm", "Necrosis", "Inflammation")


@pytest.fixture
def source():
    return sized(SIZE, (1, 4))


@pytest.fixture
def objects(tmp_path, source):
    return objects_in(tmp_path / "objects", source)


# Padding --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tile", "is_odd"), [((17, 19), True), ((16, 17), False), ((33, 17), True)]
)
def test_bits_are_padded_with_zeros_to_an_even_length(source, objects, tile, is_odd):
    mask = np.ones(SIZE[::-1], bool)
    (made, _) = add_mask(source, objects, mask, segments="Neoplasm", tile_size=tile)
    written = pydicom.dcmread(made.path)
    bits = written.NumberOfFrames * tile[0] * tile[1]
    data = written.PixelData
    assert -(-bits // 8) % 2 == is_odd
    # All bits, to whole bytes, and one more byte where these are odd (PS3.5 8.1.1, 8.2).
    assert len(data) == -(-bits // 16) * 2
    unpacked = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    assert not unpacked[bits:].any()
    assert made.path.read_bytes().endswith(data)  # nothing comes after them


@pytest.mark.parametrize("kind", ["labelmap", "fractional"])
def test_compressed_frames_are_padded_with_zeros_to_an_even_length(source, objects, kind):
    mask = labels(SIZE) / 3 if kind == "fractional" else labels(SIZE)
    told = {"segments": NAMES if kind == "labelmap" else "Neoplasm", "tile_size": 17}
    (made, _) = add_mask(source, objects, mask, kind=kind, profile="standard", **told)
    written = pydicom.dcmread(made.path)
    frames = list(pydicom.encaps.generate_fragments(written.PixelData))[1:]  # behind the offsets
    assert len(frames) == written.NumberOfFrames
    ends = set()
    for frame in frames:
        assert len(frame) % 2 == 0
        ends.add(frame[frame.rindex(b"\xff\xd9") + 2 :])  # behind the end of the image
    assert ends == {b"", b"\0"}


# Segments without pixels ----------------------------------------------------------------------


def gapped(dtype=np.uint8):
    """Labels 1 and 3 of three; a shift of numbers is seen."""
    mask = np.zeros(SIZE[::-1], dtype)
    mask[:40, :30] = 1
    mask[20:70, 50:90] = 3
    return mask


@pytest.mark.parametrize("form", ["labels", "planes", "tiles", "label map", "fractions"])
def test_a_segment_without_pixels_keeps_its_number(source, objects, form):
    mask = gapped()
    told = {"profile": "standard"} if form == "label map" else {}
    stack = np.stack([mask == number for number in (1, 2, 3)], axis=-1)
    given = {
        "planes": stack,
        "fractions": stack.astype(float),
        "tiles": [(0, 0, mask[:, :50]), (1, 0, mask[:, 50:])],
    }.get(form, mask)
    tile = (50, 76)
    made = add_mask(source, objects, given, segments=NAMES, level=0, tile_size=tile, **told)
    for result, step in zip(made, (1, 4), strict=True):
        image = highdicom.seg.segread(result.path)
        described = [one for one in image.SegmentSequence if one.SegmentNumber]
        assert [(one.SegmentNumber, one.SegmentLabel) for one in described] == [
            *enumerate(NAMES, start=1)
        ]
        expected = mask[step // 2 :: step, step // 2 :: step]
        numbered = expected[..., np.newaxis] == (1, 2, 3)
        if form == "label map":
            np.testing.assert_array_equal(read(result), expected)
            continue
        found = read(result, combined=False)
        np.testing.assert_array_equal(found, numbered)
        if form != "fractions":  # of which empty frames are there
            groups = image.PerFrameFunctionalGroupsSequence
            shown = [
                group.SegmentIdentificationSequence[0].ReferencedSegmentNumber for group in groups
            ]
            assert set(shown) == {1, 3}
        # Asked for by its number, the empty one is empty, and the last is not in its place.
        for number in (2, 3):
            alone = image.get_total_pixel_matrix(segment_numbers=[number], combine_segments=False)
            np.testing.assert_array_equal(alone[..., 0], expected == number)
        assert errors_in(result.path) == []


def test_only_the_last_segment_may_have_pixels(source, objects):
    mask = np.where(gapped() == 3, 3, 0)
    (made, _) = add_mask(source, objects, mask, segments=NAMES, tile_size=50)
    np.testing.assert_array_equal(read(made), mask)


# Numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_a_fraction_of_one_is_the_maximum(source, objects, dtype):
    mask = np.zeros(SIZE[::-1], dtype)
    mask[:, 50:] = 1
    mask[:, 25:50] = 0.5
    (made, _) = add_mask(source, objects, mask, segments="Neoplasm")
    image = highdicom.seg.segread(made.path)
    # Eight bits are all there are (PS3.3 C.8.20.2): 256 would be 0.
    assert image.MaximumFractionalValue == image.pixel_array.max() == 255
    found = read(made, combined=False)[..., 0]
    assert set(np.unique(found)) == {0, np.float32(128 / 255), 1}
    assert (found[:, 50:] == 1).all()


@pytest.mark.parametrize("dtype", ["u4", "i8", "u2", ">i4"])
@pytest.mark.parametrize("profile", ["slim", "standard"])
def test_whole_numbers_of_any_width_are_labels(source, objects, dtype, profile):
    mask = labels(SIZE).astype(dtype)
    (made, _) = add_mask(source, objects, mask, segments=NAMES, profile=profile)
    np.testing.assert_array_equal(read(made), mask)


def test_a_label_without_a_description_is_refused_wherever_it_is(source, objects):
    mask = gapped()
    mask[-1, -1] = 4
    with pytest.raises(ValueError, match=r"holds 4 .* 3 segments are described"):
        add_mask(source, objects, mask, segments=NAMES, tile_size=16)
    assert not list(objects.folder.rglob("*"))
