"""What the numbers of a mask stand for: segments, with names, codes and colours."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from wsiweb.arguments import shown
from wsiweb.results.codes import category_of, coded
from wsiweb.results.colors import as_rgb
from wsiweb.results.texts import check_prose, check_text, check_uid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription

    from wsiweb.results.codes import Term
    from wsiweb.results.identity import Algorithm

    Color = str | tuple[int, int, int]
    """``"#ff8000"``, a name that Pillow knows (``"orange"``), or (red, green, blue) of 0 to 255."""

    Segments: TypeAlias = "Segment | Term | Iterable[Segment | Term]"
    """What is taken for segments: one, or all of them."""

__all__ = ["Segment", "describe", "segments_of"]

_LONGEST = 64  # characters of a label, VR LO
_LONGEST_TEXT = 1024  # characters of a description, VR ST
_MOST = 2**16 - 1  # SegmentNumber is of VR US


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One thing that a mask shows (PS3.3 C.8.20.4).

    Attributes
    ----------
    label : str
        What people call it, 1 to 64 characters.
    type : Term, optional
        What it is, as a code of CID 7151 or any other; by default the label is looked up.
    category : Term, optional
        What kind of thing that is, a code of CID 7150; by default what follows from the type.
    color : Color, optional
        How to show it.
    description : str
        In words, up to 1,024 characters.
    tracking_id, tracking_uid : str
        What says that it is the same thing in several objects; both or neither.

    Raises
    ------
    ValueError
        For a text that DICOM cannot hold, a colour that is none, or half a tracking identifier.

    Examples
    --------
    >>> Segment(label="Tumour", type="Neoplasm", color="red").label
    'Tumour'
    """

    label: str
    type: Term | None = None
    category: Term | None = None
    color: Color | None = None
    description: str = ""
    tracking_id: str = ""
    tracking_uid: str = ""

    def __post_init__(self) -> None:
        check_text("the label of a segment", self.label, _LONGEST)
        check_text("the tracking identifier of a segment", self.tracking_id, _LONGEST, least=0)
        check_uid(f"tracking_uid of segment {self.label!r}", self.tracking_uid, least=0)
        check_prose(f"the description of segment {self.label!r}", self.description, _LONGEST_TEXT)
        if bool(self.tracking_id) != bool(self.tracking_uid):
            raise ValueError(
                f"Segment {self.label!r} is to be tracked by an identifier and a UID: give both "
                "tracking_id and tracking_uid, or neither."
            )
        if self.color is not None:
            as_rgb(self.color, f"segment {self.label!r}")


def segments_of(given: Segments) -> tuple[Segment, ...]:
    """Return what was given for segments as such: number 1 first.

    Parameters
    ----------
    given : Segment, Term, or iterable of them
        One segment, or all of them in the order of their numbers. A name, or a code, stands for
        the segment that bears it as its label and is of that type. A code as three texts wants to
        be in a list: ``[("108369006", "SCT", "Neoplasm")]``.

    Returns
    -------
    tuple of Segment
        Their types are codes, and so are categories where they are given.

    Raises
    ------
    ValueError
        For none, too many, two of one label, what has no order, or a name that is in no
        dictionary.

    Examples
    --------
    >>> [each.label for each in segments_of(["Neoplasm", "SCT:Necrosis"])]
    ['Neoplasm', 'Necrosis']
    """
    single = isinstance(given, (str, Segment)) or hasattr(given, "scheme_designator")
    listed: list[Any] = [given] if single else _listed(given)
    if not 1 <= len(listed) <= _MOST:
        raise ValueError(
            f"A segmentation has 1 to {_MOST} segments; {len(listed)} were given."
            + (" What has more parts than that are annotations." if listed else "")
        )
    found = tuple(_segment(one) for one in listed)
    labels: set[str] = set()
    for one in found:
        if one.label in labels:
            raise ValueError(
                f"Two segments are called {one.label!r}: nobody could tell them apart."
            )
        labels.add(one.label)
    return found


def _listed(given: Any) -> list[Any]:
    # The order of a set is anybody's guess, and numbers in a mapping would not be looked at.
    ordered = not isinstance(given, (bytes, Mapping, AbstractSet)) and hasattr(given, "__iter__")
    if not ordered or isinstance(given, type):
        raise ValueError(
            "segments are names, codes or Segment(...), one or a list of them with number 1 first; "
            f"{shown(given)} was given."
        )
    return list(given)


def _segment(given: Any) -> Segment:
    if isinstance(given, Segment):
        if given.category is not None:
            given = replace(given, category=coded(given.category, "the category of a segment"))
        if given.type is not None:
            return replace(given, type=coded(given.type, "the type of a segment"))
        return _typed(given, given.label)
    if isinstance(given, str):
        label = given.rpartition(":")[2].strip()
        return _typed(Segment(label=label), given)
    code = coded(given, "a segment")
    return Segment(label=code.meaning, type=code)


def _typed(segment: Segment, name: str) -> Segment:
    try:
        return replace(segment, type=coded(name, "the type of a segment"))
    except ValueError as error:
        raise ValueError(
            f"{error} Or keep the label and say what it is: Segment(label={segment.label!r}, "
            'type="Tissue").'
        ) from None


def describe(segments: Sequence[Segment], algorithm: Algorithm | None) -> list[SegmentDescription]:
    """Return segments as highdicom wants them.

    Parameters
    ----------
    segments : sequence of Segment
        As from `segments_of`: number 1 first.
    algorithm : Algorithm or None
        What found them; None for a person.

    Raises
    ------
    ValueError
        For a category or type that is no code.
    """
    from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription

    kinds = SegmentAlgorithmTypeValues
    made_by = kinds.MANUAL if algorithm is None else kinds.AUTOMATIC
    identification = None if algorithm is None else algorithm.sequence()
    described: list[SegmentDescription] = []
    for number, segment in enumerate(segments, 1):
        kind = coded(
            segment.label if segment.type is None else segment.type, "the type of a segment"
        )
        category = segment.category
        one = SegmentDescription(
            segment_number=number,
            segment_label=segment.label,
            segmented_property_category=(
                category_of(kind)
                if category is None
                else coded(category, "the category of a segment")
            ),
            segmented_property_type=kind,
            algorithm_type=made_by,
            algorithm_identification=identification,
            tracking_id=segment.tracking_id or None,
            tracking_uid=segment.tracking_uid or None,
            display_color=_shown_in(segment),
        )
        if segment.description:
            one.SegmentDescription = segment.description
        described.append(one)
    return described


def _shown_in(segment: Segment) -> CIELabColor | None:
    if segment.color is None:
        return None
    from highdicom.color import CIELabColor

    return CIELabColor.from_rgb(*as_rgb(segment.color, f"segment {segment.label!r}"))
