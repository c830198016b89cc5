"""Texts that DICOM can hold, checked before they are written (PS3.5 6.2)."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from wsiweb.arguments import shown

__all__ = ["check_person", "check_prose", "check_text", "check_uid"]

_LONGEST_GROUP = 64  # characters of one form of a person's name, VR PN
_FORMS = 3  # of a person's name: in letters, in ideographs, as it sounds
_BROKEN = {"Cc", "Cs"}  # control characters, and halves of pairs that are no characters
_BREAKS = "\t\n\f\r"  # control characters of several lines, VR ST, LT and UT
_LONGEST_UID = 64
_UID = re.compile(r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))+")


def check_text(what: str, text: Any, longest: int, *, least: int = 1) -> None:
    """Refuse a text that cannot be written, or would be read as something else.

    Parameters
    ----------
    what : str
        What it is for, said in errors.
    text : str
        The text.
    longest, least : int
        How many characters it may have, blanks at its ends not counted.

    Raises
    ------
    ValueError
        For what is no text, too long or too short, or holds a backslash (which divides values) or
        control characters.

    Examples
    --------
    >>> check_text("the name of a result", "tumour-v1", 64)
    """
    fits = isinstance(text, str) and least <= len(text.strip()) and len(text) <= longest
    if not fits or "\\" in text or _is_broken(text):
        raise ValueError(
            f"{_begun(what)} has {least} to {longest} characters, none of them a backslash or a "
            f"control character; {shown(text)} was given."
        )


def check_prose(what: str, text: Any, longest: int) -> None:
    """Refuse a text that cannot be written where several lines can (VR ST, LT).

    Parameters
    ----------
    what, text, longest
        As for `check_text`; it may be empty.

    Raises
    ------
    ValueError
        For what is no text or too long, or holds control characters other than breaks and tabs.
    """
    fits = isinstance(text, str) and len(text) <= longest
    if not fits or _is_broken(text.translate(dict.fromkeys(map(ord, _BREAKS)))):
        given = f"a text of {len(text)}" if isinstance(text, str) and not fits else shown(text)
        raise ValueError(
            f"{_begun(what)} is a text of up to {longest} characters, in one line or several; "
            f"{given} was given."
        )


def check_person(what: str, name: Any) -> None:
    """Refuse a person's name that cannot be written (VR PN).

    Raises
    ------
    ValueError
        As `check_text`; also for more than three forms of the name (``=``), or one of more than 64
        characters.
    """
    check_text(what, name, _FORMS * _LONGEST_GROUP + _FORMS - 1, least=0)
    forms = name.split("=")
    if len(forms) > _FORMS or max(map(len, forms)) > _LONGEST_GROUP:
        raise ValueError(
            f"{_begun(what)} is a person's name, such as Doe^Jane: up to three forms of it with = "
            f"between them, of 64 characters each; {name[:90]!r} was given."
        )


def check_uid(what: str, uid: Any, *, least: int = 1) -> None:
    """Refuse a UID that may not be written (PS3.5 9.1); those that are read may be laxer.

    Parameters
    ----------
    what, uid
        As for `check_text`.
    least : int
        0 where it may be empty.

    Raises
    ------
    ValueError
        For what is no text of numbers without leading zeros and points between them, or has more
        than 64 characters.

    Examples
    --------
    >>> check_uid("the UID of finding 1", "2.25.1")
    """
    fits = isinstance(uid, str) and least <= len(uid) <= _LONGEST_UID
    if not fits or (uid and not _UID.fullmatch(uid)):
        raise ValueError(
            f"{_begun(what)} is {shown(uid)}: no UID, which has up to 64 characters, numbers with "
            "points between them such as 2.25.1, none of which begins with 0."
        )


def _begun(what: str) -> str:
    return what[:1].upper() + what[1:]


def _is_broken(text: str) -> bool:
    return any(unicodedata.category(one) in _BROKEN for one in text)
