"""Headers to one image: which frame holds which tile.

The parts of a concatenation become one image (PS3.3 C.7.6.16.2.2.4). Frames lie in the order of
TILED_FULL, or say themselves where they belong (PS3.3 C.7.6.17.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wsiweb.errors import SlideError
from wsiweb.pixels.absent import absent_colour
from wsiweb.pixels.framemap import FrameMap
from wsiweb.pixels.image import TiledImage
from wsiweb.pixels.optional import if_readable
from wsiweb.pixels.perframe import FrameColumns, read_columns

if TYPE_CHECKING:
    from wsiweb.pixels.instance import Header

__all__ = ["image_of"]

# What a frame says of its channel, where, and where all channels are listed.
_SEGMENTS = ("SegmentIdentificationSequence", "ReferencedSegmentNumber", "SegmentSequence")
_PATHS = ("OpticalPathIdentificationSequence", "OpticalPathIdentifier", "OpticalPathSequence")
_MOST_CELLS = 2**26  # tiles of one image; a slide of 2 million pixels square has 2**26 of 256


def image_of(series: tuple[str, str], parts: list[Header]) -> TiledImage:
    """Make one image of its parts.

    Parameters
    ----------
    series : tuple of str
        StudyInstanceUID and SeriesInstanceUID.
    parts : list of Header
        The parts of a concatenation by their offset; usually there is one.

    Raises
    ------
    SlideError
        If parts do not fit together, frames do not fit the grid of tiles, or say nothing of
        where they belong.
    ProtocolError
        For attributes of the wrong kind.
    """
    first = parts[0]
    starts, total = _starts(parts)
    columns = _columns(parts)
    frames, planes = (
        _full(first, starts, total) if columns is None else _sparse(first, starts, columns)
    )
    syntaxes = {part.attributes.text("AvailableTransferSyntaxUID").strip() for part in parts}
    return TiledImage(
        study_uid=series[0],
        series_uid=series[1],
        instance_uids=tuple(part.uid for part in parts),
        whole_uids=tuple(part.whole for part in parts),
        transfer_syntax=(syntaxes.pop() or None) if len(syntaxes) == 1 else None,
        flavor=first.flavor,
        size=first.size,
        format=first.format,
        channels=first.channels,
        focal_planes=planes,
        mpp=first.mpp,
        geometry=first.geometry,
        absent=absent_colour(first.attributes, first.format),
        frames=frames,
    )


def _starts(parts: list[Header]) -> tuple[tuple[int, ...], int]:
    """Return how many frames come before each part, and how many there are."""
    first, starts, total = parts[0], [], 0
    for part in parts:
        if (part.size, part.format, part.channels) != (first.size, first.format, first.channels):
            raise SlideError(
                f"Instance {part.uid}: ConcatenationUID is that of {first.uid}, but size or pixel "
                "format differ."
            )
        if part.offset != total:
            raise SlideError(
                f"Instance {part.uid}: ConcatenationFrameOffsetNumber is {part.offset}, and the "
                f"parts before it have {total} frames: a part is missing or doubled."
            )
        starts.append(total)
        total += part.frames
    promised = if_readable(first.attributes.integer, "InConcatenationTotalNumber", None)
    if first.concatenation and promised is not None and promised != len(parts):
        raise SlideError(
            f"Instance {first.uid}: InConcatenationTotalNumber is {promised}, and "
            f"{len(parts)} parts are there."
        )
    return tuple(starts), total


def _columns(parts: list[Header]) -> list[FrameColumns] | None:
    """Return where frames say they belong; None for an image that is TILED_FULL."""
    organisation = parts[0].attributes.text("DimensionOrganizationType").strip().upper()
    if organisation == "TILED_FULL":
        return None
    columns: list[FrameColumns] = []
    for part in parts:
        raw = part.attributes.raw("PerFrameFunctionalGroupsSequence")
        try:
            read = None if raw is None else read_columns(raw)
        except ValueError as error:
            raise SlideError(
                f"Instance {part.uid}: PerFrameFunctionalGroupsSequence: {error}."
            ) from error
        if read is None:
            if organisation == "TILED_SPARSE" or columns:
                raise SlideError(
                    f"Instance {part.uid}: PerFrameFunctionalGroupsSequence has no positions of "
                    f"frames, and DimensionOrganizationType is {organisation or 'missing'}."
                )
            return None  # nothing said of organisation or positions: frames in order
        if len(read.column) != part.frames:
            raise SlideError(
                f"Instance {part.uid}: NumberOfFrames is {part.frames}, and "
                f"PerFrameFunctionalGroupsSequence has {len(read.column)} items."
            )
        columns.append(read)
    return columns


def _bounded(header: Header, planes: int) -> int:
    cells = header.grid[0] * header.grid[1] * planes * len(header.channels)
    if cells > _MOST_CELLS:
        raise SlideError(
            f"Instance {header.uid}: TotalPixelMatrixColumns x TotalPixelMatrixRows is "
            f"{header.size[0]} x {header.size[1]}, which makes {cells} tiles of "
            f"{header.format.columns} x {header.format.rows}: more than {_MOST_CELLS}."
        )
    return cells


def _full(header: Header, starts: tuple[int, ...], total: int) -> tuple[FrameMap, int]:
    planes = header.planes or 1
    cells = _bounded(header, planes)
    if total != cells:
        raise SlideError(
            f"Instance {header.uid}: NumberOfFrames is {total}, which does not fit "
            f"{header.grid[0]} x {header.grid[1]} tiles in {planes} focal planes and "
            f"{len(header.channels)} optical paths or segments ({cells})."
        )
    columns, rows = header.grid
    frames = FrameMap.full(
        columns=columns, rows=rows, planes=planes, channels=len(header.channels), starts=starts
    )
    return frames, planes


# Frames that say themselves where they belong


def _sparse(
    header: Header, starts: tuple[int, ...], parts: list[FrameColumns]
) -> tuple[FrameMap, int]:
    column = _tiles(header, "Column", np.concatenate([part.column for part in parts]))
    row = _tiles(header, "Row", np.concatenate([part.row for part in parts]))
    channel = _channels(header, [name for part in parts for name in part.channel])
    height = np.concatenate([part.height for part in parts])
    _bounded(header, header.planes or 1)
    plane, planes = _planes(header, height, (channel, row, column))
    _bounded(header, planes)
    try:
        frames = FrameMap.sparse(
            column,
            row,
            plane,
            channel,
            extent=(*header.grid, planes, len(header.channels)),
            starts=starts,
        )
    except ValueError as error:
        raise SlideError(f"Instance {header.uid}: PlanePositionSlideSequence: {error}.") from error
    return frames, planes


def _tiles(header: Header, name: str, positions: np.ndarray) -> np.ndarray:
    """Turn one-based pixel positions into tile numbers."""
    tile = header.format.columns if name == "Column" else header.format.rows
    numbers, rest = np.divmod(positions - 1, tile)
    odd = np.flatnonzero(rest)
    if odd.size:
        frame = int(odd[0])
        raise SlideError(
            f"Instance {header.uid}: {name}PositionInTotalImagePixelMatrix of frame {frame + 1} "
            f"is {int(positions[frame])}, which is not on the grid of tiles of {tile} pixels."
        )
    return numbers


def _channels(header: Header, names: list[str]) -> np.ndarray:
    """Turn identifiers of optical paths, or numbers of segments, into channel numbers."""
    if len(header.channels) == 1:
        return np.zeros(len(names), np.int64)
    is_segmentation = "SegmentSequence" in header.attributes
    group, keyword, sequence = _SEGMENTS if is_segmentation else _PATHS
    shared = header.attributes.item("SharedFunctionalGroupsSequence")
    default = shared.item(group).text(keyword).strip()
    known = {name: number for number, name in enumerate(header.channels)}
    numbers = [known.get(name or default, -1) for name in names]
    if -1 in numbers:
        frame = numbers.index(-1)
        raise SlideError(
            f"Instance {header.uid}: {keyword} of frame {frame + 1} is {names[frame]!r:.40}, which "
            f"{sequence} does not have."
        )
    return np.array(numbers, np.int64)


def _planes(
    header: Header, height: np.ndarray, place: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, int]:
    """Turn heights into focal planes, the one nearest to the slide first.

    Scanners that follow the tissue write another height for each tile of one plane. So where
    there are more heights than planes, a frame's plane is its rank among those of its tile;
    and there are as many planes as the fullest tile has frames, unless the header says more.
    """
    none = np.zeros(len(height), np.int64)
    if header.planes == 1:
        return none, 1
    height = np.nan_to_num(height, nan=0.0)
    ranks = _ranks(height, place)
    planes = header.planes or int(ranks.max(initial=0)) + 1
    levels, plane = np.unique(height, return_inverse=True)
    if len(levels) <= planes and planes > 1:
        return plane.astype(np.int64), planes
    return ranks, planes


def _ranks(height: np.ndarray, place: tuple[np.ndarray, ...]) -> np.ndarray:
    """Count the heights below that of each frame, among the frames of its tile."""
    order = np.lexsort((height, *place))
    same = np.ones(len(order), bool)  # tile as that of the frame before
    same[:1] = False
    for axis in place:
        same[1:] &= np.diff(axis[order]) == 0
    higher = same.copy()
    higher[1:] &= np.diff(height[order]) > 0
    steps = np.cumsum(higher)
    begins = np.maximum.accumulate(np.where(same, 0, steps))
    ranks = np.empty(len(order), np.int64)
    ranks[order] = steps - begins
    return ranks
