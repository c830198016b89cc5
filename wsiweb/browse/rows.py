"""Studies as rows of a page: one for each study, whoever holds it; sorted and grouped. Pure."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from wsiweb.browse.shapes import SORTS
from wsiweb.wire.records import SlideRecord, Study

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Iterable

    from wsiweb.browse.shapes import SlideRow, StudyRow

__all__ = [
    "Row",
    "check_sort",
    "of_slide",
    "ordered",
    "patient_of",
    "slide_row",
    "thumbnail_path",
]

_FIELDS = tuple(one.name for one in dataclasses.fields(Study))


class Row:
    """A study, and what each archive says of it.

    Attributes
    ----------
    study : Study
        What all archives say together: the first that says something is believed.
    held : dict of str to Study
        What each says, by the ids of archives.
    """

    __slots__ = ("held", "study")

    def __init__(self, archive: str, study: Study) -> None:
        self.study = study
        self.held = {archive: study}

    def add(self, archive: str, study: Study) -> bool:
        """Take in what an archive says; return whether that changes anything."""
        before = self.held.get(archive)
        if before is not None:
            study = _together([before, study])
        if before == study:
            return False
        self.held[archive] = study
        self.study = _together(self.held.values())
        return True

    def drop(self, archive: str) -> bool:
        """Forget what an archive said; return whether another one still holds the study."""
        if self.held.pop(archive, None) is not None and self.held:
            self.study = _together(self.held.values())
        return bool(self.held)

    def to_json(self, slides: list[SlideRow] | None = None) -> StudyRow:
        """Return the row as the page gets it."""
        study, archives = self.study, list(self.held)
        return {
            "study": study.study_uid,
            "patientId": study.patient_id,
            "patientName": study.patient_name,
            "patientBirthDate": _iso(study.patient_birth_date),
            "patientSex": study.patient_sex,
            "date": _iso(study.date),
            "accession": study.accession_number,
            "description": study.description,
            "modalities": list(study.modalities),
            "archives": archives,
            "series": study.series_count,
            "instances": study.instance_count,
            "slides": slides,
            "thumbnail": thumbnail_path(archives[0], study.study_uid) if archives else "",
        }


def _together(said: Iterable[Study]) -> Study:
    """Return what several say of one study; of a single one, the very same value."""
    first, *others = said
    for other in others:
        if other == first:
            continue
        changes: dict[str, Any] = {}
        for name in _FIELDS:
            mine, theirs = getattr(first, name), getattr(other, name)
            if name == "modalities":
                changes[name] = tuple(dict.fromkeys((*mine, *theirs)))
            elif name.endswith("count"):  # one of them may hold a part only
                changes[name] = max(
                    (one for one in (mine, theirs) if one is not None), default=None
                )
            else:
                changes[name] = mine or theirs
        first = dataclasses.replace(first, **changes)
    return first


def _iso(day: datetime.date | None) -> str | None:
    return None if day is None else day.isoformat()


# Sorting ----------------------------------------------------------------------------------------

_KEYS: dict[str, Callable[[Study], Any]] = {
    "date": lambda study: None if study.date is None else (study.date, study.time),
    "patient": lambda study: study.patient_id.casefold() or None,
    "name": lambda study: study.patient_name.casefold() or None,
    "accession": lambda study: study.accession_number.casefold() or None,
    "description": lambda study: study.description.casefold() or None,
    "modality": lambda study: study.modalities or None,
    "series": lambda study: study.series_count,
}


def check_sort(sort: str) -> str:
    """Return what to sort by, if it can be.

    Raises
    ------
    ValueError
        When there is no such order.
    """
    if sort.removeprefix("-") not in SORTS:
        raise ValueError(f"Studies are sorted by {', '.join(SORTS)}, not by {sort[:40]!r}.")
    return sort


def ordered(rows: Iterable[Row], sort: str, *, by_patient: bool) -> list[Row]:
    """Return rows in an order; those of which nothing is said in that respect come last.

    Parameters
    ----------
    rows : iterable of Row
        In any order.
    sort : str
        One of `SORTS`, with a minus before it for the other way round.
    by_patient : bool
        Whether the studies of a patient stand together, where the first of them stands.
    """
    key, descending = _KEYS[sort.removeprefix("-")], sort.startswith("-")
    # Each study is looked at once: what archives say of it may change while others are sorted.
    pairs = [(row.study, row) for row in rows]
    # By UID first: the same rows are in the same order, whichever archive was quicker.
    pairs.sort(key=lambda pair: pair[0].study_uid)
    said = [pair for pair in pairs if key(pair[0]) is not None]
    said.sort(key=lambda pair: key(pair[0]), reverse=descending)
    pairs = said + [pair for pair in pairs if key(pair[0]) is None]
    if not by_patient:
        return [row for _, row in pairs]
    groups: dict[str, list[Row]] = {}
    for study, row in pairs:
        groups.setdefault(patient_of(study), []).append(row)
    return [row for group in groups.values() for row in group]


def patient_of(study: Study) -> str:
    """Return what tells patients apart; a study that names none is its own."""
    return study.patient_id or study.patient_name or f"\0{study.study_uid}"


# Slides -----------------------------------------------------------------------------------------


def of_slide(slide: SlideRecord) -> Study:
    """Return what a slide tells of its study."""
    return Study(
        study_uid=slide.study_uid,
        patient_id=slide.patient_id,
        patient_name=slide.patient_name,
        accession_number=slide.accession_number,
        date=slide.date,
        description=slide.study_description,
        modalities=(slide.modality,) if slide.modality else (),
    )


def slide_row(slide: SlideRecord, archives: list[str]) -> SlideRow:
    """Return a slide as the page gets it, as far as the archive's list of series says it."""
    return {
        "study": slide.study_uid,
        "series": slide.series_uid,
        "archives": archives,
        "title": slide.description or slide.container_id or "Slide",
        "description": slide.description,
        "container": slide.container_id,
        "modality": slide.modality,
        "stain": "",
        "magnification": None,
        "size": None,
        "mpp": None,
        "channels": None,
        "instances": slide.instance_count,
        "known": False,
        "thumbnail": thumbnail_path(archives[0], slide.study_uid, slide.series_uid),
    }


def thumbnail_path(archive: str, study: str, series: str | None = None) -> str:
    """Return where the page gets a thumbnail."""
    return "/".join(filter(None, ("/api/thumbnails", archive, study, series)))
