"""The embedded server as if it had work with every frame, as archives with a database have."""

from __future__ import annotations

from wsiweb_benchmarks.conditions.embedded import Embedded
from wsiweb_benchmarks.link import Terms

__all__ = ["CONDITIONS"]

CONDITIONS = (
    Embedded(
        "service",
        "The embedded server 20 ms away; each frame takes it 2 ms more, at most four frames are "
        "prepared at a time, those of one list one after the other.",
        Terms(delay=0.02, frame_cost=0.002, workers=4),
        frames_per_request=16,
        connections=8,
    ),
)
