"""Numbers and foreign texts as people read them. Pure."""

from __future__ import annotations

__all__ = ["amount", "count", "duration", "part", "printable", "unit_of"]

_UNITS = ("kB", "MB", "GB", "TB", "PB")


def amount(size: float) -> str:
    """Return a number of bytes in words, in powers of a thousand.

    Examples
    --------
    >>> amount(512), amount(1_234_567), amount(999_999)
    ('512 bytes', '1.2 MB', '1.0 MB')
    """
    if size < 1000:
        return count(round(size), "byte")
    scale, unit = _scale(size)
    return f"{size / scale:.1f} {unit}"


def part(done: float, size: float) -> str:
    """Return how many bytes of how many, in the unit of the larger number.

    Examples
    --------
    >>> part(200_000, 1_200_000_000)
    '0.0 of 1.2 GB'
    >>> part(3, 5)
    '3 of 5 bytes'
    """
    if size < 1000:
        return f"{round(done)} of {count(round(size), 'byte')}"
    scale, unit = _scale(size)
    return f"{done / scale:.1f} of {size / scale:.1f} {unit}"


def _scale(size: float) -> tuple[float, str]:
    scale = 1000.0
    for unit in _UNITS[:-1]:
        if size < 999.95 * scale:  # what would be written as 1000.0
            return scale, unit
        scale *= 1000.0
    return scale, _UNITS[-1]


def count(number: int, thing: str) -> str:
    """Return so many things.

    Examples
    --------
    >>> count(1, "object"), count(1200, "object")
    ('1 object', '1,200 objects')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return a time in words, as exact as anybody wants to know it.

    Examples
    --------
    >>> duration(0.2), duration(75), duration(3 * 3600 + 130), duration(200_000)
    ('1 s', '75 s', '3 h 2 min', '2 d 7 h')
    """
    whole = max(1, round(seconds))
    if whole < 100:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    if hours < 24:
        return f"{hours} h {minutes % 60} min"
    return f"{hours // 24} d {hours % 24} h"


def printable(text: str) -> str:
    """Return a text that others wrote on one line, without what would steer a terminal."""
    return "".join(one if one.isprintable() else "?" for one in " ".join(text.split()))


def unit_of(value: str, scheme: str, meaning: str) -> str:
    """Return a coded unit as it stands behind a number: the symbol of UCUM, else its meaning.

    Examples
    --------
    >>> unit_of("um2", "UCUM", "square micrometer"), unit_of("1", "UCUM", "no units")
    ('um2', '')
    """
    if scheme != "UCUM":
        return meaning or value
    return "" if value in {"1", "{}"} else value
