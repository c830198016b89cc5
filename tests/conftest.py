"""Fixtures that all rooms share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Keep what the library caches (indexes of folders) out of the user's home."""
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def cmu_folder() -> Path:
    """The real slide: CMU-1-Small-Region as five levels, thumbnail, label and overview."""
    data = Path(os.environ.get("WSIWEB_SLIDE_DATA", ROOT.parent / "shared" / "data"))
    folder = data / "cmu-1-small-region"
    if not folder.is_dir():
        pytest.skip(
            "the real slide is not here: set WSIWEB_SLIDE_DATA to a folder that holds "
            "cmu-1-small-region/ with its DICOM instances"
        )
    return folder
