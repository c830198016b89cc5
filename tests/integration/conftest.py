"""A real archive for the tests: Debian's Orthanc with its DICOMweb plugin, in its own process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from wsiweb_benchmarks.orthanc import MISSING, Orthanc, installed, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Start Orthanc on a free port of this machine, for all tests; stop it in the end."""
    if installed() is None:
        # Where nobody reads the reasons of skipped tests, a missing server must not look green.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
    home = tmp_path_factory.mktemp("orthanc")
    with running(home, user="tester", password="a test's password") as server:
        yield server
