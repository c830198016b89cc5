"""What a search finds, as frozen values: studies and slides, from and to DICOM JSON.

A record holds what an archive said, tidied: nothing is fetched for it, and an odd value in it (a
date that is none) becomes an empty one, because one bad record must not hide the others.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from wsiweb.errors import ProtocolError
from wsiweb.wire.dicomjson import Attributes, tag_of

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Series", "SlideRecord", "Study"]

_DATE = re.compile(r"([0-9]{4})[.-]?([0-9]{2})[.-]?([0-9]{2})")
_PADDING = " \t\r\n\0"  # some archives leave in JSON what makes lengths even in a file


def _date(attributes: Attributes, keyword: str) -> datetime.date | None:
    found = _DATE.match(_text(attributes, keyword))
    try:
        return None if found is None else datetime.date(*map(int, found.groups()))
    except ValueError:
        return None


def _text(attributes: Attributes, keyword: str) -> str:
    try:
        return attributes.text(keyword).strip(_PADDING)
    except ProtocolError:
        return ""


def _texts(attributes: Attributes, keyword: str) -> tuple[str, ...]:
    try:
        texts = (text.strip(_PADDING) for text in attributes.texts(keyword))
        return tuple(text for text in texts if text)
    except ProtocolError:
        return ()


def _integer(attributes: Attributes, keyword: str) -> int | None:
    try:
        return attributes.integer(keyword)
    except ProtocolError:
        return None


# Field name, keyword, value representation and reader of each attribute; one table for both ways.
_READERS: dict[str, Callable[[Attributes, str], Any]] = {
    "DA": _date,
    "IS": _integer,
    "CS*": _texts,
}
_ATTRIBUTES: dict[str, tuple[str, str]] = {
    "study_uid": ("StudyInstanceUID", "UI"),
    "series_uid": ("SeriesInstanceUID", "UI"),
    "patient_id": ("PatientID", "LO"),
    "patient_name": ("PatientName", "PN"),
    "patient_birth_date": ("PatientBirthDate", "DA"),
    "patient_sex": ("PatientSex", "CS"),
    "accession_number": ("AccessionNumber", "SH"),
    "study_id": ("StudyID", "SH"),
    "date": ("StudyDate", "DA"),
    "time": ("StudyTime", "TM"),
    "study_description": ("StudyDescription", "LO"),
    "series_description": ("SeriesDescription", "LO"),
    "referring_physician": ("ReferringPhysicianName", "PN"),
    "modalities": ("ModalitiesInStudy", "CS*"),
    "modality": ("Modality", "CS"),
    "number": ("SeriesNumber", "IS"),
    "series_date": ("PerformedProcedureStepStartDate", "DA"),
    "body_site": ("BodyPartExamined", "CS"),
    "container_id": ("ContainerIdentifier", "LO"),
    "series_count": ("NumberOfStudyRelatedSeries", "IS"),
    "study_instance_count": ("NumberOfStudyRelatedInstances", "IS"),
    "series_instance_count": ("NumberOfSeriesRelatedInstances", "IS"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """Common to all records; `_own` names fields whose attribute depends on the kind of record."""

    @classmethod
    def _attribute(cls, name: str) -> tuple[str, str]:
        return _ATTRIBUTES[_SHARED_NAMES.get((cls.__name__, name), name)]

    @classmethod
    def _fields(cls) -> list[str]:
        return [one.name for one in dataclasses.fields(cls) if one.metadata.get("dicom", True)]

    @classmethod
    def from_json(cls, attributes: Attributes) -> Self:
        """Return the record of a match of a search."""
        values: dict[str, Any] = {}
        for name in cls._fields():
            keyword, kind = cls._attribute(name)
            values[name] = _READERS.get(kind, _text)(attributes, keyword)
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Return the record as a DICOM JSON object."""
        model: dict[str, Any] = {}
        for name in self._fields():
            keyword, kind = self._attribute(name)
            value = getattr(self, name)
            entry: dict[str, Any] = {"vr": kind.rstrip("*")}
            if value not in ("", None, ()):
                entry["Value"] = _json_values(value, kind)
            model[tag_of(keyword)] = entry
        return model

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain values, dates as ISO text: ready for JSON."""
        values = {name: getattr(self, name) for name in self._fields()}
        return {
            name: value.isoformat()
            if isinstance(value, datetime.date)
            else list(value)
            if isinstance(value, tuple)
            else value
            for name, value in values.items()
        }


def _json_values(value: Any, kind: str) -> list[Any]:
    match kind:
        case "PN":
            return [{"Alphabetic": value}]
        case "DA":
            return [value.isoformat().replace("-", "")]  # strftime writes early years short
        case "CS*":
            return list(value)
        case _:
            return [value]


_SHARED_NAMES = {
    ("Study", "description"): "study_description",
    ("Study", "instance_count"): "study_instance_count",
    ("Series", "date"): "series_date",
    ("Series", "description"): "series_description",
    ("Series", "instance_count"): "series_instance_count",
    ("SlideRecord", "description"): "series_description",
    ("SlideRecord", "instance_count"): "series_instance_count",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Study(_Record):
    """A study, as an archive lists it (PS3.18 table 10.6.3-3).

    Attributes are empty, or None for dates and counts, where the archive does not say.

    Examples
    --------
    >>> Study(study_uid="1.2", patient_id="P1").to_json()["00100020"]
    {'vr': 'LO', 'Value': ['P1']}
    """

    study_uid: str
    patient_id: str = ""
    patient_name: str = ""
    patient_birth_date: datetime.date | None = None
    patient_sex: str = ""
    accession_number: str = ""
    study_id: str = ""
    date: datetime.date | None = None
    time: str = ""
    description: str = ""
    referring_physician: str = ""
    modalities: tuple[str, ...] = ()
    series_count: int | None = None
    instance_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series(_Record):
    """A series, as an archive lists it (PS3.18 table 10.6.3-4).

    Attributes are empty, or None for dates and counts, where the archive does not say. The date
    is the one on which the procedure step began.
    """

    study_uid: str
    series_uid: str
    modality: str = ""
    number: int | None = None
    date: datetime.date | None = None
    description: str = ""
    body_site: str = ""
    instance_count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlideRecord(_Record):
    """A series that is a slide, with what of its study helps to find it.

    Attributes are empty, or None for dates and counts, where the archive does not say.
    """

    study_uid: str
    series_uid: str
    patient_id: str = ""
    patient_name: str = ""
    accession_number: str = ""
    date: datetime.date | None = None
    study_description: str = ""
    description: str = ""
    modality: str = ""
    container_id: str = ""
    instance_count: int | None = None
    opener: Callable[[SlideRecord], Any] | None = field(
        default=None, compare=False, repr=False, metadata={"dicom": False}
    )

    def bound(self, opener: Callable[[SlideRecord], Any]) -> SlideRecord:
        """Return a copy that `open` opens with this function."""
        return dataclasses.replace(self, opener=opener)

    def __reduce__(self) -> tuple[Any, ...]:
        # A connection does not travel to another process; the record does, without it.
        return _unbound, ({name: getattr(self, name) for name in self._fields()},)

    def open(self) -> Any:
        """Open the slide in the archive that listed it.

        Returns
        -------
        Slide
            As `wsiweb.Archive.open_slide` returns it.

        Raises
        ------
        ValueError
            For a record that was made by hand instead of listed by an archive.
        """
        if self.opener is None:
            raise ValueError(
                "This record belongs to no archive; pass it to Archive.open_slide instead."
            )
        return self.opener(self)


def _unbound(values: dict[str, Any]) -> SlideRecord:
    return SlideRecord(**values)
