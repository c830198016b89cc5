"""The DICOMweb service of a folder as an ASGI application (PS3.18 8 and 10).

Paths are those of the standard, at the root and again below ``/dicom-web``, where many clients look
for them. Handlers are thin: what is asked is understood by `wsiweb.wire`, answered by `Store`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from wsiweb.server import render
from wsiweb.server.answers import ERRORS, Refusal, gzipped, made_in_thread, multipart, refusal
from wsiweb.server.frames import Frames
from wsiweb.server.negotiate import (
    choose_one,
    takes_gzip,
    wants_json,
    wants_multipart,
)
from wsiweb.server.origin import base_url
from wsiweb.server.placing import sweep
from wsiweb.server.routing import METHODS, Handler, accept_of, resource_of, route
from wsiweb.server.scan import BULK_MARK
from wsiweb.server.search import search
from wsiweb.server.store import Store
from wsiweb.server.stow import Incoming, too_large
from wsiweb.wire.media import DICOM, DICOM_JSON, OCTETS
from wsiweb.wire.query import Level, Query
from wsiweb.wire.uris import Resource

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from starlette.requests import Request

    from wsiweb.server.index import Instance

__all__ = ["create_app"]

T = TypeVar("T")
Given = TypeVarTuple("Given")

_JSON_HEADERS = {"Vary": "Accept, Accept-Encoding"}
_CUT = "There are more matches: ask for them with limit and offset."
_CHUNK = 2**20  # bytes of a body that are written at once
_COMPRESSED = 16 * 1024  # bytes of metadata from which on compressing pays


def create_app(
    folder: Path,
    *,
    stow: bool = False,
    index: Path | None = None,
    max_stow: int = 64 * 2**30,
    rescan: float = 2.0,
) -> Starlette:
    """Return the DICOMweb service of a folder.

    The folder is looked at when the first request comes, not here. `app.state.store` is what it
    stands on; its `close` puts the index away until the next request.

    Parameters
    ----------
    folder : Path
        DICOM files, at any depth; only ever read.
    stow : bool
        Whether instances that are sent (STOW-RS) are written below the folder, as new files.
    index : Path, optional
        SQLite database of what is in them; default is one in the user's cache folder.
    max_stow : int
        Most bytes that are taken in one request (default 64 GiB).
    rescan : float
        Seconds after which a search looks for new, changed and removed files again.

    Raises
    ------
    NotFound
        When there is no such folder.
    """
    service = _Service(Store(folder, index=index, rescan=rescan), max_stow if stow else 0)
    if stow:
        sweep(service.store.folder)
    routes = service.routes()
    app = Starlette(routes=[*routes, Mount("/dicom-web", routes=routes)], exception_handlers=ERRORS)
    app.state.store = service.store
    return app


class _Service:
    """The handlers of one folder; `max_stow` is 0 where nothing may be stored."""

    def __init__(self, store: Store, max_stow: int) -> None:
        self.store = store
        self._max_stow = max_stow

    def routes(self) -> list[BaseRoute]:
        """Return the routes; frames first, for they are asked for most."""
        study = "/studies/{study}"
        series = f"{study}/series/{{series}}"
        instance = f"{series}/instances/{{instance}}"
        frames = f"{instance}/frames/{{frames}}"
        read: list[tuple[str, Handler]] = [
            *((path, self.retrieve) for path in (series, instance)),
            *((f"{path}/metadata", self.metadata) for path in (study, series, instance)),
            (f"{instance}/bulkdata/{{path:path}}", self.bulkdata),
            *((f"{path}/thumbnail", self.rendered) for path in (study, series, instance, frames)),
            *((f"{path}/rendered", self.rendered) for path in (instance, frames)),
            *((path, self.search) for path in ("/series", "/instances")),
            *((study + path, self.search) for path in ("/series", "/instances")),
            (f"{series}/instances", self.search),
        ]
        return [
            Route(frames, Frames(self.store), methods=METHODS),
            route("/studies", self.search, self.stow if self._max_stow else None),
            route(study, self.retrieve, self.stow if self._max_stow else None),
            *(route(path, handler) for path, handler in read),
        ]

    async def search(self, request: Request) -> Response:
        """QIDO-RS (PS3.18 10.6)."""
        resource = resource_of(request.scope)
        level: Level = resource.aspect  # type: ignore[assignment] - the routes say so
        query = Query.parse(
            level, request.query_params.multi_items(), study=resource.study, series=resource.series
        )
        if not wants_json(accept_of(request.scope)):
            raise Refusal(406, "Searches are answered in application/dicom+json.")
        base = base_url(request)

        def answer() -> tuple[bytes, bool]:
            self.store.refresh()
            found = search(self.store.index, query, base)
            return found.body, found.cut

        body, cut = await asyncio.to_thread(answer)
        headers = {**_JSON_HEADERS, **_warning(query, cut=cut)}
        if len(body) >= _COMPRESSED and takes_gzip(request.headers.get("accept-encoding", "")):
            headers = {**headers, "Content-Encoding": "gzip"}
            return await made_in_thread(gzipped([body]), DICOM_JSON, headers)
        return Response(body, 200, headers, DICOM_JSON)

    async def metadata(self, request: Request) -> Response:
        """WADO-RS metadata (PS3.18 10.4.1.1.2)."""
        if not wants_json(accept_of(request.scope)):
            raise Refusal(406, "Metadata are to be had in application/dicom+json.")
        instances = await asyncio.to_thread(self._instances, resource_of(request.scope))
        pieces = self._documents(instances, base_url(request))
        if not takes_gzip(request.headers.get("accept-encoding", "")):
            return await made_in_thread(pieces, DICOM_JSON, _JSON_HEADERS)
        headers = {**_JSON_HEADERS, "Content-Encoding": "gzip"}
        return await made_in_thread(gzipped(pieces), DICOM_JSON, headers)

    def _documents(self, instances: list[Instance], base: str) -> Iterator[bytes]:
        """Yield the JSON array of headers, in which BulkDataURIs are made absolute."""
        yield b"["
        before = b""
        for instance in instances:
            header = self.store.index.header(instance.key)
            if header is None:
                continue  # gone since the question came
            resource = Resource(instance.study, instance.series, instance.uid)
            mark = BULK_MARK + f"{base}/{resource.path}/bulkdata/".encode()
            yield before + header.replace(BULK_MARK, mark)
            before = b","
        yield b"]"

    async def retrieve(self, request: Request) -> Response:
        """WADO-RS objects (PS3.18 10.4.1.1.1), always as they are stored."""
        resource = resource_of(request.scope)
        accept = accept_of(request.scope)
        instances = await asyncio.to_thread(self._instances, resource)
        stored = {instance.transfer_syntax for instance in instances}
        several = wants_multipart(accept, DICOM, stored)
        if several is None or (not several and resource.instance is None):
            raise Refusal(
                406,
                'Objects are to be had as multipart/related; type="application/dicom", a single '
                "instance as application/dicom too, each in the transfer syntax it is stored in.",
            )
        if not several:
            length = {"Content-Length": str(instances[0].size)}
            return await made_in_thread(self.store.whole(instances[0]), DICOM, length)
        parts = (self.store.whole(instance) for instance in instances)
        # Of one the file was looked at just now; of many some may change while others are sent.
        sizes = None if resource.instance is None else [instances[0].size]
        pieces, media_type, length = multipart(parts, {"Content-Type": DICOM}, sizes=sizes)
        return await made_in_thread(pieces, media_type, length)

    def _instances(self, resource: Resource) -> list[Instance]:
        study, series, uid = resource.study or "", resource.series, resource.instance
        if series is None or uid is None:
            return self.store.instances(study, series)
        return [self.store.instance(study, series, uid)]

    async def bulkdata(self, request: Request) -> Response:
        """WADO-RS bulk data (PS3.18 10.4.1.1.5)."""
        resource = resource_of(request.scope)
        several = wants_multipart(accept_of(request.scope), OCTETS)
        if several is None:
            raise Refusal(406, "Bulk data are to be had as application/octet-stream.")

        def value() -> bytes:
            return self.store.bulk(self._instances(resource)[0], resource.bulkdata)

        data = await asyncio.to_thread(value)
        if not several:
            return Response(data, 200, None, OCTETS)
        pieces, media_type, _ = multipart([[data]], {"Content-Type": OCTETS})
        return Response(b"".join(pieces), 200, None, media_type)

    async def rendered(self, request: Request) -> Response:
        """WADO-RS rendered and thumbnail (PS3.18 10.4.1.1.3, 10.4.1.1.4)."""
        resource = resource_of(request.scope)
        media_type = choose_one(accept_of(request.scope), render.MEDIA_TYPES)
        if media_type is None:
            raise Refusal(406, "Pictures are to be had as image/jpeg and image/png.")
        if len(resource.frames) > 1:
            raise Refusal(400, "Frames are rendered one at a time.")
        viewport = render.viewport_of(request.query_params)
        if viewport is None and resource.aspect == "thumbnail":
            viewport = render.THUMBNAIL

        def picture() -> bytes:
            instances = self._instances(resource)
            if resource.frames:
                number = resource.frames[0]
                array = render.rendered_frame(self.store, instances[0], number, viewport)
            elif resource.instance:
                array = render.rendered_instance(self.store, instances[0], viewport)
            else:
                array = render.rendered_series(self.store, instances, viewport)
            return render.encoded(array, media_type, request.query_params)

        return Response(await asyncio.to_thread(picture), 200, {"Vary": "Accept"}, media_type)

    async def stow(self, request: Request) -> Response:
        """STOW-RS (PS3.18 10.5)."""
        study = resource_of(request.scope).study
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length[:20]) > self._max_stow:
            raise too_large(self._max_stow)
        incoming = await asyncio.to_thread(
            Incoming,
            self.store,
            request.headers.get("content-type", ""),
            request.headers.get("content-encoding", ""),
            limit=self._max_stow,
        )
        try:
            async for chunk in _chunks(request):
                await _to_the_end(incoming.feed, chunk)
            outcome = await _to_the_end(incoming.finish, study)
        except ClientDisconnect:
            return refusal(400, "The body was cut off.")  # nobody reads it; nothing is stored
        finally:
            await _to_the_end(incoming.close)
        body = msgspec.json.encode(outcome.model(base_url(request)))
        return Response(body, outcome.status, None, DICOM_JSON)


async def _to_the_end(work: Callable[[*Given], T], *given: *Given) -> T:
    """Do work in a thread, and await its end even when cancelled: what it has in hand is closed."""
    working = asyncio.ensure_future(asyncio.to_thread(work, *given))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait([working])
        raise


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """Yield a body in pieces that are worth a change of threads."""
    held: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        held.append(chunk)
        size += len(chunk)
        if size >= _CHUNK:
            yield b"".join(held)
            held.clear()
            size = 0
    yield b"".join(held)


def _warning(query: Query, *, cut: bool) -> dict[str, str]:
    """Say what of a query was not done (PS3.18 8.3.4.4, 10.6.3.1)."""
    said: list[str] = [_CUT] if cut else []
    if query.fuzzy:
        said.append("Fuzzy matching is not supported: names were matched literally.")
    if query.ignored:
        said.append("Some query parameters are not known here, and were passed over.")
    return {"Warning": f'299 wsiweb "{" ".join(said)}"'} if said else {}
