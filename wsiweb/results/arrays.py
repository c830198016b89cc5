"""Arrays of any library, and functions that make them: what they say, before they are read.

numpy, zarr and dask, and others that are like them, are told by what they have (a shape, a dtype,
chunks) and not by their class.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Function = Callable[[tuple[int, int], tuple[int, int]], Any]
    """Takes location (x, y) and size (width, height), returns (height, width, ...)."""

__all__ = ["array_of", "check_function", "computed", "declared", "described"]


def computed(pixels: Any) -> Any:
    """Return what dask has yet to compute, as its blocks are: `numpy.asarray` drops their masks.

    Parameters
    ----------
    pixels : array_like
        A part of a dask array, or anything else, which is returned as it is.
    """
    return pixels.compute() if hasattr(pixels, "compute") else pixels


def declared(array: Any, what: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return what an array, of whatever library, says of its shape and dtype.

    Parameters
    ----------
    array : array_like
        It has both attributes, and is sliced as numpy's arrays are.
    what : str
        What to call it in errors.

    Raises
    ------
    ValueError
        For what does not say it, or not in numbers.
    """
    try:
        shape, dtype = tuple(array.shape), np.dtype(array.dtype)
        sliced = hasattr(array, "__getitem__")
    except (AttributeError, TypeError, ValueError):
        shape, dtype, sliced = (), np.dtype(np.uint8), False
    if not sliced:
        raise ValueError(
            f"{what} is an array (numpy, zarr, dask), or is sliced and says its shape and dtype as "
            f"these do; the {type(array).__name__} that was given does not."
        )
    if not all(isinstance(edge, (int, np.integer)) for edge in shape):  # dask has NaN for these
        raise ValueError(
            f"{what} is given as an array of a shape that is not known: {shape}. Of a dask array, "
            "compute_chunk_sizes() finds it out."
        )
    return tuple(int(edge) for edge in shape), dtype


def array_of(given: Any, what: str) -> NDArray[Any]:
    """Return what numpy makes an array of, such as nested lists, as one; masks are kept.

    Parameters
    ----------
    given : array_like
        Numbers.
    what : str
        What to call it in errors.

    Raises
    ------
    ValueError
        For anything else.

    Examples
    --------
    >>> array_of([[1, 0], [0, 1]], "A mask").shape
    (2, 2)
    """
    if isinstance(given, np.ndarray):
        return given
    try:
        return np.asanyarray(given)
    except (TypeError, ValueError) as error:
        why = f"{what} cannot be made of a {type(given).__name__}: {error}"
        if isinstance(given, (list, tuple)):
            why = f"{what} is given as a nested list with rows of different lengths."
        raise ValueError(why) from error


def described(given: Any, array: NDArray[Any]) -> str:
    """Return what was given, and became an array, in words for an error."""
    if array.ndim == 0 or array.dtype == object:
        return f"what is no array of numbers: {type(given).__name__}"
    return f"shape {array.shape} of {array.dtype}"


def check_function(function: Any, what: str) -> None:
    """Refuse a function that cannot be asked for a region, before it is.

    Parameters
    ----------
    function : callable
        See `Function`.
    what : str
        What it makes, said in errors.

    Raises
    ------
    ValueError
        For one that takes other arguments, is asynchronous, or is a class.
    """
    wanted = f"{what} may be made by a function of location (x, y) and size (width, height)"
    if isinstance(function, type) or inspect.iscoroutinefunction(function):
        kind = "a class" if isinstance(function, type) else "asynchronous"
        raise ValueError(f"{wanted} that returns an array; {function.__name__} is {kind}.")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of what is written in C it is not always known
        return
    try:
        signature.bind((0, 0), (1, 1))
    except TypeError as error:
        name = getattr(function, "__name__", type(function).__name__)
        raise ValueError(f"{wanted}; {name}{signature} does not take these: {error}.") from None
