"""Debian's Orthanc, a real archive; it keeps its database in the work folder between runs."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from wsiweb_benchmarks import orthanc, plan
from wsiweb_benchmarks.conditions import Served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsiweb_benchmarks.model import SlideInfo

__all__ = ["CONDITIONS"]


# Its default of 50 would take 20 GB and more for as many requests for frames of a large instance.
_THREADS = 8


class Real:
    """Orthanc on this machine, with one slide in it; requests are not counted."""

    delay = 0.0

    def __init__(
        self,
        size: str,
        about: str,
        *,
        frames_per_request: int,
        connections: int,
        time_limit: float = plan.TIME_LIMIT,
    ) -> None:
        self.time_limit = time_limit
        self.name = self.server = f"orthanc-{size}"
        self.about = f"Orthanc (Debian's package, {_THREADS} threads) on the same machine, {about}."
        self.best = {"frames_per_request": frames_per_request, "connections": connections}

    @contextlib.contextmanager
    def serve(self, slide: SlideInfo, work: Path) -> Iterator[Served]:
        """Start Orthanc and upload the slide, unless it has it already."""
        home = work / "orthanc" / Path(slide.folder).name
        with orthanc.running(home, threads=_THREADS) as server:
            uploaded = home / "uploaded"
            if not uploaded.exists():
                server.upload(Path(slide.folder))
                uploaded.touch()
            yield Served(url=server.url)


CONDITIONS = (
    Real("small", "with instances of a few MB", frames_per_request=1000, connections=1),
    Real(
        "large",
        "with an instance of 400 MB, which it reads anew for each request",
        frames_per_request=1000,
        connections=1,
        time_limit=20.0,  # one frame after the other would take minutes
    ),
)
