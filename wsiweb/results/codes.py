"""Coded terms by name.

What DICOM objects say about their content they say in codes (PS3.16): a value, a scheme and a
meaning. Here a code may be given as one of pydicom's (``codes.SCT.Neoplasm``), as the three texts,
or as a name that is looked up in the same dictionary.
"""

from __future__ import annotations

import difflib
import functools
import re
from typing import TYPE_CHECKING, Any, TypeAlias

from wsiweb.arguments import shown

if TYPE_CHECKING:
    from highdicom.sr import CodedConcept
    from pydicom.sr.coding import Code

__all__ = ["Term", "category_of", "coded"]

Term: TypeAlias = "str | tuple[str, str, str] | Code | CodedConcept"
"""A coded term: one of pydicom's, (value, scheme, meaning), or a name to look up."""

_SCHEMES = ("SCT", "DCM", "UCUM", "NCIt", "LN", "SRT")  # the first that knows a name is believed
# Which category the types of a list belong to (PS3.16 CID 7150). What is in none of them counts as
# tissue, which is what a slide shows.
_CATEGORIES = {
    "CID7194": "MorphologicallyAbnormalStructure",
    "CID7191": "Tissue",
    "CID7197": "BodySubstance",
}
_OTHERWISE = "Tissue"
_LONGEST_MEANING = 64  # characters, VR LO
_LONGEST_VALUE = 16  # characters, VR SH
# A backslash would part values (PS3.5 6.2), and halves of surrogate pairs are no characters.
_UNWRITABLE = re.compile(r"[\\\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def coded(term: Term, what: str) -> CodedConcept:
    """Return a term as highdicom wants it.

    Parameters
    ----------
    term : str, tuple of str, Code or CodedConcept
        A name of pydicom's dictionary, however it is cased and spaced (``"Neoplasm"``,
        ``"morphologically abnormal structure"``), perhaps with its scheme (``"SCT:Neoplasm"``);
        (value, scheme, meaning); or a code of pydicom's or highdicom's.
    what : str
        What the term is for, said in errors.

    Raises
    ------
    ValueError
        For a name that the dictionary does not know, with what is like it; or for a code that
        DICOM cannot hold.

    Examples
    --------
    >>> coded("neoplasm", "the type of a segment").value
    '108369006'
    >>> coded("qqq", "the type of a segment")
    Traceback (most recent call last):
        ...
    ValueError: 'qqq' is not in the dictionary of coded terms, and is given as the type of a \
segment. Give its (value, scheme, meaning) instead.
    """
    from highdicom.sr import CodedConcept
    from pydicom.sr.coding import Code

    if isinstance(term, CodedConcept):
        return term
    if isinstance(term, str):
        term = _looked_up(term, what)
    elif not isinstance(term, Code):
        term = _from_texts(term, what)
    _check(term, what)
    return CodedConcept(term.value, term.scheme_designator, term.meaning, term.scheme_version)


def category_of(kind: CodedConcept) -> CodedConcept:
    """Return which category of things a type belongs to (PS3.16 CID 7150).

    Parameters
    ----------
    kind : CodedConcept
        What segments or annotations are.

    Examples
    --------
    >>> category_of(coded("Neoplasm", "a type")).meaning
    'Morphologically Abnormal Structure'
    """
    return coded(_categories().get((kind.value, kind.scheme_designator), _OTHERWISE), "a category")


@functools.cache
def _categories() -> dict[tuple[str, str], str]:
    """Return categories by value and scheme of the types that belong to them."""
    from pydicom.sr.codedict import codes

    return {
        (code.value, code.scheme_designator): category
        for name, category in reversed(_CATEGORIES.items())
        for code in getattr(codes, name).concepts.values()
    }


def _from_texts(term: Any, what: str) -> Code:
    from pydicom.sr.coding import Code

    if isinstance(term, (tuple, list)) and len(term) == 3:
        # Numbers are the values of many schemes, and are given as such.
        texts = [str(term[0]) if type(term[0]) is int else term[0], *term[1:]]
        if all(isinstance(text, str) for text in texts):
            return Code(*(text.strip() for text in texts))
    raise ValueError(
        "A coded term is a name, one of pydicom's codes or (value, scheme, meaning); "
        f"{shown(term)} is given as {what}."
    )


def _check(code: Code, what: str) -> None:
    """Refuse a code that DICOM cannot hold."""
    texts = (code.value, code.scheme_designator, code.meaning)
    longest = (_LONGEST_VALUE, _LONGEST_VALUE, _LONGEST_MEANING)
    for text, most in zip(texts, longest, strict=True):
        is_known = text == code.value and texts[:2] in _long_codes()
        if not text or not (is_known or _is_writable(text, most)):
            raise ValueError(
                f"The code {texts!r}, given as {what}, cannot be written: value and scheme have 1 "
                f"to {_LONGEST_VALUE} characters, the meaning 1 to {_LONGEST_MEANING}, none of "
                "them a backslash or a control character."
            )
    if not _is_writable(code.scheme_version or "", _LONGEST_VALUE):
        raise ValueError(
            f"The version of the scheme of {texts!r}, given as {what}, has up to {_LONGEST_VALUE} "
            f"characters; {shown(code.scheme_version)} was given."
        )


def _is_writable(text: Any, most: int) -> bool:
    return isinstance(text, str) and len(text) <= most and not _UNWRITABLE.search(text)


def _looked_up(name: str, what: str) -> Code:
    scheme, _, plain = name.rpartition(":")
    found = _dictionary().get(_plain(plain), {})
    if scheme:
        found = {key: code for key, code in found.items() if key.lower() == scheme.strip().lower()}
    for key in (*_SCHEMES, *found):
        if key in found:
            return found[key]
    raise ValueError(
        f"{name!r} is not in the dictionary of coded terms, and is given as {what}. "
        f"{_suggestions(plain)}"
    )


def _suggestions(name: str) -> str:
    known = _dictionary()
    plain = _plain(name)
    near = difflib.get_close_matches(plain, known, n=5, cutoff=0.6)
    near += [other for other in known if plain and plain in other and other not in near][:3]
    if not near:
        return "Give its (value, scheme, meaning) instead."
    names = [f"{next(iter(known[one]))}:{_keyword(one)}" for one in near]
    return f"Is it one of {', '.join(names)}? Else give its (value, scheme, meaning)."


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _keyword(plain: str) -> str:
    return _keywords()[plain]


@functools.cache
def _long_codes() -> frozenset[tuple[str, str]]:
    """Return the codes of the dictionary that have a LongCodeValue: units, most of them."""
    return frozenset(
        (code.value, code.scheme_designator)
        for by_scheme in _dictionary().values()
        for code in by_scheme.values()
        if len(code.value) > _LONGEST_VALUE
    )


@functools.cache
def _keywords() -> dict[str, str]:
    from pydicom.sr.codedict import codes

    return {
        _plain(keyword): keyword
        for scheme in codes.schemes()
        for keyword in getattr(codes, scheme).dir()
    }


@functools.cache
def _dictionary() -> dict[str, dict[str, Code]]:
    """Return codes by plain name, and then by scheme."""
    from pydicom.sr.codedict import codes

    found: dict[str, dict[str, Code]] = {}
    for scheme in sorted(codes.schemes(), key=lambda one: (one not in _SCHEMES, one)):
        collection = getattr(codes, scheme)
        for keyword in collection.dir():
            try:
                code = getattr(collection, keyword)
            except (AttributeError, RuntimeError):  # one name with several codes: not by name
                continue
            found.setdefault(_plain(keyword), {})[scheme] = code
    return found
