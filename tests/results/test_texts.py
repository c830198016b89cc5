from __future__ import annotations

import contextlib

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsiweb.results.texts import check_person, check_prose, check_text, check_uid


@pytest.mark.parametrize("text", [None, 5, b"a", [], "x" * 11, "a\\b", "a\nb", "a\0", "\ud800", ""])
def test_lines(text):
    check_text("a name", "Möhre", 10)
    with pytest.raises(ValueError, match="A name has 1 to 10 characters"):
        check_text("a name", text, 10)


@pytest.mark.parametrize("text", [None, 5, b"a", [], ["a"], "x" * 11, "a\0", "\x1b", "\ud800"])
def test_prose(text):
    for fits in ("", "a\\b", "a\r\n\tb"):
        check_prose("a description", fits, 10)
    with pytest.raises(ValueError, match="A description is a text of up to 10 characters"):
        check_prose("a description", text, 10)


@pytest.mark.parametrize("name", [None, 5, "a\\b", "a=b=c=d", "a" * 65])
def test_persons(name):
    check_person("the creator", "Doe^Jane")
    with pytest.raises(ValueError, match=r"The creator (is a person's name|has 0 to)"):
        check_person("the creator", name)


@given(
    st.one_of(
        st.from_regex(r"[0-9.]{0,70}", fullmatch=True),
        st.text(max_size=5),
        st.sampled_from(["1.2\n", " 1.2", "1.02", "1..2", "1.2.", "0.0", "1"]),
    )
)
def test_uids_are_those_that_pydicom_takes(uid):
    # pydicom takes blanks around it, a single number, and one with a line's end behind it, too.
    judged = pydicom.uid.UID(uid, validation_mode=pydicom.config.IGNORE)
    fits = judged.is_valid and judged == uid and "." in uid and not uid.endswith("\n")
    with contextlib.nullcontext() if fits else pytest.raises(ValueError, match="no UID"):
        check_uid("the UID of it", uid)


@pytest.mark.parametrize("uid", [None, 5, b"1.2", []])
def test_uids_are_texts_that_may_be_left_away(uid):
    check_uid("the UID of it", "", least=0)
    for least in (0, 1):
        with pytest.raises(ValueError, match="The UID of it is"):
            check_uid("the UID of it", uid, least=least)
