"""What dciodvfy says of our objects, without what it is known to be wrong about."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pydicom
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pydicom.dataset import Dataset

LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"


class FalseAlarm(NamedTuple):
    """What the checker calls an error and is none."""

    says: str
    """Regular expression: what is found in its line."""
    of: Callable[[Dataset, re.Match[str]], bool]
    """Of which objects, and what was found, it is none: else it is one."""
    because: str


def _is_full(dataset: Dataset, _: object) -> bool:
    return dataset.get("DimensionOrganizationType") == "TILED_FULL"


def _is_on_slide(dataset: Dataset, _: object) -> bool:
    return "ImageOrientationSlide" in dataset


def _is_label_map(dataset: Dataset, _: object) -> bool:
    return dataset.SOPClassUID == LABEL_MAP


FALSE_ALARMS = (
    FalseAlarm(
        "Missing .*<PerFrameFunctionalGroupsSequence>",
        _is_full,
        "In TILED_FULL, frames have nothing of their own to say, and the sequence may be left out "
        "(PS3.3 C.7.6.16).",
    ),
    FalseAlarm(
        "Missing .*<PlanePositionSlideSequence> Module=<PlanePositionSlideMacro>",
        _is_full,
        "In TILED_FULL, the place of a frame follows from its number (PS3.3 C.7.6.17.3).",
    ),
    FalseAlarm(
        "Missing .*<SegmentIdentificationSequence> Module=<SegmentationMacro>",
        _is_full,
        "In TILED_FULL, the segment of a frame follows from its number (PS3.3 C.7.6.17.3).",
    ),
    FalseAlarm(
        "Missing .*<PlanePositionSequence> Module=<PlanePositionMacro>",
        _is_on_slide,
        "The patient coordinate system is not that of slides (PS3.3 A.75.5: if SLIDE is not used).",
    ),
    FalseAlarm(
        "Missing .*<PlaneOrientationSequence> Module=<PlaneOrientationMacro>",
        _is_on_slide,
        "As above: slides state ImageOrientationSlide (PS3.3 C.8.12.4).",
    ),
    FalseAlarm(
        "Missing .*<PatientOrientation> Module=<GeneralImage>",
        _is_on_slide,
        "It is for images that do not require ImageOrientationSlide (PS3.3 C.7.6.1).",
    ),
    FalseAlarm(
        r"condition unsatisfied .*PaletteColorLookupTable\w+> Module=<ImagePixelDescriptionMacro>",
        lambda dataset, _: dataset.get("PixelPresentation") == "COLOR_RANGE",
        "The palette is that of the Palette Color Lookup Table Module, whose conditions go before "
        "those of the Image Pixel Module (PS3.3 C.7.9).",
    ),
    FalseAlarm(
        r"Non-string attribute .* <M\w+ Stored Value Mapped?>",
        lambda dataset, _: dataset.get("PixelPresentation") == "COLOR_RANGE",
        "MinimumStoredValueMapped is a number (FD), and the checker compares it as a text.",
    ),
    FalseAlarm(
        "Only valid for AnnotationCoordinateType of 3D - attribute <CommonZCoordinateValue> = <>",
        lambda dataset, _: (
            dataset.get("AnnotationCoordinateType") == "2D"
            and not any("CommonZCoordinateValue" in one for one in dataset.AnnotationGroupSequence)
        ),
        "Annotations in pixels do not have it; its absence is taken for an empty value.",
    ),
    FalseAlarm(
        r"Value invalid for this VR .* = <(?P<value>.*)> - Length invalid .* <= (?P<most>\d+)",
        lambda _, found: len(found["value"]) <= int(found["most"]),
        "Lengths of texts are counted in characters (PS3.5 6.2), not in bytes.",
    ),
    FalseAlarm(
        "Dicom dataset contains invalid data values for Value Representations",
        lambda *_: True,
        "It says that there was one of the former, each of which is told in a line of its own.",
    ),
    FalseAlarm(
        "Missing .*<Laterality> Module=<GeneralSeries>",
        lambda dataset, _: not dataset.dir("BodyPartExamined", "AnatomicRegionSequence"),
        "It is for paired parts of the body (PS3.3 C.7.3.1), and no part of the body is named.",
    ),
    FalseAlarm(
        "Missing .* Module=<SpecimenMacro>",
        lambda dataset, _: dataset.SOPClassUID != WHOLE_SLIDE,
        "The Specimen Module is for users to decide on (U in PS3.3 A.51, A.75, A.87): what the "
        "headers of a slide say of it is taken over, and what they lack is not made up.",
    ),
    FalseAlarm(
        "SegmentNumber of 0",
        _is_label_map,
        "In a label map, the background is described as 0 (PS3.3 C.8.20.4).",
    ),
    FalseAlarm(
        "Information Object Not found",
        _is_label_map,
        "The checker does not know Label Map Segmentation (PS3.3 A.90).",
    ),
)


def errors_in(path: Path) -> list[str]:
    """Return the errors of dciodvfy (Debian's dicom3tools) that are not listed above."""
    program = shutil.which("dciodvfy")
    if program is None:
        # Where nobody reads the reasons of skipped tests, a missing checker must not look green.
        missing = "dciodvfy is not here: on Debian, apt install dicom3tools"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    run = subprocess.run(
        [program, str(path)], capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    lines = (run.stdout + run.stderr).splitlines()
    found = [line for line in lines if line.startswith(("Error", "Abort"))]
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    return [line for line in found if not _is_known(line, dataset)]


def _is_known(line: str, dataset: Dataset) -> bool:
    found = ((alarm, re.search(alarm.says, line)) for alarm in FALSE_ALARMS)
    return any(match and alarm.of(dataset, match) for alarm, match in found)
