"""Coded terms as headers state them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wsiweb.wire.dicomjson import Attributes

__all__ = ["Concept"]


class Concept(NamedTuple):
    """A coded term: what `wsiweb.results.codes.coded` takes, so that it can be written again.

    Attributes
    ----------
    value, scheme, meaning : str
        Its three texts; empty where they are not stated.
    """

    value: str
    scheme: str
    meaning: str

    @classmethod
    def of(cls, item: Attributes) -> Concept:
        """Read it from an item of a code sequence (PS3.3 table 8.8-1).

        Examples
        --------
        >>> from wsiweb.wire.dicomjson import Attributes
        >>> Concept.of(Attributes.of({"00080100": {"vr": "SH", "Value": ["um"]}})).value
        'um'
        """
        keywords = ("CodeValue", "LongCodeValue", "URNCodeValue")
        values = (item.text(keyword).strip() for keyword in keywords)
        return cls(
            next(filter(None, values), ""),
            item.text("CodingSchemeDesignator").strip(),
            item.text("CodeMeaning").strip(),
        )
