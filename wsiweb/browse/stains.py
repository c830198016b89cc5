"""What a slide was stained with, as headers say it (PS3.3 C.7.6.22.1, PS3.16 TID 8003). Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wsiweb.pixels.optional import if_readable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsiweb.wire.dicomjson import Attributes

__all__ = ["stain_of"]

_USING = frozenset({"424361007", "G-C350"})  # "Using substance", in SNOMED CT and SRT
_EOSIN, _HAEMATOXYLIN = (
    re.compile(r"\beosin", re.IGNORECASE),
    re.compile(r"\bha?ematoxylin", re.IGNORECASE),
)
_HE = re.compile(r"\bh\s*(&|and|\+)\s*e\b", re.IGNORECASE)
_NO_NAME = re.compile(r"\b(water soluble|stain(ing)?( method)?|dye)\b", re.IGNORECASE)
_NOTHING: tuple[Attributes, ...] = ()


def stain_of(header: Attributes) -> str:
    """Return what a slide was stained with; empty when its headers do not say.

    Coded substances of the preparation come first, then words of the specimen's description in
    which haematoxylin and eosin are named, then the optical paths of a slide with several of them
    (fluorescence, where each path is of one dye).

    Examples
    --------
    >>> from wsiweb.wire.dicomjson import Attributes
    >>> stain_of(Attributes.of({"00400600": {"vr": "LO", "Value": ["skin, H&E"]}}))
    'H&E'
    """
    substances = list(dict.fromkeys(_substances(header)))
    if substances:
        text = ", ".join(substances)
        if len(substances) == 2 and _names_he(text):
            return "H&E"
        return ", ".join(_plain(one) for one in substances)
    specimens = [*if_readable(header.items, "SpecimenDescriptionSequence", _NOTHING), header]
    for specimen in specimens:
        for keyword in ("SpecimenShortDescription", "SpecimenDetailedDescription"):
            if _names_he(if_readable(specimen.text, keyword, "")):
                return "H&E"
    paths = if_readable(header.items, "OpticalPathSequence", _NOTHING)
    names = [if_readable(path.text, "OpticalPathDescription", "").strip() for path in paths]
    return ", ".join(filter(None, names)) if len(names) > 1 else ""


def _substances(header: Attributes) -> Iterator[str]:
    for specimen in if_readable(header.items, "SpecimenDescriptionSequence", _NOTHING):
        for step in if_readable(specimen.items, "SpecimenPreparationSequence", _NOTHING):
            content = "SpecimenPreparationStepContentItemSequence"
            items = if_readable(step.items, content, _NOTHING)
            staining = any(_is_staining(item) for item in items)
            for item in items:
                concept = _first(item, "ConceptNameCodeSequence", "CodeValue")
                if staining and concept in _USING:
                    named = _first(item, "ConceptCodeSequence", "CodeMeaning")
                    yield named or if_readable(item.text, "TextValue", "").strip()


def _is_staining(item: Attributes) -> bool:
    # A fixation uses a substance, too, and is another step.
    return "stain" in _first(item, "ConceptCodeSequence", "CodeMeaning").lower()


def _first(item: Attributes, sequence: str, keyword: str) -> str:
    for one in if_readable(item.items, sequence, _NOTHING):
        return if_readable(one.text, keyword, "").strip()
    return ""


def _names_he(text: str) -> bool:
    both = _EOSIN.search(text) is not None and _HAEMATOXYLIN.search(text) is not None
    return both or _HE.search(text) is not None


def _plain(name: str) -> str:
    return _NO_NAME.sub("", name).strip(" ,") or name
