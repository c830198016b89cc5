"""The measurement of annotations: a tiny run of it, and whether its ways write the same."""

from __future__ import annotations

import highdicom
import numpy as np
import pytest
from click.testing import CliRunner
from wsiweb_benchmarks.results import annotations

COUNT = 300


def test_all_ways_write_the_same_polygons(tmp_path):
    annotations.prepare(tmp_path, COUNT)
    corners, index = annotations.nuclei(COUNT)
    for name in annotations.WAYS:
        figures = annotations.measured(name, COUNT, tmp_path, tmp_path)
        assert figures.seconds > 0
        assert figures.peak > 2**20
        (group,) = highdicom.ann.annread(figures.path).AnnotationGroupSequence
        found = group.get_graphic_data("2D")
        assert len(found) == len(index) == COUNT
        assert np.abs(np.concatenate(found) - corners).max() <= 1e-3


def test_a_table_is_printed():
    arguments = ["--polygons", "50", "--repeats", "1", "--way", "wsiweb"]
    done = CliRunner().invoke(annotations.main, arguments)
    assert done.exit_code == 0, done.output
    assert "50 polygons of 25 corners each (1250 in all)" in done.output
    assert done.output.count("| wsiweb |") == 1


def test_what_fails_is_said(tmp_path):
    with pytest.raises(RuntimeError, match="highdicom failed"):
        annotations.measured("highdicom", COUNT, tmp_path / "nowhere", tmp_path)
