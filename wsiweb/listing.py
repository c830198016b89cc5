"""What a search found, as a sequence that fetches as you go."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from wsiweb import loop

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

__all__ = ["Listing"]

T = TypeVar("T")

_SHOWN = 10
_ROWS = 20  # of a table


class Listing(Sequence[T], Generic[T]):
    """What a search found: fetched page by page as you go, and kept.

    Iterating shows the first matches at once; ``len`` and indexing fetch what they need. In an
    event loop of your own, ``async for`` awaits instead of blocking.

    Parameters
    ----------
    search : callable
        Starts the search: returns an async iterator over lists of items, which is run on the
        library's event loop. Called again when a page could not be had, so that a search that
        failed half-way goes on when asked again, and is never taken for a whole one.
    table : callable, optional
        Returns the first items as HTML, given them and how many there are in words.
    """

    def __init__(
        self,
        search: Callable[[], AsyncIterator[list[T]]],
        table: Callable[[Sequence[T], str], str] | None = None,
    ) -> None:
        self._search = search
        self._table = table
        self._pages: AsyncIterator[list[T]] | None = None
        self._known = 0  # items of a search begun anew that are held already
        self._complete = False
        self._items: list[T] = []
        self._turn = asyncio.Lock()

    async def _fetch_beyond(self, have: int) -> bool:
        """Fetch one more page unless there is more than `have` already; False at the end."""
        async with self._turn:  # whoever comes second finds the page that the first has fetched
            while len(self._items) <= have and not self._complete:
                if self._pages is None:
                    self._pages, self._known = self._search(), len(self._items)
                try:
                    page = await anext(self._pages, None)
                except BaseException:
                    self._pages = None  # a failed iterator would say that it is at its end
                    raise
                if page is None:
                    self._complete = True
                else:
                    self._items.extend(page[self._known :])
                    self._known -= min(self._known, len(page))
            return len(self._items) > have

    def _more(self, have: int) -> bool:
        return len(self._items) > have or loop.run(self._fetch_beyond(have))

    def __iter__(self) -> Iterator[T]:
        position = 0
        while self._more(position):
            while position < len(self._items):
                yield self._items[position]
                position += 1

    async def __aiter__(self) -> AsyncGenerator[T]:
        """Yield the items in your own event loop."""
        position = 0
        while len(self._items) > position or await loop.wait(self._fetch_beyond(position)):
            yield self._items[position]
            position += 1

    def __bool__(self) -> bool:
        return self._more(0)

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
        """Show the first items; not more is fetched for it than the first page."""
        count = self._found()
        lines = [f"  {item!r}" for item in self._items[:_SHOWN]]
        if len(self._items) > _SHOWN:
            lines.append(f"  ... and {len(self._items) - _SHOWN} more")
        return "\n".join([f"[{count}", *lines, "]"])

    def _found(self) -> str:
        """Say how many there are, after the first page at least."""
        found = bool(self)
        return f"{len(self._items):,} found" + ("" if self._complete or not found else " so far")

    def _repr_html_(self) -> str | None:
        """Show the first items as a table, with pictures, in a notebook."""
        if self._table is None:
            return None
        found = self._found()
        return self._table(self._items[:_ROWS], found)

    def to_pandas(self) -> Any:
        """Return all items as a pandas data frame, a row each; dates are text in ISO form.

        Raises
        ------
        ImportError
            When pandas is not installed.
        """
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            raise ImportError("to_pandas wants pandas: pip install pandas") from error
        return pandas.DataFrame(self.to_dicts())

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return all items as plain dictionaries, ready for JSON or a data frame."""
        return [item.to_dict() for item in self]  # type: ignore[attr-defined]
