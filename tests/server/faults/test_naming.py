from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsiweb.server.faults import FAULTS, PERSONALITIES, Fault, descriptions, fault, parse
from wsiweb.server.faults.options import options_of


def _values(known):
    if known.choices:
        values = st.sampled_from(known.choices)
    elif known.kind is bool:
        values = st.booleans()
    else:
        most = min(known.most, 10**12)
        values = (
            st.integers(int(known.least), int(most))
            if known.kind is int
            else st.floats(known.least, most)
        )
    return st.none() | values if known.default is None else values


@st.composite
def faults(draw):
    name = draw(st.sampled_from(sorted(FAULTS)))
    options = {option: _values(known) for option, known in options_of(FAULTS[name]).items()}
    return fault(name, **draw(st.fixed_dictionaries({}, optional=options)))


@given(faults())
def test_what_is_written_is_read_again(one):
    assert parse(str(one)) == (one,)
    assert parse(f" {str(one).replace(',', ' , ').replace('=', ' = ')} ") == (one,)


@given(
    st.text()
    | st.sampled_from(sorted(FAULTS)).flatmap(lambda name: st.text().map(f"{name}:{{}}".format))
)
def test_any_text_is_a_fault_or_refused(text):
    parsed = ()
    with contextlib.suppress(ValueError):
        parsed = parse(text)
    assert all(isinstance(one, Fault) for one in parsed)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bussy", r"no fault 'bussy'\. Did you mean busy\?"),
        ("", "There are: slow,"),
        ("orthanc", r"Did you mean orthanc-1\.10\?"),
        ("busy:evry=3", r"busy has no option 'evry'\. Did you mean every\?"),
        ("busy:zzz=3", "There are: on, after"),
        ("busy:", "not OPTION=VALUE"),
        ("busy:every", "'every' is not OPTION=VALUE"),
        ("busy:every=1,every=2", "each option once"),
        ("busy:every=x", "every is 'x'; it takes a whole number from 1"),
        ("busy:every=0", "every is 0; it takes a whole number from 1"),
        ("busy:every=1.5", "whole number"),
        ("busy:times=-1", "a whole number from 0"),
        ("busy:rate=1.1", "a number from 0 to 1"),
        ("busy:rate=nan", "a number from 0 to 1"),
        ("slow:seconds=inf", "a number from 0"),
        ("busy:on=write", "one of all, store, read"),
        ("forgetful:named=perhaps", "yes or no"),
        ("moved:status=200", "one of 301, 302"),
        ("failing:status=200", "from 400 to 599"),
        ("dcmjs:every=3", "takes no options.*text-answer no-type"),
    ],
)
def test_what_is_no_fault_is_refused_in_words(text, words):
    with pytest.raises(ValueError, match=words):
        parse(text)


@pytest.mark.parametrize(
    "options",
    [{"every": "3"}, {"every": 1.0}, {"every": True}, {"body": None}, {"rate": "1"}, {"name": "x"}],
)
def test_options_of_the_wrong_kind_are_refused(options):
    with pytest.raises(ValueError, match="busy"):
        fault("busy", **options)
    with pytest.raises(ValueError, match="named is 1"):
        fault("forgetful", named=1)


def test_yes_and_no_have_many_names():
    for text, value in {"yes": True, "No": False, "TRUE": True, "0": False}.items():
        assert parse(f"forgetful:named={text}") == (fault("forgetful", named=value),)
    assert parse("busy:retry-after=3") == (fault("busy", retry_after=3),)


def test_a_set_is_its_faults():
    for name, parts in PERSONALITIES.items():
        assert name not in FAULTS
        assert parse(name) == tuple(one for part in parts for one in parse(part))


def test_all_are_described():
    text = descriptions()
    for name, kind in FAULTS.items():
        first = kind.__doc__.splitlines()[0]
        assert re.search(rf"^  {re.escape(name)} +{re.escape(first)}$", text, re.MULTILINE)
        for option, known in options_of(kind).items():
            assert f"{option}: {known.words}" in text
    for name in PERSONALITIES:
        assert f"  {name} " in text
    assert max(map(len, text.splitlines())) < 220
