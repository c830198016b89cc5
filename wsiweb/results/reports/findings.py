"""Findings: what a report says of a region of the slide, or of all of it.

The same values are written into reports and read from them, so that what was read can be written
again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from wsiweb.arguments import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from wsiweb.results.codes import Term

    RegionKind = Literal["point", "polyline", "polygon", "ellipse", "slide", "unknown"]

__all__ = ["Evaluation", "Finding", "Measurement", "Region", "region_of"]

_LEAST = {"point": 1, "polyline": 2, "polygon": 3, "ellipse": 4}
_EXACT = frozenset({"point", "ellipse"})


class Measurement(NamedTuple):
    """A number that was measured.

    Attributes
    ----------
    name : Term
        What it is, such as ``"SCT:Area"``.
    value : float
        How much.
    unit : Term
        Of UCUM, such as ``"UCUM:SquareMicrometer"``.
    """

    name: Term
    value: float
    unit: Term


class Evaluation(NamedTuple):
    """A question and its answer, both codes.

    Attributes
    ----------
    name, value : Term
        What was asked, and what was found.
    """

    name: Term
    value: Term


class Region(NamedTuple):
    """Part of the slide, in pixels.

    Attributes
    ----------
    kind : str
        ``"point"``, ``"polyline"``, ``"polygon"`` or ``"ellipse"``; ``"slide"`` for all of it;
        ``"unknown"``, only when read, for what is not outlined by coordinates on this slide.
    points : numpy.ndarray
        Shape (n, 2), float64: x, y in level-0 pixels from the top left corner of the slide. The
        corners of a polygon, each once; the two ends of an ellipse's long axis, then those of its
        short one. None at all for the whole slide.
    """

    kind: RegionKind
    points: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Finding:
    """What was found in one place.

    Attributes
    ----------
    region : shapely geometry, array_like, Region or None
        Where, in level-0 pixels from the top left corner of the slide: a Point, LineString or
        Polygon of shapely; an array of shape (2,) for a point, or (n, 2) for the corners of a
        polygon; a `Region`. None for the whole slide.
    type : Term or None
        What it is: such as ``"Neoplasm"``.
    category : Term or None
        Kind of thing that it is: such as ``"Morphologically abnormal structure"``.
    sites : sequence of Term
        In which parts of the body.
    measurements : sequence of (name, value, unit)
        What was measured; see `Measurement`.
    evaluations : sequence of (name, value)
        What was judged; see `Evaluation`.
    label : str
        Its name, which a reader sees; by default its number in the report.
    uid : str
        By which it is known in all reports (TrackingUniqueIdentifier); made when it is empty.
    """

    region: Any = None
    type: Term | None = None
    category: Term | None = None
    sites: Sequence[Term] = ()
    measurements: Sequence[Measurement | tuple[Term, float, Term]] = ()
    evaluations: Sequence[Evaluation | tuple[Term, Term]] = ()
    label: str = ""
    uid: str = field(default="", repr=False)


def region_of(region: Any, what: str) -> Region:
    """Return a region as its kind and points.

    Parameters
    ----------
    region : shapely geometry, array_like, Region or None
        As in `Finding`.
    what : str
        Which finding it is of, said in errors.

    Returns
    -------
    Region
        Polygons are open: their first point is not repeated at the end.

    Raises
    ------
    ValueError
        For another geometry, a polygon with holes or that crosses itself, numbers that are not
        finite, or too few points.

    Examples
    --------
    >>> region_of([[0, 0], [9, 0], [9, 9], [0, 0]], "finding 1").points.tolist()
    [[0.0, 0.0], [9.0, 0.0], [9.0, 9.0]]
    """
    if region is None:
        return Region("slide", np.empty((0, 2)))
    kind: Any
    if isinstance(region, Region):
        kind, points = region
    elif hasattr(region, "geom_type"):
        kind, points = _of_shapely(region, what)
    else:
        kind, points = None, region
    points = _as_points(points, what)
    if kind is None:
        kind = "point" if len(points) == 1 else "polygon"
    if kind == "slide":
        return Region("slide", np.empty((0, 2)))
    if kind not in tuple(_LEAST):  # compared, as what was given need not have a hash
        raise ValueError(
            f"The region of {what} is of kind {shown(kind)}; there are {', '.join(_LEAST)}."
        )
    if kind == "polygon" and len(points) > 1 and (points[0] == points[-1]).all():
        points = points[:-1]
    least = _LEAST[kind]
    if len(points) < least or (kind in _EXACT and len(points) != least):
        wanted = f"{least}" if kind in _EXACT else f"at least {least}"
        raise ValueError(f"The {kind} of {what} has {wanted} points, not {len(points)}.")
    if kind == "polygon":
        _check_simple(points, what)
    return Region(kind, points)


def _of_shapely(geometry: Any, what: str) -> tuple[RegionKind, Any]:
    kind = geometry.geom_type
    if geometry.is_empty:
        raise ValueError(f"The region of {what} is empty.")
    if kind == "Point":
        return "point", [(geometry.x, geometry.y)]
    if kind == "LineString":
        return "polyline", list(geometry.coords)
    if kind == "LinearRing":
        return "polygon", list(geometry.coords)
    if kind != "Polygon":
        raise ValueError(
            f"The region of {what} is a {kind}; a report takes Point, LineString and Polygon. Give "
            "each part a finding of its own."
        )
    if len(geometry.interiors):
        raise ValueError(
            f"The polygon of {what} has {len(geometry.interiors)} holes, and a region of a report "
            "can have none. Write it as a mask (add_mask), or without its holes."
        )
    return "polygon", list(geometry.exterior.coords)


def _as_points(points: Any, what: str) -> NDArray[np.float64]:
    try:
        array = np.asanyarray(points)
        fits = array.dtype.kind in "iufO" and not np.ma.is_masked(array)
        array = np.asarray(array, dtype=np.float64) if fits else None
    except (TypeError, ValueError):
        array = None
    if array is None:
        raise ValueError(
            f"The region of {what} is a shapely geometry or an array of points (x, y) that are "
            f"numbers, none of them masked, not {type(points).__name__}: {shown(points)}."
        )
    if array.ndim == 1 and array.size == 2:
        array = array[None]
    if array.ndim != 2 or array.shape[1] not in {2, 3} or not len(array):
        raise ValueError(
            f"The points of {what} have shape (n, 2): x, y in level-0 pixels; {array.shape} was "
            "given."
        )
    array = array[:, :2]  # shapely may carry a height along
    if not np.isfinite(array).all():
        raise ValueError(f"The points of {what} are not all finite numbers.")
    return array


def _check_simple(points: NDArray[np.float64], what: str) -> None:
    """Refuse a polygon that crosses itself: nobody could say what is inside."""
    try:
        import shapely
    except ModuleNotFoundError:  # an extra (wsiweb[shapes]); viewers show such polygons somehow
        return
    if not shapely.is_valid(shapely.Polygon(points)):
        reason = shapely.is_valid_reason(shapely.Polygon(points))
        raise ValueError(
            f"The polygon of {what} is not simple ({reason}): its edges cross or touch. "
            "shapely.make_valid mends it."
        )
