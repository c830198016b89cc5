"""Whether a dataset matches the filters of a query (PS3.4 C.2.2.2, PS3.18 8.3.4).

The same rules serve both sides: the server finds by them, and the client filters again what an
archive returned, because some ignore the filters that they do not support and return everything.
"""

from __future__ import annotations

import datetime
import fnmatch
import re
from typing import TYPE_CHECKING

from wsiweb.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsiweb.wire.dicomjson import Attributes

__all__ = ["matches"]

_NUMBERS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
_RANGE = re.compile(r"([0-9.:]*)-([0-9.:]*)", re.ASCII)
# No year lies between 0000 and 1200, so a hyphen with such a number is an offset from UTC and not
# the start of a range's end (PS3.4 C.2.2.2.5).
_MOMENT = r"[0-9]{4,14}(?:\.[0-9]{1,6})?(?:\+[0-9]{4}|-(?:0[0-9]|1[0-2])[0-9]{2}(?![0-9.]))?"
_ONE_MOMENT = re.compile(_MOMENT)
_MOMENTS = re.compile(f"({_MOMENT})?-({_MOMENT})?")
_ZONED = re.compile(r"([0-9]{10,14})((?:\.[0-9]*)?)([+-])([0-9]{2})([0-9]{2})")


def matches(attributes: Attributes, filters: Iterable[tuple[str, str]]) -> bool:
    """Tell whether a dataset matches all filters.

    Parameters
    ----------
    attributes : Attributes
        The dataset.
    filters : iterable of (str, str)
        Tag paths and values, as in `wsiweb.wire.query.Query.filters`.

    Returns
    -------
    bool
        An empty value, and ``*``, match everything. A list of UIDs matches any of them; dates and
        times match by range; names regardless of case; a multi-valued attribute when any of its
        values does; an attribute inside a sequence when it does in any item. A value that cannot
        be read matches nothing.

    Examples
    --------
    >>> from wsiweb.wire.dicomjson import Attributes
    >>> study = Attributes.of({"00080020": {"vr": "DA", "Value": ["20260214"]}})
    >>> matches(study, [("00080020", "20260101-")])
    True
    """
    return all(_matches(attributes, tags.split("."), wanted) for tags, wanted in filters)


def _matches(attributes: Attributes, tags: list[str], wanted: str) -> bool:
    if not wanted.strip("*"):
        return True
    tag, *inner = tags
    try:
        if inner:
            return any(_matches(item, inner, wanted) for item in attributes.items(tag))
        return _any_value_matches(attributes, tag, wanted)
    except ProtocolError:
        return False  # one odd value must not hide what else was found


def _any_value_matches(attributes: Attributes, tag: str, wanted: str) -> bool:
    kind = attributes.vr(tag)
    if kind == "PN":
        return _names_match(attributes.names(tag), wanted)
    values = attributes.texts(tag)
    if kind == "UI":
        uids = {uid.strip() for uid in wanted.replace("\\", ",").split(",")}
        return any(value.strip(" \0") in uids for value in values)
    if kind in {"DA", "TM"}:
        return _times_match(values, wanted.replace(" ", ""), whole=kind == "DA")
    if kind == "DT":
        return _moments_match(values, wanted.replace(" ", ""))
    if kind in _NUMBERS:
        return any(_equal_numbers(value, wanted) for value in values)
    return any(_wildcard(value.strip(), wanted.strip()) for value in values)


# Dates and times ------------------------------------------------------------------------------


def _times_match(values: Iterable[str], wanted: str, *, whole: bool) -> bool:
    limits = _RANGE.fullmatch(wanted)
    if limits is not None:
        first, last = (_digits(limit, whole=whole) for limit in limits.groups())
        return any(_within(_digits(value, whole=whole), first, last) for value in values)
    exact = _digits(wanted, whole=whole)
    return any(_is_at(_digits(value, whole=whole), exact, whole=whole) for value in values)


def _moments_match(values: Iterable[str], wanted: str) -> bool:
    limits = None if _ONE_MOMENT.fullmatch(wanted) else _MOMENTS.fullmatch(wanted)
    moments = [wanted] if limits is None else [limit or "" for limit in limits.groups()]
    if any(map(_ZONED.fullmatch, moments)):
        values = map(_in_utc, values)
        moments = list(map(_in_utc, moments))
    plain = [_digits(_without_zone(moment)) for moment in moments]
    found = [_digits(_without_zone(value)) for value in values]
    if limits is None:
        return any(_is_at(value, plain[0]) for value in found)
    return any(_within(value, *plain) for value in found)


def _digits(moment: str, *, whole: bool = False) -> str:
    """Return the digits of a date or time, so that texts compare as moments do.

    Dots and colons were once written between the parts (ACR-NEMA); in a time, a dot begins a
    fraction, whose last zeros say nothing.
    """
    if whole:
        return re.sub(r"[^0-9]", "", moment)
    seconds, _, fraction = moment.strip(" \0").partition(".")
    return re.sub(r"[^0-9]", "", seconds) + fraction.rstrip("0")


def _is_at(value: str, wanted: str, *, whole: bool = False) -> bool:
    """Tell whether a moment is the wanted one, or lies in it when that is less precise."""
    return bool(wanted) and (value == wanted if whole else value.startswith(wanted))


def _within(value: str, first: str, last: str) -> bool:
    # A limit of lower precision stands for its whole span: 2026 ends with its December.
    return bool(value) and value[: len(first)] >= first and value[: len(last)] <= (last or value)


def _without_zone(moment: str) -> str:
    return re.split(r"[+-]", moment)[0]


def _in_utc(moment: str) -> str:
    """Return a date and time with an offset in UTC, to its own precision; others as they are."""
    found = _ZONED.fullmatch(moment.strip(" \0"))
    if found is None:
        return moment
    digits, fraction, sign, hours, minutes = found.groups()
    offset = datetime.timedelta(hours=int(hours), minutes=int(minutes))
    try:
        there = datetime.datetime.strptime(digits.ljust(14, "0"), "%Y%m%d%H%M%S")  # noqa: DTZ007
        here = there - offset if sign == "+" else there + offset
    except (ValueError, OverflowError):
        return moment
    return here.strftime("%Y%m%d%H%M%S").zfill(14)[: len(digits)] + fraction


# Names, numbers, text -------------------------------------------------------------------------


def _names_match(names: Iterable[str], wanted: str) -> bool:
    """Compare names in any of their forms; an asker may give several, parted by ``=``."""
    known = [_folded(name) for name in names]
    return all(
        any(_wildcard(name, form) or _wildcard(name + "^", form) for name in known)
        for form in map(_folded, wanted.split("="))
        if form
    )


def _folded(name: str) -> str:
    """Fold a person's name: case and trailing empty components do not count (PS3.5 6.2.1)."""
    return name.strip().rstrip("^").casefold()


def _equal_numbers(value: str, wanted: str) -> bool:
    try:
        return float(value) == float(wanted)
    except ValueError:
        return value == wanted


def _wildcard(value: str, wanted: str) -> bool:
    if "*" not in wanted and "?" not in wanted:
        return value == wanted
    return fnmatch.fnmatchcase(value, wanted.replace("[", "[[]"))
