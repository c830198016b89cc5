"""A bad archive: the embedded server with faults, by name, as many as wanted.

Each is something that a real server was seen to do, or that happens on the way to it. Faults stand
before the application, which knows nothing of them; the first is nearest to the client, and gets
the answers that those after it give.

`fault` and `parse` make one, of options or of text; `serve(..., faults=[...])` and ``wsiweb serve
--fault`` put them before a server, `with_faults` before any ASGI application. A server is a set of
them under its name: `PERSONALITIES`, in `naming`, is the table to add one to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsiweb.server.faults.fault import Befallen, Fault
from wsiweb.server.faults.naming import (
    FAULTS,
    PERSONALITIES,
    descriptions,
    fault,
    faults_of,
    parse,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp

__all__ = [
    "FAULTS",
    "PERSONALITIES",
    "Fault",
    "descriptions",
    "fault",
    "parse",
    "with_faults",
]


def with_faults(app: ASGIApp, faults: Iterable[Fault | str]) -> ASGIApp:
    """Return an application with faults before it.

    Parameters
    ----------
    app : ASGI application
        What answers.
    faults : iterable of Fault or str
        The first is nearest to the client. A text is understood as by `parse`.

    Raises
    ------
    ValueError
        For a text that is no fault.
    """
    for one in reversed(faults_of(faults)):
        app = Befallen(app, one)
    return app
