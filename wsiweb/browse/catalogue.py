"""The searches that are held: those that pages look at, and some that were looked at lately."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from wsiweb.browse.search import Search, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsiweb.browse.events import Events
    from wsiweb.browse.filters import Filters
    from wsiweb.browse.search import StainOf
    from wsiweb.browse.sources import Source

__all__ = ["Catalogue"]

_MOST_HELD = 200_000  # rows of all searches together
_MOST_SEARCHES = 8
_MOST_PAGES = 32


class Catalogue:
    """The searches that are held.

    Parameters
    ----------
    events : Events
        Is told of what is new.
    archives_changed : callable
        Called when the state of an archive has changed.
    stain_of : callable
        As of `Search`.
    """

    def __init__(
        self, events: Events, archives_changed: Callable[[], None], stain_of: StainOf
    ) -> None:
        self._events = events
        self._archives_changed = archives_changed
        self._stain_of = stain_of
        self._searches: OrderedDict[str, Search] = OrderedDict()
        self._looking: dict[str, str] = {}  # which page looks at which search

    def ask(self, filters: Filters, sources: Sequence[Source], page: str = "") -> Search:
        """Return a search, begun now unless it is held.

        Parameters
        ----------
        filters, sources
            As of `Search`.
        page : str
            Who asks. What the same page asked for before ends, unless another one looks at it.
        """
        key = key_of(filters, sources)
        search = self._searches.get(key)
        if search is None:
            search = Search(filters, sources, changed=self._told, stain_of=self._stain_of)
            self._searches[key] = search
        self._searches.move_to_end(key)
        if page:
            before = self._looking.pop(page, None)
            self._looking[page] = key
            while len(self._looking) > _MOST_PAGES:
                self.release(next(iter(self._looking)))
            if before not in {None, key}:
                self._end_unwatched(before)
        self._make_room(key)
        return search

    def release(self, page: str) -> None:
        """End what a page that has gone away was looking at, unless another one does."""
        self._end_unwatched(self._looking.pop(page, None))

    def _end_unwatched(self, key: str | None) -> None:
        """Let go of a listing that is still under way: what was cut short tells no one anything."""
        search = self._searches.get(key or "")
        if search is None or search.complete or key in self._looking.values():
            return
        self._remove(search.key)

    def _make_room(self, newest: str) -> None:
        def too_much() -> bool:
            rows = sum(len(one.rows) for one in self._searches.values())
            return len(self._searches) > _MOST_SEARCHES or rows > _MOST_HELD

        for key in list(self._searches):
            if not too_much():
                return
            if key != newest and key not in self._looking.values():
                self._remove(key)
        for key in list(self._searches):  # pages that look at too much together: the latest wins
            if too_much() and key != newest:
                self._remove(key)

    def _remove(self, key: str) -> None:
        search = self._searches.pop(key, None)
        if search is not None:
            search.cancel()
            if search.filters.empty:
                self._archives_changed()

    def _told(self, search: Search) -> None:
        self._events.tell("studies", search.progress(), of=search.key)
        if search.filters.empty:
            self._archives_changed()

    # What changes archives ------------------------------------------------------------------

    def renew(self, source: Source) -> None:
        """List an archive anew, wherever somebody looks at it; elsewhere forget what it said."""
        source.forget()
        source.state, source.error, source.count = "idle", "", None
        watched = set(self._looking.values())
        for key, search in list(self._searches.items()):
            if source.id not in search.found:
                continue
            if key in watched:
                search.begin(source)
            else:
                self._remove(key)

    def drop(self, source: Source) -> None:
        """Forget an archive that was taken off the list."""
        for search in list(self._searches.values()):
            search.drop(source)

    def forget(self, source: Source, study: str) -> None:
        """Forget that an archive holds a study."""
        source.forget()
        for search in list(self._searches.values()):
            search.forget(source, study)

    def holders(self, study: str) -> list[str]:
        """Return the ids of the archives that are known to hold a study."""
        held: dict[str, None] = {}
        for search in self._searches.values():
            row = search.rows.get(study)
            held |= dict.fromkeys(row.held if row is not None else ())
        return list(held)

    async def close(self) -> None:
        """End all listings."""
        searches = list(self._searches.values())
        self._searches.clear()
        await asyncio.gather(*(search.close() for search in searches))
