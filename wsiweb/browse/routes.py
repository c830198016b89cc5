"""The handlers: what is asked is understood here, and answered by what the app holds."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from wsiweb.browse import metadata
from wsiweb.browse.actions import folders
from wsiweb.browse.answers import body_of, json_answer, text_of, while_connected
from wsiweb.browse.events import is_page
from wsiweb.browse.filters import Filters
from wsiweb.browse.rows import check_sort
from wsiweb.browse.thumbnails import SIZES
from wsiweb.errors import NotFound
from wsiweb.wire.uris import Resource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from wsiweb.browse.catalogue import Search
    from wsiweb.browse.events import Stream
    from wsiweb.browse.service import Service
    from wsiweb.browse.shapes import About, Studies
    from wsiweb.browse.sources import Source
    from wsiweb.viewer.resource import Resource as Shown

    Handler = Callable[[Request], Awaitable[Response]]

__all__ = ["Routes"]

_PAGE, _LARGEST_PAGE = 50, 200  # studies
_MOMENT = 0.3  # seconds that the first studies are waited for
_TICK = 0.02
_THUMBNAIL = 256  # pixels of the longest side
_KEPT = {"Cache-Control": "private, max-age=3600"}
_ACTS = "cancel|retry|pause|resume|clear"


class Routes:
    """The handlers of one app.

    Parameters
    ----------
    service : Service
        What they stand on.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def all(self) -> list[BaseRoute]:
        """Return the routes; see `wsiweb.browse.shapes`."""
        gets: dict[str, Handler] = {
            "/feed/{archive}/{study}/{series}/{path:path}": self._feed,
            "/api/thumbnails/{archive}/{study}": self._thumbnail,
            "/api/thumbnails/{archive}/{study}/{series}": self._thumbnail,
            "/api/archives": self._archives,
            "/api/studies": self._studies,
            "/api/studies/{study}": self._study,
            "/api/metadata/{archive}/{study}/{series}": self._instances,
            "/api/metadata/{archive}/{study}/{series}/{instance}": self._elements,
            "/api/jobs": self._jobs,
            "/api/jobs/{archive}/{id}": self._job,
            "/api/folders": self._folders,
            "/api/about": self._about,
            "/api/events": self._events,
        }
        posts: dict[str, Handler] = {
            "/api/archives": self._add,
            "/api/archives/{id}/verify": self._verify,
            "/api/jobs/clear": self._clear,
            "/api/jobs/{archive}/{id}/{act}": self._act,
            "/api/download": self._download,
            "/api/import": self._import,
            "/api/send": self._send,
            "/api/remove": self._remove,
        }
        return [
            *(Route(path, handler, methods=["GET"]) for path, handler in gets.items()),
            *(Route(path, handler, methods=["POST"]) for path, handler in posts.items()),
            Route("/api/archives/{id}", self._take_off, methods=["DELETE"]),
        ]

    # Archives -------------------------------------------------------------------------------

    async def _archives(self, _request: Request) -> Response:
        return json_answer(self._service.archives())

    async def _add(self, request: Request) -> Response:
        body = await body_of(request)
        target = text_of(body, "target")
        if not self._service.paths and "://" not in target:
            from wsiweb import names

            if names.find(target) is None:
                raise ValueError("Only URLs and names are taken from other machines.")
        source = await asyncio.to_thread(_check, target)
        source = self._service.sources.add(source)
        self._service.tell_archives()
        self._service.jobs.nudge()
        return json_answer(source.to_json(read_only=self._service.read_only))

    async def _verify(self, request: Request) -> Response:
        source = self._service.sources[request.path_params["id"]]
        return json_answer(await while_connected(request, self._service.verify(source)))

    async def _take_off(self, request: Request) -> Response:
        await self._service.remove(self._service.sources[request.path_params["id"]])
        return json_answer({})

    def _source(self, request: Request) -> Source:
        return self._service.sources[request.path_params["archive"]]

    # Studies --------------------------------------------------------------------------------

    async def _studies(self, request: Request) -> Response:
        asked = request.query_params
        filters = Filters.parse(asked)
        sort = check_sort(asked.get("sort", "") or "-date")
        offset = _number(asked.get("offset", ""), 0, 0, 10**9)
        limit = _number(asked.get("limit", ""), _PAGE, 1, _LARGEST_PAGE)
        page = asked.get("page", "")
        if page and not is_page(page):
            raise ValueError("page is a name of letters, digits, - and _.")
        search = self._service.catalogue.ask(filters, self._chosen(asked.get("archive", "")), page)
        await _first_of(search, offset + limit)
        rows = await search.ordered(sort, by_patient=asked.get("group") == "patient")
        shown = rows[offset : offset + limit]
        details = self._service.details
        if page:
            details.want(page, shown, self._service.sources.__getitem__)
        modalities, patients = await search.counted()
        answer: Studies = {
            "key": search.key,
            "total": len(rows),
            "patients": patients,
            "complete": search.complete,
            "modalities": modalities,
            "archives": search.progress()["archives"],
            "studies": [row.to_json(details.slides(row.study.study_uid)) for row in shown],
        }
        return json_answer(answer)

    def _chosen(self, ids: str) -> list[Source]:
        if not ids:
            return list(self._service.sources)
        return [self._service.sources[one] for one in dict.fromkeys(ids.split(","))]

    async def _study(self, request: Request) -> Response:
        study = Resource(request.path_params["study"]).study or ""
        chosen = request.query_params.get("archive", "")
        sources = self._chosen(chosen)
        holders = self._service.catalogue.holders(study)
        return json_answer(
            await while_connected(request, self._service.details.study(study, sources, holders))
        )

    # Pictures -------------------------------------------------------------------------------

    async def _thumbnail(self, request: Request) -> Response:
        study, series = request.path_params["study"], request.path_params.get("series")
        where = Resource(study, series)
        size = _number(request.query_params.get("size", ""), _THUMBNAIL, *SIZES)
        asked = self._service.thumbnails.get(
            self._source(request), where.study or "", where.series or "", size
        )
        try:
            return _as_response(await while_connected(request, asked), _KEPT)
        except NotFound:
            # Not 404: that there is no picture is no error, and browsers would log it as one.
            return Response(None, 204, {"Cache-Control": "no-store"})

    async def _feed(self, request: Request) -> Response:
        study, series = request.path_params["study"], request.path_params["series"]
        where = Resource(study, series)
        source = self._source(request)
        path = request.path_params["path"]
        query = request.url.query
        asked = f"{path}?{query}" if query else path

        async def answer() -> Shown:
            opened = self._service.opened
            feed = await opened.feed(source, where.study or "", where.series or "")
            return await feed.get(asked)

        return _as_response(await while_connected(request, answer()), {})

    # Metadata -------------------------------------------------------------------------------

    async def _instances(self, request: Request) -> Response:
        where = Resource(request.path_params["study"], request.path_params["series"])
        asked = metadata.instances(self._source(request), where)
        return json_answer(await while_connected(request, asked))

    async def _elements(self, request: Request) -> Response:
        steps = [request.path_params[name] for name in ("study", "series", "instance")]
        asked = metadata.elements(self._source(request), Resource(*steps))
        return json_answer(await while_connected(request, asked))

    # Jobs -----------------------------------------------------------------------------------

    async def _jobs(self, _request: Request) -> Response:
        return json_answer(await self._service.jobs.look())

    async def _job(self, request: Request) -> Response:
        steps = request.path_params
        page = await self._service.jobs.page(steps["archive"], steps["id"])
        # The page may ask for a job that was cleared a moment ago: no error to be logged there.
        return Response(None, 204) if page is None else json_answer(page)

    async def _act(self, request: Request) -> Response:
        steps = request.path_params
        if steps["act"] not in _ACTS.split("|"):
            raise ValueError(f"A job can be told to {_ACTS.replace('|', ', ')}.")
        await body_of(request)
        done = await self._service.jobs.act(steps["archive"], steps["id"], steps["act"])
        return json_answer(done)

    async def _clear(self, request: Request) -> Response:
        await body_of(request)
        return json_answer(await self._service.jobs.clear())

    # Bringing objects here and there --------------------------------------------------------

    async def _download(self, request: Request) -> Response:
        return await self._begun(self._service.actions.download, request)

    async def _import(self, request: Request) -> Response:
        return await self._begun(self._service.actions.take_in, request)

    async def _send(self, request: Request) -> Response:
        return await self._begun(self._service.actions.send, request)

    async def _begun(
        self, begin: Callable[[dict[str, Any]], Awaitable[Any]], request: Request
    ) -> Response:
        # Brought to its end though the page may be left: half a beginning would be a lost job.
        started = await asyncio.shield(asyncio.ensure_future(begin(await body_of(request))))
        self._service.tell_archives()  # the local one may be new in the list
        self._service.jobs.nudge()
        return json_answer(started, 202)

    async def _remove(self, request: Request) -> Response:
        removing = asyncio.ensure_future(self._service.actions.remove(await body_of(request)))
        source, study, done = await asyncio.shield(removing)
        self._service.changed(source, study)
        return json_answer(done)

    async def _folders(self, request: Request) -> Response:
        path = request.query_params.get("path", "")
        found = await asyncio.to_thread(lambda: folders(path, allowed=self._service.paths))
        return json_answer(found)

    async def _about(self, _request: Request) -> Response:
        import wsiweb

        about: About = {
            "version": wsiweb.__version__,
            "readOnly": self._service.read_only,
            "paths": self._service.paths,
            "home": str(Path.home()) if self._service.paths else "",
        }
        return json_answer(about)

    # Events ---------------------------------------------------------------------------------

    async def _events(self, request: Request) -> Response:
        page = request.query_params.get("page", "")
        if page and not is_page(page):
            raise ValueError("page is a name of letters, digits, - and _.")
        stream = self._service.events.begin(page)
        stream.put("archives", self._service.archives())
        self._service.jobs.nudge()
        # X-Accel-Buffering: a proxy before it would keep events back.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(
            self._flow(stream), headers=headers, media_type="text/event-stream"
        )

    async def _flow(self, stream: Stream) -> AsyncIterator[bytes]:
        try:
            async with contextlib.aclosing(stream.text()) as text:
                async for piece in text:
                    yield piece
        finally:
            self._service.events.over(stream)


def _check(target: str) -> str:
    """Return a target that makes sense; in a thread, for it looks at the disk."""
    from wsiweb.browse.sources import Source

    _ = Source(target)
    return target


async def _first_of(search: Search, wanted: int) -> None:
    """Wait a moment for the first studies of a listing that has just begun."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _MOMENT
    while not search.complete and len(search.rows) < wanted and loop.time() < end:  # noqa: ASYNC110
        # Several archives add to it, some in tiny pages: to be woken by each would be no better.
        await asyncio.sleep(_TICK)


def _number(text: str, default: int, least: int, most: int) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 12 and least <= int(text) <= most):
        raise ValueError(f"A whole number from {least} to {most} is wanted, not {text[:40]!r}.")
    return int(text)


def _as_response(shown: Shown, headers: dict[str, str]) -> Response:
    if not shown.data:
        return Response(None, 204, {**headers, **shown.headers})
    return Response(shown.data, 200, {**headers, **shown.headers}, shown.media_type)
