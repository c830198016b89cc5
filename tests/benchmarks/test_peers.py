"""The peers' adapters give the right pixels, or fail in the way that their `how` says."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.pixels import iter_pixels
from wsiweb_benchmarks.adapters import MODULES, adapter_of
from wsiweb_benchmarks.model import LevelInfo, SlideInfo, Source

from wsiweb import synthetic
from wsiweb.server import create_app, serve

pytestmark = [
    # All of these are raised inside the peers.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:pydicom"),
    pytest.mark.filterwarnings("ignore:No bulk data URI handler:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*'Photometric Interpretation' value is 'RGB':UserWarning"),
]

PEERS = [library for library in MODULES if library not in ("reference", "wsiweb")]
KEYS = [f"{library}/{name}" for library in PEERS for name in ("fast", "naive")]
FOLLOW_THE_HEADER = ("wsidicom", "large-image-source-dicom")  # whatever the JPEG says
FOLLOW_THE_JPEG = ("ez-wsi-dicomweb", "dicomweb-client")  # whatever the header says


class Slide:
    """A slide on a server, and what pydicom decodes from its files."""

    def __init__(self, folder, url):
        headers = [(dcmread(path, stop_before_pixels=True), path) for path in folder.glob("*.dcm")]
        found = [pair for pair in headers if pair[0].ImageType[2] == "VOLUME"]
        found.sort(key=lambda pair: -pair[0].TotalPixelMatrixColumns)
        self.headers, self.paths = zip(*found, strict=True)
        first = self.headers[0]
        self.info = SlideInfo(
            name="test",
            description="A slide for tests.",
            study_uid=first.StudyInstanceUID,
            series_uid=first.SeriesInstanceUID,
            levels=tuple(_level(header) for header in self.headers),
            tiling=first.DimensionOrganizationType,
            folder=str(folder),
        )
        self.source = Source(url=url, slide=self.info)

    def tile(self, level, column, row):
        header, path = self.headers[level], self.paths[level]
        number = self._number(level, column, row)
        if number is None:
            return np.full((header.Rows, header.Columns, 3), 255, np.uint8)
        return next(iter_pixels(path, indices=[number - 1]))

    def region(self, level, location, size):
        """Paste whole tiles, and cut the region out of them: the simplest way there is."""
        (left, top), (width, height) = location, size
        wide, high = self.info.levels[level].tile_size
        columns = range(left // wide, (left + width - 1) // wide + 1)
        rows = range(top // high, (top + height - 1) // high + 1)
        whole = np.vstack(
            [np.hstack([self.tile(level, column, row) for column in columns]) for row in rows]
        )
        x, y = left - columns[0] * wide, top - rows[0] * high
        return whole[y : y + height, x : x + width]

    def holds(self, level, column, row):
        return self._number(level, column, row) is not None

    def _number(self, level, column, row):
        header, info = self.headers[level], self.info.levels[level]
        if header.DimensionOrganizationType == "TILED_FULL":
            return row * info.grid[0] + column + 1
        wide, high = info.tile_size
        for number, item in enumerate(header.PerFrameFunctionalGroupsSequence, start=1):
            place = item.PlanePositionSlideSequence[0]
            if (
                place.ColumnPositionInTotalImagePixelMatrix == column * wide + 1
                and place.RowPositionInTotalImagePixelMatrix == row * high + 1
            ):
                return number
        return None


def _level(header):
    size = header.TotalPixelMatrixColumns, header.TotalPixelMatrixRows
    tile = header.Columns, header.Rows
    return LevelInfo(
        instance_uid=header.SOPInstanceUID,
        size=size,
        tile_size=tile,
        grid=(-(-size[0] // tile[0]), -(-size[1] // tile[1])),
        samples=header.SamplesPerPixel,
        transfer_syntax=header.file_meta.TransferSyntaxUID,
        photometric=header.PhotometricInterpretation,
    )


@pytest.fixture(params=KEYS)
def way(request):
    try:
        return adapter_of(request.param)
    except ImportError as error:
        pytest.skip(str(error))


@pytest.fixture
def opened(way):
    adapters = []

    def open_slide(slide):
        adapters.append(way(slide.source))
        adapters[0].open()
        return adapters[0]

    yield open_slide
    for adapter in adapters:
        adapter.close()


@pytest.fixture(scope="session")
def slide(made_folder, made_server):
    return Slide(made_folder, made_server.url)


def _other(tmp_path_factory, **choices):
    folder = tmp_path_factory.mktemp("other")
    synthetic.write_slide(folder, 2100, 1500, seed=7, label=False, overview=False, **choices)
    with serve(folder) as server:
        yield Slide(folder, server.url)


@pytest.fixture(scope="session")
def sparse(tmp_path_factory):
    yield from _other(tmp_path_factory, tiling="TILED_SPARSE")


@pytest.fixture(scope="session")
def rgb(tmp_path_factory):
    yield from _other(tmp_path_factory, photometric="RGB")


@pytest.fixture(scope="session")
def native(tmp_path_factory):
    yield from _other(tmp_path_factory, transfer_syntax="1.2.840.10008.1.2.1")


@pytest.fixture(scope="session")
def cmu(cmu_folder):
    with serve(cmu_folder) as server:
        yield Slide(cmu_folder, server.url)


def difference(got, expected):
    assert got.dtype == np.uint8
    assert got.shape == expected.shape
    return int(np.abs(got.astype(int) - expected).max())


@pytest.mark.parametrize(
    ("level", "location", "size"),
    [
        (0, (300, 200), (700, 500)),
        (0, (256, 512), (256, 256)),
        (0, (0, 0), (1, 1)),
        (0, (1999, 1401), (101, 99)),  # down to the last pixel
        (1, (37, 53), (600, 420)),
        (2, (5, 300), (300, 60)),
    ],
)
def test_regions_are_right(opened, slide, level, location, size):
    region = opened(slide).region(level, location, size)
    assert difference(region, slide.region(level, location, size)) <= 1


def test_a_whole_level_is_right(opened, slide):
    size = slide.info.levels[1].size
    assert difference(opened(slide).region(1, (0, 0), size), slide.region(1, (0, 0), size)) <= 1


def test_tiles_come_right_and_in_the_order_they_were_asked_in(opened, slide):
    tiles = [(6, 4), (0, 0), (3, 2), (7, 1), (2, 4), (1, 3)]
    got = list(opened(slide).tiles(0, tiles))
    assert len(got) == len(tiles)
    assert max(difference(p, slide.tile(0, *t)) for p, t in zip(got, tiles, strict=True)) <= 1


def test_one_tile_or_none_can_be_asked_for_as_tiles(opened, slide):
    adapter = opened(slide)
    (only,) = adapter.tiles(0, [(1, 1)])
    assert difference(only, slide.tile(0, 1, 1)) <= 1
    assert list(adapter.tiles(0, [])) == []


def test_a_loop_over_tiles_is_right(opened, slide):
    adapter = opened(slide)
    for column in range(8):
        assert difference(adapter.tile(0, column, 2), slide.tile(0, column, 2)) <= 1
    assert difference(adapter.tile(1, 2, 1), slide.tile(1, 2, 1)) <= 1


def test_a_tile_at_the_edge_is_right_where_the_slide_is(opened, slide):
    tile, expected = opened(slide).tile(0, 8, 5), slide.tile(0, 8, 5)
    assert tile.shape == expected.shape
    width, height = 2100 - 8 * 256, 1500 - 5 * 256
    assert difference(tile[:height, :width], expected[:height, :width]) <= 1


@pytest.mark.parametrize("size", [512, 100])
def test_a_thumbnail_has_its_size_and_looks_like_the_slide(opened, slide, size):
    thumbnail = opened(slide).thumbnail(size)
    height, width, samples = thumbnail.shape
    assert (width, samples) == (size, 3)
    assert height == pytest.approx(size * 1500 / 2100, abs=1)
    whole = slide.region(0, (0, 0), (2100, 1500))
    assert thumbnail.mean((0, 1)) == pytest.approx(whole.mean((0, 1)), abs=2)


def test_a_region_again_is_the_same(opened, slide):
    adapter = opened(slide)
    regions = [adapter.region(0, (300, 200), (700, 500)) for _ in range(2)]
    assert np.array_equal(*regions)


def test_making_one_asks_for_nothing(way, slide):
    nobody = Source(url="http://127.0.0.1:9", slide=slide.info, settings={"connections": 2})
    way(nobody).close()


def test_fixed_settings_change_no_pixel(way, slide):
    settings = {"connections": 2, "frames_per_request": 3}
    adapter = way(Source(url=slide.source.url, slide=slide.info, settings=settings))
    adapter.open()
    region = adapter.region(0, (300, 200), (700, 500))
    tiles = list(adapter.tiles(0, [(6, 4), (0, 0), (3, 2), (7, 1)]))
    adapter.close()
    assert difference(region, slide.region(0, (300, 200), (700, 500))) <= 1
    assert difference(tiles[3], slide.tile(0, 7, 1)) <= 1


def test_extra_headers_are_sent_with_every_request(way, made_folder, slide):
    app, refused = create_app(made_folder), []

    async def guarded(scope, receive, send):
        if scope["type"] == "http" and (b"x-key", b"open sesame") not in scope["headers"]:
            refused.append(scope["path"])
        await app(scope, receive, send)

    with serve(app=guarded) as server:
        source = Source(url=server.url, slide=slide.info, headers={"X-Key": "open sesame"})
        adapter = way(source)
        adapter.open()
        adapter.region(0, (300, 200), (700, 500))
        list(adapter.tiles(0, [(6, 4), (0, 0)]))
        adapter.close()
    assert refused == []


def test_ways_say_who_and_how():
    for library in PEERS:
        for name in ("fast", "naive"):
            try:
                way = adapter_of(f"{library}/{name}").way
            except ImportError:
                continue
            assert (way.library, way.name) == (library, name)
            assert len(way.how) > 40


# What follows fails for reasons of the libraries' own; the messages are what the report will say.


def test_a_sparse_slide(opened, sparse, way):
    box = 1, (20, 30), (500, 400)
    adapter = opened(sparse)
    if way.way.library == "ez-wsi-dicomweb":
        with pytest.raises(Exception, match="do not have TILED_FULL Dimension Organization"):
            adapter.region(*box)
    else:
        assert difference(adapter.region(*box), sparse.region(*box)) <= 1
        assert (
            difference(
                adapter.region(0, (100, 100), (900, 900)), sparse.region(0, (100, 100), (900, 900))
            )
            <= 1
        )


def test_a_tile_that_a_sparse_slide_does_not_hold(opened, sparse, way):
    columns, rows = sparse.info.levels[0].grid
    absent = [
        (column, row)
        for column in range(columns - 1)
        for row in range(rows - 1)
        if not sparse.holds(0, column, row)
    ]
    assert absent, "the slide for this test must not hold all tiles"
    adapter = opened(sparse)
    if way.way.library == "ez-wsi-dicomweb":
        with pytest.raises(Exception, match="do not have TILED_FULL Dimension Organization"):
            adapter.tile(0, *absent[0])
    elif way.way.library == "dicomslide":
        with pytest.raises(IndexError, match="Could not find a tile at position"):
            adapter.tile(0, *absent[0])
    else:
        assert (adapter.tile(0, *absent[0]) == 255).all()
        assert [(tile == 255).all() for tile in adapter.tiles(0, absent[:2])] == [True, True]


def test_rgb_jpeg_without_an_adobe_marker(opened, rgb, way):
    box = 0, (100, 100), (700, 600)
    off = difference(opened(rgb).region(*box), rgb.region(*box))
    if way.way.library in FOLLOW_THE_JPEG:
        assert off > 100
    else:
        assert off <= 1


def test_native_frames(opened, native, way):
    box = 0, (100, 100), (700, 600)
    adapter = opened(native)
    if way.way.library in ("wsidicom", "large-image-source-dicom"):
        with pytest.raises(TypeError, match="a bytes-like object is required, not 'list'"):
            adapter.region(*box)
    else:
        assert difference(adapter.region(*box), native.region(*box)) == 0


def test_the_real_slide(opened, cmu, way):
    if way.way.key == "dicomslide/naive":
        with pytest.raises(AttributeError, match="no attribute 'PixelSpacing'"):
            opened(cmu)
        return
    adapter = opened(cmu)
    finest, lower = (0, (700, 900), (600, 500)), (1, (100, 100), (500, 500))
    # The tiles are 240 pixels wide, and dicomslide takes the rest of 700 / 240 for 219.
    told = (0, (699, 900), (600, 500)) if way.way.library == "dicomslide" else finest
    assert difference(adapter.region(*finest), cmu.region(*told)) <= 1
    off = difference(adapter.region(*lower), cmu.region(*lower))
    if way.way.library in FOLLOW_THE_HEADER:
        assert off > 100  # its header says RGB of frames that are YCbCr
    else:
        assert off <= 1


def test_frames_smaller_than_a_tile(opened, cmu, way):
    if way.way.key == "dicomslide/naive":
        pytest.skip("it does not open this slide: see the test above")
    adapter, size = opened(cmu), cmu.info.levels[2].size
    if way.way.library == "dicomslide":
        with pytest.raises(ValueError, match="could not broadcast input array"):
            adapter.region(2, (0, 0), size)
    else:
        lost = way.way.library == "large-image-source-dicom"  # the row that its rounding cuts off
        assert adapter.region(2, (0, 0), size).shape == (size[1] - lost, size[0], 3)
