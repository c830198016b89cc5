"""The embedded server, so many milliseconds away."""

from __future__ import annotations

from wsiweb_benchmarks.conditions.embedded import Embedded
from wsiweb_benchmarks.link import Terms

__all__ = ["CONDITIONS"]


def _away(milliseconds: int) -> Embedded:
    far = f"{milliseconds} ms away" if milliseconds else "on the same machine"
    return Embedded(
        f"delay-{milliseconds}",
        f"The embedded server {far}: each request waits so long, a list of frames once, and the "
        "first on a connection twice."
        if milliseconds
        else f"The embedded server {far}, without any delay.",
        Terms(delay=milliseconds / 1000),
        frames_per_request=1000,
        connections=1,
    )


CONDITIONS = tuple(_away(milliseconds) for milliseconds in (0, 20, 50, 100))
