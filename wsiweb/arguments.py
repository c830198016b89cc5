"""What callers give, checked before anything is done with it."""

from __future__ import annotations

from operator import index

__all__ = ["finite", "whole"]

_FARTHEST = 2**40  # pixels
_FARTHEST_MM = 1e6


def whole(pair: tuple[int, int], name: str) -> tuple[int, int]:
    """Return a pair of whole numbers (numpy's among them) of a size that pixels have.

    Raises
    ------
    ValueError
        For anything else; says what was given as `name`.

    Examples
    --------
    >>> whole((1, 2), "size")
    (1, 2)
    """
    try:
        first, second = pair
        numbers = index(first), index(second)
    except (TypeError, ValueError):
        raise ValueError(f"{name} takes two whole numbers, (x, y); {pair!r} was given.") from None
    if max(map(abs, numbers)) > _FARTHEST:
        raise ValueError(f"{name} is far beyond every slide.")
    return numbers


def finite(pair: tuple[float, float], name: str) -> tuple[float, float]:
    """Return a pair of numbers, in millimetres, that are not beyond every slide.

    Raises
    ------
    ValueError
        For anything else; says what was given as `name`.
    """
    try:
        first, second = pair
        numbers = float(first), float(second)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} takes two numbers, (x, y); {pair!r} was given.") from None
    if not all(abs(value) < _FARTHEST_MM for value in numbers):  # NaN neither
        raise ValueError(f"{name} is far beyond every slide: {pair!r}.")
    return numbers
