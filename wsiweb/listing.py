"""What a search found, as a sequence that fetches as you go."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from wsiweb import loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["Listing"]

T = TypeVar("T")


class Listing(Sequence[T], Generic[T]):
    """What a search found: fetched page by page as you go, and kept.

    Iterating shows the first matches at once; ``len`` and indexing fetch what they need.

    Parameters
    ----------
    pages : callable
        Returns an async iterator over lists of items.
    """

    def __init__(self, pages: AsyncIterator[list[T]]) -> None:
        self._pages: AsyncIterator[list[T]] | None = pages
        self._items: list[T] = []
        self._lock = threading.Lock()

    def _more(self, have: int) -> bool:
        """Fetch one more page unless there is more than `have` already; False at the end."""
        with self._lock:
            if len(self._items) > have:
                return True
            if self._pages is None:
                return False
            page = loop.run(anext(self._pages, None))  # type: ignore[arg-type]
            if page is None:
                self._pages = None
                return False
            self._items.extend(page)
            return True

    def __iter__(self) -> Iterator[T]:
        position = 0
        while self._more(position):
            while position < len(self._items):
                yield self._items[position]
                position += 1

    def __len__(self) -> int:
        while self._more(len(self._items)):
            pass
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        """Return one item, or a list of some."""
        if isinstance(index, int) and index >= 0:
            while len(self._items) <= index and self._more(len(self._items)):
                pass
        else:
            len(self)
        return self._items[index]

    def __repr__(self) -> str:
        lines = [f"  {item!r}" for item in self[:10]]
        more = len(self) - len(lines)
        return "\n".join(
            [f"[{len(self)} found", *lines, *([f"  ... and {more} more"] if more else []), "]"]
        )

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return all items as plain dictionaries, ready for JSON or a data frame."""
        return [item.to_dict() for item in self]  # type: ignore[attr-defined]
