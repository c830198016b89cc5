"""One question to several archives, and what they answered so far.

Each archive is listed by a task of its own, page by page, and one that fails keeps what it said
until then.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wsiweb.browse.rows import Row, of_slide, ordered, patient_of
from wsiweb.browse.sources import in_words
from wsiweb.wire.uris import is_uid

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Sequence

    from wsiweb.browse.filters import Filters
    from wsiweb.browse.shapes import ArchiveFound, Progress, State
    from wsiweb.browse.sources import Source
    from wsiweb.wire.records import SlideRecord, Study

    StainOf = Callable[[Source, SlideRecord], Any]

__all__ = ["MOST_STUDIES", "Search", "key_of"]

MOST_STUDIES = 100_000
"""Studies of one search: some 100 MB."""

_BREATH = 200  # rows that are taken in before others have their turn
_LARGE = 2000  # rows; while so many are listed they are sorted anew only once in so many seconds:
_RENEWED = 1.0
_TOGETHER = 8  # slides whose stain is looked up at once


class Found:
    """How far one archive is with one search."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.state: State = "idle"
        self.error = ""
        self.seen: set[str] = set()

    def to_json(self) -> ArchiveFound:
        """Return it as the page gets it."""
        return {
            "id": self.source.id,
            "state": self.state,
            "found": len(self.seen),
            "error": self.error,
        }


@dataclass
class _Made:
    """What was made of all rows: how, of which version of them, when, and what."""

    how: Any
    version: int
    when: float
    value: Any = None


class Search:
    """One question to several archives, and what they answered so far.

    Parameters
    ----------
    filters : Filters
        What is looked for.
    sources : sequence of Source
        Where.
    changed : callable
        Told that there is more, or that an archive is at its end.
    stain_of : callable
        Returns (awaited) what a slide is stained with.
    most : int
        Studies that are taken in; an archive that has more is cut short, and says so.
    """

    def __init__(
        self,
        filters: Filters,
        sources: Sequence[Source],
        *,
        changed: Callable[[Search], None],
        stain_of: StainOf,
        most: int = MOST_STUDIES,
    ) -> None:
        self.filters = filters
        self.key = key_of(filters, sources)
        self.rows: dict[str, Row] = {}
        self.found = {source.id: Found(source) for source in sources}
        self._changed = changed
        self._stain_of = stain_of
        self._most = most
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._version = 0
        self._counted: _Made | None = None
        self._ordered: _Made | None = None
        for source in sources:
            self.begin(source)

    @property
    def complete(self) -> bool:
        """Whether no archive has more to say."""
        return all(one.state in {"ready", "failed"} for one in self.found.values())

    def begin(self, source: Source) -> None:
        """List an archive, or list it anew; what it said stays until it has said all again."""
        self._stop(source.id)
        self._tasks[source.id] = asyncio.create_task(self._run(self.found[source.id]))

    def drop(self, source: Source) -> None:
        """Forget an archive, and what it alone holds."""
        self._stop(source.id)
        found = self.found.pop(source.id, None)
        if found is not None:
            self._drop_rows(source.id, found.seen)
            self._changed(self)

    def forget(self, source: Source, study: str) -> None:
        """Forget that an archive holds a study: it was removed there."""
        found = self.found.get(source.id)
        if found is not None and study in found.seen:
            found.seen.discard(study)
            self._drop_rows(source.id, {study})
            self._changed(self)

    def cancel(self) -> None:
        """Ask no more; what was found stays."""
        for id, found in self.found.items():  # noqa: A001 - what it is called everywhere
            self._stop(id)
            if found.state == "listing" and self.filters.empty:
                found.source.state, found.source.count = "idle", None

    async def close(self) -> None:
        """Ask no more, and wait until nothing is under way."""
        tasks = list(self._tasks.values())
        self.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _stop(self, id: str) -> None:  # noqa: A002
        task = self._tasks.pop(id, None)
        if task is not None:
            task.cancel()

    # Asked for ------------------------------------------------------------------------------

    async def ordered(self, sort: str, *, by_patient: bool) -> list[Row]:
        """Return all rows in an order; kept until there is more."""
        how = (sort, by_patient)
        if self._ordered is None or self._ordered.how != how or self._is_old(self._ordered):
            made = _Made(how, self._version, time.monotonic())
            # Sorted elsewhere, for a large list takes long; and listed here, for rows come and go.
            made.value = await asyncio.to_thread(
                ordered, list(self.rows.values()), sort, by_patient=by_patient
            )
            self._ordered = made
        return self._ordered.value

    async def counted(self) -> tuple[list[str], int]:
        """Return all modalities, and how many patients; kept until there is more."""
        if self._counted is None or self._is_old(self._counted):
            made = _Made(None, self._version, time.monotonic())
            made.value = await asyncio.to_thread(_counted, list(self.rows.values()))
            self._counted = made
        return self._counted.value

    def _is_old(self, made: _Made) -> bool:
        """Tell whether there is more; of a large list under way, only once in a while."""
        if made.version == self._version:
            return False
        lately = time.monotonic() - made.when < _RENEWED
        return self.complete or not lately or len(self.rows) < _LARGE

    def progress(self) -> Progress:
        """Return how far it is."""
        return {
            "key": self.key,
            "total": len(self.rows),
            "complete": self.complete,
            "archives": [one.to_json() for one in self.found.values()],
        }

    # Listing --------------------------------------------------------------------------------

    async def _run(self, found: Found) -> None:
        source = found.source
        self._note(found, "listing", "")
        again: set[str] = set()  # what it has now, where it was listed before
        kept: list[Study] = []
        try:
            cut = await self._list(found, again, kept)
        except Exception as error:
            self._note(found, "failed", in_words(error))
            return
        if cut:
            words = f"Only the first {self._most:,} studies are listed: narrow the search."
            self._note(found, "ready", words)
            return
        self._drop_rows(source.id, found.seen - again)
        found.seen = again
        if self.filters.empty:
            source.hold(tuple(kept))
        self._note(found, "ready", "")

    async def _list(self, found: Found, again: set[str], kept: list[Study]) -> bool:
        """Take in what an archive has; return whether that was cut short."""
        taken = 0
        async with contextlib.aclosing(self._studies(found.source)) as studies:
            async for study in studies:
                uid = study.study_uid
                if not is_uid(uid) or not self.filters.accepts(study):
                    continue
                if uid not in self.rows and len(self.rows) >= self._most:
                    return True
                if not self._take(found, study) and uid in again:
                    continue
                if self.filters.empty:
                    kept.append(study)
                again.add(uid)
                taken += 1
                if taken % _BREATH == 0:
                    self._grown(found)
                    await asyncio.sleep(0)
        return False

    def _take(self, found: Found, study: Study) -> bool:
        """Take a study in; return whether that changes anything."""
        found.seen.add(study.study_uid)
        row = self.rows.get(study.study_uid)
        if row is None:
            self.rows[study.study_uid] = Row(found.source.id, study)
            return True
        return row.add(found.source.id, study)

    async def _studies(self, source: Source) -> AsyncGenerator[Study]:
        if self.filters.about_slides:
            async for study in self._studies_of_slides(source):
                yield study
            return
        if source.whole is not None and not self.filters.empty:
            for study in source.whole:
                yield study
            return
        archive = await source.archive()
        for query in self.filters.queries():
            async for study in archive.studies(**query):
                yield study

    async def _studies_of_slides(self, source: Source) -> AsyncGenerator[Study]:
        """Look for slides, and yield the studies that they are of."""
        archive = await source.archive()
        known = {study.study_uid: study for study in source.whole or ()}

        async def study_of(slide: SlideRecord) -> Study | None:
            stain = await self._stain_of(source, slide) if self.filters.stain else ""
            if not self.filters.accepts_slide(slide, stain):
                return None
            if slide.study_uid not in known:
                # The list of slides does not say what else is in a study.
                listed = [one async for one in archive.studies(study_uid=slide.study_uid, limit=1)]
                known[slide.study_uid] = listed[0] if listed else of_slide(slide)
            return known[slide.study_uid]

        for query in self.filters.slide_queries():
            waiting: list[SlideRecord] = []
            async for slide in archive.slides(**query):
                waiting.append(slide)
                if len(waiting) >= _TOGETHER:
                    for study in await asyncio.gather(*map(study_of, waiting)):
                        if study is not None:
                            yield study
                    waiting.clear()
            for study in await asyncio.gather(*map(study_of, waiting)):
                if study is not None:
                    yield study

    def _drop_rows(self, archive: str, studies: Iterable[str]) -> None:
        for uid in studies:
            row = self.rows.get(uid)
            if row is not None and not row.drop(archive):
                del self.rows[uid]
        self._version += 1

    def _note(self, found: Found, state: State, error: str) -> None:
        found.state, found.error = state, error
        self._grown(found)

    def _grown(self, found: Found) -> None:
        self._version += 1
        if self.filters.empty:  # how an archive is as a whole, this listing tells
            source = found.source
            source.state, source.error = found.state, found.error
            source.count = len(found.seen)
        self._changed(self)


def key_of(filters: Filters, sources: Iterable[Source]) -> str:
    """Return what tells one search from another."""
    asked = repr((filters, [source.id for source in sources]))
    return hashlib.sha256(asked.encode()).hexdigest()[:16]


def _counted(rows: list[Row]) -> tuple[list[str], int]:
    studies = [row.study for row in rows]
    modalities = sorted({one for study in studies for one in study.modalities})
    return modalities, len(set(map(patient_of, studies)))
