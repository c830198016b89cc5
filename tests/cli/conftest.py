"""The command, called as a user does, with a home of its own."""

from __future__ import annotations

import base64
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from wsiweb.cli import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A working folder, and folders for what is kept, that hold nothing yet."""
    for what in ("DATA", "CONFIG"):
        monkeypatch.setenv(f"XDG_{what}_HOME", str(tmp_path / what.lower()))
    for name in ("WSIWEB_TOKEN", "WSIWEB_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


@pytest.fixture
def call(home):
    """Call the command; what it says, on which stream, and its status."""

    def call(*words, status=0, typed=None, **environment):
        done = CliRunner().invoke(main, [str(word) for word in words], env=environment, input=typed)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == status, done.output
        assert "Traceback" not in done.output
        return done

    return call


class Gate:
    """An archive behind a login; it remembers what it was shown."""

    def __init__(self, app, user=None, password="secret", token=None):
        self.app = app
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.wanted = f"Bearer {token}" if token else f"Basic {pair}"
        self.shown = set()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"").decode()
            self.shown.add(given)
            if given != self.wanted:
                while (await receive()).get("more_body"):
                    pass
                await send({"type": "http.response.start", "status": 401, "headers": []})
                await send({"type": "http.response.body", "body": b"who are you?"})
                return
        await self.app(scope, receive, send)


@dataclass
class Started:
    """An archive that runs, and its folder."""

    url: str
    folder: Path
    gate: Gate | None = None

    def stored(self):
        return sorted(self.folder.rglob("*.dcm"))


@pytest.fixture
def archive(tmp_path):
    """Start archives that store: ``archive("name", faults=...)``, or with a login."""
    from wsiweb.server import create_app, serve

    with ExitStack() as stack:

        def start(name="archive", *, faults=(), **login):
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            if not login:
                server = stack.enter_context(serve(folder, stow=True, faults=faults))
                return Started(server.url, folder)
            gate = Gate(create_app(folder, stow=True), **login)
            return Started(stack.enter_context(serve(app=gate)).url, folder, gate)

        yield start
