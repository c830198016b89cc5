from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as some
from PIL import Image

from wsiweb.results.masks.grid import Grid
from wsiweb.results.masks.matrices import Matrix, cut, matrix_of, parts_of

MASK = np.random.default_rng(0).integers(0, 4, (150, 220), np.uint8)

edges = some.integers(1, 400)


@given(
    some.tuples(edges, edges),
    some.tuples(edges, edges),
    some.tuples(some.integers(16, 90), some.integers(16, 90)),
    some.one_of(some.none(), some.tuples(edges, edges)),
    some.tuples(some.integers(0, 90), some.integers(0, 90)),
    some.sampled_from(["u1", "f8"]),
)
def test_blocks_are_whole_tiles_and_cover_the_mask_once(size, rest, tile, chunks, location, dtype):
    matrix = Matrix(None, size[::-1], np.dtype(dtype), chunks)
    whole = [
        first + length + more for first, length, more in zip(location, size, rest, strict=True)
    ]
    grid = Grid((whole[0], whole[1]), tile)
    covered = np.zeros(whole[::-1], np.uint8)
    for block in matrix.blocks(grid, location):
        assert grid.aligned(block.location, block.size) == block
        (x, y), (width, height) = block.location, block.size
        covered[y : y + height, x : x + width] += 1
    assert covered.max() == 1
    inside = covered[location[1] :, location[0] :][: size[1], : size[0]]
    assert inside.all()


@pytest.mark.parametrize(
    ("chunks", "tile", "pixel"),
    [
        ((1024, 1024), (512, 512), "u1"),
        ((100_000, 512), (512, 512), "u1"),
        ((512, 100_000), (512, 512), "f4"),
        ((50_000, 50_000), (256, 256), "f8"),
        ((1000, 1000), (512, 512), "u1"),
        (None, (512, 512), "u1"),
        (None, (8192, 8192), "u1"),
    ],
)
def test_blocks_are_bounded_whatever_chunks_are(chunks, tile, pixel):
    matrix = Matrix(None, (100_000, 100_000), np.dtype(pixel), chunks)
    grid = Grid((100_000, 100_000), tile)
    blocks = list(matrix.blocks(grid, (0, 0)))
    largest = max(block.size[0] * block.size[1] for block in blocks) * np.dtype(pixel).itemsize
    assert largest <= 2**26


def test_blocks_fit_chunks_where_that_can_be_had():
    matrix = Matrix(None, (40_000, 40_000), np.dtype("u1"), (1024, 1024))
    for block in matrix.blocks(Grid((40_000, 40_000), (512, 512)), (0, 0)):
        assert block.location[0] % 1024 == block.location[1] % 1024 == 0


def stored(folder, name, mask=MASK):
    path = folder / name
    if name.endswith(".npy"):
        np.save(path, mask)
    elif name.endswith(".zarr"):
        zarr.create_array(path, data=mask, chunks=(64, 64))
    else:
        Image.fromarray(mask).save(path)
    return path


@pytest.mark.parametrize("name", ["mask.npy", "mask.zarr", "mask.png", "mask.tif", "MASK.TIFF"])
@pytest.mark.parametrize("as_text", [True, False])
def test_files_are_read(tmp_path, name, as_text):
    path = stored(tmp_path, name)
    matrix = matrix_of(str(path) if as_text else path)
    assert matrix.size == (220, 150)
    assert (matrix.read((30, 20), (100, 50)) == MASK[20:70, 30:130]).all()


def test_pictures_of_all_depths_are_read(tmp_path):
    path = tmp_path / "mask.png"
    for given_mask in (MASK > 1, MASK.astype(np.uint16) * 300):
        Image.fromarray(given_mask).save(path)
        assert (matrix_of(path).read((0, 0), (220, 150)) == given_mask).all()
    picture = Image.fromarray(MASK).convert("P")
    picture.putdata(MASK.ravel())
    picture.save(path)
    assert (matrix_of(path).read((0, 0), (220, 150)) == MASK).all()


@pytest.mark.parametrize(
    ("make", "chunks", "elsewhere"),
    [
        (lambda _: MASK, None, False),
        (lambda folder: zarr.open_array(stored(folder, "a.zarr")), (64, 64), False),
        (lambda _: da.from_array(MASK, chunks=(70, (100, 120))), (120, 70), True),
    ],
)
def test_arrays_are_read(tmp_path, make, chunks, elsewhere):
    matrix = matrix_of(make(tmp_path))
    assert (matrix.chunks, matrix.elsewhere) == (chunks, elsewhere)
    assert (matrix.read((30, 20), (100, 50)) == MASK[20:70, 30:130]).all()


def test_planes_are_the_third_axis():
    matrix = matrix_of(np.zeros((3, 4, 5), np.uint8))
    assert (matrix.size, matrix.planes) == ((4, 3), 5)
    assert matrix.read((1, 0), (2, 3)).shape == (3, 2, 5)


def test_functions_and_iterables_are_no_matrix():
    assert matrix_of(lambda location, size: None) is None
    assert matrix_of(iter(())) is None
    assert matrix_of([]) is None


def test_what_is_no_mask_is_refused():
    with pytest.raises(ValueError, match=r"A mask is a numpy.*not int"):
        matrix_of(7)


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4, 5), (0, 5)])
def test_arrays_of_other_axes_are_refused(shape):
    with pytest.raises(ValueError, match=r"has shape \(rows, columns\)"):
        matrix_of(np.zeros(shape))


def test_dask_arrays_of_unknown_shape_are_refused():
    array = da.from_array(MASK, chunks=50)
    with pytest.raises(ValueError, match="nan"):
        matrix_of(array[array[:, 0] > 1])


def test_files_that_hold_no_mask_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no mask at"):
        matrix_of(tmp_path / "none.npy")
    (tmp_path / "mask.txt").write_text("1 2 3")
    with pytest.raises(ValueError, match=r"mask\.txt is none of these"):
        matrix_of(tmp_path / "mask.txt")
    (tmp_path / "mask.npy").write_bytes(b"no array")
    with pytest.raises(ValueError, match=r"mask\.npy cannot be read as an array"):
        matrix_of(tmp_path / "mask.npy")
    (tmp_path / "mask.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"mask\.png cannot be read as a picture"):
        matrix_of(tmp_path / "mask.png")
    zarr.create_group(tmp_path / "group.zarr")
    with pytest.raises(ValueError, match="holds no zarr array"):
        matrix_of(tmp_path / "group.zarr")
    Image.new("RGB", (4, 4)).save(tmp_path / "colour.png")
    with pytest.raises(ValueError, match="picture in colour"):
        matrix_of(tmp_path / "colour.png")


def test_a_picture_that_is_too_large_is_refused(tmp_path, monkeypatch):
    path = stored(tmp_path, "mask.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(ValueError, match=r"Keep a large mask as \.npy"):
        matrix_of(path)


GRID = Grid((220, 150), (64, 48))


def put_together(parts):
    whole = np.full((150, 220), 99, np.uint8)
    for block, pixels in parts:
        (x, y), (width, height) = block.location, block.size
        assert pixels.shape == (height, width)
        whole[y : y + height, x : x + width] = pixels
    return whole


def test_a_function_is_asked_for_all_regions_once():
    asked = []

    def function(location, size):
        asked.append(size)
        (x, y), (width, height) = location, size
        return MASK[y : y + height, x : x + width].tolist()

    assert (put_together(parts_of(function, GRID)) == MASK).all()
    assert len(asked) == 1

    large = Grid((5000, 100), (512, 64))
    regions = [block for block, _ in parts_of(lambda _, size: np.zeros(size[::-1]), large)]
    assert len(regions) == 3
    assert max(block.size[0] for block in regions) <= 2048


def test_tiles_come_with_column_and_row():
    tiles = [
        (column, row, MASK[row * 48 : row * 48 + 48, column * 64 : column * 64 + 64])
        for row in range(4)
        for column in range(4)
    ]
    assert (put_together(parts_of(reversed(tiles), GRID)) == MASK).all()


def test_tiles_may_be_padded():
    padded = np.full((4 * 48, 4 * 64), 77, np.uint8)
    padded[:150, :220] = MASK
    tiles = [
        (column, row, padded[row * 48 : row * 48 + 48, column * 64 : column * 64 + 64])
        for row in range(4)
        for column in range(4)
    ]
    assert (put_together(parts_of(tiles, GRID)) == MASK).all()


def test_regions_come_with_their_location():
    regions = [((0, 48), MASK[48:]), ((0, 0), MASK[:48, :128]), ((128, 0), MASK[:48, 128:])]
    assert (put_together(parts_of(regions, GRID)) == MASK).all()


@pytest.mark.parametrize(
    ("items", "error", "words"),
    [
        ([MASK], ValueError, "not a tuple"),
        ([(1, 2, 3, 4)], ValueError, "tuple"),
        ([(4, 0, MASK[:48, :64])], IndexError, "no tile at column 4, row 0.*columns 0 to 3"),
        ([(0, -1, MASK[:48, :64])], IndexError, "no tile"),
        ([(0, 0, MASK[:64, :48])], ValueError, r"shape \(48, 64\).*\(64, 48\) was given"),
        ([(0, 0, 5)], ValueError, r"shape \(rows, columns\)"),
        ([((0, 0), MASK[:48, :65])], ValueError, "cut through tiles.*tile_size"),
        ([((1, 0), MASK[:48, :64])], ValueError, "cut through tiles"),
        ([((192, 144), MASK[:48, :64])], IndexError, "reach beyond"),
        ([((0, -48), MASK[:48, :64])], IndexError, "reach beyond"),
        ([((0, 0), MASK[:0])], ValueError, "has none"),
    ],
)
def test_parts_that_do_not_fit_are_refused(items, error, words):
    with pytest.raises(error, match=words):
        list(parts_of(items, GRID))


def test_a_function_that_returns_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"so for shape \(150, 220\); it .* \(220, 150\)"):
        list(parts_of(lambda _, size: np.zeros(size), GRID))


def test_a_tile_at_the_edge_may_be_cut_off_or_whole():
    block = GRID.block(3, 3)
    assert block.size == (28, 6)
    assert cut(MASK[:6, :28], block, GRID.tile).shape == (6, 28)
    assert (cut(MASK[:48, :64], block, GRID.tile) == MASK[:6, :28]).all()


def test_what_numpy_masks_is_background():
    masked = np.ma.masked_array(MASK, MASK == 2)
    expected = np.where(MASK == 2, 0, MASK)
    for given_mask in (masked, da.from_array(masked, chunks=64)):
        assert (matrix_of(given_mask).read((30, 20), (100, 50)) == expected[20:70, 30:130]).all()
    assert (put_together(parts_of(lambda location, size: masked, GRID)) == expected).all()
    assert (put_together(parts_of([((0, 0), masked)], GRID)) == expected).all()
    truth = matrix_of(np.ma.masked_array(MASK > 0, MASK == 2)).read((0, 0), (220, 150))
    assert truth.dtype == np.bool_
    assert (truth == (expected > 0)).all()


@pytest.mark.parametrize("kind", [2, 3])
@pytest.mark.parametrize("name", ["array", "group.zarr/array", "array.zarr"])
def test_folders_of_zarr_arrays_are_read_whatever_their_name(tmp_path, kind, name):
    if "/" in name:
        zarr.create_group(tmp_path / "group.zarr", zarr_format=kind)
    zarr.create_array(tmp_path / name, data=MASK, chunks=(64, 64), zarr_format=kind)
    assert (matrix_of(tmp_path / name).read((0, 0), (220, 150)) == MASK).all()


@pytest.mark.parametrize("kind", [2, 3])
@pytest.mark.parametrize("name", ["group", "group.zarr"])
def test_zarr_groups_are_refused_alike(tmp_path, kind, name):
    group = zarr.create_group(tmp_path / name, zarr_format=kind)
    for given_mask in (tmp_path / name, group):
        with pytest.raises(ValueError, match="array in it"):
            matrix_of(given_mask)


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(ValueError, match="is none of these"):
        matrix_of(tmp_path)


def test_blocks_of_another_shape_than_declared_are_refused():
    array = da.from_array(MASK, chunks=50).map_blocks(lambda block: block[:20, :20], dtype="u1")
    with pytest.raises(ValueError, match=r"declared .* \(150, 220\)"):
        matrix_of(array).read((0, 0), (220, 150))


@pytest.mark.parametrize("location", [(0.0, 0), (0, 0, 0), 3, None])
def test_a_place_is_two_whole_numbers(location):
    with pytest.raises(ValueError, match="two whole numbers"):
        list(parts_of([(location, MASK)], GRID))
    if location not in {3, None} and len(location) == 2:
        with pytest.raises(ValueError, match="two whole numbers"):
            GRID.block(*location)
