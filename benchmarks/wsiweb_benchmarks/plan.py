"""Which rows are measured by default, how often, and what is not waited for.

The whole of it fits into three quarters of an hour on two cores: see benchmarks/README.md.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from wsiweb_benchmarks.model import Row

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "FAST",
    "LONG",
    "NAIVE",
    "OURS",
    "PATIENCE",
    "REPEATS",
    "SWEPT_CONNECTIONS",
    "SWEPT_FRAMES",
    "SWEPT_REPEATS",
    "TIME_LIMIT",
    "chosen",
    "default_rows",
    "matches",
    "repeats_of",
    "swept_rows",
    "tried_small",
]

REPEATS = 5  # of wsiweb/fast and reference/fast
FAST = 3  # at most, of the peers' fast ways, and of the other two of ours
NAIVE = 2  # at most, of the peers' naive ways
LONG = 1.0  # seconds: what takes longer is not repeated
PATIENCE = 15.0  # seconds: what is expected to take longer is not begun
TIME_LIMIT = 60.0  # seconds: what takes longer is ended
SWEPT_FRAMES = (64, 256, 1000)  # a request, in a sweep of a whole run
SWEPT_CONNECTIONS = (1, 4, 8)
SWEPT_REPEATS = 3
_MOST_OFTEN = ("reference/fast", "wsiweb/fast")
OURS = ("reference/", "wsiweb/")

_ALL = (
    "open",
    "thumbnail-512",
    "region-1024",
    "region-4096",
    "random-tiles",
    "level-6144",
    "loop-row",
    "loop-grid",
    "region-again",
)
_PIXELS = ("region-1024", "region-4096", "random-tiles")
# Slide, conditions, operations.
_PLAN = (
    ("mosaic", ("delay-0", "delay-20", "delay-50", "delay-100"), _ALL),
    ("mosaic", ("bandwidth", "service"), _PIXELS),
    ("mosaic-small", ("delay-0",), ("random-tiles",)),  # beside Orthanc with the same files
    ("mosaic-small", ("orthanc-small",), ("open", *_PIXELS)),
    ("mosaic-large", ("delay-0",), ("random-tiles",)),
    # Each request costs this server half a second: a region of 289 tiles would take minutes.
    ("mosaic-large", ("orthanc-large",), ("open", "region-1024", "random-tiles")),
    ("cmu", ("delay-20",), ("thumbnail-512", "region-1024", "level-6144")),
    ("sparse", ("delay-0",), ("open-sparse",)),
)


# Slide, conditions: where it is seen how near what is learnt comes to the best settings.
_SWEPT = (
    ("mosaic", ("delay-0", "delay-20", "delay-50", "delay-100", "bandwidth", "service")),
    ("mosaic-small", ("orthanc-small",)),
    ("mosaic-large", ("orthanc-large",)),
)
_SWEPT_SMALL = (("mosaic", ("delay-0",)),)


# The same for tests: every condition and every operation once.
_SMALL = (
    ("mosaic", ("delay-0",), _ALL),
    ("mosaic", ("delay-20", "delay-50", "delay-100", "bandwidth", "service"), ("region-1024",)),
    ("mosaic-small", ("orthanc-small",), ("region-1024",)),
    ("mosaic-large", ("orthanc-large",), ("region-1024",)),
    ("cmu", ("delay-20",), ("region-1024",)),
    ("sparse", ("delay-0",), ("open-sparse",)),
)
_SMALL_PEERS = ("region-1024", "random-tiles", "loop-row")


def default_rows(*, small: bool = False) -> list[Row]:
    """Return all rows; those of the same condition and slide follow each other."""
    return [
        Row(operation=operation, condition=condition, slide=slide)
        for slide, conditions, operations in (_SMALL if small else _PLAN)
        for condition in conditions
        for operation in operations
    ]


def swept_rows(*, small: bool = False) -> list[Row]:
    """Return the rows of which all settings are tried: an archive is known by then."""
    return [
        Row(operation="random-tiles-later", condition=condition, slide=slide)
        for slide, conditions in (_SWEPT_SMALL if small else _SWEPT)
        for condition in conditions
    ]


def tried_small(way: str, row: Row) -> bool:
    """Whether a way takes part in a row of a small run: peers in a few without delay."""
    if way.startswith(OURS):
        return True
    return row.condition == "delay-0" and row.operation in _SMALL_PEERS


def chosen(
    planned: Sequence[Row],
    *,
    rows: Sequence[str] = (),
    operations: Sequence[str] = (),
    conditions: Sequence[str] = (),
    slides: Sequence[str] = (),
) -> list[Row]:
    """Return the rows that match: a pattern of each kind (``region-*``), where there are any.

    Parameters
    ----------
    planned : sequence of Row
    rows : sequence of str
        Patterns of operation, condition and slide with bars between: ``open|delay-*|mosaic``.
    operations, conditions, slides : sequence of str
        Patterns of the names.

    Raises
    ------
    LookupError
        For a pattern that nothing matches, and for patterns that leave no row.
    """
    left = list(planned)
    for what, patterns, name in (
        ("row", rows, lambda row: f"{row.operation}|{row.condition}|{row.slide}"),
        ("operation", operations, lambda row: row.operation),
        ("condition", conditions, lambda row: row.condition),
        ("slide", slides, lambda row: row.slide),
    ):
        names = list(dict.fromkeys(map(name, planned)))
        for pattern in patterns:
            if not any(fnmatchcase(one, pattern) for one in names):
                raise LookupError(f"There is no {what} {pattern!r}, only {', '.join(names)}.")
        left = [row for row in left if matches(name(row), patterns)]
    if not left:
        raise LookupError("These patterns leave no row to measure.")
    return left


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name matches one of the patterns; without patterns every name does."""
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def repeats_of(way: str, repeats: int) -> int:
    """Return how often a way is measured in each row."""
    if way in _MOST_OFTEN:
        return repeats
    return min(repeats, NAIVE if way.endswith("/naive") and not way.startswith(OURS) else FAST)
