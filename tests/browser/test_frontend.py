"""What of the front end needs no browser: its types, and its pure modules in node."""

from __future__ import annotations

import pytest
from browser.frontend import npm, with_packages


@pytest.fixture(scope="module", autouse=True)
def _packages():
    with_packages()


def test_types_are_right():
    npm("run", "check")


def test_pure_modules():
    npm("test")
