"""Faults that only tests need, on the way to a real server.

What real servers do wrong has names and is part of the server (`wsiweb.server.faults`). `Faulty` is
built on the same `Call` and `Answer`: it spoils chosen answers by a function of the test's own, and
logs what passes. `Proxy` stands before the server as a process of its own would: it cuts
connections that are idle, and counts them.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from dataclasses import dataclass, field

from wsiweb.server.faults.passing import Answer, Call


@dataclass
class Fault:
    """What happens to answers whose path contains `where`, `times` times.

    `status` answers so instead; `keep` cuts the body after so many bytes but pretends it was whole;
    `cut` breaks the connection after so many bytes; `headers` replace those of the answer; `body`
    is a function of the true body; `delay` waits first.
    """

    where: str
    times: int = 1_000_000
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    keep: int | None = None
    cut: int | None = None
    body: object = None
    delay: float = 0.0
    text: str = ""


class Faulty:
    """An ASGI application that passes requests on, logs them, and spoils some answers."""

    def __init__(self, app, *faults):
        self.app = app
        self.faults = list(faults)
        self.log: list[tuple[str, str, dict[str, str]]] = []

    def paths(self, part=""):
        return [path for _, path, _ in self.log if part in path]

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        query = scope["query_string"].decode()
        path = scope["path"] + (f"?{query}" if query else "")
        self.log.append((scope["method"], path, headers))
        fault = next((one for one in self.faults if one.where in path and one.times > 0), None)
        if fault is None:
            await self.app(scope, receive, send)
            return
        fault.times -= 1
        await asyncio.sleep(fault.delay)
        await _spoil(fault, self.app, Call(scope, receive, send))


async def _spoil(fault, app, call):
    if fault.status is not None:
        await call.respond(Answer(fault.status, fault.headers, fault.text.encode()))
        return
    answer = await call.answer(app)
    body = answer.body if fault.body is None else fault.body(answer.body)
    answer = answer.changed(headers=fault.headers, body=body)
    if fault.cut is not None:
        await call.respond(answer.changed(body=body[: fault.cut]), length=len(body))
        await call.hang_up()
    else:
        await call.respond(answer.changed(body=body[: fault.keep]))


class Proxy:
    """A TCP proxy that can drop connections: `drop_next` the next ones, `drop_idle` all now.

    With `tls`, an `ssl.SSLContext`, it is a server of TLS.
    """

    def __init__(self, port, tls=None):
        self._upstream = port
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        self.drop_next = 0
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
            if self.drop_next > 0:
                self.drop_next -= 1
                client.recv(1)
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._upstream))
            self._open |= {client, server}
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for one in (source, target):
            self._open.discard(one)
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def drop_idle(self):
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_idle()
        self._thread.join(5)
