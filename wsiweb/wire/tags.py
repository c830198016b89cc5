"""Tags and keywords of attributes (PS3.6), without waiting for a dictionary of all of them."""

from __future__ import annotations

import difflib
import re

__all__ = ["is_tag", "keyword_of", "tag_of"]

# What this library speaks of. pydicom's dictionary knows all, and takes 0.15 s to import: it is
# asked only for the rest.
_TAGS = {
    "AccessionNumber": "00080050",
    "AvailableTransferSyntaxUID": "00083002",
    "BitsAllocated": "00280100",
    "BitsStored": "00280101",
    "BodyPartExamined": "00180015",
    "CodeValue": "00080100",
    "ColumnPositionInTotalImagePixelMatrix": "0048021E",
    "Columns": "00280011",
    "ConcatenationFrameOffsetNumber": "00209228",
    "ConcatenationUID": "00209161",
    "ContainerIdentifier": "00400512",
    "DimensionOrganizationType": "00209311",
    "FailedSOPSequence": "00081198",
    "FailureReason": "00081197",
    "FrameOfReferenceUID": "00200052",
    "HighBit": "00280102",
    "ICCProfile": "00282000",
    "IlluminationTypeCodeSequence": "00220016",
    "ImageOrientationSlide": "00480102",
    "ImageType": "00080008",
    "ImagedVolumeHeight": "00480002",
    "ImagedVolumeWidth": "00480001",
    "InConcatenationTotalNumber": "00209163",
    "InstanceAvailability": "00080056",
    "InstanceNumber": "00200013",
    "Modality": "00080060",
    "ModalitiesInStudy": "00080061",
    "NumberOfFrames": "00280008",
    "NumberOfOpticalPaths": "00480302",
    "NumberOfSeriesRelatedInstances": "00201209",
    "NumberOfStudyRelatedInstances": "00201208",
    "NumberOfStudyRelatedSeries": "00201206",
    "ObjectiveLensPower": "00480112",
    "OpticalPathIdentificationSequence": "00480207",
    "OpticalPathIdentifier": "00480106",
    "OpticalPathSequence": "00480105",
    "PatientBirthDate": "00100030",
    "PatientID": "00100020",
    "PatientName": "00100010",
    "PatientSex": "00100040",
    "PerFrameFunctionalGroupsSequence": "52009230",
    "PerformedProcedureStepStartDate": "00400244",
    "PerformedProcedureStepStartTime": "00400245",
    "PhotometricInterpretation": "00280004",
    "PixelData": "7FE00010",
    "PixelMeasuresSequence": "00289110",
    "PixelRepresentation": "00280103",
    "PixelSpacing": "00280030",
    "PlanarConfiguration": "00280006",
    "PlanePositionSlideSequence": "0048021A",
    "PyramidUID": "00080019",
    "RecommendedAbsentPixelCIELabValue": "00480015",
    "ReferencedSOPClassUID": "00081150",
    "ReferencedSOPInstanceUID": "00081155",
    "ReferencedSOPSequence": "00081199",
    "ReferringPhysicianName": "00080090",
    "RequestAttributesSequence": "00400275",
    "RetrieveURL": "00081190",
    "RowPositionInTotalImagePixelMatrix": "0048021F",
    "Rows": "00280010",
    "SOPClassUID": "00080016",
    "SOPInstanceUID": "00080018",
    "SOPInstanceUIDOfConcatenationSource": "00200242",
    "SamplesPerPixel": "00280002",
    "SeriesDescription": "0008103E",
    "SeriesInstanceUID": "0020000E",
    "SeriesNumber": "00200011",
    "SharedFunctionalGroupsSequence": "52009229",
    "SpecimenDescriptionSequence": "00400560",
    "SpecimenIdentifier": "00400551",
    "StudyDate": "00080020",
    "StudyDescription": "00081030",
    "StudyID": "00200010",
    "StudyInstanceUID": "0020000D",
    "StudyTime": "00080030",
    "TimezoneOffsetFromUTC": "00080201",
    "TotalPixelMatrixColumns": "00480006",
    "TotalPixelMatrixFocalPlanes": "00480303",
    "TotalPixelMatrixOriginSequence": "00480008",
    "TotalPixelMatrixRows": "00480007",
    "TransferSyntaxUID": "00020010",
    "XOffsetInSlideCoordinateSystem": "0040072A",
    "YOffsetInSlideCoordinateSystem": "0040073A",
    "ZOffsetInSlideCoordinateSystem": "0040074A",
}
_KEYWORDS = {tag: keyword for keyword, tag in _TAGS.items()}
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_LONGEST_KEYWORD = 80  # a longer text is no misspelt keyword, and comparing it takes long


def is_tag(text: str) -> bool:
    """Tell whether a text is a tag: eight hexadecimal digits.

    Examples
    --------
    >>> is_tag("00100020"), is_tag("PatientID")
    (True, False)
    """
    return _TAG.fullmatch(text) is not None


def tag_of(keyword: str) -> str:
    """Return the tag of a keyword as eight hexadecimal digits; a tag is returned as it is.

    Raises
    ------
    ValueError
        For what is neither, with the keywords that come close.

    Examples
    --------
    >>> tag_of("PatientID")
    '00100020'
    """
    known = _TAGS.get(keyword)
    if known is not None:
        return known
    if is_tag(keyword):
        return keyword.upper()
    from pydicom.datadict import keyword_dict, tag_for_keyword

    # Its dictionary has entries without a keyword, which nothing would find.
    tag = tag_for_keyword(keyword) if keyword else None
    if tag is None:
        asked = keyword[:_LONGEST_KEYWORD]
        close = difflib.get_close_matches(asked, keyword_dict)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(f"DICOM has no attribute {asked!r}.{hint}")
    return f"{tag:08X}"


def keyword_of(tag: str) -> str:
    """Return the keyword of a tag; the tag itself where it has none (private attributes).

    Examples
    --------
    >>> keyword_of("00100020")
    'PatientID'
    """
    known = _KEYWORDS.get(tag)
    if known is not None:
        return known
    if not is_tag(tag):
        return tag
    from pydicom.datadict import keyword_for_tag

    return keyword_for_tag(int(tag, 16)) or tag
