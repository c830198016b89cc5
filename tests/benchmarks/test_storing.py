"""The benchmark of storing, run small: for what it does, not for its figures."""

from __future__ import annotations

import re

from click.testing import CliRunner
from wsiweb_benchmarks.storing import main


def test_it_sends_in_each_way_and_says_what_it_took():
    done = CliRunner().invoke(main, ["--large", "2", "--small", "60", "--rounds", "1"])
    assert done.exit_code == 0, done.output
    assert re.search(r"beside curl's: \d+\.\d\d", done.output)
    assert done.output.count("by hand, ") == 11
    assert re.search(r"median \d+\.\d\d x the best by hand", done.output)
