from __future__ import annotations

import asyncio
import gc
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from server.making import ask, dicom

from wsiweb.errors import NotFound, Unreachable
from wsiweb.server import create_app, run_forever, serve


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "1.dcm").write_bytes(dicom("1.1"))
    return tmp_path


def test_a_server_ends_and_may_be_ended_again(folder):
    server = serve(folder)
    assert server.url.startswith("http://127.0.0.1:")
    assert server.url in repr(server)
    assert len(ask(server.url, "/studies").json) == 1
    server.close()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        ask(server.url, "/studies")


def test_nothing_is_left_of_many_servers(folder):
    def held():
        gc.collect()
        return threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    with serve(folder) as server:  # what is imported and opened once
        ask(server.url, "/studies")
    before = held()
    for _ in range(10):
        with serve(folder) as server:
            assert ask(server.url, "/studies/1.2.3/metadata").status == 200
    threads, files = held()  # other servers may close a connection of theirs meanwhile
    assert threads == before[0]
    assert files <= before[1]


def test_an_idle_connection_does_not_hold_the_end_up(folder):
    server = serve(folder)
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
    connection.request("GET", "/studies")
    connection.getresponse().read()
    began = time.perf_counter()
    server.close()
    assert time.perf_counter() - began < 2
    connection.close()


def test_an_app_of_ones_own(folder):
    inner = create_app(folder)
    seen = []

    async def counting(scope, receive, send):
        if scope["type"] == "http":
            seen.append(scope["path"])
        await inner(scope, receive, send)

    with serve(app=counting) as server:
        assert ask(server.url, "/studies").status == 200
    assert seen == ["/studies"]
    inner.state.store.close()


def test_an_app_needs_no_socket_and_no_lifespan(folder):
    app = create_app(folder)
    sent = []

    async def ask_it():
        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http", "method": "GET", "path": "/studies", "raw_path": b"/studies",
            "root_path": "", "query_string": b"", "headers": [], "scheme": "http",
            "server": None, "client": None, "http_version": "1.1",
        }  # fmt: skip
        await app(scope, receive, send)

    asyncio.run(ask_it())
    app.state.store.close()
    assert sent[0]["status"] == 200
    assert b'"1.2.3"' in sent[1]["body"]


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "pacs.example", "::"])
def test_others_are_let_in_only_when_that_is_said(folder, host):
    with pytest.raises(ValueError, match="allow_remote"):
        serve(folder, host=host)
    with pytest.raises(ValueError, match="allow_remote"):
        run_forever(folder, host=host)


def test_what_cannot_be_served(folder, tmp_path):
    with pytest.raises(NotFound):
        serve(tmp_path / "none")
    with pytest.raises(ValueError, match="needs a folder"):
        serve()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(Unreachable, match="cannot be listened on"):
            serve(folder, port=taken.getsockname()[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground_until_it_is_interrupted(folder, number):
    code = (
        "import sys, pathlib, wsiweb.server as s\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "s.run_forever(folder, port=0, on_ready=lambda url: print(url, flush=True))\n"
        "print('ended')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert ask(url, "/studies").status == 200
    process.send_signal(number)
    out, errors = process.communicate(timeout=20)
    assert "Traceback" not in errors
    if number == signal.SIGINT:
        assert (process.returncode, out) == (0, "ended\n")
    else:
        assert process.returncode == -number
