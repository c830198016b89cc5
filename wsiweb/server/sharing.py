"""Which pages of other origins may read the answers (CORS).

A browser lets a page read a server of another origin only where the server says so; viewers such as
OHIF and Slim are such pages, unless a reverse proxy puts both under one name. Their Accept headers
have quotes in them, for which the browser asks leave first (OPTIONS), of each address anew: each
tile then takes two requests. What is to be fast is better put under one name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.middleware.cors import CORSMiddleware

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp

__all__ = ["shared"]

# As browsers write it (RFC 6454 6.2): lower case, no path, a port only where it is not the usual.
_ORIGIN = re.compile(r"https?://([a-z0-9_\-]+(\.[a-z0-9_\-]+)*|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_REMEMBERED = 3600  # seconds that a browser need not ask again
_METHODS = ("GET", "HEAD", "POST")
_READABLE = ("Warning", "Content-Location")  # besides those that pages may read anyway


def shared(app: ASGIApp, origins: Iterable[str]) -> ASGIApp:
    """Return an app whose answers pages of other origins may read.

    Parameters
    ----------
    app : ASGI application
        What answers.
    origins : iterable of str
        Those of the pages, such as ``"https://viewer.example"``. There is no word for all of them:
        the server has no login, and any page that the user looks at would read everything.

    Raises
    ------
    ValueError
        For what is not an origin.
    """
    allowed = [origins] if isinstance(origins, str) else list(origins)
    for origin in allowed:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(
                f"{origin!r} is no origin of a page: give scheme and host, and the port if there "
                "is one, in lower case and without a path, such as 'https://viewer.example'."
            )
    if not allowed:
        return app
    return CORSMiddleware(
        app,
        allow_origins=allowed,
        allow_methods=_METHODS,
        allow_headers=["*"],  # those that are asked for
        expose_headers=_READABLE,
        max_age=_REMEMBERED,
    )
