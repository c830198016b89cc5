"""What callers give, checked before anything is done with it."""

from __future__ import annotations

import errno
import math
import numbers
import os
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "choice",
    "edges",
    "file_of",
    "finite",
    "flag",
    "folder_of",
    "level_of",
    "path_of",
    "positive",
    "real_pair",
    "shown",
    "whole",
    "whole_number",
]

_FARTHEST = 2**40  # pixels
_FARTHEST_MM = 1e6
_SHOWN = 60  # characters of what was given

Level = TypeVar("Level")


def shown(value: Any) -> str:
    """Return what was given as an error shows it: short, on one line.

    Examples
    --------
    >>> shown("0"), shown([0] * 99)
    ("'0'", 'list [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,...')
    """
    text = " ".join(repr(value).split())
    return text if len(text) <= _SHOWN else f"{type(value).__name__} {text[:_SHOWN]}..."


# Numbers ------------------------------------------------------------------------------------


def whole_number(value: Any, name: str) -> int:
    """Return a whole number, numpy's among them; truth values are none.

    Raises
    ------
    ValueError
        For anything else; says what was given as `name`.
    """
    try:
        if not isinstance(value, bool):
            return index(value)
    except TypeError:
        pass
    raise ValueError(f"{name} is a whole number, not {shown(value)}.")


def level_of(levels: Sequence[Level], number: Any) -> Level:
    """Return a level of a slide.

    Parameters
    ----------
    levels : sequence
        All of them.
    number : int
        Zero-based.

    Raises
    ------
    IndexError
        For a level that the slide does not have.
    ValueError
        For what is no whole number.
    """
    number = whole_number(number, "level")
    if not 0 <= number < len(levels):
        raise IndexError(f"There is no level {number}; the slide has 0 to {len(levels) - 1}.")
    return levels[number]


def positive(value: Any, name: str, unit: str) -> float:
    """Return a number above 0 that is finite.

    Raises
    ------
    ValueError
        For anything else; says what was given as `name`, and in which unit it is wanted.
    """
    try:
        number = float(value) if _is_real(value) else 0.0
    except OverflowError:
        number = math.inf
    if not 0 < number < math.inf:  # NaN neither
        raise ValueError(f"{name} is a positive number of {unit}, not {shown(value)}.")
    return number


def _is_real(value: Any) -> bool:
    return type(value) is not bool and isinstance(value, numbers.Real)


# Pairs --------------------------------------------------------------------------------------


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
        found = whole_number(first, name), whole_number(second, name)
    except (TypeError, ValueError):
        raise ValueError(f"{name} takes two whole numbers, (x, y); {pair!r} was given.") from None
    if max(map(abs, found)) > _FARTHEST:
        raise ValueError(f"{name} is far beyond every slide.")
    return found


def edges(given: Any, name: str) -> tuple[int, int]:
    """Return width and height, which may be given as one whole number for both.

    Raises
    ------
    ValueError
        For anything else; says what was given as `name`.

    Examples
    --------
    >>> edges(512, "tile_size")
    (512, 512)
    """
    try:
        across, down = (given, given) if isinstance(given, numbers.Integral) else given
        return whole_number(across, name), whole_number(down, name)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name} is a whole number of pixels, or (width, height); {shown(given)} was given."
        ) from None


def real_pair(pair: tuple[float, float], name: str) -> tuple[float, float]:
    """Return a pair of numbers.

    Raises
    ------
    ValueError
        For anything else; says what was given as `name`.
    """
    try:
        first, second = pair
        if _is_real(first) and _is_real(second):
            return float(first), float(second)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError(f"{name} takes two numbers, (x, y); {pair!r} was given.")


def finite(pair: tuple[float, float], name: str) -> tuple[float, float]:
    """Return a pair of numbers, in millimetres, that are not beyond every slide.

    Raises
    ------
    ValueError
        For anything else; says what was given as `name`.
    """
    found = real_pair(pair, name)
    if not all(abs(value) < _FARTHEST_MM for value in found):  # NaN neither
        raise ValueError(f"{name} is far beyond every slide: {pair!r}.")
    return found


# Choices ------------------------------------------------------------------------------------


def choice(value: Any, name: str, choices: Sequence[str]) -> None:
    """Refuse what is none of some words.

    Raises
    ------
    ValueError
        For anything else; says what was given as `name`.
    """
    if not (isinstance(value, str) and value in choices):
        raise ValueError(f"{name} is one of {', '.join(choices)}, not {shown(value)}.")


def flag(value: Any, name: str) -> bool:
    """Return a truth value; texts such as ``"no"``, which Python takes for true, are none.

    Raises
    ------
    ValueError
        For anything else; says what was given as `name`.
    """
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise ValueError(f"{name} is True or False, not {shown(value)}.")


# Paths --------------------------------------------------------------------------------------


def path_of(given: Any, name: str) -> Path:
    """Return a path that was given as text or as such.

    Raises
    ------
    ValueError
        For anything else, and for a text that no file can be called; says what was given as `name`.
    """
    text = os.fspath(given) if isinstance(given, (str, os.PathLike)) else None
    try:
        if isinstance(text, str) and text and b"\0" not in os.fsencode(text):
            return Path(text)
    except UnicodeEncodeError:
        pass
    raise ValueError(f"{name} is a path, a text or pathlib.Path; {shown(given)} is none.")


def folder_of(given: Any, name: str) -> Path:
    """Return the path of a folder to be written to, which need not be there yet.

    Raises
    ------
    NotADirectoryError
        For a file, or what would be in one.
    PermissionError
        Where nothing can be written.
    ValueError
        As `path_of`.
    """
    path = path_of(given, name)
    there = next((one for one in (path, *path.absolute().parents) if one.exists()), path)
    if there.exists() and not there.is_dir():
        raise NotADirectoryError(f"{there} is a file; {name} wants a folder, or a new name.")
    if there.exists() and not os.access(there, os.W_OK):
        raise PermissionError(errno.EACCES, "Nothing can be written there", str(there))
    return path


def file_of(given: Any, name: str) -> Path:
    """Return the path of a file to be written, whose folder has to be there.

    Raises
    ------
    FileNotFoundError
        When its folder is not there.
    IsADirectoryError
        For a folder.
    NotADirectoryError, PermissionError, ValueError
        As `folder_of`.
    """
    path = path_of(given, name)
    folder = folder_of(path.absolute().parent, name)
    if not folder.exists():
        raise FileNotFoundError(errno.ENOENT, "There is no such folder", str(folder))
    if path.is_dir():
        raise IsADirectoryError(
            errno.EISDIR, f"{name} wants a file, and this is a folder", str(path)
        )
    return path
