"""The server as part of a process: in a thread of its own, or in the foreground.

uvicorn with httptools, and with uvloop where it is installed (extra ``wsiweb[fast]``).
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import uvicorn

from wsiweb.errors import Unreachable
from wsiweb.server.answers import refusal
from wsiweb.server.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Server", "run_forever", "serve"]

_BACKLOG = 512
_GRACE = 5  # seconds that requests under way get when the server ends
_KEEP_ALIVE = 30  # seconds that an idle connection is kept


def serve(
    folder: Path | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    stow: bool = False,
    allow_remote: bool = False,
    app: ASGIApp | None = None,
    **options: Any,
) -> Server:
    """Serve a folder of DICOM files over DICOMweb, in a thread of this process.

    The folder is looked at before this returns; a first look reads each file's header.

    Parameters
    ----------
    folder : Path
        DICOM files, at any depth.
    host, port : str, int
        Where to listen; port 0 takes a free one.
    stow : bool
        Whether instances that are sent (STOW-RS) are written below the folder.
    allow_remote : bool
        Listen on other addresses than this machine's own. There is no login.
    app : ASGI application, optional
        Serve this instead of a folder: `create_app` with something of yours around it.
    **options
        Passed on to `create_app`.

    Returns
    -------
    Server
        Running; a context manager. Its `url` is the base URL.

    Raises
    ------
    NotFound
        When there is no such folder.
    Unreachable
        When the address cannot be listened on.
    ValueError
        For an address that others reach, without `allow_remote`.

    Examples
    --------
    >>> import tempfile
    >>> with serve(tempfile.mkdtemp()) as server:
    ...     server.url.startswith("http://127.0.0.1:")
    True
    """
    _check_host(host, allow_remote=allow_remote)
    if app is not None:
        return Server(app, _listen(host, port))
    if folder is None:
        raise ValueError("serve() needs a folder, or an app.")
    served, close = _folder_app(folder, stow=stow, allow_remote=allow_remote, **options)
    return Server(served, _listen(host, port), on_close=close)


def run_forever(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8042,
    stow: bool = False,
    allow_remote: bool = False,
    on_ready: Callable[[str], None] | None = None,
    **options: Any,
) -> None:
    """Serve a folder in the foreground until Ctrl-C, which ends it cleanly.

    Parameters
    ----------
    folder, host, port, stow, allow_remote, **options
        As of `serve`.
    on_ready : callable, optional
        Told the base URL once requests are answered.

    Raises
    ------
    NotFound, Unreachable, ValueError
        As of `serve`.
    """
    _check_host(host, allow_remote=allow_remote)
    served, close = _folder_app(folder, stow=stow, allow_remote=allow_remote, **options)
    with contextlib.closing(_listen(host, port)) as listener:
        url = _url(listener)
        try:
            _Uvicorn(served, lambda: on_ready(url) if on_ready else None).run(sockets=[listener])
        except KeyboardInterrupt:  # raised anew by uvicorn after it has ended all
            pass
        finally:
            close()


class Server:
    """A running server, in a thread of its own; `serve` starts one. A context manager.

    Attributes
    ----------
    url : str
        Base URL of the DICOMweb service, such as ``"http://127.0.0.1:8042"``.
    """

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        *,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self.url = _url(listener)
        self._listener = listener
        self._on_close = on_close
        self._failure: BaseException | None = None
        self._ready = threading.Event()
        self._uvicorn = _Uvicorn(app, self._ready.set)
        self._thread = threading.Thread(target=self._run, name="wsiweb-server", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self.close()
            raise Unreachable(f"The server did not start: {self._failure!r}") from self._failure

    def _run(self) -> None:
        try:
            self._uvicorn.run(sockets=[self._listener])
        except BaseException as error:  # the thread that started this is told
            self._failure = error
        finally:
            self._ready.set()

    def close(self) -> None:
        """End the server; requests under way get some seconds. May be called again."""
        self._uvicorn.should_exit = True
        self._thread.join()
        self._listener.close()
        if self._on_close is not None:
            self._on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Server {self.url}>"


class _Uvicorn(uvicorn.Server):
    """uvicorn that says when it listens, and leaves logging as the process has it."""

    def __init__(self, app: ASGIApp, on_ready: Callable[[], object]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=_GRACE,
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


class _LocalNames:
    """Answers only requests that name this machine by a local name.

    Listening on loopback keeps other machines out, but not the pages that a browser on this one
    shows: a page can have its own host name point here (DNS rebinding) and read the answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            host = next((value for key, value in scope["headers"] if key == b"host"), b"")
            if host not in _KNOWN_HOSTS and not _is_loopback(_hostname(host)):
                words = "This server answers to localhost only; see --allow-remote."
                await refusal(421, words)(scope, receive, send)
                return
            if len(_KNOWN_HOSTS) < 64:
                _KNOWN_HOSTS.add(host)
        await self._app(scope, receive, send)


_KNOWN_HOSTS = {b""}


def _hostname(host: bytes) -> str:
    try:
        return urlsplit("//" + host.decode("latin-1")).hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_host(host: str, *, allow_remote: bool) -> None:
    if not allow_remote and not _is_loopback(host):
        raise ValueError(
            f"Others can reach {host!r}, and there is no login: everyone who reaches the port sees "
            "everything. Pass allow_remote=True (--allow-remote) if that is meant."
        )


def _folder_app(
    folder: Path, *, allow_remote: bool, **options: Any
) -> tuple[ASGIApp, Callable[[], None]]:
    app = create_app(folder, **options)
    store = app.state.store
    store.refresh()
    return (app if allow_remote else _LocalNames(app)), store.close


def _listen(host: str, port: int) -> socket.socket:
    listener = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        why = error.strerror or str(error)
        raise Unreachable(f"{host} port {port} cannot be listened on: {why}.") from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    host = str(host)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - where to reach it
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
