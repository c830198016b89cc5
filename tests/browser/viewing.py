"""A page with a viewer and nothing else, served with the feeds of slides."""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from wsiweb.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from starlette.requests import Request

    from wsiweb.viewer.feed import Feed

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A slide</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/bundle/viewer.css">
<link rel="stylesheet" href="/page.css">
</head>
<body><main id="viewer"></main><script type="module" src="/page.js"></script></body>
</html>
"""

STYLE = "html, body, main { height: 100%; margin: 0 }"

# What the tests reach for is put on the window by this page alone, not by the viewer.
SCRIPT = """
import { HttpSource, SlideViewer } from "/bundle/viewer.js";
const asked = new URLSearchParams(location.search);
const options = JSON.parse(asked.get("options") ?? "{}");
const view = JSON.stringify;
window.viewer = new SlideViewer(
  document.getElementById("viewer"),
  new HttpSource(`/feed/${asked.get("slide")}`),
  { focus: true, link: (at) => `${location.origin}/?${view(at)}`, ...options },
);
window.viewer.ready.then(() => { document.body.dataset.ready = "yes"; }, () => {});
"""

# As strict as that of `wsiweb browse`: what breaks there has to break here.
POLICY = "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'"


def create_app(bundle: Path, feeds: Mapping[str, Feed]) -> Starlette:
    """Serve a page for each slide, at ``/?slide=NAME&options=JSON``."""

    def text(content: str, media_type: str):
        headers = {"Content-Security-Policy": POLICY}
        return lambda _: Response(content, media_type=media_type, headers=headers)

    def built(request: Request) -> Response:
        path = bundle / request.path_params["name"]
        media_type = mimetypes.guess_type(path.name)[0] or "text/plain"
        return Response(path.read_bytes(), media_type=media_type)

    async def feed(request: Request) -> Response:
        path = request.path_params["path"]
        query = f"?{request.url.query}" if request.url.query else ""
        try:
            found = await feeds[request.path_params["slide"]].get(path + query)
        except NotFound as error:
            return JSONResponse({"error": str(error)}, 404)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)
        status = 200 if found.data else 204
        return Response(found.data, status, dict(found.headers), found.media_type or None)

    return Starlette(
        routes=[
            Route("/", text(PAGE, "text/html")),
            Route("/page.js", text(SCRIPT, "text/javascript")),
            Route("/page.css", text(STYLE, "text/css")),
            Route("/bundle/{name}", built),
            Route("/feed/{slide}/{path:path}", feed),
        ]
    )
