from __future__ import annotations

import numpy as np
import pytest

import wsiweb
from wsiweb import loop, regions, synthetic


def test_resampling_in_bands_is_resampling_at_once(made_server, monkeypatch):
    with wsiweb.connect(made_server.url) as archive:
        slide = archive.slides()[0].open()
        image = slide.levels[0]

        def read():
            return loop.run(
                regions.read_box(slide._frames, image, (33.3, 10, 2000, 1490.5), (401, 307))
            )

        whole = read()
        monkeypatch.setattr(regions, "_BAND", 300_000)
        banded = read()
    assert np.abs(whole.astype(int) - banded).max() <= 1


def test_a_slide_without_low_levels_has_a_thumbnail_in_bounded_memory(tmp_path):
    import tracemalloc

    synthetic.write_slide(tmp_path, 9000, 9000, levels=[1], thumbnail=False, overview=False)
    settings = wsiweb.Settings(decoded_bytes=2**24)
    with wsiweb.connect(tmp_path, settings=settings) as archive:
        slide = archive.slides()[0].open()
        assert len(slide.levels) == 1
        tracemalloc.start()
        thumbnail = slide.thumbnail(200)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert thumbnail.shape == (200, 200, 3)
    assert peak < 9000 * 9000 * 3 * 0.5  # a band of 32 MiB and its frames, not the whole


@pytest.mark.parametrize("tiling", ["TILED_FULL", "TILED_SPARSE"])
def test_missing_tiles_have_the_background_and_cost_nothing(tmp_path, tiling):
    synthetic.write_slide(tmp_path, 3000, 2500, tiling=tiling, seed=3)
    with wsiweb.connect(tmp_path) as archive, wsiweb.trace() as cost:
        slide = archive.slides()[0].open()
        corner = slide.read_region((0, 0), 0, (256, 256))
    assert (corner > 245).all()
    assert cost.frames_fetched == (0 if tiling == "TILED_SPARSE" else 1)
    if tiling == "TILED_SPARSE":
        assert slide.levels[0].sparse
        with pytest.raises(wsiweb.NotFound, match="no tile at column 0"):
            wsiweb.connect(tmp_path).slides()[0].open().tile(0, 0, 0)


def test_sixteen_bit_grey(tmp_path):
    synthetic.write_slide(
        tmp_path,
        900,
        700,
        transfer_syntax="1.2.840.10008.1.2.1",
        photometric="MONOCHROME2",
        bits=16,
    )
    with wsiweb.connect(tmp_path) as archive:
        slide = archive.slides()[0].open()
        region = slide.read_region((100, 100), 0, (300, 200))
        assert region.dtype == np.uint16
        assert region.shape == (200, 300, 1)
        assert slide.read((0, 0), (90, 70), mpp=slide.mpp[0] * 9.7).dtype == np.uint16
        assert slide.thumbnail(64).shape[2] == 1
