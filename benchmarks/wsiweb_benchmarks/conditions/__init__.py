"""Where the slides are served: one module per kind of server or link.

A condition serves a slide and says where. Adding one means adding a module here with
`CONDITIONS`, and naming it in `MODULES`.
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Protocol

import msgspec

from wsiweb_benchmarks.link import Terms

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from wsiweb_benchmarks.model import SlideInfo

__all__ = ["MODULES", "Condition", "Served", "condition_of", "conditions"]

MODULES = ("delay", "bandwidth", "service", "orthanc")


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """A slide that is being served.

    Attributes
    ----------
    url : str
        Base URL of the DICOMweb service.
    control : str
        URL of the link's counts; empty when nobody counts.
    terms : Terms
        Of the link, if there is one.
    headers : dict of str to str
        Credentials.
    """

    url: str
    control: str = ""
    terms: Terms = Terms()
    headers: dict[str, str] = {}


class Condition(Protocol):
    """A server, and the way to it.

    Attributes
    ----------
    name, about : str
        On the command line; one sentence for the report.
    server : str
        Which server it is: pixels that were right from it once are right under its other
        conditions.
    delay : float
        Seconds of a round trip, as far as known: foretells how long many requests take.
    time_limit : float
        Seconds after which a job is ended, if that is sooner than `plan.TIME_LIMIT`.
    best : dict of str to int
        The reference's ``frames_per_request`` and ``connections``: the best that
        ``python -m wsiweb_benchmarks sweep --way reference/fast CONDITION`` found.
    """

    name: str
    about: str
    server: str
    delay: float
    time_limit: float
    best: dict[str, int]

    def serve(self, slide: SlideInfo, work: Path) -> AbstractContextManager[Served]:
        """Serve a slide.

        Raises
        ------
        RuntimeError
            When the server is missing, or does not start; the words say which.
        """
        ...


@functools.cache
def conditions() -> Mapping[str, Condition]:
    """Return all conditions by name, in the order of the report."""
    modules = (importlib.import_module(f"{__name__}.{name}") for name in MODULES)
    return {one.name: one for module in modules for one in module.CONDITIONS}


def condition_of(name: str) -> Condition:
    """Return a condition by name.

    Raises
    ------
    LookupError
        When there is none of this name.
    """
    known = conditions()
    if name not in known:
        raise LookupError(f"There is no condition {name!r}, only {', '.join(known)}.")
    return known[name]
