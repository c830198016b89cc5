from __future__ import annotations

import pytest

from wsiweb.server import serve


@pytest.fixture(scope="session")
def cmu(cmu_folder):
    """The real slide, served."""
    with serve(cmu_folder) as server:
        yield server
