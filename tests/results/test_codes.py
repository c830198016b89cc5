from __future__ import annotations

import pytest
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from wsiweb.results.codes import coded

WHAT = "the type of a segment"


@pytest.mark.parametrize(
    "term",
    [
        codes.SCT.Neoplasm,
        "Neoplasm",
        "neoplasm",
        " SCT:Neoplasm",
        "sct: neoplasm",
        ("108369006", "SCT", "Neoplasm"),
        CodedConcept("108369006", "SCT", "Neoplasm"),
    ],
)
def test_one_term_in_all_its_forms(term):
    code = coded(term, WHAT)
    assert (code.value, code.scheme_designator) == ("108369006", "SCT")


def test_spaces_and_cases_do_not_matter():
    assert coded("morphologically ABNORMAL structure", WHAT).value == "49755003"


def test_the_scheme_decides_where_several_know_a_name():
    assert coded("UCUM:Percent", WHAT).scheme_designator == "UCUM"


@pytest.mark.parametrize("name", ["Neoplasmus", "SCT:Neoplasmus", "neo plasmm"])
def test_what_is_like_an_unknown_name_is_told(name):
    with pytest.raises(ValueError, match=r"is not in the dictionary.*type of a segment.*SCT:Neopl"):
        coded(name, WHAT)


@pytest.mark.parametrize("name", ["", "qqqqzzzz", "SCT:", "XYZ:Neoplasm"])
def test_nothing_like_it_is_no_trouble(name):
    with pytest.raises(ValueError, match="is not in the dictionary"):
        coded(name, WHAT)


@pytest.mark.parametrize(
    "term",
    [
        5,
        ("a", "b"),
        ("a", "b", "c", "d"),
        None,
        b"abc",
        (None, None, None),
        (b"a", b"b", b"c"),
        ("a", 5, "c"),
        (True, "b", "c"),
        {"a", "b", "c"},
        {"a": 1, "b": 2, "c": 3},
        Dataset(),
        str,
    ],
)
def test_what_is_no_term_is_refused(term):
    with pytest.raises(ValueError, match=r"A coded term is a name.*type of a segment"):
        coded(term, WHAT)


@pytest.mark.parametrize(
    "term", [("", "SCT", "x"), ("1", "", "x"), ("1", "SCT", " "), ("1" * 17, "SCT", "x")]
)
def test_what_dicom_cannot_hold_is_refused(term):
    with pytest.raises(ValueError, match="cannot be written"):
        coded(term, WHAT)
    with pytest.raises(ValueError, match="cannot be written"):
        coded(("1", "SCT", "m" * 65), WHAT)


def test_numbers_are_values():
    assert coded((108369006, "SCT", "Neoplasm"), WHAT).value == "108369006"


@pytest.mark.parametrize(
    "code",
    [
        Code(None, "SCT", "x"),
        Code("1", None, "x"),
        Code("1", "SCT", None),
        Code(1, "SCT", "x"),
        Code("1", "SCT", "x", 5),
        Code("1", "SCT", "x", "a\\b"),
        Code("1", "SCT", "x", "1" * 17),
    ],
)
def test_codes_of_pydicom_hold_whatever_they_were_made_of(code):
    with pytest.raises(ValueError, match="given as the type of a segment"):
        coded(code, WHAT)


@pytest.mark.parametrize("text", ["a\\b", "a\nb", "a\x00", "\ud800"])
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("kind", [tuple, lambda texts: Code(*texts)])
def test_backslashes_and_control_characters_are_refused(text, place, kind):
    texts = ["x", "99LAB", "y"]
    texts[place] = text
    with pytest.raises(ValueError, match="none of them a backslash or a control character"):
        coded(kind(texts), WHAT)


def test_codes_of_pydicom_are_checked_too():
    with pytest.raises(ValueError, match="have 1 to 16 characters"):
        coded(Code("1" * 20, "99LAB", "x"), WHAT)
    with pytest.raises(ValueError, match="the meaning 1 to 64"):
        coded(Code("1", "99LAB", "x" * 65), WHAT)


def test_long_codes_of_the_dictionary_are_kept():
    unit = next(
        code
        for code in codes.UCUM.concepts.values()
        if len(code.value) > 16 and len(code.meaning) <= 64
    )
    assert coded(unit, WHAT).LongCodeValue == unit.value
