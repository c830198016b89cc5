"""Codes for what comes with names only: classes and measurements of other programs.

DICOM wants codes where QuPath and tables have names. A class whose name is in the dictionary has
its code from there, and any other is tissue, its name kept as the label of its group. A measurement
without a code has one of our own (a private coding scheme, PS3.16 8.2), which follows from its
name, with the name as its meaning.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from wsiweb.results.codes import category_of, coded

if TYPE_CHECKING:
    from highdicom.sr import CodedConcept

    from wsiweb.results.codes import Term

__all__ = ["PRIVATE_SCHEME", "Quantity", "Terms", "category_code", "quantity_of", "type_code"]

Terms: TypeAlias = "Term | Mapping[str, Term] | None"
"""A term for all classes, or by class, or what follows from their names."""

PRIVATE_SCHEME = "99WSIWEB"

_TISSUE = "Tissue"
_LONGEST = 64  # characters of a meaning, VR LO
# Units at the end of a name, as QuPath writes them: "Area µm^2", "Nucleus: Perimeter (µm)".
_UNIT = re.compile(r"[\s(\[]+(?P<unit>(?:[µμu]m|mm|px|pixels?)(?:\^?[2²])?|%)[)\]]?\s*$")
_UNITS = {
    "um": ("um", "um"),
    "um2": ("um2", "um2"),
    "mm": ("mm", "mm"),
    "mm2": ("mm2", "mm2"),
    "px": ("{pixels}", "pixels"),
    "px2": ("{pixels}", "pixels"),
    "%": ("%", "percent"),
}
_NO_UNIT = ("1", "no units")


class Quantity(NamedTuple):
    """What a measurement is of.

    Attributes
    ----------
    name : Term
        Such as ``"SCT:Area"``.
    unit : Term
        Of UCUM, such as ``"UCUM:SquareMicrometer"``.
    """

    name: Term
    unit: Term


def quantity_of(
    measurement: str, given: Mapping[str, Quantity | tuple[Term, Term]]
) -> tuple[CodedConcept, CodedConcept]:
    """Return the codes of a measurement and of its unit.

    Parameters
    ----------
    measurement : str
        Its name.
    given : mapping of str to Quantity
        Codes by name; what is not among them gets a private code, and the unit that its name ends
        with, if that is one of length, area or percent.

    Raises
    ------
    ValueError
        For a name that cannot be written, or codes that are none.

    Examples
    --------
    >>> name, unit = quantity_of("Area µm^2", {})
    >>> name.meaning, name.scheme_designator, unit.value
    ('Area µm^2', '99WSIWEB', 'um2')
    """
    what = f"the name of measurement {measurement!r}"
    if measurement in given:
        try:
            name, unit = given[measurement]
        except (TypeError, ValueError):
            raise ValueError(
                f"A measurement is said by its name and its unit, both codes; {measurement!r} has "
                f"{given[measurement]!r}."
            ) from None
        return coded(name, what), coded(unit, f"the unit of measurement {measurement!r}")
    meaning = measurement.strip()
    if not 0 < len(meaning) <= _LONGEST or "\\" in meaning or not meaning.isprintable():
        raise ValueError(
            f"The name of a measurement has 1 to {_LONGEST} characters and no backslash; "
            f"{measurement!r} was given. Give its code: measurements={{name: (name, unit)}}."
        )
    digest = hashlib.sha256(meaning.encode()).hexdigest()[:12].upper()
    value, text = _unit_in(meaning)
    return coded((f"M{digest}", PRIVATE_SCHEME, meaning), what), coded((value, "UCUM", text), what)


def _unit_in(name: str) -> tuple[str, str]:
    found = _UNIT.search(name)
    if found is None:
        return _NO_UNIT
    unit = found["unit"].replace("^", "").replace("²", "2")
    unit = unit.replace("pixels", "px").replace("pixel", "px")
    return _UNITS[re.sub("[µμ]", "u", unit)]


def type_code(terms: Terms, name: str) -> CodedConcept:
    """Return what the shapes of a class are.

    Raises
    ------
    ValueError
        For a term that is none, or a mapping that lacks the class.
    """
    if terms is None:
        try:
            return coded(name, "a class") if name else coded(_TISSUE, "a class")
        except ValueError:
            return coded(_TISSUE, "a class")
    return coded(_chosen(terms, name, "type"), f"the type of class {name!r}" if name else "type")


def category_code(terms: Terms, name: str, kind: CodedConcept) -> CodedConcept:
    """Return what kind of thing the shapes of a class are; by default what follows from the type.

    Raises
    ------
    ValueError
        For a term that is none, or a mapping that lacks the class.
    """
    if terms is None:
        return category_of(kind)
    return coded(_chosen(terms, name, "category"), "category")


def _chosen(terms: Any, name: str, what: str) -> Term:
    if not isinstance(terms, Mapping):
        return terms
    if name not in terms:
        there = ", ".join(map(repr, terms)) or "none"
        raise ValueError(
            f"No {what} is given for {f'class {name!r}' if name else 'shapes without a class'} "
            f"({what}= has {there})."
        )
    return terms[name]
