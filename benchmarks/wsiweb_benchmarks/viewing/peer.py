"""dicom-microscopy-viewer, the library that Slim shows slides with, as npm has it.

Its files are fetched into a cache when they are needed; none of them is kept with this benchmark.
The page that they become part of is ours, and follows the library's README.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

__all__ = ["VERSIONS", "Absent", "pages"]

VERSIONS = {"dicom-microscopy-viewer": "0.48.24", "dicomweb-client": "0.11.3"}
# Of each package: the script of the page, and for the first what decodes in its workers.
_FILES = {
    "dicom-microscopy-viewer": (
        "dist/dicomMicroscopyViewer.bundle.min.js",
        "dist/dynamic-import/dataLoader.worker.min.js",
        "dist/dynamic-import/*.wasm",
    ),
    "dicomweb-client": ("build/dicomweb-client.js",),
}
_PAGE = Path(__file__).parent / "page"
_PATIENCE = 120  # seconds for npm


class Absent(Exception):
    """The peer cannot be had here; the words say why."""


def pages(work: Path) -> Path:
    """Return a folder with a page that shows a slide in the peer.

    Parameters
    ----------
    work : Path
        Where it is kept between runs.

    Raises
    ------
    Absent
        When npm is not here, or reaches nothing.
    """
    names = "-".join(VERSIONS.values())
    folder = work / "peer" / names
    if not folder.is_dir():
        _fetch(folder)
    for path in _PAGE.iterdir():  # ours may have changed since
        shutil.copy(path, folder / path.name)
    return folder


def _fetch(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as place:
        part = Path(place) / "files"
        part.mkdir()
        for name, version in VERSIONS.items():
            package = _unpacked(Path(place), f"{name}@{version}")
            for pattern in _FILES[name]:
                found = list(package.glob(pattern))
                if not found:
                    raise Absent(f"{name} {version} holds no {pattern}.")
                for path in found:
                    shutil.copy(path, part / path.name)
        part.rename(folder)


def _unpacked(place: Path, package: str) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise Absent("npm is not here to fetch it with; on Debian: apt-get install npm")
    into = Path(tempfile.mkdtemp(dir=place))
    command = [npm, "pack", package, "--silent", "--pack-destination", str(into)]
    try:
        subprocess.run(  # noqa: S603 - a package by name and version; nothing of it is run here
            command, check=True, cwd=into, capture_output=True, text=True, timeout=_PATIENCE
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise Absent(f"npm could not fetch {package}: {said.strip()[-300:]}") from error
    with tarfile.open(next(into.glob("*.tgz"))) as archive:
        archive.extractall(into, filter="data")
    return into / "package"
