"""What the conditions of the embedded server have in common."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from wsiweb_benchmarks import link, plan
from wsiweb_benchmarks.conditions import Served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsiweb_benchmarks.model import SlideInfo

__all__ = ["Embedded"]


class Embedded:
    """The embedded server behind a link.

    Parameters
    ----------
    name, about : str
        As of `Condition`.
    terms : link.Terms
        How slow the link is.
    frames_per_request, connections : int
        The reference's.
    """

    server = "embedded"
    time_limit = plan.TIME_LIMIT

    def __init__(
        self,
        name: str,
        about: str,
        terms: link.Terms,
        *,
        frames_per_request: int,
        connections: int,
    ) -> None:
        self.name = name
        self.about = about
        self.delay = terms.delay
        self.best = {"frames_per_request": frames_per_request, "connections": connections}
        self._terms = terms

    @contextlib.contextmanager
    def serve(self, slide: SlideInfo, work: Path) -> Iterator[Served]:
        """Serve the folder of the slide."""
        index = work / "indexes" / f"{Path(slide.folder).name}.sqlite"
        with link.served(Path(slide.folder), index, self._terms) as url:
            yield Served(url=url, control=url + link.CONTROL, terms=self._terms)
