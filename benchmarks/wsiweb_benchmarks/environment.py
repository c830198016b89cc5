"""What a run stands on: the machine, the libraries, and how each of them is used."""

from __future__ import annotations

import functools
import os
import platform
from importlib import metadata
from pathlib import Path

from wsiweb_benchmarks.adapters import MODULES, ways_of
from wsiweb_benchmarks.model import Machine, Way

__all__ = ["machine", "missing", "versions", "ways"]

_MISSING = "cannot be imported"
_REFERENCE = ("pycurl", "simplejpeg", "numpy")


@functools.cache
def ways() -> tuple[Way, ...]:
    """Return all ways of all libraries; of one that is missing, one that says so."""
    found: list[Way] = []
    for library in MODULES:
        try:
            found += [adapter.way for adapter in ways_of(library).values()]
        except ImportError as error:
            found.append(Way(library=library, name="fast", how=f"{_MISSING}: {error}"))
    return tuple(found)


def missing() -> frozenset[str]:
    """Return the ways (`Way.key`) whose libraries cannot be imported."""
    return frozenset(way.key for way in ways() if way.how.startswith(_MISSING))


def versions() -> dict[str, str]:
    """Return the version of each library, or why it is not there."""
    return {
        library: ", ".join(f"{name} {_version(name)}" for name in _REFERENCE)
        if library == "reference"
        else _version(library)
        for library in MODULES
    }


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def machine() -> Machine:
    """Describe the machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Machine(
        processor=_processor(),
        cores=cores or 1,
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
