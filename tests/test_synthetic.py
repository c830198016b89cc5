"""Made-up slides, judged by the libraries that others read slides with."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter

import highdicom
import imagecodecs
import numpy as np
import pydicom
import pytest
from dicomslide import find_slides
from dicomweb_client import DICOMfileClient
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydicom.encaps import generate_frames
from wsidicom import WsiDicom

from wsiweb import synthetic
from wsiweb.synthetic.texture import Tissue
from wsiweb.writing.rows import Means, means

NATIVE = "1.2.840.10008.1.2.1"
SIZE = (1500, 1100)
KINDS = {
    "full": {},
    "sparse": {"tiling": "TILED_SPARSE"},
    "rgb": {"photometric": "RGB", "tile_size": 240},
    "oblong": {"tile_size": (320, 192), "offsets": "extended"},
    "native": {"transfer_syntax": NATIVE},
    "native sparse": {"transfer_syntax": NATIVE, "tiling": "TILED_SPARSE"},
    "grey": {"photometric": "MONOCHROME2"},
    "16 bit": {"transfer_syntax": NATIVE, "photometric": "MONOCHROME2", "bits": 16},
}


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    """The same tissue in all kinds of files."""
    folder = tmp_path_factory.mktemp("slides")
    return {
        kind: synthetic.write_slide(folder / kind, *SIZE, seed=4, **options)
        for kind, options in KINDS.items()
    }


def matrix(path):
    """Put a TILED_FULL native instance together, with nothing but pydicom."""
    header = pydicom.dcmread(path)
    tiles = header.pixel_array.reshape(-1, header.Rows, header.Columns, header.SamplesPerPixel)
    columns = -(-header.TotalPixelMatrixColumns // header.Columns)
    rows = [np.concatenate(tiles[k : k + columns], axis=1) for k in range(0, len(tiles), columns)]
    whole = np.concatenate(rows)
    return whole[: header.TotalPixelMatrixRows, : header.TotalPixelMatrixColumns]


def frames(path):
    header = pydicom.dcmread(path)
    table = header.get("ExtendedOffsetTable")
    extended = None if table is None else (table, header.ExtendedOffsetTableLengths)
    return list(
        generate_frames(
            header.PixelData, number_of_frames=header.NumberOfFrames, extended_offsets=extended
        )
    )


def exact(rows, down, right):
    """Means of whole blocks and of what is left at the edges, slowly and plainly."""
    height, width, samples = rows.shape
    result = np.empty((-(-height // down), -(-width // right), samples), rows.dtype)
    for y, x in np.ndindex(result.shape[:2]):
        block = rows[y * down : (y + 1) * down, x * right : (x + 1) * right].astype(np.uint64)
        count = block.shape[0] * block.shape[1]
        result[y, x] = (block.sum(axis=(0, 1)) + count // 2) // count
    return result


PIXELS = hnp.arrays(
    st.sampled_from([np.uint8, np.uint16]),
    st.tuples(st.integers(1, 14), st.integers(1, 9), st.sampled_from([1, 3])),
)


@given(rows=PIXELS, factor=st.integers(2, 5), cuts=st.lists(st.integers(0, 14)))
def test_means_are_exact_however_the_rows_arrive(rows, factor, cuts):
    mean = Means(factor)
    parts = [mean.feed(part) for part in np.split(rows, sorted(cuts))]
    last = mean.finish()
    whole = np.concatenate(parts if last is None else [*parts, last])
    assert whole.dtype == rows.dtype
    np.testing.assert_array_equal(whole, exact(rows, factor, factor))


def test_means_do_not_overflow():
    assert means(np.full((16, 16, 1), 255, np.uint8), 16, 16).item() == 255
    assert means(np.full((256, 256, 1), 65535, np.uint16), 256, 256).item() == 65535


@pytest.mark.parametrize("factors", [(1, 2, 4, 8), (1, 3, 12)])
@pytest.mark.parametrize("bits", [8, 16])
def test_each_level_is_the_mean_of_the_one_before(tmp_path, factors, bits):
    slide = synthetic.write_slide(
        tmp_path, 517, 389, tile_size=100, transfer_syntax=NATIVE, bits=bits, levels=factors
    )
    levels = [matrix(path) for path in slide.levels]
    assert levels[0].shape == (389, 517, 3)
    assert levels[0].dtype == np.dtype(f"uint{bits}")
    for finer, coarser, ratio in zip(
        levels, levels[1:], np.divide(factors[1:], factors[:-1]).astype(int), strict=False
    ):
        np.testing.assert_array_equal(coarser, exact(finer, ratio, ratio))


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    one, two = (synthetic.write_slide(tmp_path / name, 700, 300, seed=9) for name in "ab")
    assert [path.name for path in one.paths] == [path.name for path in two.paths]
    for first, second in zip(one.paths, two.paths, strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_another_recipe_gives_other_uids_and_another_seed_other_pixels(tmp_path, slides):
    other = synthetic.write_slide(tmp_path, *SIZE, seed=5)
    instances = Counter(
        pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID
        for slide in [other, *slides.values()]
        for path in slide.paths
    )
    assert set(instances.values()) == {1}
    assert len({slide.series_uid for slide in slides.values()}) == len(slides)
    assert frames(other.levels[0]) != frames(slides["full"].levels[0])


def test_slides_of_one_accession_share_the_study(tmp_path):
    case = {"patient_id": "P7", "accession_number": "A7"}
    slides = [
        synthetic.write_slide(tmp_path, 200, 200, seed=seed, container_id=f"S-{seed}", **case)
        for seed in (1, 2)
    ]
    assert slides[0].study_uid == slides[1].study_uid
    assert slides[0].series_uid != slides[1].series_uid
    assert len(set(slides[0].paths) | set(slides[1].paths)) == len(list(tmp_path.iterdir()))


def test_neighbouring_blocks_agree_on_their_border():
    # Each was painted without the others: a step on the border must be as small as any step.
    tissue = Tissue(6000, 6000, seed=2)
    left, right, below = (tissue.block(*place) for place in ((2, 11), (3, 11), (2, 12)))
    across = np.abs(left[:, -1].astype(int) - right[:, 0]).mean()
    inside = np.abs(np.diff(left.astype(int), axis=1)).mean()
    down = np.abs(left[-1].astype(int) - below[0]).mean()
    assert max(across, down) < 2 * inside


def test_tissue_weighs_like_tissue(tmp_path):
    slide = synthetic.write_slide(tmp_path, 3000, 3000, levels=[1], overview=False)
    sizes = sorted(len(frame) for frame in frames(slide.levels[0]))
    # Real tissue of the same stain: 23 KB at quality 85 (median of full tiles of CMU-1).
    assert 14_000 < sizes[len(sizes) * 3 // 4] < 32_000
    assert sizes[0] < 3_000


def test_a_sparse_slide_leaves_out_only_white_tiles(slides):
    whole = matrix(slides["native"].levels[0])
    header = pydicom.dcmread(slides["native sparse"].levels[0])
    assert header.NumberOfFrames < 30
    for item, tile in zip(header.PerFrameFunctionalGroupsSequence, header.pixel_array, strict=True):
        position = item.PlanePositionSlideSequence[0]
        left = position.ColumnPositionInTotalImagePixelMatrix - 1
        top = position.RowPositionInTotalImagePixelMatrix - 1
        place = whole[top : top + 256, left : left + 256]
        np.testing.assert_array_equal(tile[: place.shape[0], : place.shape[1]], place)
        place[...] = 255
    assert (whole == 255).all()


def test_highdicom_reads_what_was_painted(slides):
    painted = matrix(slides["native"].levels[0])
    for kind, error in (("native", 0), ("full", 4), ("oblong", 4), ("rgb", 3)):
        image = highdicom.imread(slides[kind].levels[0])
        read = image.get_total_pixel_matrix(dtype=np.uint8, apply_icc_profile=False)
        assert read.shape == (1100, 1500, 3)
        assert np.abs(read.astype(int) - painted).mean() <= error, kind
    glowing = highdicom.imread(slides["16 bit"].levels[0]).get_total_pixel_matrix(dtype=np.uint16)
    np.testing.assert_array_equal(glowing // 257, 255 - painted[..., 0])


def test_highdicom_finds_all_levels_on_the_same_place_of_the_glass(slides):
    for kind in ("full", "sparse"):
        centres = []
        for path in (*slides[kind].levels, slides[kind].thumbnail):
            image = highdicom.imread(path, lazy_frame_retrieval=True)
            to_glass = highdicom.spatial.ImageToReferenceTransformer.for_image(
                image, for_total_pixel_matrix=True
            )
            factor = 1500 / image.TotalPixelMatrixColumns
            wide, high = 1500 / round(factor, 6), 1100 / round(factor, 6)
            centres.append(to_glass(np.array([[0.0, 0.0], [wide / 2, high / 2]])))
        for corner_and_centre in centres[1:]:
            np.testing.assert_allclose(corner_and_centre, centres[0], atol=2e-3)


def test_the_overview_shows_the_tissue_where_its_header_says(tmp_path):
    slide = synthetic.write_slide(tmp_path, 16_000, 6_000, levels=[1, 16], seed=1)
    overview = highdicom.imread(slide.overview)
    picture = overview.get_total_pixel_matrix(dtype=np.uint8, apply_icc_profile=False)
    pink = picture[..., 0].astype(int) - picture[..., 1] > 20
    place = np.argwhere(pink).mean(axis=0)[::-1]
    volume = highdicom.imread(slide.levels[1])
    pixels = volume.get_total_pixel_matrix(dtype=np.uint8, apply_icc_profile=False)
    centre = np.argwhere(pixels[..., 0].astype(int) - pixels[..., 1] > 20).mean(axis=0)[::-1]
    make = highdicom.spatial.ImageToReferenceTransformer.for_image
    there = make(overview, for_total_pixel_matrix=True)(place[None])
    here = make(volume, for_total_pixel_matrix=True)(centre[None])
    np.testing.assert_allclose(there, here, atol=0.1)  # millimetres


@pytest.mark.parametrize("kind", ["full", "sparse", "rgb", "oblong", "native", "grey"])
def test_wsidicom_opens_it(slides, kind):
    with WsiDicom.open(slides[kind].levels[0].parent) as slide:
        assert (slide.size.width, slide.size.height) == SIZE
        assert len(slide.levels) == len(slides[kind].levels)
        assert slide.mpp.width == pytest.approx(0.5)
        assert slide.read_label().size == (480, 480)
        assert slide.read_overview().size == (1200, 400)
        read = np.asarray(slide.read_region((0, 0), 0, SIZE).convert("RGB"))
    painted = matrix(slides["native"].levels[0])
    if kind == "grey":
        painted = 255 - painted[..., :1]
    assert np.abs(read.astype(int) - painted).mean() < 5


@pytest.mark.filterwarnings("ignore::DeprecationWarning:pydicom")  # dicomslide on pydicom 3
@pytest.mark.parametrize("kind", ["full", "sparse", "rgb", "native"])
def test_dicomslide_opens_it(slides, kind):
    folder = slides[kind].levels[0].parent
    client = DICOMfileClient(folder.as_uri(), in_memory=True, update_db=True)
    (found,) = find_slides(client, study_instance_uid=slides[kind].study_uid)
    assert found.num_levels == len(slides[kind].levels) + 1  # it counts the thumbnail
    read = found.get_image_region((200, 0), 0, (500, 900))  # (row, column), (rows, columns)
    painted = matrix(slides["native"].levels[0])[200:700, :900]
    assert np.abs(read.astype(int) - painted).mean() < 5
    assert len(found.label_images) == len(found.overview_images) == 1


@pytest.mark.parametrize("offsets", ["basic", "extended", "none"])
def test_every_offset_table_leads_to_the_same_frames(tmp_path, offsets):
    tables = {
        kind: synthetic.write_slide(tmp_path / kind, 600, 500, seed=1, offsets=kind)
        for kind in ("basic", offsets)
    }
    assert frames(tables[offsets].levels[0]) == frames(tables["basic"].levels[0])
    header = pydicom.dcmread(tables[offsets].levels[0])
    assert ("ExtendedOffsetTable" in header) == (offsets == "extended")
    table = int.from_bytes(header.PixelData[4:8], "little")
    assert table == (4 * header.NumberOfFrames if offsets == "basic" else 0)


def test_rgb_frames_do_not_say_that_they_are_rgb(slides):
    frame = max(frames(slides["rgb"].levels[0]), key=len)
    assert b"Adobe" not in frame
    assert b"JFIF" not in frame
    start = frame.index(b"\xff\xc0")
    assert [frame[start + 10 + 3 * k] for k in range(3)] == [0, 1, 2]
    right = imagecodecs.jpeg8_decode(frame, colorspace="RGB", outcolorspace="RGB")
    guessed = imagecodecs.jpeg8_decode(frame)
    assert np.abs(right.astype(int) - guessed).mean() > 20


def test_compression_is_stated_as_it_is(slides):
    path = slides["full"].levels[0]
    header = pydicom.dcmread(path)
    raw = header.NumberOfFrames * 256 * 256 * 3
    stored = sum(len(frame) for frame in frames(path))
    assert float(header.LossyImageCompressionRatio) == pytest.approx(raw / stored, rel=1e-3)


def test_progress_counts_every_tile_of_every_level(tmp_path):
    told = []
    slide = synthetic.write_slide(
        tmp_path, 900, 600, progress=lambda done, total: told.append((done, total))
    )
    total = sum(
        pydicom.dcmread(path, stop_before_pixels=True).NumberOfFrames for path in slide.levels
    )
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_an_interrupted_slide_leaves_nothing_behind(tmp_path):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthetic.write_slide(tmp_path, 900, 600, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [(1, 1), (17, 300), (256, 256)])
def test_small_slides(tmp_path, size):
    slide = synthetic.write_slide(tmp_path, *size, transfer_syntax=NATIVE)
    assert matrix(slide.levels[0]).shape == (size[1], size[0], 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": 0}, "width"),
        ({"tile_size": 8}, "tile"),
        ({"tile_size": 70_000}, "tile"),
        ({"tiling": "TILED"}, "TILED_FULL"),
        ({"photometric": "CMYK"}, "RGB"),
        ({"transfer_syntax": "1.2.840.10008.1.2.4.90"}, "JPEG Baseline"),
        ({"transfer_syntax": NATIVE, "photometric": "YBR_FULL_422"}, "Native"),
        ({"bits": 16}, "8 bits"),
        ({"transfer_syntax": NATIVE, "bits": 12}, "Bits"),
        ({"transfer_syntax": NATIVE, "width": 60_000, "height": 60_000}, "4 GB"),
        ({"levels": []}, "factor"),
        ({"levels": [2, 4]}, "factor"),
        ({"levels": [1, 4, 6]}, "multiple"),
        ({"quality": 0}, "quality"),
        ({"mpp": float("nan")}, "Micrometres"),
        ({"seed": -1}, "seed"),
        ({"offsets": "some"}, "basic"),
        ({"patient_id": "a\\b"}, "patient_id"),
        ({"accession_number": "x" * 17}, "accession_number"),
    ],
)
def test_choices_that_cannot_be_are_refused_before_any_file(tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        synthetic.write_slide(tmp_path / "out", **{"width": 300, "height": 300, **options})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", list(KINDS))
def test_dciodvfy_finds_no_error(slides, kind):
    program = shutil.which("dciodvfy")
    if program is None:
        missing = "dciodvfy is not here: on Debian, apt install dicom3tools"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    for path in slides[kind].paths:
        told = subprocess.run(
            [program, str(path)], capture_output=True, text=True, check=False
        ).stderr
        errors = [line for line in told.splitlines() if line.startswith("Error")]
        if "sparse" in kind:
            # It knows no sparse tiling, and misses the tiles that are left out on purpose.
            errors = [line for line in errors if not re.search("NumberOfFrames .* tiled", line)]
        assert errors == []
