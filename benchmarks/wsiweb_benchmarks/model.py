"""The values that the benchmark passes round, and keeps as JSON.

A *row* of the benchmark is an operation under a condition on a slide. Each row is measured for
every *way*: a library, used in one of the ways that its documentation shows. A measurement is one
run in one fresh process.
"""

from __future__ import annotations

from statistics import median
from typing import Any

import msgspec

__all__ = [
    "Check",
    "Job",
    "LevelInfo",
    "Machine",
    "Measurement",
    "Row",
    "Run",
    "SlideInfo",
    "Source",
    "Way",
]


class LevelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One level of the pyramid, for libraries that leave the pyramid to their caller.

    Attributes
    ----------
    instance_uid : str
        SOP Instance UID.
    size, tile_size, grid : tuple of int
        Width and height, of the level, of a tile in pixels, and of the grid in tiles.
    samples : int
        Samples per pixel.
    transfer_syntax : str
        How the frames are stored.
    photometric : str
        PhotometricInterpretation as the header has it.
    """

    instance_uid: str
    size: tuple[int, int]
    tile_size: tuple[int, int]
    grid: tuple[int, int]
    samples: int
    transfer_syntax: str
    photometric: str


class SlideInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A slide that is measured on.

    Attributes
    ----------
    name : str
        Such as ``"mosaic"``.
    description : str
        One sentence for the report: what it is made of.
    study_uid, series_uid : str
        What to open.
    levels : tuple of LevelInfo
        Finest first.
    tiling : str
        ``"TILED_FULL"`` or ``"TILED_SPARSE"``.
    folder : str
        Where its files are; empty when it is on a server of the user's own.
    """

    name: str
    description: str
    study_uid: str
    series_uid: str
    levels: tuple[LevelInfo, ...]
    tiling: str = "TILED_FULL"
    folder: str = ""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a library finds the slide: the base URL of the DICOMweb service, and the slide.

    Attributes
    ----------
    url : str
        Base URL, without a trailing slash.
    slide : SlideInfo
        The slide. A library that can find out by itself what is in it, does.
    settings : dict
        Fixed settings to use instead of what the library would choose, for sweeps:
        ``frames_per_request`` and ``connections``.
    headers : dict of str to str
        Extra request headers (credentials for a server of the user's own).
    """

    url: str
    slide: SlideInfo
    settings: dict[str, int] = {}
    headers: dict[str, str] = {}


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """A library, and how it is used.

    Attributes
    ----------
    library : str
        Name of the distribution, such as ``"wsidicom"``; ``"reference"`` is ours.
    name : str
        ``"fast"`` (the fastest documented way) or ``"naive"`` (what one writes first), or another
        word where there are more.
    how : str
        One sentence for the report: which calls are made, and what was worked around.
    """

    library: str
    name: str
    how: str

    @property
    def key(self) -> str:
        """``library/name``, by which a way is chosen on the command line."""
        return f"{self.library}/{self.name}"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """An operation under a condition, on a slide; all three by name."""

    operation: str
    condition: str
    slide: str


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker process is told.

    Attributes
    ----------
    row : Row
        What is measured.
    way : str
        `Way.key`.
    source : Source
        Where.
    parameters : dict
        What the operation was given, such as the tiles that were drawn.
    check : bool
        Whether to compare pixels with the direct decode instead of taking the time.
    control : str
        Where the requests are counted (`wsiweb_benchmarks.link`); empty when nobody counts.
    """

    row: Row
    way: str
    source: Source
    parameters: dict[str, Any]
    check: bool = False
    control: str = ""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What came of comparing pixels.

    Attributes
    ----------
    right : bool
        Whether the library may be timed.
    largest : int
        Largest difference of a sample.
    differing : float
        Share of the samples that differ at all.
    message : str
        Why it was not right: an error, another shape, other colours. Empty when it was.
    """

    right: bool
    largest: int = 0
    differing: float = 0.0
    message: str = ""


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """One run in one fresh process.

    Attributes
    ----------
    row : Row
    way : str
        `Way.key`.
    repeat : int
        Zero-based. Measurements of the same row and repeat were taken one after the other, and
        are compared pair by pair.
    wall, cpu : float
        Seconds from the call to the last pixel; seconds of processor time in user and system
        mode, of the client's process.
    first : float
        Seconds to the first pixels in the caller's hands.
    server_cpu : float
        Seconds of processor time of the server meanwhile; negative when not known.
    requests, connections, bytes_sent : int
        As the server counted: requests, TCP connections, bytes of bodies; -1 when not counted.
    peak_memory, base_memory : int
        Bytes resident at most, and just before the operation.
    error : str
        Why there is no time: an error of the library, or pixels that were not right. Else empty.
    """

    row: Row
    way: str
    repeat: int
    wall: float = 0.0
    cpu: float = 0.0
    first: float = 0.0
    server_cpu: float = -1.0
    requests: int = -1
    connections: int = -1
    bytes_sent: int = -1
    peak_memory: int = 0
    base_memory: int = 0
    error: str = ""


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """What a way took with one choice of settings.

    Attributes
    ----------
    row : Row
    way : str
        `Way.key`.
    frames_per_request, connections : int
        Both 0 where the library chose.
    walls : tuple of float
        Seconds, of each repeat.
    error : str
        Why there are none.
    """

    row: Row
    way: str
    frames_per_request: int
    connections: int
    walls: tuple[float, ...]
    error: str = ""

    @property
    def wall(self) -> float:
        """Median of the seconds."""
        return median(self.walls) if self.walls else float("inf")

    @property
    def learnt(self) -> bool:
        """Whether the library chose."""
        return self.frames_per_request == 0


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What it ran on."""

    processor: str
    cores: int
    memory: int
    system: str
    python: str


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A whole benchmark, as its JSON file holds it.

    Attributes
    ----------
    date : str
        ISO 8601, in UTC.
    machine : Machine
    versions : dict of str to str
        Of each library; or why it is not there.
    conditions, operations : dict of str to str
        Each by name, with one sentence that says what it is.
    slides : dict of str to SlideInfo
    ways : tuple of Way
    checks : dict
        `Check` by ``"operation|condition|slide|way"``.
    measurements : tuple of Measurement
    swept : tuple of Swept
        What fixed settings took, and what was learnt instead.
    command : str
        What reproduces it.
    interrupted : bool
        Whether it was ended before all was measured.
    """

    date: str
    machine: Machine
    versions: dict[str, str]
    conditions: dict[str, str]
    operations: dict[str, str]
    slides: dict[str, SlideInfo]
    ways: tuple[Way, ...]
    checks: dict[str, Check]
    measurements: tuple[Measurement, ...]
    swept: tuple[Swept, ...] = ()
    command: str = ""
    interrupted: bool = False
