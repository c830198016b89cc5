"""What is in a study: its series, sorted into slides, results and others, with what headers say."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wsiweb import loop
from wsiweb.browse.asking import Turns, each_answer
from wsiweb.browse.rows import Row, of_slide, slide_row
from wsiweb.browse.saying import OF_MODALITIES, headers_say, result_says, series_of
from wsiweb.errors import NotFound, WsiwebError
from wsiweb.wire.records import SlideRecord

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

    from wsiweb.browse.shapes import ArchiveFound, Other, Result, SlideRow, StudyPage
    from wsiweb.browse.sources import Source

__all__ = ["Details"]

_MOST_STUDIES = 1000
_MOST_SLIDES = 20_000
_AT_ONCE = 3  # requests to each archive, besides what people wait for
_AT_ONCE_OF_PAGE = 8  # to each archive, for the study page that somebody waits for
_PATIENCE = 60.0  # seconds for which a study that could not be had whole is not asked for again
_STRANGER, _HOLDER = 2.0, 5.0  # seconds for archives that may hold a study, and that are known to

Series = tuple[SlideRecord, list[str]]  # and the ids of the archives that hold it


@dataclass(eq=False)
class _Known:
    """The slides of a study, as far as they are known.

    ``listed`` are the archives that have said which slides they hold; ``asked`` those that have
    said all they say, or failed; ``lacking`` is when something could not be had.
    """

    slides: dict[str, SlideRow] = field(default_factory=dict)  # by series
    listed: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    lacking: float | None = None

    def whole(self, archives: Collection[str]) -> bool:
        """Tell whether nothing is to be asked for now."""
        return self.good and self.asked.issuperset(archives)

    @property
    def good(self) -> bool:
        """Whether what is known need not be asked for again."""
        return self.lacking is None or time.monotonic() - self.lacking < _PATIENCE

    def unread(self, archive: str) -> list[SlideRow]:
        """Return the slides of which an archive, the first that holds them, has not said all."""
        rows = self.slides.values()
        return [row for row in rows if not row["known"] and row["archives"][0] == archive]

    def take(self, archive: str, found: Iterable[SlideRecord]) -> list[SlideRow]:
        """Take in the slides that an archive has; return those that no other had before."""
        new: list[SlideRow] = []
        for one in found:
            row = self.slides.get(one.series_uid)
            if one.modality != "SM":
                continue
            if row is not None:
                if archive not in row["archives"]:  # two pages may ask at once
                    row["archives"].append(archive)
            else:
                self.slides[one.series_uid] = slide_row(one, [archive])
                new.append(self.slides[one.series_uid])
        return new


class Details:
    """What is known of studies and slides, and is asked for in the background.

    Parameters
    ----------
    tell : callable
        Told {study: slides} when something has become known of them.
    """

    def __init__(self, tell: Callable[[dict[str, list[SlideRow]]], None]) -> None:
        self._tell = tell
        self._studies: OrderedDict[str, _Known] = OrderedDict()
        self._said: OrderedDict[tuple[str, str], dict[str, Any]] = OrderedDict()  # of headers
        self._wanted: dict[str, asyncio.Task[None]] = {}  # by page
        self._turns = Turns(_AT_ONCE)

    # Of the list of studies -----------------------------------------------------------------

    def slides(self, study: str) -> list[SlideRow] | None:
        """Return the slides of a study, if they are known."""
        known = self._studies.get(study)
        return None if known is None else list(known.slides.values())

    def want(self, page: str, rows: Sequence[Row], source_of: Callable[[str], Source]) -> None:
        """Find out about the studies that a page shows now, and no more about those it showed."""
        missing = [(row.study.study_uid, list(row.held)) for row in rows if not self._knows(row)]
        self.release(page)
        if missing:
            self._wanted[page] = asyncio.create_task(self._find_out(missing, source_of))

    def _knows(self, row: Row) -> bool:
        known = self._studies.get(row.study.study_uid)
        return known is not None and known.whole(row.held)

    def release(self, page: str) -> None:
        """Find out no more for a page."""
        task = self._wanted.pop(page, None)
        if task is not None:
            task.cancel()

    async def _find_out(
        self, studies: list[tuple[str, list[str]]], source_of: Callable[[str], Source]
    ) -> None:
        """Ask every archive for what it holds of the studies: two may hold parts of one."""
        of_archive: dict[str, list[tuple[str, list[str], _Known]]] = {}
        for study, archives in studies:
            known = self._studies.get(study)
            if known is None or not known.good:
                known = _Known()
            for archive in archives:
                of_archive.setdefault(archive, []).append((study, archives, known))

        async def work(archive: str, its: list[tuple[str, list[str], _Known]]) -> None:
            looked: list[tuple[list[Source], _Known]] = []

            async def look(study: str, archives: list[str], known: _Known) -> None:
                others = [one for one in archives if one != archive]
                try:
                    sources = [source_of(one) for one in (archive, *others)]
                except WsiwebError:  # one was taken off the list
                    return
                # A page that is asked for again, as it is while archives are listed, goes on.
                if archive not in known.listed:
                    await self._look(study, sources[0], known)
                if archive not in known.asked:
                    looked.append((sources, known))

            async def read(sources: list[Source], known: _Known) -> None:
                await self._read_all(sources, known)
                known.asked.add(archive)

            # From the top of the page down. Headers come last: they are most of the requests, and
            # people look at pictures first.
            await _few_at_a_time(look, its)
            await _few_at_a_time(read, looked)

        await asyncio.gather(*(work(*its) for its in of_archive.items()))  # each at its own pace

    async def _look(self, study: str, source: Source, known: _Known) -> None:
        """Ask an archive for the slides of a study."""
        try:
            async with self._turns.of(source):
                found = await series_of(source, study)
        except (WsiwebError, ValueError, OSError):
            known.lacking = time.monotonic()
            return  # the list says why an archive fails, and the study page of this study
        for row in known.take(source.id, found):
            row.update(self._said.get((study, row["series"]), {}))  # type: ignore[typeddict-item]
        known.listed.add(source.id)
        self._keep(study, known)
        self._tell({study: list(known.slides.values())})

    async def _read_all(self, sources: list[Source], known: _Known) -> None:
        """Fill in what headers say of slides; other archives are asked where the first fails."""
        rows = known.unread(sources[0].id)
        for row in rows:
            await self.read(sources, row)
        if rows:
            self._tell({rows[0]["study"]: list(known.slides.values())})
        if not all(row["known"] for row in rows):
            known.lacking = time.monotonic()

    def _keep(self, study: str, known: _Known) -> None:
        self._studies[study] = known
        self._studies.move_to_end(study)
        while len(self._studies) > _MOST_STUDIES:
            self._studies.popitem(last=False)

    def forget(self, study: str | None = None) -> None:
        """Forget what is known of a study, or of all: something has changed."""
        if study is None:
            self._studies.clear()
            self._said.clear()
        else:
            self._studies.pop(study, None)
            for key in [key for key in self._said if key[0] == study]:
                del self._said[key]

    # Of slides ------------------------------------------------------------------------------

    async def read(
        self, sources: Sequence[Source], row: SlideRow, turns: Turns | None = None
    ) -> None:
        """Fill in what the headers of a slide say; nothing where they cannot be had.

        Parameters
        ----------
        sources : sequence of Source
            Who may have it; the next one is asked where one fails.
        row : SlideRow
            The slide.
        turns : Turns, optional
            What to wait for; by default what is found out in the background waits for.
        """
        key = (row["study"], row["series"])
        said = self._said.get(key)
        for source in sources if said is None else ():
            async with (turns or self._turns).of(source):
                try:
                    archive = await source.archive()
                    said = await loop.wait(headers_say(archive.client, *key))
                except (WsiwebError, ValueError, OSError):
                    continue  # and not remembered: the next look may find it
            self._said[key] = said
            while len(self._said) > _MOST_SLIDES:
                self._said.popitem(last=False)
            break
        if said is not None:
            row.update(said)  # type: ignore[typeddict-item]

    async def stain(self, source: Source, slide: SlideRecord) -> str:
        """Return what a slide is stained with; empty where that is not known."""
        row = slide_row(slide, [source.id])
        await self.read([source], row)
        return row["stain"]

    # A study page ---------------------------------------------------------------------------

    async def study(
        self, study: str, sources: Iterable[Source], holders: Collection[str] = ()
    ) -> StudyPage:
        """Return all that archives say of a study; those that fail do not hide the others.

        Parameters
        ----------
        study : str
            UID.
        sources : iterable of Source
            Whom to ask.
        holders : collection of str
            Ids of those that are known to hold it: they are given more time.

        Raises
        ------
        NotFound
            When none of them has it.
        """
        series: dict[str, Series] = {}
        rows: list[Row] = []
        asked = list(sources)

        async def ask(source: Source) -> bool:
            archive = await source.archive()
            listed = [one async for one in archive.studies(study_uid=study, limit=1)]
            found = await series_of(source, study)
            if not found and not listed:
                return False
            listed = listed or [of_slide(found[0])]
            if rows:
                rows[0].add(source.id, listed[0])
            else:
                rows.append(Row(source.id, listed[0]))
            for one in found:
                series.setdefault(one.series_uid, (one, []))[1].append(source.id)
            return True

        failed = await each_answer(
            asked, ask, lambda source: _HOLDER if source.id in holders else _STRANGER
        )
        if not rows:
            words = "; ".join(failed.values())
            raise NotFound(
                f"None of the archives in the list has the study {study}."
                + (f" Some did not answer: {words}" if words else "")
            )
        by_id = {source.id: source for source in asked}
        return await self._page(study, rows[0], list(series.values()), by_id, failed)

    async def _page(
        self,
        study: str,
        row: Row,
        series: list[Series],
        by_id: dict[str, Source],
        failed: dict[str, str],
    ) -> StudyPage:
        slides: list[SlideRow] = []
        results: list[Result] = []
        others: list[Other] = []
        turns = Turns(_AT_ONCE_OF_PAGE)  # its own: somebody waits for this, in front of the page

        async def sort_in(one: SlideRecord, archives: list[str]) -> None:
            if one.modality == "SM":
                made = slide_row(one, archives)
                slides.append(made)
                await self.read([by_id[id] for id in archives], made, turns)  # noqa: A001
                return
            result = None
            if one.modality in {*OF_MODALITIES, "OT"}:
                async with turns.of(by_id[archives[0]]):
                    result = await _result(by_id[archives[0]], one, archives)
            if result is not None:
                results.append(result)
            else:
                others.append(_other(one, archives))

        await asyncio.gather(*(sort_in(one, archives) for one, archives in series))
        order = {one.series_uid: number for number, (one, _) in enumerate(series)}
        for found in (slides, results, others):
            found.sort(key=lambda one: order[one["series"]])
        lacks = bool(failed) or not all(one["known"] for one in slides)
        known = _Known({one["series"]: one for one in slides}, set(by_id), set(by_id))
        known.lacking = time.monotonic() if lacks else None
        self._keep(study, known)
        whole: dict[str, Any] = {
            **row.to_json(slides),
            "results": results,
            "others": others,
            "failed": [_failure(id, words) for id, words in failed.items()],  # noqa: A001
        }
        if whole["series"] is None:
            whole["series"] = len(series)
        return whole  # type: ignore[return-value]

    async def close(self) -> None:
        """Find out no more."""
        tasks = list(self._wanted.values())
        for page in list(self._wanted):
            self.release(page)
        await asyncio.gather(*tasks, return_exceptions=True)


async def _few_at_a_time(
    work: Callable[..., Awaitable[None]], its: Sequence[tuple[Any, ...]]
) -> None:
    """Do some work for each of its arguments, and begin with the first."""
    turns = iter(its)

    async def worker() -> None:
        for arguments in turns:
            await work(*arguments)

    await asyncio.gather(*(worker() for _ in range(_AT_ONCE)))


async def _result(source: Source, one: SlideRecord, archives: list[str]) -> Result | None:
    """Return a series as a result; None when it is none."""
    try:
        archive = await source.archive()
        kind, title, of = await loop.wait(result_says(archive.client, one))
    except (WsiwebError, ValueError, OSError):
        kind, title, of = OF_MODALITIES.get(one.modality), "", []
    if kind is None:
        return None
    return {
        "study": one.study_uid,
        "series": one.series_uid,
        "archives": archives,
        "kind": kind,
        "title": one.description or title or kind.capitalize(),
        "of": of,
        "instances": one.instance_count,
    }


def _other(one: SlideRecord, archives: list[str]) -> Other:
    return {
        "study": one.study_uid,
        "series": one.series_uid,
        "archives": archives,
        "modality": one.modality,
        "title": one.description or one.modality or "Series",
        "instances": one.instance_count,
    }


def _failure(id: str, words: str) -> ArchiveFound:  # noqa: A002 - what it is called everywhere
    return {"id": id, "state": "failed", "found": 0, "error": words}
