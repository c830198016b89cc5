"""Paths to handlers, and what a request says before it is understood."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import Route

from wsiweb.server.answers import refusal
from wsiweb.wire.uris import Resource

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Scope

__all__ = ["METHODS", "Handler", "accept_of", "no_such_method", "resource_of", "route"]

METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
"""Those that a resource answers itself, if only with 405 in words."""

Handler = Callable[["Request"], Awaitable[Response]]
"""What answers one kind of request."""


def route(path: str, read: Handler, store: Handler | None = None) -> Route:
    """Return the route of a resource, which tells what may be done with it."""

    async def answer(request: Request) -> Response:
        if request.method in {"GET", "HEAD"}:
            return await read(request)
        if request.method == "POST" and store is not None:
            return await store(request)
        return no_such_method(request.method, stores=store is not None)

    return Route(path, answer, methods=METHODS)


def no_such_method(method: str, *, stores: bool = False) -> Response:
    """Answer OPTIONS, and refuse what a resource does not do."""
    allow = {"Allow": "GET, HEAD, POST, OPTIONS" if stores else "GET, HEAD, OPTIONS"}
    if method == "OPTIONS":
        return Response(None, 204, allow)
    if method == "POST":
        words = "Nothing is stored here: the archive is read-only unless started with --stow."
        return refusal(405, words, allow)
    return refusal(405, f"There is nothing to {method} here.", allow)


def resource_of(scope: Scope) -> Resource:
    """Return what a path names.

    Raises
    ------
    ValueError
        For UIDs and frame numbers that are none.
    """
    path: str = scope["path"]
    return Resource.parse(path.removeprefix(scope.get("root_path", "")))


def accept_of(scope: Scope) -> str:
    """Return the Accept header, of a repeated one all values, as one text."""
    values = [value for key, value in scope["headers"] if key == b"accept"]
    return b",".join(values).decode("latin-1")
