"""By which name the server is asked: what answers call it, and to whom it answers at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from wsiweb.server.answers import refusal
from wsiweb.wire.uris import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["KnownNames", "base_url"]

_HOST = re.compile(r"[A-Za-z0-9.\-_:\[\]]{1,255}")
_NAME = re.compile(r"[A-Za-z0-9_\-]+(\.[A-Za-z0-9_\-]+)*\.?|\[[0-9A-Fa-f:.]+\]")
_MOST_REMEMBERED = 64  # spellings of names; clients use one or two


def base_url(request: Request) -> str:
    """Return the URL of the service as the client wrote it; only its path if that is no name.

    A reverse proxy on this machine tells how it was asked itself (``X-Forwarded-Host`` and
    ``X-Forwarded-Proto``); of others that is not believed.
    """
    scheme, host = request.scope["scheme"], request.headers.get("host", "")
    server: tuple[str, int] | None = request.scope.get("server")
    port = 80 if server is None else server[1]
    if port != 80 and _port(host) is None and is_loopback(_hostname(host)):
        host = f"{host}:{port}"  # dicomweb-client leaves the port out of Host
    if request.client is not None and is_loopback(request.client.host):
        said = _first(request, "x-forwarded-proto").lower()
        scheme = said if said in {"http", "https"} else scheme
        said = _first(request, "x-forwarded-host")
        host = said if _HOST.fullmatch(said) else host
    root: str = request.scope.get("root_path", "")
    return f"{scheme}://{host}{root}" if _HOST.fullmatch(host) else root


def _first(request: Request, header: str) -> str:
    """Return what the proxy nearest to the client said."""
    return request.headers.get(header, "").partition(",")[0].strip()


class KnownNames:
    """Answers only requests that name this machine by a local name, or one that is allowed.

    Listening on loopback keeps other machines out, but not the pages that a browser on this one
    shows: a page can have its own host name point here (DNS rebinding) and read the answers.

    Parameters
    ----------
    app : ASGI application
        What answers.
    allowed : iterable of str
        Further host names, without ports: those that a reverse proxy passes on.

    Raises
    ------
    ValueError
        For what is not a host name.
    """

    def __init__(self, app: ASGIApp, allowed: Iterable[str] = ()) -> None:
        self._app = app
        names = [allowed] if isinstance(allowed, str) else list(allowed)
        for name in names:
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no host name, such as 'pacs.example'.")
        self._allowed = {name.strip("[]").lower() for name in names}
        self._known = {b""}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it with 421."""
        if scope["type"] == "http":
            host = next((value for key, value in scope["headers"] if key == b"host"), b"")
            if host not in self._known:
                name = _hostname(host.decode("latin-1"))
                if not is_loopback(name) and name not in self._allowed:
                    words = "This server answers to localhost and to what --allow-host names."
                    await refusal(421, words)(scope, receive, send)
                    return
                if len(self._known) < _MOST_REMEMBERED:
                    self._known.add(host)
        await self._app(scope, receive, send)


def _hostname(host: str) -> str:
    try:
        return urlsplit("//" + host).hostname or ""
    except ValueError:
        return ""


def _port(host: str) -> int | None:
    try:
        return urlsplit("//" + host).port
    except ValueError:
        return None
