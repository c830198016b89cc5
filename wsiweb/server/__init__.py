"""The embedded DICOMweb server: a folder of DICOM files as an archive.

`serve` runs it in a thread of this process, `run_forever` in the foreground; `create_app` gives the
ASGI application alone.
"""

from __future__ import annotations

from wsiweb.server.app import create_app
from wsiweb.server.run import Server, run_forever, serve

__all__ = ["Server", "create_app", "run_forever", "serve"]
