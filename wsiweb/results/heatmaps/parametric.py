"""Headers of Parametric Maps (PS3.3 A.75): highdicom's, with the true size of the matrix."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb.results.codes import coded
from wsiweb.results.identity import uid_for
from wsiweb.results.source import thickness_of
from wsiweb.results.srgb import srgb_profile
from wsiweb.results.texts import check_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from highdicom.sr import CodedConcept
    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from wsiweb.results.codes import Term
    from wsiweb.results.heatmaps.codings import Coding
    from wsiweb.results.identity import Identity
    from wsiweb.results.planes import Plane

__all__ = ["EDGE_STEP", "Layout", "Meaning", "header_of"]

EDGE_STEP = 32
"""Pixels that edges of tiles are multiples of: wavelets halve them a few times."""

_LONGEST_LABEL = 16  # characters of LUTLabel, VR SH
_LONGEST = 64  # characters of LUTExplanation and ContentDescription, VR LO


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What the numbers of a map are.

    Attributes
    ----------
    quantity, unit : CodedConcept
        What was measured, and in what.
    label : str
        Short name of the quantity, up to 16 characters.
    description : str
        Of the map, up to 64 characters.
    """

    quantity: CodedConcept
    unit: CodedConcept
    label: str
    description: str

    @classmethod
    def of(cls, quantity: Term, unit: Term, label: str, description: str) -> Meaning:
        """Return what is said of the numbers; what is left out follows from the quantity.

        Raises
        ------
        ValueError
            For unknown codes, or texts that are too long.
        """
        check_text("the label of a map", label, _LONGEST_LABEL, least=0)
        check_text("the description of a map", description, _LONGEST, least=0)
        concept = coded(quantity, "the quantity of a heat map")
        return cls(
            quantity=concept,
            unit=coded(unit, "the unit of a heat map"),
            label=label or concept.meaning[:_LONGEST_LABEL].strip(),
            description=description or concept.meaning,
        )


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a map is stored.

    Attributes
    ----------
    plane : Plane
        Its matrix.
    edge : int
        Width and height of a tile.
    coding : Coding
        What its values are stored as.
    palette : numpy.ndarray or None
        Colours, shape (256, 3), uint8.
    """

    plane: Plane
    edge: int
    coding: Coding
    palette: NDArray[np.uint8] | None

    @property
    def tiles(self) -> tuple[int, int]:
        """Number of tiles across and down."""
        width, height = self.plane.size
        return -(-width // self.edge), -(-height // self.edge)


def header_of(
    origins: Sequence[Dataset], layout: Layout, meaning: Meaning, identity: Identity
) -> Dataset:
    """Return the header of a map: all but its pixels.

    Parameters
    ----------
    origins : sequence of Dataset
        Headers of the level that the map was made from; see `Source.datasets`.
    layout : Layout
        How the map is stored.
    meaning : Meaning
        What its numbers are.
    identity : Identity
        What the object says of itself.
    """
    header = _of_one_tile(origins, layout, meaning, identity)
    _lay_out(header, layout)
    # highdicom draws a new one each time; a repeated session is to make the same object.
    organization = header.DimensionOrganizationSequence[0]
    organization.DimensionOrganizationUID = uid_for(identity.series_uid, "dimensions")
    if layout.palette is not None:
        _colour(header, layout.palette, layout.coding)
    identity.sign(header)
    return header


def _of_one_tile(
    origins: Sequence[Dataset], layout: Layout, meaning: Meaning, identity: Identity
) -> Dataset:
    """Return the header that highdicom gives a map of a single small tile."""
    import highdicom
    from pydicom.uid import ExplicitVRLittleEndian

    coding, geometry = layout.coding, layout.plane.geometry
    origin, *others = origins
    number = int if coding.encoding == "16-bit" else float
    mapping = highdicom.pm.RealWorldValueMapping(
        lut_label=meaning.label,
        lut_explanation=meaning.quantity.meaning,
        unit=meaning.unit,
        # From what stands for no value on: there are readers that refuse what lies outside.
        value_range=(number(coding.nothing), number(coding.last)),
        slope=coding.slope,
        intercept=coding.intercept,
        quantity_definition=meaning.quantity,
    )
    window = highdicom.VOILUTTransformation(
        window_center=(coding.first + coding.last) / 2,
        window_width=(coding.last - coding.first) or 1.0,
        voi_lut_function="LINEAR_EXACT",
    )
    measures = highdicom.PixelMeasuresSequence(
        pixel_spacing=(geometry.spacing[1], geometry.spacing[0]),
        slice_thickness=thickness_of(origin),
    )
    place = highdicom.PlanePositionSequence("SLIDE", geometry.origin, (1, 1))
    return highdicom.pm.ParametricMap(
        source_images=[origin],
        pixel_array=np.zeros((1, EDGE_STEP, EDGE_STEP), coding.dtype),
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        voi_lut_transformations=[window],
        transfer_syntax_uid=ExplicitVRLittleEndian,
        pixel_measures=measures,
        plane_positions=[place],
        content_label="MAP",
        content_description=meaning.description,
        dimension_organization_type="TILED_FULL",
        further_source_images=others,
        **identity.keywords(),
    )


def _lay_out(header: Dataset, layout: Layout) -> None:
    """Say the true size and place of the matrix, and how frames are stored."""
    from pydicom.uid import JPEG2000Lossless
    from pydicom.valuerep import format_number_as_ds

    geometry = layout.plane.geometry
    header.TotalPixelMatrixColumns, header.TotalPixelMatrixRows = layout.plane.size
    header.Columns = header.Rows = layout.edge
    header.NumberOfFrames = math.prod(layout.tiles)
    # highdicom takes what is nearly the source's for the source's; here it is what it is.
    measures = header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    measures.PixelSpacing = [format_number_as_ds(step) for step in reversed(geometry.spacing)]
    place = header.TotalPixelMatrixOriginSequence[0]
    for axis, offset in zip("XYZ", geometry.origin, strict=True):
        setattr(place, f"{axis}OffsetInSlideCoordinateSystem", format_number_as_ds(offset))
    if layout.coding.encoding == "16-bit":
        del header.PixelData
        header.PixelPaddingValue = int(layout.coding.nothing)
        header.file_meta.TransferSyntaxUID = JPEG2000Lossless
    else:
        del header.FloatPixelData
        header.FloatPixelPaddingValue = layout.coding.nothing
        header.FloatPixelPaddingRangeLimit = layout.coding.nothing


def _colour(header: Dataset, palette: NDArray[Any], coding: Coding) -> None:
    """Add a palette, and the stored numbers that it is spread over (PS3.3 C.7.6.16.2.26)."""
    from highdicom import PaletteColorLUTTransformation
    from pydicom.dataset import Dataset

    # Not by way of highdicom's constructor, which has palettes for whole numbers only; in 16 bits,
    # because there are checkers that know no others.
    table = palette.astype(np.uint16) * 257
    for element in PaletteColorLUTTransformation.from_combined_lut(table):
        header.add(element)
    header.PixelPresentation = "COLOR_RANGE"
    header.ICCProfile = srgb_profile()
    header.ColorSpace = "SRGB"
    spread = Dataset()
    spread.MinimumStoredValueMapped = coding.first
    spread.MaximumStoredValueMapped = coding.last
    header.SharedFunctionalGroupsSequence[0].StoredValueColorRangeSequence = [spread]
