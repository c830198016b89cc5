"""Who made a result, when, and under which numbers: what every object of a session says.

UIDs are random (2.25 and a UUID, PS3.5 B.2), or follow from what they name: then a session that
is repeated makes the same objects under the same UIDs, and an archive holds them once.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wsiweb.arguments import shown
from wsiweb.results.codes import coded
from wsiweb.results.texts import check_prose, check_text

if TYPE_CHECKING:
    import datetime

    from highdicom import AlgorithmIdentificationSequence, ContributingEquipment
    from pydicom.dataset import Dataset

    from wsiweb.results.codes import Term

__all__ = ["Algorithm", "Identity", "random_uid", "uid_for"]

MANUFACTURER = "wsiweb"
_LONGEST = 64  # characters of a description, VR LO
_MOST = 10_240  # characters of AlgorithmParameters, VR LT
_DIGITS = 39  # of the largest UUID written as a number


@dataclass(frozen=True, kw_only=True)
class Algorithm:
    """What computed a result.

    Attributes
    ----------
    name, version : str
        As its users know it; up to 64 characters each.
    family : Term
        Kind of algorithm: a code of CID 7162, by name or as `wsiweb.results.codes.coded` takes it.
    source : str
        Who made it.
    parameters : mapping
        What it was called with.

    Examples
    --------
    >>> Algorithm(name="HoVer-Net", version="1.2").sequence().name
    'HoVer-Net'
    """

    name: str
    version: str
    family: Term = "ArtificialIntelligence"
    source: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        check_text("the name of an algorithm", self.name, _LONGEST)
        check_text("the version of an algorithm", self.version, _LONGEST)
        check_text("the source of an algorithm", self.source, _LONGEST, least=0)
        _check_parameters(self.parameters)

    def sequence(self) -> AlgorithmIdentificationSequence:
        """Return it as highdicom wants it (PS3.3 table 10-19)."""
        from highdicom import AlgorithmIdentificationSequence

        return AlgorithmIdentificationSequence(
            name=self.name,
            family=coded(self.family, "the family of an algorithm"),
            version=self.version,
            source=self.source or None,
            parameters={key: str(value) for key, value in self.parameters.items()} or None,
        )


def _check_parameters(given: Any) -> None:
    if not isinstance(given, Mapping):
        raise ValueError(  # noqa: TRY004 - bad input is ValueError throughout
            f"The parameters of an algorithm are names and values, such as {{'threshold': 0.5}}; "
            f"{shown(given)} was given."
        )
    parameters: Mapping[Any, Any] = given
    for key in parameters:
        check_text("the name of a parameter", key, _LONGEST)
    # They are written into one text, with a comma between them.
    listed = ", ".join(f"{key}={value}" for key, value in parameters.items())
    check_prose("what an algorithm was called with, all parameters together,", listed, _MOST)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What one object says of itself.

    Attributes
    ----------
    series_uid, instance_uid : str
        Its UIDs.
    series_number, instance_number : int
        Its numbers, from 1.
    name : str
        Of the result: SeriesDescription, up to 64 characters.
    created : datetime.datetime
        When it was made.
    series_created : datetime.datetime
        When its series was begun; not later.
    algorithm : Algorithm or None
        What computed it; None for what a person made.
    creator : str
        Who made it, or had it made, as a DICOM person name; may be empty.
    """

    series_uid: str
    instance_uid: str
    series_number: int
    instance_number: int
    name: str
    created: datetime.datetime
    series_created: datetime.datetime
    algorithm: Algorithm | None = None
    creator: str = ""

    def keywords(self) -> dict[str, Any]:
        """Return what highdicom's SEG, ANN and Parametric Map take, ready to be passed on."""
        return {
            "series_instance_uid": self.series_uid,
            "series_number": self.series_number,
            "sop_instance_uid": self.instance_uid,
            "instance_number": self.instance_number,
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": self.software()[0],
            "software_versions": self.software()[1],
            "device_serial_number": "0",
            "series_description": self.name,
            "content_creator_name": self.creator or None,
            "contributing_equipment": [_equipment()],
        }

    def software(self) -> tuple[str, str]:
        """Return name and version of the software that the object comes from."""
        if self.algorithm is not None:
            return self.algorithm.name, self.algorithm.version
        from importlib.metadata import version

        return "wsiweb", version("wsiweb")

    def sign(self, dataset: Dataset) -> None:
        """Write the dates into an object, which highdicom takes from the clock."""
        for keyword, when in (("Series", self.series_created), ("InstanceCreation", self.created)):
            setattr(dataset, f"{keyword}Date", when.strftime("%Y%m%d"))
            setattr(dataset, f"{keyword}Time", when.strftime("%H%M%S.%f"))
        dataset.ContentDate = self.created.strftime("%Y%m%d")
        dataset.ContentTime = self.created.strftime("%H%M%S.%f")
        if self.created.tzinfo is not None:
            dataset.TimezoneOffsetFromUTC = self.created.strftime("%z")
        for equipment in dataset.get("ContributingEquipmentSequence") or []:
            if equipment.get("ManufacturerModelName") == "highdicom":
                equipment.ContributionDateTime = self.created.strftime("%Y%m%d%H%M%S.%f%z")


def _equipment() -> ContributingEquipment:
    """Return wsiweb as the equipment that wrote the object (PS3.3 C.12.1.1.5)."""
    from importlib.metadata import version

    from highdicom import ContributingEquipment

    return ContributingEquipment(
        manufacturer=MANUFACTURER,
        manufacturer_model_name="wsiweb",
        software_versions=version("wsiweb"),
        purpose_of_reference=coded("DCM:ProcessingEquipment", "the purpose of equipment"),
    )


def uid_for(*parts: str) -> str:
    """Return the UID that follows from texts: the same for the same, always of one length.

    Examples
    --------
    >>> uid_for("1.2.3", "tumour-v1") == uid_for("1.2.3", "tumour-v1")
    True
    >>> len(uid_for("1.2.3", "tumour-v1"))
    44
    """
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return _as_uid(int.from_bytes(digest[:16]))


def random_uid() -> str:
    """Return a UID that nobody has, of the same length as all others."""
    return _as_uid(uuid.uuid4().int)


def _as_uid(number: int) -> str:
    # All of one length, so that one can take another's place in a file that is written already.
    least = 10 ** (_DIGITS - 1)
    return f"2.25.{least + number % (2**128 - least)}"
