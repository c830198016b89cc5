"""Reports: findings with measurements and judgements as DICOM SR (PS3.16 TID 1500).

A report is read as a whole, by people and by programs that people use; for thousands of regions
there are annotations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from wsiweb.arguments import choice, flag
from wsiweb.results.codes import coded
from wsiweb.results.identity import uid_for
from wsiweb.results.reports.findings import region_of
from wsiweb.results.reports.said import listed, said_of
from wsiweb.results.shapes.placing import bounds_of
from wsiweb.results.texts import check_text, check_uid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from highdicom.sr import (
        ImageRegion,
        ImageRegion3D,
        MeasurementReport,
        ObservationContext,
        SubjectContext,
    )
    from pydicom.dataset import Dataset

    from wsiweb.results.codes import Term
    from wsiweb.results.identity import Algorithm, Identity
    from wsiweb.results.objects import Objects, ResultObject
    from wsiweb.results.reports.findings import Finding, Region
    from wsiweb.results.source import Source

    Coordinates = Literal["2d", "3d"]
    Group = Any  # highdicom's two classes of measurement groups have no public class in common

__all__ = ["MOST_FINDINGS", "add_report"]

MOST_FINDINGS = 500
"""Of one report; with twice as many, writing and reading take half a minute."""

_MOST_NUMBERS = 16_383  # of one region: FL values in an element of at most 65,534 bytes (PS3.5 7.1)
_LONGEST = 64  # characters of a label
_TO_ANNOTATIONS = "add_annotations takes millions of regions, with measurements."
_DEFAULT_TITLE = "DCM:ImagingMeasurementReport"
_DEFAULT_PROCEDURE = "DCM:WholeSlideImaging"


def add_report(
    source: Source,
    objects: Objects,
    findings: Sequence[Finding],
    *,
    title: Term = _DEFAULT_TITLE,
    procedure: Term = _DEFAULT_PROCEDURE,
    coordinates: Coordinates = "3d",
    complete: bool = True,
) -> tuple[ResultObject, ...]:
    """Write findings as a Comprehensive 3D SR document with the template Measurement Report.

    Parameters
    ----------
    source : Source
        The slide.
    objects : Objects
        Takes what is written.
    findings : sequence of Finding
        One to 500.
    title : Term
        Of the document (CID 7021).
    procedure : Term
        What was done.
    coordinates : "3d" or "2d"
        Whether regions are written in millimetres on the slide, as viewers want them, or in pixels
        of level 0. Both are kept as float32.
    complete : bool
        Whether the report holds all there is to say (CompletionFlag).

    Returns
    -------
    tuple of ResultObject
        The one object.

    Raises
    ------
    ValueError
        For no findings or too many, regions outside the slide or that are none, values that are no
        finite numbers, and unknown codes; says which finding.
    SlideError
        For a slide on which nothing can be placed.
    """
    findings = listed(findings)
    if not 0 < len(findings) <= MOST_FINDINGS:
        raise ValueError(
            f"A report has 1 to {MOST_FINDINGS} findings; {len(findings)} were given. "
            f"{_TO_ANNOTATIONS}"
        )
    choice(coordinates, "coordinates", ("2d", "3d"))
    complete = flag(complete, "complete")
    origins = source.datasets(0)
    writer = _Writer(source, origins, coordinates)
    checked = [writer.checked(one, number) for number, one in enumerate(findings, start=1)]
    concepts = coded(title, "the title of a report"), coded(procedure, "the procedure of a report")
    with objects.drafts("report") as drafts:
        (draft,) = drafts
        groups = [writer.group(one, draft.identity) for one in checked]
        report = _report(origins, groups, concepts, draft.identity)
        document = _document(origins, report, draft.identity, complete=complete)
        document.save_as(draft.path, enforce_file_format=True)
    return drafts.made


def _report(
    origins: Sequence[Dataset], groups: list[Group], concepts: tuple[Any, Any], identity: Identity
) -> MeasurementReport:
    from highdicom.sr import MeasurementReport

    return MeasurementReport(
        observation_context=_context(origins[0], identity),
        title=concepts[0],
        procedure_reported=concepts[1],
        imaging_measurements=groups,
        referenced_images=origins,
    )


def _document(
    origins: Sequence[Dataset], report: MeasurementReport, identity: Identity, *, complete: bool
) -> Dataset:
    from highdicom.sr import Comprehensive3DSR
    from pydicom.uid import ExplicitVRLittleEndian

    told = identity.keywords()
    told.pop("content_creator_name")  # here the creator is an observer
    document = Comprehensive3DSR(
        evidence=origins,
        content=report[0],
        is_complete=complete,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        **told,
    )
    identity.sign(document)
    return document


# Who observed what --------------------------------------------------------------------------


def _context(origin: Dataset, identity: Identity) -> ObservationContext:
    """Say who observed (TID 1002: a person, a device), and what (TID 1009: a specimen)."""
    from highdicom import sr

    person = None
    if identity.creator:
        person = sr.ObserverContext(
            observer_type=coded("DCM:Person", "an observer"),
            observer_identifying_attributes=sr.PersonObserverIdentifyingAttributes(
                name=identity.creator
            ),
        )
    name, version = identity.software()
    device = sr.ObserverContext(
        observer_type=coded("DCM:Device", "an observer"),
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=uid_for("device", name, version), name=name, model_name=version
        ),
    )
    return sr.ObservationContext(
        observer_person_context=person,
        observer_device_context=device,
        subject_context=_specimen(origin),
    )


def _specimen(origin: Dataset) -> SubjectContext | None:
    """Return the first specimen on the slide; None where the headers describe none."""
    from highdicom import sr

    for specimen in origin.get("SpecimenDescriptionSequence") or []:
        if specimen.get("SpecimenUID"):
            kinds = specimen.get("SpecimenTypeCodeSequence") or []
            return sr.SubjectContext(
                subject_class=coded("DCM:Specimen", "the subject of a report"),
                subject_class_specific_context=sr.SubjectContextSpecimen(
                    uid=specimen.SpecimenUID,
                    identifier=specimen.get("SpecimenIdentifier") or None,
                    container_identifier=origin.get("ContainerIdentifier") or None,
                    specimen_type=sr.CodedConcept.from_dataset(kinds[0]) if kinds else None,
                ),
            )
    return None


def _algorithm(algorithm: Algorithm | None) -> Any:
    from highdicom.sr import AlgorithmIdentification

    if algorithm is None:
        return None
    given = [f"{key}={value}" for key, value in algorithm.parameters.items()]
    return AlgorithmIdentification(algorithm.name, algorithm.version, given or None)


# Findings -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Checked:
    """A finding that can be written.

    Attributes
    ----------
    number : int
        From 1.
    region : Region
        Where it is.
    label, uid : str
        How it is called and known; may be empty.
    said : dict
        What is said of it, as highdicom's groups take it.
    """

    number: int
    region: Region
    label: str
    uid: str
    said: dict[str, Any]


class _Writer:
    """Findings to measurement groups of highdicom's, checked first."""

    def __init__(
        self, source: Source, origins: Sequence[Dataset], coordinates: Coordinates
    ) -> None:
        from wsiweb.results.planes import Plane

        self._plane = Plane.at_level(source.pyramid, 0)
        self._bounds = bounds_of(source.pyramid, self._plane.level)
        self._origins = origins
        self._coordinates: Coordinates = coordinates

    def checked(self, finding: Finding, number: int) -> _Checked:
        """Return a finding as it is written; refuse one that cannot be."""
        check_text(f"the label of finding {number}", finding.label, _LONGEST, least=0)
        label = finding.label.strip()
        what = f"finding {number} ({label})" if label else f"finding {number}"
        check_uid(f"the UID of {what}", finding.uid, least=0)
        region = region_of(finding.region, what)
        said = said_of(finding, what)
        if region.kind != "slide":
            self._check_place(region, what)
        elif not (said["measurements"] or said["qualitative_evaluations"]):
            raise ValueError(f"{what} says nothing: it has no region, measurement or evaluation.")
        return _Checked(number, region, label, finding.uid, said)

    def _check_place(self, region: Region, what: str) -> None:
        low, high = region.points.min(axis=0), region.points.max(axis=0)
        least, right, bottom = self._bounds
        if (low < least).any() or high[0] > right or high[1] > bottom:
            width, height = self._plane.size
            raise ValueError(
                f"The region of {what} reaches from {tuple(low.tolist())} to "
                f"{tuple(high.tolist())}, and the slide from (0, 0) to {(width, height)}: x, y in "
                "level-0 pixels from its top left corner."
            )
        most = _MOST_NUMBERS // (3 if self._coordinates == "3d" else 2) - 1
        if len(region.points) > most:
            raise ValueError(
                f"The region of {what} has {len(region.points)} points, and one of a report can "
                f"have {most}. Simplify it (shapely.simplify), or: {_TO_ANNOTATIONS}"
            )

    def group(self, one: _Checked, identity: Identity) -> Group:
        """Return a finding as a measurement group (TID 1410, or TID 1501 of the whole slide)."""
        from highdicom import sr

        given = (identity.series_uid, str(identity.instance_number), str(one.number))
        said: dict[str, Any] = one.said | {
            "tracking_identifier": sr.TrackingIdentifier(
                uid=one.uid or uid_for(*given), identifier=one.label or f"Finding {one.number}"
            ),
            "algorithm_id": _algorithm(identity.algorithm),
        }
        if one.region.kind == "slide":
            images = [
                sr.SourceImageForMeasurementGroup.from_source_image(origin)
                for origin in self._origins
            ]
            return sr.MeasurementsAndQualitativeEvaluations(source_images=images, **said)
        return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            referenced_region=self._region(one.region), **said
        )

    def _region(self, region: Region) -> ImageRegion | ImageRegion3D:
        """Return a region in millimetres, or in pixels (PS3.3 C.18.9 and C.18.6)."""
        from highdicom import sr

        points = region.points
        if region.kind == "polygon":
            points = np.concatenate([points, points[:1]])
        if self._coordinates == "3d":
            return sr.ImageRegion3D(
                region.kind.upper(),
                self._plane.geometry.to_slide(points),
                self._origins[0].FrameOfReferenceUID,
            )
        # In pixels there is no polygon: it is a polyline that ends where it begins.
        kind = "POLYLINE" if region.kind == "polygon" else region.kind.upper()
        image = sr.SourceImageForRegion.from_source_image(self._origins[0])
        return sr.ImageRegion(kind, points, image, pixel_origin_interpretation="VOLUME")
