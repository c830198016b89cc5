"""What is served, and how far away: the DICOMweb server, and the app of `wsiweb browse` before it.

Each is in a process of its own, behind a link (`wsiweb_benchmarks.link`): the server's is between
it and whoever reads it (the browser itself for the peer, the app for ours), the app's between it
and the browser.
"""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING

import msgspec

from wsiweb_benchmarks import link
from wsiweb_benchmarks.link import Link, Terms

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["App", "browsing"]


class App(msgspec.Struct, frozen=True):
    """The running app.

    Attributes
    ----------
    url : str
        Where it is, without a slash at the end.
    token : str
        What lets a browser in.
    """

    url: str
    token: str


@contextlib.contextmanager
def browsing(server: str, terms: Terms) -> Iterator[App]:
    """Run the app over a DICOMweb server, in a fresh process with nothing held.

    Parameters
    ----------
    server : str
        Base URL.
    terms : Terms
        Of the link between the app and the browser.

    Raises
    ------
    RuntimeError
        When it does not start.
    """
    task = {"server": server, "terms": msgspec.to_builtins(terms)}
    with link.begun(__name__, task) as line:
        yield msgspec.json.decode(line, type=App)


def _main() -> None:
    """Serve until stdin ends."""
    from wsiweb.browse.app import create_app
    from wsiweb.server import serve

    task = json.loads(sys.argv[1])
    app = create_app([task["server"]])
    hung = Link(app, msgspec.convert(task["terms"], Terms), link.watch_connections())
    with serve(app=hung) as server:
        about = App(server.url, app.keys.token)
        sys.stdout.write(f"{msgspec.json.encode(about).decode()}\n")
        sys.stdout.flush()
        sys.stdin.read()
        app.end_streams()


if __name__ == "__main__":
    _main()
