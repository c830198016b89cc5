"""Least recently used values, within a budget of bytes that is kept to the byte."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["ByteCache"]

V = TypeVar("V")


class ByteCache(Generic[V]):
    """A thread-safe cache that never holds more bytes than its budget.

    Parameters
    ----------
    budget : int
        Bytes that may be held; a value larger than it is not kept at all.
    weigh : callable
        Returns the bytes of memory that a value holds.

    Notes
    -----
    The count is derived from one table of (value, weight) pairs under one lock: a weight is
    taken once, when the value comes in, and the very same weight goes out with it. Caches that
    weigh again on the way out drift (this is how they come to hold more than they count).

    Examples
    --------
    >>> cache = ByteCache(10, len)
    >>> cache.put("a", b"12345678"); cache.put("b", b"1234")
    >>> cache.get("a") is None, cache.held
    (True, 4)
    """

    def __init__(self, budget: int, weigh: Callable[[V], int]) -> None:
        self.budget = budget
        self._weigh = weigh
        self.renew()
        self._table: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._held = 0

    def __len__(self) -> int:
        return len(self._table)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._table

    @property
    def held(self) -> int:
        """Bytes held now."""
        return self._held

    def get(self, key: Hashable) -> V | None:
        """Return the value and mark it as just used; None when it is not held."""
        with self._lock:
            entry = self._table.get(key)
            if entry is None:
                return None
            self._table.move_to_end(key)
            return entry[0]

    def put(self, key: Hashable, value: V) -> None:
        """Hold a value, in place of an older one of that key; the least recently used give way."""
        weight = self._weigh(value)
        with self._lock:
            self._remove(key)
            if weight > self.budget:
                return
            while self._held + weight > self.budget:
                _, (_, freed) = self._table.popitem(last=False)
                self._held -= freed
            self._table[key] = (value, weight)
            self._held += weight

    def discard(self, key: Hashable) -> None:
        """Let go of a value, if it is held."""
        with self._lock:
            self._remove(key)

    def discard_where(self, chosen: Callable[[Any], bool]) -> None:
        """Let go of the values whose key is chosen."""
        with self._lock:
            for key in [key for key in self._table if chosen(key)]:
                self._remove(key)

    def clear(self) -> None:
        """Let go of all values."""
        with self._lock:
            self._table.clear()
            self._held = 0

    def renew(self) -> None:
        """Replace the lock: in a forked child it may be held by a thread that does not exist."""
        self._lock = threading.Lock()

    def _remove(self, key: Hashable) -> None:
        entry = self._table.pop(key, None)
        if entry is not None:
            self._held -= entry[1]
