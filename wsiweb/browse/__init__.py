"""Browse: the web app, in which people look for studies in several archives at once and open them.

A page on this machine, for one person: ``wsiweb browse`` starts it. `create_app` returns it as an
ASGI application, `serve` runs it in a thread, `run_forever` in the foreground. What it says to the
page stands in `wsiweb.browse.shapes`; who may ask is decided in `wsiweb.browse.security`, before
anything else.

All of its own state lives on the event loop of the server, without locks. What asks archives runs
on the library's loop (`wsiweb.loop`) and is awaited from here; what blocks runs in threads.
"""

from __future__ import annotations

from wsiweb.browse.app import create_app
from wsiweb.browse.run import BrowseServer, run_forever, serve

__all__ = ["BrowseServer", "create_app", "run_forever", "serve"]
