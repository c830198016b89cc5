"""Killed with -9 at any line, or at any moment: whole jobs, or none."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

CRASHING = Path(__file__).with_name("crashing.py")
SOAK = int(os.environ.get("WSIWEB_SOAK", "0"))
STEP = 1 if SOAK else 5  # lines; all of them take a minute or two


def crash(*arguments) -> list[int]:
    command = [sys.executable, str(CRASHING), *map(str, arguments)]
    paths = os.pathsep.join(str(CRASHING.parents[depth]) for depth in (1, 2))
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
        env=os.environ | {"PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stderr
    return [int(one) for one in done.stdout.split()]


@pytest.mark.parametrize(
    "act", ["adding", "opening", "claiming", "settling", "cancelling", "clearing"]
)
def test_killed_at_any_line_leaves_all_of_it_or_nothing(act, tmp_path):
    (kills,) = crash("lines", act, tmp_path, STEP, random.randrange(STEP))
    assert kills * STEP > 20


def test_killed_at_random_moments_nothing_that_was_taken_in_is_lost(tmp_path):
    told, there = crash("moments", tmp_path, SOAK or 15, random.randrange(2**32))
    assert 0 < told <= there
