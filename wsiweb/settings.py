"""What may be tuned, with defaults that need no tuning."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Settings"]

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits of one archive connection; passed to `wsiweb.connect`.

    Parameters
    ----------
    decoded_bytes : int
        Memory for decoded frames, in bytes (default 256 MiB: a 4096 x 4096 region five times
        over). 0 keeps none.
    encoded_bytes : int
        Memory for frames as they were received, in bytes (default 128 MiB: some 6,000 tiles
        of 20 KB). 0 keeps none.
    connections : int
        Requests under way at once (default 8).
    frames_per_request : int, optional
        Frames asked for in one request. By default this is learnt, and so is how many of the
        `connections` are worth using; a number here fixes both.
    retries : int
        How often a request that failed for a passing reason is sent again (default 4).
    connect_timeout, read_timeout : float
        Seconds to wait for a connection (default 10), and for the next bytes of an answer
        (default 60).
    stores : int
        Requests that store something under way at once (default 2); some archives store one after
        the other anyway.
    store_timeout : float
        Seconds that an archive is given to take the next piece of what is sent to it, and after
        the last one to answer (default 600): some store all of it before they say a word.
    patience : float
        Longest ``Retry-After`` that is waited for, in seconds (default 60); beyond it `Busy` is
        raised at once.

    Raises
    ------
    ValueError
        For a limit that cannot work, such as no connection at all.

    Examples
    --------
    >>> Settings(decoded_bytes=2**30).connections
    8
    """

    decoded_bytes: int = 256 * _MIB
    encoded_bytes: int = 128 * _MIB
    connections: int = 8
    frames_per_request: int | None = None
    retries: int = 4
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    stores: int = 2
    store_timeout: float = 600.0
    patience: float = 60.0

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value: float | None = getattr(self, name)
            if value is not None and not value >= least:  # "not >=" also refuses NaN
                raise ValueError(f"{name} must be {least} or more, not {value!r}.")
        for name in ("connect_timeout", "read_timeout", "store_timeout"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0 seconds.")


_LEAST = {
    "decoded_bytes": 0,
    "encoded_bytes": 0,
    "connections": 1,
    "frames_per_request": 1,
    "retries": 0,
    "stores": 1,
    "patience": 0,
}
