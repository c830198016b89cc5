"""What a segmentation says of its segments (PS3.3 C.8.20.4)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsiweb.pixels.optional import if_readable
from wsiweb.results.colors import rgb_of
from wsiweb.wire.dicomjson import Attributes

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["StoredSegment", "color_at", "color_of", "read_segments"]

Coded = tuple[str, str, str]

_BACKGROUND = 0  # a label map may describe what is no segment, too, under this number
_NOTHING = Attributes.of({})
# For segments without a colour: told apart by people who see colours differently (Okabe and Ito).
_COLOURS = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)


@dataclass(frozen=True, kw_only=True)
class StoredSegment:
    """One segment.

    Attributes
    ----------
    number : int
        SegmentNumber: in arrays of labels, its pixels have this value.
    label : str
        SegmentLabel.
    description : str
        SegmentDescription; may be empty.
    category, type : tuple of str
        What it is, each as (value, scheme, meaning) of a code, such as ``("108369006", "SCT",
        "Neoplasm")``; empty texts where not stated.
    algorithm : str
        SegmentAlgorithmName; empty for what a person drew.
    lab : tuple of int
        RecommendedDisplayCIELabValue as it is stored; empty where not stated.
    tracking_id, tracking_uid : str
        What it is called beyond this object; may be empty.
    """

    number: int
    label: str
    description: str = ""
    category: Coded = ("", "", "")
    type: Coded = ("", "", "")
    algorithm: str = ""
    lab: tuple[int, ...] = ()
    tracking_id: str = ""
    tracking_uid: str = ""

    @functools.cached_property
    def color(self) -> tuple[int, int, int] | None:
        """How to show it: red, green and blue of 0 to 255; None where that is not stated."""
        return rgb_of(self.lab)


def read_segments(header: Attributes) -> tuple[StoredSegment, ...]:
    """Return the segments that a header describes, by number, without the background.

    Raises
    ------
    ProtocolError
        When SegmentSequence cannot be read.
    """
    found: dict[int, StoredSegment] = {}
    for item in header.items("SegmentSequence"):
        number = item.integer("SegmentNumber")
        if number is not None and number != _BACKGROUND:
            found.setdefault(number, _segment(item, number))
    return tuple(found[number] for number in sorted(found))


def color_of(segment: StoredSegment, place: int) -> tuple[int, int, int]:
    """Return the colour to show a segment in: its own, else one by its place among the others."""
    return color_at(segment.color, place)


def color_at(stated: tuple[int, int, int] | None, place: int) -> tuple[int, int, int]:
    """Return the colour to show something in: the one that is stated, else one by its place."""
    return stated or _COLOURS[place % len(_COLOURS)]


def _segment(item: Attributes, number: int) -> StoredSegment:
    return StoredSegment(
        number=number,
        label=item.text("SegmentLabel").strip() or f"Segment {number}",
        description=item.text("SegmentDescription").strip(),
        category=_code(item, "SegmentedPropertyCategoryCodeSequence"),
        type=_code(item, "SegmentedPropertyTypeCodeSequence"),
        algorithm=item.text("SegmentAlgorithmName").strip(),
        lab=if_readable(item.integers, "RecommendedDisplayCIELabValue", ()),
        tracking_id=item.text("TrackingID").strip(),
        tracking_uid=item.text("TrackingUID").strip(),
    )


def _code(item: Attributes, keyword: str) -> Coded:
    code = if_readable(item.item, keyword, _NOTHING)
    value = _first(code, ("CodeValue", "LongCodeValue", "URNCodeValue"))
    return value, code.text("CodingSchemeDesignator").strip(), code.text("CodeMeaning").strip()


def _first(item: Attributes, keywords: Iterable[str]) -> str:
    texts = (item.text(keyword).strip() for keyword in keywords)
    return next((text for text in texts if text), "")
