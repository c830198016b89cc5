"""The pages: one file for all addresses, and what it loads, as the front end was built."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["HOW_TO_BUILD", "STATIC", "Pages"]

STATIC = Path(__file__).parents[1] / "viewer" / "static"
"""Where the front end is built to."""

HOW_TO_BUILD = (
    "The pages are not built. In a checkout: npm ci && npm run build, in wsiweb/viewer/frontend; "
    "or install wsiweb anew (pip install .), which builds them."
)
_INDEX = "index.html"
_FRESH = {"Cache-Control": "no-cache"}  # asked each time whether it has changed

_UNBUILT = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>wsiweb is not built</title></head>
<body><main><h1>wsiweb is not built</h1><p>{words}</p></main></body>
</html>
"""


class Pages:
    """What the browser loads.

    Parameters
    ----------
    folder : Path
        The built front end.
    """

    def __init__(self, folder: Path = STATIC) -> None:
        self._folder = folder
        # Not looked at before something is asked for: it may be built while this runs.
        self.files = _Files(directory=folder, check_dir=False)

    @property
    def built(self) -> bool:
        """Whether the front end is there."""
        return (self._folder / _INDEX).is_file()

    async def index(self, _request: Request) -> Response:
        """Return the page; its script looks at the address."""
        if not self.built:
            page = _UNBUILT.format(words=html.escape(HOW_TO_BUILD))
            return Response(page, 503, media_type="text/html")
        return FileResponse(self._folder / _INDEX, media_type="text/html", headers=_FRESH)


class _Files(StaticFiles):
    def file_response(self, *args: object, **named: object) -> Response:
        answer = super().file_response(*args, **named)  # type: ignore[arg-type]
        answer.headers["Cache-Control"] = _FRESH["Cache-Control"]
        return answer
