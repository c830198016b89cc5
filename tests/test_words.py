from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsiweb import words


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (10**18, "1000.0 PB"),
    ],
)
def test_amounts(size, said):
    assert words.amount(size) == said


@given(st.integers(0, 9 * 10**14))
def test_an_amount_is_short_and_about_right(size):
    number, unit = words.amount(size).split()
    scale = {"byte": 1, "bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    assert float(number) < 1000
    assert float(number) * scale == pytest.approx(size, rel=0.06, abs=0.5)
    assert words.part(size, size) == f"{number} of {number} {unit}"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "1 s"), (99.4, "99 s"), (99.6, "2 min"), (3599, "1 h 0 min"), (86_400, "1 d 0 h")],
)
def test_durations(seconds, said):
    assert words.duration(seconds) == said


@given(st.text())
def test_what_others_wrote_cannot_steer_a_terminal(text):
    shown = words.printable(text)
    assert shown.isprintable()
    assert words.printable(shown) == shown
