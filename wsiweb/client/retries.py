"""Which failures pass by themselves, and how long to wait for that."""

from __future__ import annotations

import asyncio
import datetime
import email.utils
import random
from typing import TYPE_CHECKING, TypeVar

from wsiweb import tracing
from wsiweb.errors import ArchiveError, Busy, ProtocolError, Unreachable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wsiweb.settings import Settings

__all__ = ["retrying", "seconds_asked"]

T = TypeVar("T")

_FIRST, _LONGEST = 0.1, 8.0  # seconds
_PASSING = frozenset({408, 425, 500, 502, 504})  # 429 and 503 are Busy


async def retrying(attempt: Callable[[], Awaitable[T]], settings: Settings) -> T:
    """Do an attempt, and again after failures that may pass, with backoff and jitter.

    Only for what may be repeated without harm: reading. A broken answer (a truncated body)
    is tried once more only: it comes from a fault on the way, or it will stay broken. So is
    a 500, which some archives also use to say no.

    Raises
    ------
    ArchiveError
        That of the last attempt.
    """
    broken = 0
    for count in range(settings.retries + 1):
        try:
            return await attempt()
        except ArchiveError as error:
            if isinstance(error, ProtocolError) or error.status == 500:
                broken += 1
            if count == settings.retries or broken > 1 or not _may_pass(error):
                raise
            pause = min(_FIRST * 2**count, _LONGEST) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            if isinstance(error, Busy) and error.retry_after is not None:
                if error.retry_after > settings.patience:
                    raise
                pause = max(pause, error.retry_after)
        tracing.add("retries")
        await asyncio.sleep(pause)
    raise AssertionError("unreachable: the last round returns or raises")


def _may_pass(error: ArchiveError) -> bool:
    if isinstance(error, (Busy, Unreachable)):
        return True
    if isinstance(error, ProtocolError):
        return True
    return error.status in _PASSING


def seconds_asked(header: str | None) -> float | None:
    """Read a Retry-After header: seconds, or a date (RFC 9110 10.2.3); None if unreadable.

    Examples
    --------
    >>> seconds_asked("3")
    3.0
    """
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=datetime.UTC)
    return max(0.0, (when - datetime.datetime.now(datetime.UTC)).total_seconds())
