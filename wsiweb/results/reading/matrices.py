"""Stored segmentations sorted into results: which objects are levels of one, and where they lie.

A result is what one series holds under one PyramidUID. Many writers state none: then the objects
of a series are levels of one result as long as they have the same segments and are of different
sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast, get_args

from wsiweb.errors import ProtocolError, SlideError
from wsiweb.pixels.assembly import image_of
from wsiweb.pixels.instance import Unsupported, read_header
from wsiweb.pixels.pyramid import LeftOut
from wsiweb.results.reading.find import instant
from wsiweb.results.reading.placement import Placement
from wsiweb.results.reading.segments import read_segments

if TYPE_CHECKING:
    import datetime
    from collections.abc import Sequence

    from wsiweb.pixels.image import TiledImage
    from wsiweb.pixels.instance import Header
    from wsiweb.pixels.pyramid import Pyramid
    from wsiweb.results.reading.find import Stored
    from wsiweb.results.reading.segments import StoredSegment

__all__ = ["Matrices", "SegmentationType", "sorted_out"]

SegmentationType = Literal["BINARY", "FRACTIONAL", "LABELMAP"]

_EIGHT_BITS = 255  # what a fraction of 1 is stored as, where that is not said


@dataclass(frozen=True, kw_only=True)
class Matrices:
    """One segmentation.

    Attributes
    ----------
    name, label : str
        As of `Stored`.
    created : datetime.datetime or None
        As of `Stored`, the latest of its objects.
    type : {"BINARY", "FRACTIONAL", "LABELMAP"}
        SegmentationType.
    segments : tuple of StoredSegment
        By number.
    largest : int
        What a fraction of 1 is stored as: MaximumFractionalValue.
    images : tuple of TiledImage
        Its levels, the finest first. Channels are segments, except in a label map.
    placements : tuple of Placement
        Where each lies upon the slide.
    """

    name: str
    label: str
    created: datetime.datetime | None
    type: SegmentationType
    segments: tuple[StoredSegment, ...]
    largest: int
    images: tuple[TiledImage, ...]
    placements: tuple[Placement, ...]


@dataclass(frozen=True)
class _Found:
    """One matrix, and what has to be equal in all levels of a result."""

    stored: Stored
    image: TiledImage
    placement: Placement
    kind: tuple[SegmentationType, tuple[StoredSegment, ...], int]


def sorted_out(pyramid: Pyramid, stored: Sequence[Stored]) -> tuple[list[Matrices], list[LeftOut]]:
    """Sort objects into results.

    Parameters
    ----------
    pyramid : Pyramid
        The slide.
    stored : sequence of Stored
        Segmentations that are about it.

    Returns
    -------
    tuple
        The results, in the order of their first objects; and the objects that cannot be read, with
        the reason of each.
    """
    left_out: list[LeftOut] = []
    groups: dict[tuple[str, str], list[_Found]] = {}
    for parts in _whole(stored):
        first = parts[0]
        try:
            found = _read(pyramid, parts)
        except (SlideError, ProtocolError, Unsupported) as error:
            words = error.message if isinstance(error, ProtocolError) else str(error)
            left_out.append(LeftOut(first.instance_uid, words))
        else:
            pyramid_uid = first.header.text("PyramidUID").strip()
            groups.setdefault((first.series_uid, pyramid_uid), []).append(found)
    return [_result(one) for group in groups.values() for one in _levels(group)], left_out


def _whole(stored: Sequence[Stored]) -> list[list[Stored]]:
    """Put the parts of concatenations together."""
    parts: dict[tuple[str, str], list[Stored]] = {}
    for one in stored:
        concatenation = one.header.text("ConcatenationUID").strip()
        parts.setdefault((one.series_uid, concatenation or one.instance_uid), []).append(one)
    return list(parts.values())


def _read(pyramid: Pyramid, parts: list[Stored]) -> _Found:
    """Read the header of a matrix.

    Raises
    ------
    Unsupported, SlideError, ProtocolError
        For what cannot be read, or not be placed on the slide.
    """
    headers = [read_header(one.header, "VOLUME") for one in parts]
    headers.sort(key=lambda header: (header.offset, header.uid))
    image = image_of((parts[0].study_uid, parts[0].series_uid), headers)
    first = headers[0]
    kind = _type(first)
    segments = read_segments(first.attributes)
    if not segments:
        raise SlideError(f"Instance {first.uid}: SegmentSequence has no segments.")
    if kind == "BINARY" and image.format.bits_allocated != 1:
        raise SlideError(
            f"Instance {first.uid}: BitsAllocated is {image.format.bits_allocated}, and 1 in a "
            "binary segmentation (PS3.3 C.8.20.2)."
        )
    largest = first.attributes.integer("MaximumFractionalValue") if kind == "FRACTIONAL" else 1
    return _Found(
        parts[0], image, Placement.of(pyramid, image), (kind, segments, largest or _EIGHT_BITS)
    )


def _type(header: Header) -> SegmentationType:
    text = header.attributes.text("SegmentationType").strip().upper()
    if text not in get_args(SegmentationType):
        raise SlideError(
            f"Instance {header.uid}: SegmentationType is {text[:40] or 'missing'}, not one of "
            f"{', '.join(get_args(SegmentationType))}."
        )
    return cast("SegmentationType", text)


def _levels(group: list[_Found]) -> list[list[_Found]]:
    """Tell apart what cannot be levels of one result."""
    results: list[list[_Found]] = []
    for one in group:
        for result in results:
            sizes = {other.image.size for other in result}
            if result[0].kind == one.kind and one.image.size not in sizes:
                result.append(one)
                break
        else:
            results.append([one])
    return results


def _result(levels: list[_Found]) -> Matrices:
    levels.sort(key=lambda one: one.placement.downsample)
    kind, segments, largest = levels[0].kind
    dates = (one.stored.created for one in levels)
    return Matrices(
        name=levels[0].stored.name,
        label=levels[0].stored.label,
        created=max(dates, key=instant),
        type=kind,
        segments=segments,
        largest=largest,
        images=tuple(one.image for one in levels),
        placements=tuple(one.placement for one in levels),
    )
