from __future__ import annotations

import pytest
from click.testing import CliRunner
from wsiweb_benchmarks.results import masks


@pytest.mark.parametrize(("segments", "kind"), [(1, "binary"), (3, "label map of 3 segments")])
def test_a_tiny_comparison(segments, kind):
    ways = ("wsiweb", "highdicom, one level")
    call = ["--side", "700", "--segments", str(segments), "--tile", "128", "--repeats", "1"]
    for way in ways:
        call += ["--way", way]
    ran = CliRunner().invoke(masks.main, call, catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    head, _, _, _, *rows = ran.output.strip().splitlines()
    assert kind in head
    assert "700 x 700" in head
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[0] for row in cells] == list(ways)
    for row in cells:
        assert 50 < float(row[2]) < 400  # MB: what Python and its libraries take
    assert [row[3] for row in cells] == ["6", "1"]


def test_what_all_ways_are_given(tmp_path):
    import zarr

    case = masks.Case(side=5000, segments=3, tile=512)
    masks.prepare(tmp_path, case)
    mask = zarr.open_array(tmp_path / "mask.zarr", mode="r")[:]
    assert set(mask.ravel()[::97].tolist()) == {0, 1, 2, 3}
    blocks = mask[:4608, :4608].reshape(9, 512, 9, 512).max(axis=(1, 3)) > 0
    assert 0.3 < blocks.mean() < 0.6


def test_a_way_that_fails_says_why(tmp_path):
    with pytest.raises(RuntimeError, match=r"(?s)wsiweb failed: .*slide\.json"):
        masks.measured("wsiweb", masks.Case(side=100), tmp_path)


def test_memory_grows_with_the_mask_where_all_of_it_is_there(tmp_path):
    def growth(way):
        small, large = (masks.measured(way, case, tmp_path / str(case.side)) for case in cases)
        return large.peak - small.peak

    cases = [masks.Case(side=side) for side in (700, 8000)]
    for case in cases:
        masks.prepare(tmp_path / str(case.side), case)
    assert growth("wsiweb") < 8000**2 / 4
    assert growth("highdicom, one level") > 8000**2 / 2
