"""The embedded server at the end of a line that holds so much and no more."""

from __future__ import annotations

from wsiweb_benchmarks.conditions.embedded import Embedded
from wsiweb_benchmarks.link import Terms

__all__ = ["CONDITIONS"]

CONDITIONS = (
    Embedded(
        "bandwidth",
        "The embedded server 20 ms away; all connections share 25 MB/s.",
        Terms(delay=0.02, bandwidth=25e6),
        frames_per_request=1000,
        connections=1,
    ),
)
