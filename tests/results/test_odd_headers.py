"""Headers that leave out all that they may, or what they may not: results of every kind are right.

dciodvfy judges, and highdicom reads.
"""

from __future__ import annotations

import highdicom
import pydicom
import pytest
from results.about import objects_in, source_of
from results.checking import errors_in
from results.every_kind import KINDS, make
from results.masks.sized import sized_headers

from wsiweb.errors import SlideError

SIZE = (90, 70)
IMAGES = {"image", "image in JPEG"}

# What a slide has to say to be one, and to be placed.
LEAST = {
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID"),
    *("SeriesInstanceUID", "Modality", "ImageType"),
    *("FrameOfReferenceUID", "ImageOrientationSlide", "TotalPixelMatrixOriginSequence"),
    *("TotalPixelMatrixColumns", "TotalPixelMatrixRows", "Rows"),
    *("Columns", "NumberOfFrames", "SamplesPerPixel"),
    *("PhotometricInterpretation", "BitsAllocated", "BitsStored"),
    *("HighBit", "PixelRepresentation", "SharedFunctionalGroupsSequence"),
    "DimensionOrganizationType",
}
SPECIMEN = "ContainerIdentifier", "SpecimenDescriptionSequence"


def bare(header):
    for element in list(header):
        if element.keyword not in LEAST:
            del header[element.tag]


def bare_but_for_the_specimen(header):
    kept = {keyword: header[keyword] for keyword in SPECIMEN}
    (specimen,) = header.SpecimenDescriptionSequence
    for keyword in ("IssuerOfTheSpecimenIdentifierSequence", "SpecimenPreparationSequence"):
        del specimen[keyword]
    bare(header)
    for element in kept.values():
        header.add(element)


def spelled_oddly(header):
    header.PatientSex = "U"
    header.PatientBirthDate = "1900"
    header.StudyDate = ""
    header.AccessionNumber = None
    header.PatientID = " 1 "


def without(*keywords):
    def change(header):
        for keyword in keywords:
            del header[keyword]

    return change


def with_empty(keyword, value):
    return lambda header: setattr(header, keyword, value)


def unmeasured(keyword):
    def change(header):
        del header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0][keyword]

    return change


LOSSY = ("LossyImageCompression", "LossyImageCompressionMethod", "LossyImageCompressionRatio")


# Headers by what is odd about them, and whether whole-slide images can be made of them.
ODD = {
    "as they should be": (lambda _: None, True),
    "bare": (bare, False),
    "bare but for the specimen": (bare_but_for_the_specimen, True),
    "spelled oddly": (spelled_oddly, True),
    "no container": (without("ContainerIdentifier"), False),
    "empty container": (with_empty("ContainerIdentifier", ""), False),
    "blank container": (with_empty("ContainerIdentifier", " "), False),
    "no specimen": (without("SpecimenDescriptionSequence"), False),
    "empty specimen": (with_empty("SpecimenDescriptionSequence", []), False),
    "no optical path": (without("OpticalPathSequence"), True),
    "scale said elsewhere": (without("SharedFunctionalGroupsSequence"), True),
    "scale beside its place": (unmeasured("PixelSpacing"), True),
    "no thickness": (unmeasured("SliceThickness"), True),
    "no modality": (without("Modality"), True),
    "no flag of loss": (without(LOSSY[0]), True),
    "no method of loss": (without(LOSSY[1]), True),
    "empty method of loss": (with_empty(LOSSY[1], ""), True),
    "no ratio of loss": (without(LOSSY[2]), False),
    "nothing but the flag": (without(*LOSSY[1:]), False),
    "nothing but the ratio": (without(*LOSSY[:2]), True),
    "nothing but the method": (without(LOSSY[0], LOSSY[2]), False),
    "nothing of loss": (without(*LOSSY), True),
}


# pydicom's words about what is wrong with these headers, which is what they are made for.
@pytest.mark.filterwarnings("ignore:.*(Invalid value|value).*:UserWarning")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("odd", ODD)
def test_odd_headers_make_objects_that_are_right(tmp_path, kind, odd):
    change, makes_images = ODD[odd]
    headers = sized_headers(SIZE, (1, 2))
    for header in headers:
        change(header)
    source = source_of(headers)
    objects = objects_in(tmp_path / "made", source)
    if kind in IMAGES and not makes_images:
        missing = "Container"
        if "specimen" in odd:
            missing = "SpecimenDesc"
        elif odd in {"no ratio of loss", "nothing but the flag", "nothing but the method"}:
            missing = "LossyImageCompressionRatio"
        with pytest.raises(SlideError, match=rf"Instance [\d.]+: .*{missing}\w* is missing, witho"):
            make(kind, source, objects)
        assert not list(tmp_path.rglob("*.dcm*"))
        return
    for one in make(kind, source, objects):
        assert errors_in(one.path) == []
        result = pydicom.dcmread(one.path)
        if LOSSY[0] in result and odd not in {"bare", "bare but for the specimen"}:
            assert (result[LOSSY[0]].value == "00") == (
                odd == "nothing of loss" and "JPEG" not in kind
            )
        assert all(result.get(keyword, "there") for keyword in SPECIMEN)  # nowhere empty
        if "PixelData" in result:
            highdicom.imread(one.path)
        elif result.Modality == "ANN":
            highdicom.ann.annread(one.path)
        elif result.Modality == "SR":
            highdicom.sr.srread(one.path)
