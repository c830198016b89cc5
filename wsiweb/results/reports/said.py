"""What findings say: measurements, judgements and places in the body, checked and coded."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from wsiweb.arguments import shown
from wsiweb.results.codes import coded
from wsiweb.results.reports.findings import Evaluation, Finding, Measurement

if TYPE_CHECKING:
    from collections.abc import Callable

    from highdicom.sr import FindingSite

__all__ = ["listed", "said_of"]

Fields = TypeVar("Fields")

_LARGEST_WHOLE = 10**13  # what 16 characters hold with a sign and ".0", as pydicom has it (VR DS)


def listed(given: Any) -> list[Finding]:
    """Return what was given as a list of findings.

    Raises
    ------
    ValueError
        For anything else.
    """
    findings = _items(given, "A report is made", "findings: [Finding(...)]")
    for number, one in enumerate(findings, start=1):
        if not isinstance(one, Finding):
            raise ValueError(  # noqa: TRY004 - bad input is ValueError throughout
                f"A report is made of findings, Finding(region=...); number {number} is "
                f"{shown(one)}."
            )
    return findings


def _items(given: Any, what: str, of: str) -> list[Any]:
    """Return the items of a list; a text, whose items are letters, is none."""
    unlike = (str, bytes, Mapping, type)
    if isinstance(given, unlike) or not hasattr(given, "__iter__"):
        raise ValueError(f"{what} of a list of {of}; {shown(given)} was given.")
    return list(given)


def said_of(finding: Finding, what: str) -> dict[str, Any]:
    """Return measurements, evaluations, sites, type and category of a finding.

    Parameters
    ----------
    finding : Finding
        It is read once, so that these may be iterators.
    what : str
        What to call it in errors.

    Returns
    -------
    dict
        Keywords of highdicom's measurement groups.

    Raises
    ------
    ValueError
        For what is no list of these, unknown codes, and values that are no finite numbers.
    """
    from highdicom import sr

    judged = f"What was %s in {what} is made"
    measured = _items(finding.measurements, judged % "measured", "(name, value, unit)")
    answered = _items(finding.evaluations, judged % "judged", "(name, value)")
    located = _items(finding.sites, f"The sites of {what} are made", "codes")
    measurements = [
        sr.Measurement(
            name=coded(one.name, f"the name of a measurement of {what}"),
            value=_number(one.value, what),
            unit=coded(one.unit, f"the unit of a measurement of {what}"),
        )
        for one in (_as(Measurement, given, what) for given in measured)
    ]
    evaluations = [
        sr.QualitativeEvaluation(
            name=coded(one.name, f"the name of an evaluation of {what}"),
            value=coded(one.value, f"the value of an evaluation of {what}"),
        )
        for one in (_as(Evaluation, given, what) for given in answered)
    ]
    sites: list[FindingSite] = [
        sr.FindingSite(coded(site, f"a site of {what}")) for site in located
    ]
    kind = None if finding.type is None else coded(finding.type, f"the type of {what}")
    category = (
        None if finding.category is None else coded(finding.category, f"the category of {what}")
    )
    return {
        "finding_type": kind,
        "finding_category": category,
        "finding_sites": sites or None,
        "measurements": measurements or None,
        "qualitative_evaluations": evaluations or None,
    }


def _number(value: Any, what: str) -> int | float:
    """Return a measured value as Python's own number."""
    if type(value) is not bool and isinstance(value, numbers.Real):
        if isinstance(value, numbers.Integral) and abs(int(value)) < _LARGEST_WHOLE:
            return int(value)
        try:
            number = float(value)  # which is kept whole beside its text of 16 characters
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
    raise ValueError(f"A measurement of {what} is {shown(value)}, and should be a finite number.")


def _as(kind: Callable[..., Fields], given: Any, what: str) -> Fields:
    """Return what was given as a plain tuple by its names."""
    names: tuple[str, ...] = getattr(kind, "_fields", ())
    if not isinstance(given, (tuple, list)) or len(given) != len(names):
        raise ValueError(
            f"What was found in {what} is given as a list of ({', '.join(names)}); {shown(given)} "
            "is none."
        )
    return kind(*given)
