"""Headers of VL Whole Slide Microscopy images (PS3.3 A.32.8)."""

from __future__ import annotations

import datetime
import struct
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from PIL import ImageCms
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, VLWholeSlideMicroscopyImageStorage
from pydicom.valuerep import format_number_as_ds

from wsiweb.writing.part10 import element, sequence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsiweb.synthetic.recipe import Recipe

__all__ = ["SLIDE_MM", "Flavor", "Image", "corner", "header", "positions"]

SLIDE_MM = (25.0, 75.0)
"""Width (X) and length (Y) of the glass; the label is at the far end of Y."""

_MIDDLE = (12.5, 27.0)  # of the tissue, in millimetres on the glass
_ORIENTATION = (0, -1, 0, -1, 0, 0)  # right in the image is -Y on the glass, down is -X
_DEPTH_MM = 0.004
_WHITE_LAB = [65535, 32896, 32896]  # L* 100, a* 0, b* 0 (PS3.3 C.10.7.1.1)
Flavor = Literal["VOLUME", "THUMBNAIL", "LABEL", "OVERVIEW"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One instance of the series.

    Attributes
    ----------
    size, tile : (int, int)
        Width and height of the whole image and of a frame, in pixels.
    spacing : float
        Millimetres between pixel centres.
    corner : (float, float)
        X and Y on the glass of the outer corner of the first pixel, in millimetres.
    """

    flavor: Flavor
    number: int
    size: tuple[int, int]
    tile: tuple[int, int]
    frames: int
    spacing: float
    corner: tuple[float, float]
    resampled: bool
    sparse: bool = False
    photometric: str = "RGB"
    bits: int = 8


def corner(recipe: Recipe) -> tuple[float, float]:
    """X and Y in millimetres of the outer corner of the slide's first pixel."""
    # Orientation: the image's height runs along X, its width along Y, both downwards.
    return (
        _MIDDLE[0] + recipe.height * recipe.mpp / 2000,
        _MIDDLE[1] + recipe.width * recipe.mpp / 2000,
    )


def header(recipe: Recipe, image: Image) -> Dataset:
    """Return the header of one instance, all but functional groups per frame and pixels."""
    header = Dataset()
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(recipe.transfer_syntax)
    header.file_meta = meta
    _entity(header, recipe, image)
    _specimen(header, recipe)
    _pixels(header, recipe, image)
    _slide(header, recipe, image)
    _dimensions(header, recipe, image)
    return header


def _entity(header: Dataset, recipe: Recipe, image: Image) -> None:
    """Patient, study, series, equipment."""
    day = datetime.date(2024, 1, 1) + datetime.timedelta(days=int(recipe.study_uid[-6:]) % 365)
    header.SOPClassUID = VLWholeSlideMicroscopyImageStorage
    header.SOPInstanceUID = recipe.uid(image.flavor, str(image.number))
    header.StudyInstanceUID = recipe.study_uid
    header.SeriesInstanceUID = recipe.uid("series")
    header.FrameOfReferenceUID = recipe.uid("frame of reference")
    header.PositionReferenceIndicator = "SLIDE_CORNER"
    header.SpecificCharacterSet = "ISO_IR 192"
    header.PatientID = recipe.patient_id
    header.PatientName = recipe.patient_name
    header.PatientBirthDate = "19600229"
    header.PatientSex = "O"
    header.AccessionNumber = recipe.accession_number
    header.StudyID = recipe.accession_number
    header.StudyDescription = "Made-up histology"
    header.ReferringPhysicianName = ""
    header.StudyDate = header.SeriesDate = header.ContentDate = day.strftime("%Y%m%d")
    header.StudyTime = header.SeriesTime = header.ContentTime = "101500"
    header.AcquisitionDateTime = header.StudyDate + header.StudyTime
    header.Modality = "SM"
    header.SeriesNumber = recipe.seed % 2**31
    header.SeriesDescription = f"Slide {recipe.container_id}"[:64]
    header.InstanceNumber = image.number
    header.Manufacturer = "wsiweb"
    header.ManufacturerModelName = "synthetic"
    header.DeviceSerialNumber = "0"
    header.SoftwareVersions = "1"


def _specimen(header: Dataset, recipe: Recipe) -> None:
    header.ContainerIdentifier = recipe.container_id
    header.IssuerOfTheContainerIdentifierSequence = Sequence()
    header.ContainerTypeCodeSequence = _code("433466003", "SCT", "Microscope slide")
    header.AcquisitionContextSequence = Sequence()
    specimen = Dataset()
    specimen.SpecimenIdentifier = recipe.container_id
    specimen.SpecimenUID = recipe.uid("specimen")
    specimen.IssuerOfTheSpecimenIdentifierSequence = Sequence()
    specimen.SpecimenTypeCodeSequence = _code("1179252003", "SCT", "Slide")
    specimen.SpecimenShortDescription = "Made-up tissue, haematoxylin and eosin"
    specimen.SpecimenPreparationSequence = Sequence()
    header.SpecimenDescriptionSequence = Sequence([specimen])


def _pixels(header: Dataset, recipe: Recipe, image: Image) -> None:
    mono = image.photometric == "MONOCHROME2"
    header.SamplesPerPixel = 1 if mono else 3
    header.PhotometricInterpretation = image.photometric
    if not mono:
        header.PlanarConfiguration = 0
    header.NumberOfFrames = image.frames
    header.Columns, header.Rows = image.tile
    header.BitsAllocated = header.BitsStored = image.bits
    header.HighBit = image.bits - 1
    header.PixelRepresentation = 0
    header.BurnedInAnnotation = "YES" if image.flavor in {"LABEL", "OVERVIEW"} else "NO"
    if recipe.native:
        header.LossyImageCompression = "00"
    else:
        header.LossyImageCompression = "01"
        header.LossyImageCompressionMethod = "ISO_10918_1"
    if mono:
        header.PresentationLUTShape = "IDENTITY"
        header.RescaleIntercept, header.RescaleSlope = "0", "1"


def _slide(header: Dataset, recipe: Recipe, image: Image) -> None:
    """Whole Slide Microscopy Image module (PS3.3 C.8.12.4) and its neighbours."""
    image_type = [
        "DERIVED" if image.resampled else "ORIGINAL",
        "PRIMARY",
        image.flavor,
        "RESAMPLED" if image.resampled else "NONE",
    ]
    header.ImageType = image_type
    if image.flavor in {"VOLUME", "THUMBNAIL"}:
        header.PyramidUID = recipe.uid("pyramid")
    header.VolumetricProperties = "VOLUME"
    header.TotalPixelMatrixColumns, header.TotalPixelMatrixRows = image.size
    header.TotalPixelMatrixFocalPlanes = 1
    header.ImagedVolumeWidth = image.size[0] * image.spacing
    header.ImagedVolumeHeight = image.size[1] * image.spacing
    header.ImagedVolumeDepth = _DEPTH_MM * 1000  # micrometres, unlike the other two
    if image.flavor in {"VOLUME", "THUMBNAIL"}:
        # What was imaged, not what its whole pixels cover: the same for every level.
        header.ImagedVolumeWidth = recipe.width * recipe.mpp / 1000
        header.ImagedVolumeHeight = recipe.height * recipe.mpp / 1000
    origin = Dataset()
    x, y = (edge - image.spacing / 2 for edge in image.corner)  # the first pixel's centre
    origin.XOffsetInSlideCoordinateSystem = format_number_as_ds(x)
    origin.YOffsetInSlideCoordinateSystem = format_number_as_ds(y)
    header.TotalPixelMatrixOriginSequence = Sequence([origin])
    header.ImageOrientationSlide = list(_ORIENTATION)
    header.SpecimenLabelInImage = "YES" if image.flavor in {"LABEL", "OVERVIEW"} else "NO"
    header.FocusMethod = "AUTO"
    header.ExtendedDepthOfField = "NO"
    header.NumberOfOpticalPaths = 1
    header.OpticalPathSequence = Sequence([_optical_path(recipe, image)])
    if image.flavor == "LABEL":
        header.LabelText = recipe.container_id
        header.BarcodeValue = ""
    if image.sparse and image.photometric != "MONOCHROME2":
        header.RecommendedAbsentPixelCIELabValue = _WHITE_LAB
    shared = Dataset()
    measures = Dataset()
    measures.PixelSpacing = [format_number_as_ds(image.spacing)] * 2
    measures.SliceThickness = format_number_as_ds(_DEPTH_MM)
    measures.SpacingBetweenSlices = format_number_as_ds(_DEPTH_MM)
    shared.PixelMeasuresSequence = Sequence([measures])
    frame_type = Dataset()
    frame_type.FrameType = image_type
    shared.WholeSlideMicroscopyImageFrameTypeSequence = Sequence([frame_type])
    path = Dataset()
    path.OpticalPathIdentifier = "1"
    shared.OpticalPathIdentificationSequence = Sequence([path])
    header.SharedFunctionalGroupsSequence = Sequence([shared])


def _optical_path(recipe: Recipe, image: Image) -> Dataset:
    path = Dataset()
    path.OpticalPathIdentifier = "1"
    if image.photometric == "MONOCHROME2":
        path.OpticalPathDescription = "Nuclear dye"
        path.IlluminationTypeCodeSequence = _code("111743", "DCM", "Epifluorescence illumination")
        path.IlluminationWaveLength = 385.0
    else:
        path.OpticalPathDescription = "Brightfield"
        path.IlluminationTypeCodeSequence = _code("111744", "DCM", "Brightfield illumination")
        path.IlluminationColorCodeSequence = _code("414298005", "SCT", "Full Spectrum")
        path.ICCProfile = _icc_profile()
        path.ColorSpace = "SRGB"
    if image.flavor in {"VOLUME", "THUMBNAIL"}:
        path.ObjectiveLensPower = format_number_as_ds(round(10 / recipe.mpp, 3))
    return path


def _dimensions(header: Dataset, recipe: Recipe, image: Image) -> None:
    """How frames are ordered (PS3.3 C.7.6.17)."""
    organization = Dataset()
    organization.DimensionOrganizationUID = recipe.uid("dimensions")
    header.DimensionOrganizationSequence = Sequence([organization])
    header.DimensionOrganizationType = "TILED_SPARSE" if image.sparse else "TILED_FULL"
    if not image.sparse:
        return
    indices: list[Dataset] = []
    for pointer, label in (
        (0x0048021F, "Row Position In Total Image Pixel Matrix"),
        (0x0048021E, "Column Position In Total Image Pixel Matrix"),
    ):
        index = Dataset()
        index.DimensionIndexPointer = pointer
        index.FunctionalGroupPointer = 0x0048021A  # Plane Position (Slide) Sequence
        index.DimensionOrganizationUID = organization.DimensionOrganizationUID
        index.DimensionDescriptionLabel = label
        indices.append(index)
    header.DimensionIndexSequence = Sequence(indices)


def positions(image: Image, tiles: Iterable[tuple[int, int]]) -> bytes:
    """Encode the functional groups per frame of a sparse image.

    Parameters
    ----------
    image : Image
    tiles : iterable of (int, int)
        Zero-based column and row in the grid of tiles, in the order of the frames.

    Returns
    -------
    bytes
        The whole element (5200,9230). By hand, since pydicom needs a second for 10,000 frames.
    """
    return sequence(0x5200, 0x9230, (_position(image, *tile) for tile in tiles))


def _position(image: Image, column: int, row: int) -> bytes:
    left, top = column * image.tile[0], row * image.tile[1]
    x = image.corner[0] - (top + 0.5) * image.spacing
    y = image.corner[1] - (left + 0.5) * image.spacing
    content = element(0x0020, 0x9157, "UL", struct.pack("<2I", row + 1, column + 1))
    plane = b"".join(
        (
            element(0x0040, 0x072A, "DS", format_number_as_ds(x).encode()),
            element(0x0040, 0x073A, "DS", format_number_as_ds(y).encode()),
            element(0x0040, 0x074A, "DS", b"0"),
            element(0x0048, 0x021E, "SL", struct.pack("<i", left + 1)),
            element(0x0048, 0x021F, "SL", struct.pack("<i", top + 1)),
        )
    )
    return sequence(0x0020, 0x9111, [content]) + sequence(0x0048, 0x021A, [plane])


def _code(value: str, scheme: str, meaning: str) -> Sequence:
    code = Dataset()
    code.CodeValue = value
    code.CodingSchemeDesignator = scheme
    code.CodeMeaning = meaning
    return Sequence([code])


@cache
def _icc_profile() -> bytes:
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # The library writes the present time, and a digest of it: both would differ in every run.
    profile[24:36] = struct.pack(">6H", 2024, 1, 1, 0, 0, 0)
    profile[84:100] = bytes(16)
    return bytes(profile) + b"\0" * (len(profile) % 2)
