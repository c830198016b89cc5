"""The app: which address is answered by what."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Mount, Route

from wsiweb.browse.answers import ERRORS
from wsiweb.browse.pages import STATIC, Pages
from wsiweb.browse.routes import Routes
from wsiweb.browse.security import Guard, Keys
from wsiweb.browse.service import Service
from wsiweb.browse.sources import Sources

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
    from pathlib import Path

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Receive, Scope, Send

    from wsiweb.archive import Archive

__all__ = ["App", "create_app"]


class App:
    """The app as an ASGI application, guarded; made by `create_app`.

    Attributes
    ----------
    keys : Keys
        What lets a browser in.
    pages : Pages
        The built front end.
    """

    def __init__(self, guarded: ASGIApp, service: Service, keys: Keys, pages: Pages) -> None:
        self._guarded = guarded
        self._service = service
        self.keys = keys
        self.pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._guarded(scope, receive, send)

    def end_streams(self) -> None:
        """Let the streams of events end, on the event loop of the server: it is about to stop."""
        self._service.events.close()


def create_app(
    targets: Iterable[str | tuple[str, Callable[[], Archive]]] = (),
    *,
    read_only: bool = False,
    remote: bool = False,
    hosts: Sequence[str] = (),
    keys: Keys | None = None,
    static: Path = STATIC,
) -> App:
    """Return the app.

    Parameters
    ----------
    targets : iterable
        Archives to begin with: URLs, names and folders, as `wsiweb.connect` takes them; or pairs of
        one of these and a function that connects to it. They are connected to when they are needed.
    read_only : bool
        Whether all changes are refused.
    remote : bool
        Whether others reach it. It then takes no folders of this machine, and answers to addresses
        that are not this machine's own; `wsiweb.browse.run` sees to it that there is TLS.
    hosts : sequence of str
        Further names that it answers to, without ports.
    keys : Keys, optional
        What lets a browser in; by default made now.
    static : Path
        The built front end.

    Raises
    ------
    ValueError, NotFound
        For a target that makes no sense, or a folder that does not exist.

    Examples
    --------
    >>> import tempfile
    >>> app = create_app([tempfile.mkdtemp()])
    >>> len(app.keys.token) > 40
    True
    """
    pairs = [(one, None) if isinstance(one, str) else one for one in targets]
    service = Service(Sources(pairs), read_only=read_only, paths=not remote)
    pages = Pages(static)
    keys = Keys() if keys is None else keys

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        async with service:
            yield

    handlers = Routes(service)
    shown = ("/", "/studies/{study}", "/view/{archive}/{study}/{series}", "/jobs")
    routes: list[BaseRoute] = [
        *handlers.all(),
        *(Route(path, pages.index, methods=["GET"]) for path in shown),
        Mount("/static", pages.files),
    ]
    inner = Starlette(routes=routes, exception_handlers=dict(ERRORS), lifespan=lifespan)
    inner.router.redirect_slashes = False  # an address is right or wrong
    guarded = Guard(inner, keys, hosts=hosts, remote=remote, read_only=read_only)
    return App(guarded, service, keys, pages)
