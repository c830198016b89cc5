"""All that the app holds, put together: archives, listings, slides, thumbnails, jobs, events."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Self

from wsiweb.browse.actions import Actions
from wsiweb.browse.catalogue import Catalogue
from wsiweb.browse.details import Details
from wsiweb.browse.events import Events
from wsiweb.browse.jobs import JobsPanel
from wsiweb.browse.opened import Opened
from wsiweb.browse.thumbnails import Thumbnails

if TYPE_CHECKING:
    from wsiweb.browse import shapes
    from wsiweb.browse.sources import Source, Sources

__all__ = ["Service"]


class Service:
    """What the handlers stand on; of the event loop of the server.

    Parameters
    ----------
    sources : Sources
        The list of archives.
    read_only : bool
        Whether nothing is changed.
    paths : bool
        Whether folders of this machine are taken.
    """

    def __init__(self, sources: Sources, *, read_only: bool, paths: bool) -> None:
        self.sources = sources
        self.read_only = read_only
        self.paths = paths
        self.events = Events(self._page_left)
        self.details = Details(lambda slides: self.events.tell_more("slides", slides))
        self.catalogue = Catalogue(self.events, self.tell_archives, self.details.stain)
        self.opened = Opened()
        self.thumbnails = Thumbnails(self.opened)
        self.actions = Actions(sources, paths=paths)
        self.jobs = JobsPanel(
            sources,
            read_only=read_only,
            tell=lambda jobs: self.events.tell("jobs", jobs),
            filled=self.changed,
        )
        self._watching: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._watching = asyncio.create_task(self.jobs.watch(lambda: len(self.events) > 0))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.events.close()
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        for one in (self.catalogue, self.details, self.opened, self.jobs):
            await one.close()
        await self.sources.close()

    def archives(self) -> list[shapes.Archive]:
        """Return the list of archives as the page gets it."""
        return [source.to_json(read_only=self.read_only) for source in self.sources]

    def tell_archives(self) -> None:
        """Tell the pages how archives are."""
        self.events.tell("archives", self.archives())

    def changed(self, source: Source, study: str | None = None) -> None:
        """Take nothing for granted of an archive, or a study in it, that has changed."""
        self.thumbnails.forget(study)
        self.details.forget(study)
        self.opened.forget(source, study)
        self.catalogue.renew(source)
        self.tell_archives()

    async def verify(self, source: Source) -> shapes.Verified:
        """Ask an archive for one study, and list it again."""
        from wsiweb.browse.verifying import verify

        said = await verify(source)
        self.changed(source)
        return said

    async def remove(self, source: Source) -> None:
        """Take an archive off the list."""
        self.sources.remove(source.id)
        self.catalogue.drop(source)
        self.opened.forget(source)
        await source.close()
        self.jobs.nudge()
        self.tell_archives()

    def _page_left(self, page: str) -> None:
        self.catalogue.release(page)
        self.details.release(page)
