"""Fixtures of the benchmark's tests."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def work(tmp_path_factory):
    """Where tiny slides are kept."""
    return tmp_path_factory.mktemp("work")
