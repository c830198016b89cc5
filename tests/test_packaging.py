"""The package as others get it."""

from __future__ import annotations

import subprocess
import sys
import venv
import zipfile
from importlib.metadata import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FRONTEND = ROOT / "wsiweb" / "viewer" / "frontend"  # only what is built of it is packed


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_holds_every_room_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info" not in name}
    here = {
        str(path.relative_to(package.parent))
        for package in (ROOT / "wsiweb", ROOT / "benchmarks" / "wsiweb_benchmarks")
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and FRONTEND not in path.parents
    }
    assert names == here
    assert "wsiweb/py.typed" in names


def test_the_extras_are_there():
    assert {"all", "fast", "system-ca"} <= set(metadata("wsiweb").get_all("Provides-Extra"))


@pytest.mark.timeout(600)
def test_all_installs_in_an_empty_environment_and_reads_a_slide(wheel, tmp_path, made_folder):
    venv.create(tmp_path / "empty", with_pip=True)
    python = tmp_path / "empty" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", f"{wheel}[all]"],
        check=True,
        capture_output=True,
    )
    code = f"""
import truststore, uvloop, wsiweb
from wsiweb.server import serve
with serve({str(made_folder)!r}) as server, wsiweb.connect(server.url, ca="system") as archive:
    print(archive.slides()[0].open().thumbnail(64).shape)
"""
    done = subprocess.run(
        [python, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(46, 64, 3)"
    for extra in ("fast", "system-ca"):
        subprocess.run(
            [python, "-m", "pip", "install", "-q", "--dry-run", f"{wheel}[{extra}]"],
            check=True,
            capture_output=True,
        )
