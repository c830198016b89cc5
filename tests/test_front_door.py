from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
import time

import pytest

import wsiweb

FRONT_DOOR = [
    "Archive", "ArchiveError", "BasicAuth", "BearerAuth", "Busy", "DecodeError", "HeaderAuth",
    "NotAcceptable", "NotFound", "OutboxError", "ProtocolError", "Settings", "Slide", "SlideError",
    "StoreError", "TooLarge", "Unauthorized", "Unreachable", "WsiwebError", "__version__",
    "connect", "trace",
]  # fmt: skip


def test_the_front_door_is_counted():
    assert sorted(wsiweb.__all__) == sorted(FRONT_DOOR)
    for name in FRONT_DOOR:
        assert getattr(wsiweb, name) is not None


def _modules():
    return [one.name for one in pkgutil.walk_packages(wsiweb.__path__, "wsiweb.")]


@pytest.mark.parametrize("name", _modules())
def test_every_room_has_a_docstring_and_says_what_it_offers(name):
    module = importlib.import_module(name)
    assert module.__doc__
    if name.rsplit(".", 1)[-1] != "__main__":
        for public in getattr(module, "__all__", []):
            assert getattr(module, public) is not None


@pytest.mark.parametrize("name", _modules())
def test_every_room_can_be_entered_first(name):
    """No room depends on another having been imported before it (no hidden circles)."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"import {name}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_import_is_quick(tmp_path):
    """Under 0.3 s: compiled, as an installed package is, and on a machine that is not busy.

    So the best of several counts, and what a bare interpreter takes at the same time goes off.
    """
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def seconds(code):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
        return time.perf_counter() - began

    seconds("import wsiweb")
    best = 9.0
    for _ in range(20):
        best = min(best, seconds("import wsiweb") - seconds("pass"))
        if best < 0.3:
            break
    assert best < 0.3


def test_import_leaves_the_heavy_ones_alone():
    code = "import sys, wsiweb; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"aiohttp", "pydicom", "starlette", "uvicorn", "PIL", "highdicom", "click"}
