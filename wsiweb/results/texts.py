"""Texts that DICOM can hold, checked before they are written (PS3.5 6.2)."""

from __future__ import annotations

import unicodedata
from typing import Any

__all__ = ["check_person", "check_text"]

_LONGEST_GROUP = 64  # characters of one form of a person's name, VR PN
_FORMS = 3  # of a person's name: in letters, in ideographs, as it sounds
_BROKEN = {"Cc", "Cs"}  # control characters, and halves of pairs that are no characters


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
    if not fits or "\\" in text or any(unicodedata.category(one) in _BROKEN for one in text):
        shown = repr(text)
        raise ValueError(
            f"{what[:1].upper()}{what[1:]} has {least} to {longest} characters, none of them a "
            f"backslash or a control character; {shown if len(shown) < 90 else shown[:90] + '...'} "
            "was given."
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
            f"{what[:1].upper()}{what[1:]} is a person's name, such as Doe^Jane: up to three forms "
            f"of it with = between them, of 64 characters each; {name[:90]!r} was given."
        )
