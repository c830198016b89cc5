"""How much memory this process took at most."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

__all__ = ["peak", "reset_peak"]

_STATUS = Path("/proc/self/status")
_FORGET_PEAK = (Path("/proc/self/clear_refs"), "5")  # proc(5)


def peak() -> int:
    """Return the most bytes that were resident.

    On Linux of this program alone: what getrusage tells begins with what the process held that
    started it.
    """
    if _STATUS.exists():
        return _status("VmHWM")
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def reset_peak() -> int:
    """Make the peak what is resident now, and return that, in bytes."""
    path, mark = _FORGET_PEAK
    try:
        path.write_text(mark)
        return _status("VmRSS")
    except OSError:  # not Linux: the peak is then that of the whole process
        return peak()


def _status(name: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{_STATUS} has no {name}")
