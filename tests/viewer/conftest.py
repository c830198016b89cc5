"""Slides to be looked at, over a folder and over a server."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

import wsiweb
from wsiweb.server import serve


@pytest.fixture
def opened():
    """Open the only slide of a folder or server, and close the archive in the end."""
    with ExitStack() as stack:

        def slide_at(where, **more):
            return stack.enter_context(wsiweb.connect(where, **more)).slides()[0].open()

        yield slide_at


@pytest.fixture(params=["folder", "server"])
def reached(request, opened):
    """Open the only slide of a folder, there or by way of a server."""
    with ExitStack() as stack:

        def slide_in(folder, **more):
            where = folder
            if request.param == "server":
                where = stack.enter_context(serve(folder)).url
            return opened(where, **more)

        yield slide_in
