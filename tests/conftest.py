"""Fixtures that all rooms share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes tells of the machine; what has to be quick is timed where it says so.
# Every run has the same examples, so that a red one is the doing of a change; to look for new ones:
# WSIWEB_EXPLORE=1 make test
settings.register_profile("wsiweb", deadline=None, derandomize="WSIWEB_EXPLORE" not in os.environ)
settings.load_profile("wsiweb")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Keep what the library caches (indexes of folders) or queues out of the user's home."""
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
    patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
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


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A made-up slide of 2100 x 1500 px in a folder of its own."""
    from wsiweb import synthetic

    folder = tmp_path_factory.mktemp("made")
    return synthetic.write_slide(folder, 2100, 1500, seed=7)


@pytest.fixture(scope="session")
def made_folder(made) -> Path:
    return made.paths[0].parent


@pytest.fixture(scope="session")
def made_server(made_folder):
    from wsiweb.server import serve

    with serve(made_folder) as server:
        yield server


@pytest.fixture
def faulty(made_folder):
    """The made-up slide behind a server whose answers can be spoilt and are logged.

    Called with faults it returns the log's owner and the server.
    """
    from contextlib import ExitStack

    from faulty import Faulty

    from wsiweb.server import create_app, serve

    with ExitStack() as stack:

        def start(*faults):
            app = Faulty(create_app(made_folder), *faults)
            server = stack.enter_context(serve(app=app))
            return app, server

        yield start
