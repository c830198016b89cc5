"""What a search found, as a notebook shows it: a table with thumbnails.

The pictures are fetched at the same time, and those that are not there soon enough are left out: a
table that hangs is worse than one without pictures. What was late is there when the table is shown
again. The table is plain HTML with pictures in it, so that it can be saved and needs no network.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsiweb import loop
from wsiweb.cache import ByteCache
from wsiweb.client.headers import series_headers
from wsiweb.errors import NotFound, WsiwebError
from wsiweb.outbox.pages import Cell, fragment, table
from wsiweb.pixels.headers import read_pyramid
from wsiweb.viewer.associated import thumbnail
from wsiweb.wire.query import Query
from wsiweb.wire.records import SlideRecord, Study
from wsiweb.words import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsiweb.frames import Frames
    from wsiweb.viewer.resource import Resource

__all__ = ["Tables"]

_EDGE = 72  # pixels of the longest side of a picture: some 3 kB
_DEADLINE = 3.0  # seconds for all pictures of a table
_LATER = 20.0  # seconds for one that was not there in time
_AT_ONCE = 6
_MEMORY = 4 * 2**20


class Tables:
    """Makes tables of what one archive holds, and keeps their pictures.

    Parameters
    ----------
    frames : Frames
        Of the archive.
    deadline : float
        Seconds that the pictures of a table may take.
    """

    def __init__(self, frames: Frames, *, deadline: float = _DEADLINE) -> None:
        self._frames = frames
        self._deadline = deadline
        self._pictures: ByteCache[_Picture] = ByteCache(_MEMORY, lambda one: len(one.source) + 512)
        self._under_way: dict[tuple[str, str], asyncio.Task[None]] = {}

    def html(self, records: Sequence[Study | SlideRecord], found: str) -> str:
        """Return a table.

        Parameters
        ----------
        records : sequence of Study or SlideRecord
            A row for each.
        found : str
            How many there are, in words.
        """
        if not records:
            return "<p>Nothing was found.</p>"
        late = loop.run(self._fetch(records))
        pictures = [self._pictures.get(_key(one)) or _NONE for one in records]
        rows = [_row(*one) for one in zip(records, pictures, strict=True)]
        first = f"{len(records):,} found"
        said = found if found.startswith(first) else f"{found}; these are the first {len(records)}"
        if late:
            said += f". {count(late, 'picture')} came too late: show the table again."
        return fragment(f"{table(_headings(records[0]), rows)}\n<small>{said}</small>")

    async def _fetch(self, records: Sequence[Study | SlideRecord]) -> int:
        """Fetch what pictures can be had in time; return how many are late."""
        turns = asyncio.Semaphore(_AT_ONCE)
        for record in records:
            key = _key(record)
            if self._pictures.get(key) is None and key not in self._under_way:
                task = asyncio.create_task(self._fetch_one(record, turns))
                self._under_way[key] = task
                task.add_done_callback(lambda _, key=key: self._under_way.pop(key, None))
        waited = [self._under_way[key] for key in map(_key, records) if key in self._under_way]
        if not waited:
            return 0
        _, late = await asyncio.wait(waited, timeout=self._deadline)
        return len(late)

    async def _fetch_one(self, record: Study | SlideRecord, turns: asyncio.Semaphore) -> None:
        try:
            async with turns, asyncio.timeout(_LATER):
                picture = await self._picture(record)
        except TimeoutError:
            return  # it is tried again with the next table
        except (WsiwebError, OSError, ValueError):
            picture = _NONE  # a slide that cannot be read has its row nonetheless
        self._pictures.put(_key(record), picture)

    async def _picture(self, record: Study | SlideRecord) -> _Picture:
        if isinstance(record, SlideRecord):
            resource = await self._thumbnail(record.study_uid, record.series_uid)
            return _Picture(_source(resource))
        series = await self._slides_of(record.study_uid)
        if not series:
            return _NONE
        resource = await self._thumbnail(record.study_uid, series[0])
        return _Picture(_source(resource), len(series))

    async def _slides_of(self, study: str) -> list[str]:
        query = Query.build("series", study=study, Modality="SM")
        pages = self._frames.client.search_pages(query)
        try:
            return [one.text("SeriesInstanceUID") async for page in pages for one in page]
        except NotFound:
            return []

    async def _thumbnail(self, study: str, series: str) -> Resource:
        headers = await series_headers(self._frames.client, study, series)
        pyramid = await loop.in_pool(read_pyramid, headers)
        return await thumbnail(self._frames, pyramid, _EDGE)


@dataclass(frozen=True, slots=True)
class _Picture:
    source: str = ""
    slides: int | None = None


_NONE = _Picture()


def _source(resource: Resource) -> str:
    return f"data:{resource.media_type};base64,{base64.b64encode(resource.data).decode()}"


def _key(record: Study | SlideRecord) -> tuple[str, str]:
    series = record.series_uid if isinstance(record, SlideRecord) else ""
    return record.study_uid, series


def _headings(record: Study | SlideRecord) -> list[str]:
    if isinstance(record, Study):
        return ["", "patient", "date", "study", "modalities", "slides"]
    return ["", "slide", "patient", "date", "study"]


def _row(record: Study | SlideRecord, picture: _Picture) -> list[Cell]:
    who = Cell(record.patient_name.replace("^", " ").strip() or record.patient_id, _under(record))
    date = Cell("" if record.date is None else record.date.isoformat())
    shown = Cell("", picture=picture.source)
    if isinstance(record, Study):
        slides = "" if picture.slides is None else str(picture.slides)
        what = Cell(record.description or record.study_uid, _accession(record), "name")
        modalities = Cell(", ".join(record.modalities))
        return [shown, who, date, what, modalities, Cell(slides, style="number")]
    named = record.container_id or record.description or record.series_uid
    under = (record.description,) if record.container_id and record.description else ()
    study = Cell(record.study_description or record.study_uid, _accession(record), "name")
    return [shown, Cell(named, under), who, date, study]


def _under(record: Study | SlideRecord) -> tuple[str, ...]:
    return (record.patient_id,) if record.patient_name and record.patient_id else ()


def _accession(record: Study | SlideRecord) -> tuple[str, ...]:
    return (record.accession_number,) if record.accession_number else ()
