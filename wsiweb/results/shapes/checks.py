"""What flat arrays have to be to be shapes, and what becomes of those that nearly are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Numbers = NDArray[np.int64]

__all__ = [
    "CORNERS",
    "as_array",
    "as_classes",
    "as_column",
    "as_index",
    "as_list",
    "as_points",
    "by_name",
    "check_corners",
    "check_form",
    "check_multi",
    "opened",
    "refuse_masked",
    "unmasked",
]

_EXACT: dict[str, int] = {"point": 1, "ellipse": 4, "rectangle": 4}
_LEAST: dict[str, int] = {"polygon": 3, "polyline": 2}
CORNERS = {
    "point": "one pair of coordinates",
    "ellipse": "four points: the ends of its long axis, then those of its short one",
    "rectangle": "four corners, from the top left one clockwise",
    "polygon": "at least three corners",
    "polyline": "at least two points",
}
_WHOLE_IN_FLOAT32 = 2**24
_CROOKED = 1e-3  # of its size, by which a corner of a rectangle may be off
_ROUNDED = 4 * float(np.finfo(np.float32).eps)  # of coordinates that were float32 on their way
_FORMS_AT_ONCE = 1 << 16  # few enough to stay in the cache


def as_array(values: ArrayLike) -> NDArray[Any]:
    """Return coordinates as an array of numbers; refuse what is none."""
    refuse_masked("coordinates", values)
    try:
        given = np.asarray(values)
    except (TypeError, ValueError):
        given = np.empty(0, object)
    if given.dtype.kind not in "fiu":
        raise ValueError(
            "Coordinates are an array of numbers of shape (n, 2) or (n, 3), all shapes one after "
            "the other with an index of where each begins; what was given is no such array."
        )
    return given


def as_points(given: NDArray[Any], kind: str) -> NDArray[Any]:
    """Return coordinates as native, contiguous float32 or float64; refuse what is not finite."""
    if given.ndim != 2 or given.shape[1] not in {2, 3}:
        raise ValueError(
            "Coordinates have shape (n, 2): x, y in pixels; or (n, 3): x, y, z in mm; "
            f"{given.shape} was given."
        )
    if not len(given):
        raise ValueError(f"There is no {kind}: nothing is written for nothing.")
    if given.dtype.kind in "iu":
        exact = max(int(given.max()), -int(given.min())) <= _WHOLE_IN_FLOAT32
        given = given.astype(np.float32 if exact else np.float64)
    elif given.dtype.newbyteorder("=") not in {np.dtype(np.float32), np.dtype(np.float64)}:
        given = given.astype(np.float32 if given.dtype.itemsize < 4 else np.float64)
    points = np.ascontiguousarray(given, given.dtype.newbyteorder("="))
    # One number that is not finite makes the sum so, and nothing has to be kept for this.
    with np.errstate(all="ignore"):
        total = points.sum(dtype=np.float64)
    if not np.isfinite(total):
        bad = np.flatnonzero(~np.isfinite(points).all(axis=1))
        if len(bad):
            raise ValueError(
                f"{len(bad)} of {len(points)} points have coordinates that are not finite numbers, "
                f"the first of them point {bad[0]} (counted from 0): {points[bad[0]].tolist()}."
            )
    return points


def as_index(index: ArrayLike | None, kind: str, total: int) -> Numbers:
    """Return the first corner of each shape; refuse an index that does not fit."""
    if kind in _EXACT:
        step = _EXACT[kind]
        if total % step:
            raise ValueError(f"A {kind} has {CORNERS[kind]}; {total} points were given.")
        regular = np.arange(0, total, step)
        if index is not None and not np.array_equal(_numbers(index, total), regular):
            raise ValueError(f"A {kind} has {CORNERS[kind]}; the index given says otherwise.")
        return regular
    return np.zeros(1, np.int64) if index is None else _numbers(index, total)


def _numbers(index: ArrayLike, total: int) -> Numbers:
    refuse_masked("an index", index)
    try:
        given = np.asarray(index)
    except ValueError:  # lists of different lengths
        given = np.empty(0, object)
    if given.ndim != 1 or given.dtype.kind not in "iu" or not len(given):
        raise ValueError(
            "The index is a list of whole numbers: of each shape its first corner; "
            f"shape {given.shape}, dtype {given.dtype} was given."
        )
    starts = given.astype(np.int64, copy=False)
    if len(starts) > 1 and starts[-1] == total:  # where the last one ends, as in ragged arrays
        starts = starts[:-1]
    if starts[0] != 0 or starts[-1] >= total or (np.diff(starts) <= 0).any():
        raise ValueError(
            f"The index rises from 0 to less than the {total} corners there are, without "
            f"repetition; it was given with {starts[0]} to {starts[-1]}. (It counts corners from "
            "0, not numbers from 1 as DICOM does.)"
        )
    return starts


def opened(points: NDArray[Any], starts: Numbers) -> tuple[NDArray[Any], Numbers]:
    """Drop the corner at the end of polygons that repeats the first (PS3.3 C.37.1.2)."""
    while True:
        lengths = np.diff(starts, append=len(points))
        last = starts + lengths - 1
        closed = (points[starts] == points[last]).all(axis=1) & (lengths > 1)
        if not closed.any():
            return points, starts
        kept = np.ones(len(points), bool)
        kept[last[closed]] = False
        points = points[kept]
        starts = starts - np.concatenate([[0], np.cumsum(closed)[:-1]])


def check_corners(kind: str, starts: Numbers, total: int) -> None:
    """Refuse shapes of too few corners."""
    least = _LEAST.get(kind)
    if least is None:
        return
    few = np.flatnonzero(np.diff(starts, append=total) < least)
    if len(few):
        raise ValueError(
            f"A {kind} has {CORNERS[kind]} (the first one repeated at the end does not count); "
            f"{len(few)} of {len(starts)} have fewer, the first of them number {few[0]} (counted "
            "from 0)."
        )


def check_form(kind: str, points: NDArray[Any]) -> None:
    """Refuse rectangles and ellipses whose four points make none.

    Parameters
    ----------
    kind : str
        Of the shapes; of others nothing is asked.
    points : numpy.ndarray
        Shape (4 * count, 2 or 3).
    """
    if kind not in {"rectangle", "ellipse"}:
        return
    fours = points.reshape(-1, 4, points.shape[1])
    bad = np.concatenate(
        [
            np.flatnonzero(_misshapen(kind, fours[start : start + _FORMS_AT_ONCE])) + start
            for start in range(0, len(fours), _FORMS_AT_ONCE)
        ]
    )
    if len(bad):
        wanted = (
            "right angles and sides of some length; others are polygons"
            if kind == "rectangle"
            else "axes of some length at a right angle that share their middle"
        )
        raise ValueError(
            f"A {kind} has {CORNERS[kind]}, with {wanted}; {len(bad)} of {len(fours)} have not, "
            f"the first of them number {bad[0]} (counted from 0): {fours[bad[0]].tolist()}."
        )


def _misshapen(kind: str, fours: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which rectangles or ellipses are none; `fours` has shape (count, 4, 2 or 3)."""
    one, two, three, four = np.moveaxis(fours.astype(np.float64), 1, 0)
    if kind == "rectangle":
        # Both diagonals of a rectangle have one middle, as both axes of an ellipse have.
        along, across, gap = two - one, four - one, (one + three) - (two + four)
    else:
        along, across, gap = two - one, four - three, (one + two) - (three + four)
    length, width = _norm(along), _norm(across)
    rounded = _ROUNDED * np.abs(fours).max(axis=(1, 2))
    skew = np.abs((along * across).sum(axis=1))
    is_skew = skew > _CROOKED * length * width + rounded * (length + width)
    is_apart = _norm(gap) / 2 > _CROOKED * np.maximum(length, width) + rounded
    return is_skew | is_apart | (length == 0) | (width == 0)


def _norm(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt((vectors * vectors).sum(axis=1))


def check_multi(multi: str) -> None:
    """Refuse what is no choice of what becomes of geometries of several parts."""
    if multi not in ("refuse", "split"):  # a tuple, as it may be anything
        raise ValueError(f'multi is "refuse" or "split", not {multi!r}.')


def refuse_masked(what: str, values: Any) -> None:
    """Refuse a masked array some of whose values are masked: what is under a mask is no value."""
    if np.ma.is_masked(values):
        raise ValueError(
            f"Of the array given as {what}, {np.ma.count_masked(values)} values are masked, and "
            "shapes have no such: leave out the shapes that they belong to."
        )


def unmasked(values: Any) -> Any:
    """Return a masked array with what says nothing where it is masked; else what was given."""
    if not isinstance(values, np.ma.MaskedArray):
        return values
    masked: Any = values
    if masked.dtype.kind in "fiub":
        return masked.astype(np.float64).filled(np.nan)
    return masked.astype(object).filled(None)


def as_list(what: str, values: Any) -> list[Any]:
    """Return what is given for each shape, or for several things, as a list; refuse what is none.

    Parameters
    ----------
    what : str
        What it is called, said in errors.
    values : iterable
        What numpy masks becomes None, or NaN.
    """
    try:
        return list(unmasked(values))
    except TypeError:
        raise ValueError(
            f"{what} is a name, or several of them in a list; {values!r} was given."
        ) from None


def by_name(what: str, given: Any) -> dict[str, Any]:
    """Return columns by their names without spaces around them; refuse one name for two."""
    if not isinstance(given, Mapping):
        raise ValueError(  # noqa: TRY004 - bad input is ValueError throughout
            f"The {what} are given by name, such as {{'Tumor': ...}}; {given!r} was given."
        )
    found: dict[str, Any] = {}
    for name, values in given.items():
        plain = str(name).strip()
        if plain in found:
            raise ValueError(
                f"Two {what} are called {plain!r}, but for spaces around it: give them unlike "
                "names."
            )
        found[plain] = values
    return found


def as_classes(
    classes: str | Sequence[str | None] | NDArray[Any] | None, count: int
) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Return the names of classes, and of each shape the place of its own among them."""
    if classes is None or isinstance(classes, str):
        return ((classes or "").strip(),), np.zeros(count, np.int32)
    listed = as_list("classes", classes)
    if len(listed) != count:
        raise ValueError(f"There are {count} shapes and {len(listed)} classes: one for each.")
    numbers: dict[str, int] = {}
    class_of = np.fromiter(
        (numbers.setdefault(_class_name(one), len(numbers)) for one in listed),
        np.int32,
        count,
    )
    return tuple(numbers), class_of


def _class_name(given: Any) -> str:
    is_missing = given is None or given != given  # noqa: PLR0124 - NaN, as tables have it
    return "" if is_missing else str(given).strip()


def as_column(name: str, values: ArrayLike, count: int) -> NDArray[np.float64]:
    """Return a measurement, one number for each shape; refuse what is none."""
    try:
        column = np.asarray(unmasked(values), dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"The measurement {name!r} is not made of numbers.") from None
    if column.shape != (count,):
        raise ValueError(
            f"There are {count} shapes, and the measurement {name!r} has values of shape "
            f"{column.shape}: one for each, NaN where there is none."
        )
    return column
