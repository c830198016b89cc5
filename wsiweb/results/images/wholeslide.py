"""Headers of derived whole-slide images (PS3.3 A.32.8): the source's, as far as it still holds."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wsiweb.arguments import shown
from wsiweb.errors import SlideError
from wsiweb.results.codes import coded
from wsiweb.results.identity import uid_for
from wsiweb.results.source import thickness_of
from wsiweb.results.srgb import srgb_profile
from wsiweb.results.texts import check_prose

if TYPE_CHECKING:
    from collections.abc import Sequence

    import highdicom
    from pydicom.dataset import Dataset

    from wsiweb.results.identity import Identity
    from wsiweb.results.planes import Plane
    from wsiweb.results.source import Source

__all__ = ["Look", "header_of"]

_LONGEST = 1024  # characters of DerivationDescription, VR ST
_METHOD = "ISO_10918_1"  # JPEG (PS3.3 C.7.6.1.1.5.1)

# What holds for the image as it does for its source; as it is there, or else as it usually is.
_AS_IN_SOURCE: dict[str, Any] = {
    "FrameOfReferenceUID": None,
    "PositionReferenceIndicator": "SLIDE_CORNER",
    "AcquisitionContextSequence": (),
    "AcquisitionDateTime": None,
    "AcquisitionDuration": None,
    "ImageOrientationSlide": None,
    "VolumetricProperties": "VOLUME",
    "ImagedVolumeWidth": None,
    "ImagedVolumeHeight": None,
    "ImagedVolumeDepth": None,
    "FocusMethod": "AUTO",
    "ExtendedDepthOfField": "NO",
    "NumberOfFocalPlanes": None,
    "DistanceBetweenFocalPlanes": None,
    "LossyImageCompression": "00",
    "LossyImageCompressionMethod": None,
    "LossyImageCompressionRatio": None,
}

# Of the Specimen Module (PS3.3 C.7.6.22): whether they may be empty.
_OF_CONTAINER = {
    "ContainerIdentifier": False,
    "IssuerOfTheContainerIdentifierSequence": True,
    "ContainerTypeCodeSequence": True,
    "SpecimenDescriptionSequence": False,
}
_OF_SPECIMEN = {
    "SpecimenIdentifier": False,
    "IssuerOfTheSpecimenIdentifierSequence": True,
    "SpecimenUID": False,
    "SpecimenPreparationSequence": True,
}


@dataclass(frozen=True, kw_only=True)
class Look:
    """What all levels of a derived image have in common.

    Attributes
    ----------
    lossy : bool
        Whether they are stored as JPEG.
    optical_path : Dataset
        Item of OpticalPathSequence, with its ICC profile.
    description : str
        How the image was made; may be empty.
    depth : float
        SliceThickness in mm.
    """

    lossy: bool
    optical_path: Dataset
    description: str
    depth: float

    @classmethod
    def of(
        cls, source: Source, level: int, *, lossy: bool, profile: bytes | None, description: str
    ) -> Look:
        """Return what an image has from a level of its source, unless it is said otherwise.

        Raises
        ------
        ValueError
            For a description that is too long, or a profile that is none of RGB.
        """
        check_prose("the description of an image", description, _LONGEST)
        profile = None if profile is None else _checked(profile)
        origin = source.dataset(level)
        return cls(
            lossy=lossy,
            optical_path=_optical_path(source.optical_path(level), source.profile(level), profile),
            description=description,
            depth=thickness_of(origin),
        )


def _checked(profile: Any) -> bytes:
    """Return an ICC profile of RGB as bytes; refuse anything else (ICC.1 7.2)."""
    if isinstance(profile, (bytes, bytearray, memoryview)):
        found = bytes(profile)
        if found[36:40] == b"acsp" and found[16:20] == b"RGB ":
            return found
    raise ValueError(f"profile is an ICC profile of RGB, as bytes; {shown(profile)} was given.")


def header_of(origins: Sequence[Dataset], plane: Plane, look: Look, identity: Identity) -> Dataset:
    """Return the header of one level: all but the size of frames, their number, and pixels.

    Parameters
    ----------
    origins : sequence of Dataset
        Headers of the source's level, see `Source.datasets`; not changed.
    plane : Plane
        Where the image lies.
    look : Look
        What all levels share.
    identity : Identity
        What the object says of itself.
    """
    origin = origins[0]
    _check_loss(origin)
    header = _entities(origin, look, identity)
    for keyword, usual in _AS_IN_SOURCE.items():
        if keyword in origin and not origin[keyword].is_empty:
            header[keyword] = copy.deepcopy(origin[keyword])
        elif usual is not None:
            setattr(header, keyword, list(usual) if usual == () else usual)
    if "AcquisitionDateTime" not in header:
        header.AcquisitionDateTime = identity.created.strftime("%Y%m%d%H%M%S")
    if look.lossy:
        header.LossyImageCompression = "01"
        header.LossyImageCompressionMethod = [*_methods(origin), _METHOD]
    _describe_pixels(header, plane, look)
    _describe_place(header, plane, look)
    _describe_origin(header, origins, look)
    _describe_pyramid(header, identity)
    return header


def _entities(origin: Dataset, look: Look, identity: Identity) -> Dataset:
    """Return patient, study, series, equipment and specimen."""
    import highdicom
    from pydicom.uid import JPEGBaseline8Bit, JPEGLSLossless, VLWholeSlideMicroscopyImageStorage

    told = identity.keywords()
    equipment = told.pop("contributing_equipment")
    told.pop("content_creator_name")
    header = highdicom.SOPClass(
        study_instance_uid=origin.StudyInstanceUID,
        sop_class_uid=VLWholeSlideMicroscopyImageStorage,
        modality="SM",
        transfer_syntax_uid=JPEGBaseline8Bit if look.lossy else JPEGLSLossless,
        specific_character_set=origin.SpecificCharacterSet,
        **told,
    )
    header.copy_patient_and_study_information(origin)
    _describe_specimen(header, origin)
    header.ContributingEquipmentSequence = equipment
    if identity.creator:
        header.OperatorsName = identity.creator
    identity.sign(header)
    return header


def _describe_specimen(header: highdicom.SOPClass, origin: Dataset) -> None:
    """Say of which glass slide and specimen it is, as whole-slide images have to (PS3.3 A.32.8)."""
    header.copy_specimen_information(origin)
    header.SpecimenDescriptionSequence = copy.deepcopy(header.get("SpecimenDescriptionSequence"))
    _check_named(header, _OF_CONTAINER, origin)
    for specimen in header.SpecimenDescriptionSequence:
        _check_named(specimen, _OF_SPECIMEN, origin)


def _check_named(told: Dataset, wanted: dict[str, bool], origin: Dataset) -> None:
    """Refuse what lacks an attribute of type 1, and leave those of type 2 empty."""
    for keyword, may_be_empty in wanted.items():
        if may_be_empty and keyword not in told:
            setattr(told, keyword, None)
        elif not (may_be_empty or told.get(keyword)):
            raise SlideError(
                f"Instance {origin.SOPInstanceUID}: {keyword} is missing, without which no "
                "whole-slide image can be written; masks, heat maps and annotations can."
            )


def _describe_pixels(header: Dataset, plane: Plane, look: Look) -> None:
    header.SamplesPerPixel = 3
    header.PhotometricInterpretation = "YBR_FULL_422" if look.lossy else "RGB"
    header.PlanarConfiguration = 0
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit = 7
    header.PixelRepresentation = 0
    header.BurnedInAnnotation = "NO"
    header.SpecimenLabelInImage = "NO"
    resampled = "RESAMPLED" if plane.downsample > 1 else "NONE"
    header.ImageType = ["DERIVED", "PRIMARY", "VOLUME", resampled]


def _describe_place(header: Dataset, plane: Plane, look: Look) -> None:
    """Say size, place and scale (PS3.3 C.8.12.4, C.7.6.16.2.1)."""
    from pydicom.dataset import Dataset
    from pydicom.valuerep import format_number_as_ds

    header.TotalPixelMatrixColumns, header.TotalPixelMatrixRows = plane.size
    header.TotalPixelMatrixFocalPlanes = 1
    spacing = plane.geometry.spacing
    for keyword, side, step in zip(("Width", "Height"), plane.size, spacing, strict=True):
        if f"ImagedVolume{keyword}" not in header:
            setattr(header, f"ImagedVolume{keyword}", side * step)
    if "ImagedVolumeDepth" not in header:
        header.ImagedVolumeDepth = look.depth * 1000  # micrometres, unlike the other two
    place = Dataset()
    for axis, offset in zip("XYZ", plane.geometry.origin, strict=True):
        setattr(place, f"{axis}OffsetInSlideCoordinateSystem", format_number_as_ds(offset))
    header.TotalPixelMatrixOriginSequence = [place]
    measures = Dataset()
    measures.PixelSpacing = [format_number_as_ds(spacing[1]), format_number_as_ds(spacing[0])]
    measures.SliceThickness = format_number_as_ds(look.depth)
    frame_type = Dataset()
    frame_type.FrameType = header.ImageType
    path = Dataset()
    path.OpticalPathIdentifier = look.optical_path.OpticalPathIdentifier
    shared = Dataset()
    shared.PixelMeasuresSequence = [measures]
    shared.WholeSlideMicroscopyImageFrameTypeSequence = [frame_type]
    shared.OpticalPathIdentificationSequence = [path]
    header.SharedFunctionalGroupsSequence = [shared]
    header.OpticalPathSequence = [look.optical_path]
    header.NumberOfOpticalPaths = 1


def _describe_origin(header: Dataset, origins: Sequence[Dataset], look: Look) -> None:
    """Say what the image was made of (PS3.3 C.7.6.1, C.7.6.16.2.6, C.12.2)."""
    from pydicom.dataset import Dataset

    series = Dataset()
    series.SeriesInstanceUID = origins[0].SeriesInstanceUID
    series.ReferencedInstanceSequence = [_reference(origin) for origin in origins]
    header.ReferencedSeriesSequence = [series]
    header.SourceImageSequence = [_source_image(origin) for origin in origins]
    if look.description:
        header.DerivationDescription = look.description
    derivation = Dataset()
    derivation.DerivationCodeSequence = [
        coded("DCM:UnspecifiedMethodOfCalculation", "how an image was derived")
    ]
    derivation.SourceImageSequence = [_source_image(origin) for origin in origins]
    header.SharedFunctionalGroupsSequence[0].DerivationImageSequence = [derivation]


def _reference(origin: Dataset) -> Dataset:
    from pydicom.dataset import Dataset

    instance = Dataset()
    instance.ReferencedSOPClassUID = origin.SOPClassUID
    instance.ReferencedSOPInstanceUID = origin.SOPInstanceUID
    return instance


def _source_image(origin: Dataset) -> Dataset:
    instance = _reference(origin)
    instance.PurposeOfReferenceCodeSequence = [
        coded("DCM:SourceImageForImageProcessingOperation", "the purpose of a source image")
    ]
    return instance


def _describe_pyramid(header: Dataset, identity: Identity) -> None:
    """Say what holds the levels together, and that tiles come in order."""
    from pydicom.dataset import Dataset

    header.PyramidUID = uid_for(identity.series_uid, "pyramid")
    organization = Dataset()
    organization.DimensionOrganizationUID = uid_for(identity.series_uid, "dimensions")
    header.DimensionOrganizationSequence = [organization]
    header.DimensionOrganizationType = "TILED_FULL"


def _optical_path(given: Dataset, own: bytes | None, profile: bytes | None) -> Dataset:
    """Return the source's optical path with a profile: the one wanted, its own, or sRGB."""
    path = copy.deepcopy(given)
    if not path.get("OpticalPathIdentifier"):
        path.OpticalPathIdentifier = "1"
    if not path.get("IlluminationTypeCodeSequence"):
        path.IlluminationTypeCodeSequence = [
            coded("DCM:BrightfieldIllumination", "the illumination")
        ]
    if not (path.get("IlluminationColorCodeSequence") or path.get("IlluminationWaveLength")):
        path.IlluminationColorCodeSequence = [coded("SCT:FullSpectrum", "the illumination")]
    if profile not in {None, own}:
        path.pop("ColorSpace", None)
    elif profile is None and own is None:
        path.ColorSpace = "SRGB"
    path.ICCProfile = profile or own or srgb_profile()
    # Pixels of one sample may have had these; those of the image are colours.
    for keyword in ("PaletteColorLookupTableSequence", "ChannelDescriptionCodeSequence"):
        if keyword in path:
            del path[keyword]
    return path


def _check_loss(origin: Dataset) -> None:
    """Refuse a source that lost something, and does not say all that has to be said of it."""
    if origin.get("LossyImageCompression") != "01":
        return
    for keyword in ("LossyImageCompressionMethod", "LossyImageCompressionRatio"):
        if not origin.get(keyword):
            raise SlideError(
                f"Instance {origin.SOPInstanceUID}: its pixels were compressed with loss, and "
                f"{keyword} is missing, without which no whole-slide image can be written; masks, "
                "heat maps and annotations can."
            )


def _methods(origin: Dataset) -> list[str]:
    """Return how the source was compressed with loss, from first to last."""
    methods = origin.get("LossyImageCompressionMethod")
    if not methods:
        return []
    return [methods] if isinstance(methods, str) else list(methods)
