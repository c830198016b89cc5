"""Headers of Segmentations: highdicom's, for a mask of one tile, brought to the size of the slide.

highdicom builds a header together with the frames that it is given, all of them in memory. One
tile is enough for all that it says of patient, slide, segments and making. What depends on how
many tiles there are is said here: the size of the matrix, and the place of each frame.
"""

from __future__ import annotations

import copy
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wsiweb.results.identity import uid_for
from wsiweb.results.masks.contents import MOST_FRACTION
from wsiweb.results.source import thickness_of
from wsiweb.writing.part10 import element, sequence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from wsiweb.results.identity import Identity
    from wsiweb.results.masks.contents import Overlap
    from wsiweb.results.masks.encoding import Encoding
    from wsiweb.results.masks.segments import Segment
    from wsiweb.results.masks.style import Style
    from wsiweb.results.planes import Plane

__all__ = ["Sheet", "header_of", "places_of"]

_DECIMAL = 16  # bytes of a number as text, VR DS
_SIDE = 8  # pixels: of the tile that highdicom is given


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """What all levels of a mask say of themselves.

    Attributes
    ----------
    segments : sequence of Segment
        Number 1 first.
    style : Style
        How it was to be stored.
    encoding : Encoding
        How it is.
    overlap : str
        SegmentsOverlap.
    pyramid_uid : str
        What says that they belong together.
    """

    segments: Sequence[Segment]
    style: Style
    encoding: Encoding
    overlap: Overlap
    pyramid_uid: str


def header_of(
    origins: Sequence[Dataset], plane: Plane, sheet: Sheet, identity: Identity
) -> Dataset:
    """Return the header of one level, without functional groups per frame and pixels.

    Parameters
    ----------
    origins : sequence of Dataset
        Headers of the level of the slide that the mask is about; see `Source.datasets`.
    plane : Plane
        Its matrix.
    sheet : Sheet
        What is said of all levels.
    identity : Identity
        What is said of this one.

    Returns
    -------
    Dataset
        With file meta information; NumberOfFrames is 1.

    Raises
    ------
    ValueError
        For segments that cannot be written.
    """
    from pydicom.uid import UID

    header = _of_one_tile(origins, plane, sheet, identity)
    encoding = sheet.encoding
    header.file_meta.TransferSyntaxUID = UID(encoding.transfer_syntax)
    for keyword in ("PixelData", "PerFrameFunctionalGroupsSequence"):
        if keyword in header:
            delattr(header, keyword)
    header.Columns, header.Rows = sheet.style.tile
    header.SegmentsOverlap = sheet.overlap
    header.TotalPixelMatrixColumns, header.TotalPixelMatrixRows = plane.size
    header.TotalPixelMatrixOriginSequence = [_place(plane.geometry.origin)]
    _organize(header, identity)
    identity.sign(header)
    return header


def _of_one_tile(
    origins: Sequence[Dataset], plane: Plane, sheet: Sheet, identity: Identity
) -> Dataset:
    from highdicom.content import (
        PixelMeasuresSequence,
        PlaneOrientationSequence,
        PlanePositionSequence,
    )
    from highdicom.enum import CoordinateSystemNames
    from highdicom.seg import Segmentation
    from pydicom.dataset import Dataset
    from pydicom.uid import ExplicitVRLittleEndian

    from wsiweb.results.masks.segments import describe

    style, encoding = sheet.style, sheet.encoding
    origin, *others = origins
    geometry = plane.geometry
    # highdicom compares the mask with the slide, so the slide has to be of one tile, too.
    slide = copy.deepcopy(origin)
    slide.TotalPixelMatrixColumns = slide.TotalPixelMatrixRows = _SIDE
    measures = PixelMeasuresSequence(geometry.spacing[::-1], thickness_of(origin), _between(origin))
    shared = Dataset()
    shared.PixelMeasuresSequence = measures
    slide.SharedFunctionalGroupsSequence = [shared]
    return Segmentation(
        source_images=[slide],
        pixel_array=np.zeros((_SIDE, _SIDE), np.uint8),
        segmentation_type=encoding.name,
        segment_descriptions=describe(sheet.segments, identity.algorithm),
        fractional_type=style.fractional_type.upper(),
        max_fractional_value=MOST_FRACTION,
        content_label=style.label or None,
        content_description=style.description or identity.name,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        pixel_measures=measures,
        plane_orientation=PlaneOrientationSequence(
            CoordinateSystemNames.SLIDE,
            # Adding 0 makes 0 of -0, which is not equal to 0 as a text.
            [cosine + 0.0 for cosine in (*geometry.row_direction, *geometry.column_direction)],
        ),
        plane_positions=[
            PlanePositionSequence(CoordinateSystemNames.SLIDE, geometry.origin, (1, 1))
        ],
        omit_empty_frames=False,
        dimension_organization_type="TILED_SPARSE" if encoding.sparse else "TILED_FULL",
        tile_pixel_array=True,
        tile_size=(_SIDE, _SIDE),
        pyramid_uid=sheet.pyramid_uid,
        pyramid_label=identity.name,
        further_source_images=others,
        **identity.keywords(),
    )


def _between(origin: Dataset) -> float | None:
    """Return SpacingBetweenSlices of the source, which is ours too, in mm."""
    shared: Any = origin.get("SharedFunctionalGroupsSequence")
    measures: Any = shared[0].get("PixelMeasuresSequence") if shared else None
    between = measures[0].get("SpacingBetweenSlices") if measures else None
    return float(between) if between else None


def _place(point: Sequence[float]) -> Dataset:
    from pydicom.dataset import Dataset
    from pydicom.valuerep import format_number_as_ds

    place = Dataset()
    for axis, offset in zip("XYZ", point, strict=True):
        setattr(place, f"{axis}OffsetInSlideCoordinateSystem", format_number_as_ds(offset + 0.0))
    return place


def _organize(header: Dataset, identity: Identity) -> None:
    """Name the organization of dimensions after the series; highdicom's UID is a random one."""
    uid = uid_for(identity.series_uid, "dimensions")
    header.DimensionOrganizationSequence[0].DimensionOrganizationUID = uid
    for index in header.get("DimensionIndexSequence") or ():
        index.DimensionOrganizationUID = uid


def places_of(
    plane: Plane, tile: tuple[int, int], frames: NDArray[np.int64], *, numbered: bool
) -> bytes:
    """Encode the functional groups per frame of a sparse matrix, all frames at once.

    Parameters
    ----------
    plane : Plane
        The matrix.
    tile : tuple of int
        Width and height of a tile.
    frames : numpy.ndarray
        Shape (frames, 3), int64: number of the segment, row and column (zero-based), in the order
        of the file.
    numbered : bool
        Whether to say the segment of each frame: that of the only one is said for all in common.

    Returns
    -------
    bytes
        The element (5200,9230); see PS3.3 C.7.6.16.
    """
    numbers, rows, columns = frames.T
    corners = np.stack([columns * tile[0], rows * tile[1]], axis=1)
    offsets = plane.geometry.to_slide(corners + 0.5)  # of centres of pixels
    # Which of the places that there are, counted from 1 (PS3.3 C.7.6.17).
    ranks = [np.unique(axis, return_inverse=True)[1] + 1 for axis in (rows, columns)]
    named = [_bytes(numbers, "<u2")] if numbered else []
    fields = [
        _bytes(np.stack([numbers, *ranks], axis=1), "<u4"),
        *(_decimals(offsets[:, axis]) for axis in range(3)),
        *(_bytes(corners[:, axis] + 1, "<i4") for axis in range(2)),
        *named,
    ]
    # Each field is marked by a byte that stands nowhere else in the template.
    marks = [bytes([0xA0 + field]) * values.shape[1] for field, values in enumerate(fields)]
    template = _template(marks)
    items = np.empty((len(frames), len(template)), np.uint8)
    items[:] = np.frombuffer(template, np.uint8)
    for mark, values in zip(marks, fields, strict=True):
        start = template.index(mark)
        items[:, start : start + len(mark)] = values
    return element(0x5200, 0x9230, "SQ", items.tobytes())


def _template(marks: Sequence[bytes]) -> bytes:
    """Encode the item of one frame, with marks for values."""
    indices, x, y, z, column, row, *number = marks
    place = b"".join(
        (
            element(0x0040, 0x072A, "DS", x),
            element(0x0040, 0x073A, "DS", y),
            element(0x0040, 0x074A, "DS", z),
            element(0x0048, 0x021E, "SL", column),
            element(0x0048, 0x021F, "SL", row),
        )
    )
    item = b"".join(
        (
            sequence(0x0008, 0x9124, []),  # what it was derived from: of type 2, and not known
            sequence(0x0020, 0x9111, [element(0x0020, 0x9157, "UL", indices)]),
            sequence(0x0048, 0x021A, [place]),
            *(sequence(0x0062, 0x000A, [element(0x0062, 0x000B, "US", one)]) for one in number),
        )
    )
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item


def _bytes(values: NDArray[Any], dtype: str) -> NDArray[np.uint8]:
    """Return numbers as bytes, a row for each frame."""
    return values.astype(dtype).reshape(len(values), -1).view(np.uint8)


def _decimals(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return numbers as text of one length; most of a slide's come many times."""
    from pydicom.valuerep import format_number_as_ds

    different, which = np.unique(values + 0.0, return_inverse=True)
    texts = b"".join(
        format_number_as_ds(float(value)).encode().ljust(_DECIMAL) for value in different
    )
    return np.frombuffer(texts, np.uint8).reshape(-1, _DECIMAL)[which]
