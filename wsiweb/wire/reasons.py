"""What the codes of a STOW answer mean, in words, and what they call for.

FailureReason (0008,1197) and WarningReason (0008,1196) are numbers of 16 bits. The standard names
a few of them (PS3.18 I.2, PS3.4 B.2.3, PS3.7 annex C) and leaves ranges to the vendors, whose own
ones are here as far as they are published. Pure: nothing is asked or sent here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Meaning", "Then", "meaning"]

Then = Literal["stored", "again", "later", "never", "look"]
"""What a code calls for: ``stored`` nothing, ``again`` a few more attempts, ``later`` an attempt
when the archive had time to recover, ``never`` no attempt with the same bytes, ``look`` asking the
archive what it holds."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code means.

    Attributes
    ----------
    words : str
        A clause without a capital or a full stop, to stand after a colon.
    then : {"stored", "again", "later", "never", "look"}
        What it calls for.
    """

    words: str
    then: Then


def meaning(code: int) -> Meaning:
    """Return what a FailureReason or a WarningReason means (PS3.18 I.2).

    Parameters
    ----------
    code : int
        As the archive gave it. One that nobody published is understood by its range; a code in no
        range is a failure that may pass.

    Returns
    -------
    Meaning
        Its words and what it calls for.

    Examples
    --------
    >>> meaning(0xA700).then
    'later'
    >>> meaning(45070).words
    'an object with this UID is there already (Azure)'
    """
    known = _CODES.get(code)
    if known is not None:
        return known
    for first, last, one in _RANGES:
        if first <= code <= last:
            return one
    return Meaning(
        f"the archive gives a reason of its own, {code} ({code:04X} hexadecimal)", "again"
    )


_CODES = {
    # Azure's first API gives 1 as a WarningReason where values break their representation.
    0x0001: Meaning("stored, though some of its values are not valid (Azure)", "stored"),
    # PS3.7 annex C, which PS3.18 takes over in part.
    0x0105: Meaning("the archive does not know one of its attributes", "never"),
    0x0106: Meaning("the archive holds one of its values to be invalid", "never"),
    0x0107: Meaning("the archive does not take some of its attributes", "never"),
    0x0110: Meaning("the archive could not process it (a general failure)", "again"),
    0x0111: Meaning("an object with this UID is there already", "look"),
    0x0112: Meaning("the archive has no such object", "look"),
    0x0117: Meaning("the archive holds its SOP Instance UID to be invalid", "never"),
    0x0118: Meaning("the archive does not know its SOP class", "never"),
    0x0119: Meaning("an object with this UID and another SOP class is there", "look"),
    0x0120: Meaning("an attribute is missing that the archive wants", "never"),
    0x0121: Meaning("the value of an attribute is missing that the archive wants", "never"),
    0x0122: Meaning("the archive does not take objects of its SOP class", "never"),
    0x0124: Meaning("you may not store it there (not authorised)", "never"),
    0x0210: Meaning("the archive is at work on the same object already", "look"),
    0x0211: Meaning("the archive does not know what was asked of it", "never"),
    0x0212: Meaning("the archive did not understand what was asked of it", "never"),
    0x0213: Meaning("the archive is short of resources", "later"),
    0xC122: Meaning("the archive does not take its transfer syntax", "never"),
    # WarningReason (PS3.18 table I.2-1): the object is stored.
    0xB000: Meaning("stored, with some values changed by the archive", "stored"),
    0xB006: Meaning("stored, without some attributes that the archive left out", "stored"),
    0xB007: Meaning("stored, though it does not match its SOP class", "stored"),
    # Azure Health Data Services.
    0xA901: Meaning("it belongs to another study than the one it was sent to", "never"),
    0xB00E: Meaning("an object with this UID is there already (Azure)", "look"),
    0xB00F: Meaning("an object with this UID is half created there (Azure)", "look"),
    # AWS HealthImaging.
    0xB100: Meaning("stored, but its pixels could not be transcoded (AWS)", "stored"),
    0xB110: Meaning("stored, but its frames could not be told apart (AWS)", "stored"),
    0xB111: Meaning("stored, but it has not as many frames as it says (AWS)", "stored"),
    0xB112: Meaning("stored, but its offset table is wrong (AWS)", "stored"),
    0xB120: Meaning("stored, in a transfer syntax that is not supported (AWS)", "stored"),
    # dcm4chee-arc.
    0xA770: Meaning("this rejection note was received already (dcm4chee)", "look"),
    0xA771: Meaning("the object was rejected there before (dcm4chee)", "never"),
    0xA772: Meaning("it rejects an object that is not there (dcm4chee)", "never"),
    0xA773: Meaning("it rejects an object of another SOP class (dcm4chee)", "never"),
    0xA774: Meaning("it rejects an object that is rejected already (dcm4chee)", "never"),
    0xA775: Meaning("its rejection is not allowed (dcm4chee)", "never"),
    0xA776: Meaning("its study must still be kept (dcm4chee)", "never"),
    0xA777: Meaning("it has no PatientID (dcm4chee)", "never"),
    0xA778: Meaning("its study has another PatientID there (dcm4chee)", "never"),
    0xA779: Meaning("its patient has other attributes there (dcm4chee)", "never"),
}

_RANGES = (
    (0xA700, 0xA7FF, Meaning("the archive is out of space or memory", "later")),
    (0xA900, 0xA9FF, Meaning("it does not match its SOP class, or what it was sent to", "never")),
    (0xB000, 0xBFFF, Meaning("stored, with a warning of the archive's own", "stored")),
    (0xC000, 0xCFFF, Meaning("the archive cannot understand it", "never")),
)
