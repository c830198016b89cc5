"""What people look for, understood: asked of archives, and looked at again in memory. Pure.

Archives differ in how they match text (some mind the case, some know no wildcards), and a page
should not: what is held in memory is filtered here alone, and what an archive found is filtered
here once more.
"""

from __future__ import annotations

import datetime
import fnmatch
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsiweb.wire.records import SlideRecord, Study

__all__ = ["Filters"]

_LONGEST = 200  # characters of a filter
_NAMES = ("patient", "accession", "modality", "stain", "container", "description")
_ISO = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)", re.ASCII)
_WORDS = re.compile(r"[\s,^]+")

Span = tuple[datetime.date | None, datetime.date | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What studies must have; an empty text, or None, is no condition.

    Attributes
    ----------
    patient : str
        In PatientID or PatientName.
    accession, description, container : str
        In AccessionNumber, StudyDescription, ContainerIdentifier of a slide.
    modality : str
        One of these, with commas between them.
    stain : str
        In what the headers of a slide say it was stained with, or else in its description.
    date : tuple of (date or None, date or None), optional
        First and last day; None is open.
    """

    patient: str = ""
    accession: str = ""
    modality: str = ""
    stain: str = ""
    container: str = ""
    description: str = ""
    date: Span | None = None

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> Self:
        """Understand the parameters of a request; others are passed over.

        Raises
        ------
        ValueError
            For a date that is none, or a text that is too long.

        Examples
        --------
        >>> Filters.parse({"patient": " doe ", "date": "2026-01-01/"}).queries()[1]["patient_name"]
        '*doe*'
        """
        texts = {name: given.get(name, "").strip() for name in _NAMES}
        for name, text in texts.items():
            if len(text) > _LONGEST or not text.isprintable():
                raise ValueError(f"{name} is text of at most {_LONGEST} characters.")
        texts["modality"] = texts["modality"].upper().replace(" ", "")
        return cls(**texts, date=_span(given.get("date", "").strip()))

    @property
    def empty(self) -> bool:
        """Whether everything is looked for."""
        return self == Filters()

    @property
    def about_slides(self) -> bool:
        """Whether slides have to be looked at, and not studies alone."""
        return bool(self.stain or self.container)

    def queries(self) -> list[dict[str, Any]]:
        """Return what to ask an archive for: searches whose findings are put together.

        Filters as `wsiweb.Archive.studies` takes them. The patient is looked for by ID and by
        name, because no single search can do both.
        """
        common: dict[str, Any] = {}
        if self.accession:
            common["accession_number"] = _pattern(self.accession)
        if self.description:
            common["description"] = _pattern(self.description)
        if self.date is not None:
            common["date"] = self.date
        if self.modality and "," not in self.modality and not self.about_slides:
            common["modality"] = self.modality
        if not self.patient:
            return [common]
        name = _pattern("*".join(filter(None, _WORDS.split(self.patient))))
        return [{"patient_id": _pattern(self.patient), **common}, {"patient_name": name, **common}]

    def slide_queries(self) -> list[dict[str, Any]]:
        """Return what to ask an archive for slides; as `queries`."""
        own = {"container_id": _pattern(self.container)} if self.container else {}
        return [{**one, **own} for one in self.queries()]

    def accepts(self, study: Study) -> bool:
        """Tell whether a study has what is looked for, as far as studies can tell."""
        return (
            (not self.patient or self._is_of_patient(study))
            and _within(study.accession_number, self.accession)
            and _within(study.description, self.description)
            and (not self.modality or not {*self.modality.split(",")}.isdisjoint(study.modalities))
            and (self.date is None or _between(study.date, self.date))
        )

    def _is_of_patient(self, study: Study) -> bool:
        if _within(study.patient_id, self.patient):
            return True
        wanted = "*".join(filter(None, _WORDS.split(self.patient)))
        return bool(wanted) and _within(_WORDS.sub(" ", study.patient_name), wanted)

    def accepts_slide(self, slide: SlideRecord, stain: str = "") -> bool:
        """Tell whether a slide has what is looked for.

        Parameters
        ----------
        slide : SlideRecord
            As an archive lists it.
        stain : str
            What its headers say; empty where nobody looked, or they do not say.
        """
        return _within(slide.container_id, self.container) and (
            _within(stain, self.stain) or _within(slide.description, self.stain)
        )


def _span(text: str) -> Span | None:
    if not text:
        return None
    first, mark, last = text.partition("/")
    if not mark and re.fullmatch(r"\d{8}-(\d{8})?|-\d{8}", text, re.ASCII):
        first, mark, last = text.partition("-")
    days = tuple(_day(one, text) for one in ((first, last) if mark else (first, first)))
    return None if days == (None, None) else (days[0], days[1])


def _day(text: str, whole: str) -> datetime.date | None:
    if not text:
        return None
    found = _ISO.fullmatch(text)
    try:
        if found is not None:
            return datetime.date(*map(int, found.groups()))
    except ValueError:
        pass
    raise ValueError(
        f"{whole[:40]!r} is no date: write 2026-01-31, 2026-01-01/2026-12-31, 2026-01-01/ or "
        "/2026-12-31."
    )


def _between(day: datetime.date | None, span: Span) -> bool:
    first, last = span
    return day is not None and (first or day) <= day <= (last or day)


def _pattern(text: str) -> str:
    """Return what an archive is asked for: the text, anywhere in the value."""
    return f"*{text.strip('*')}*"


def _within(value: str, wanted: str) -> bool:
    if not wanted:
        return True
    value, wanted = value.casefold(), wanted.casefold()
    if "*" not in wanted and "?" not in wanted:
        return wanted in value
    return fnmatch.fnmatchcase(value, f"*{wanted}*".replace("[", "[[]"))
