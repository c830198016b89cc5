from __future__ import annotations

from contextlib import ExitStack

import pytest
from server.faults.asking import Bad

from wsiweb.server import serve


@pytest.fixture
def bad(tmp_path, caplog):
    """Called with faults, it starts a bad archive that stores in an empty folder.

    What it does wrong is meant: its log stays free of errors.
    """
    with ExitStack() as stack:

        def start(*faults, **options):
            folder = tmp_path / f"archive-{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            server = serve(folder, stow=True, faults=faults, **options)
            return Bad(stack.enter_context(server).url, folder)

        yield start
    assert [one.getMessage() for one in caplog.records] == []
