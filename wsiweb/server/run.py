"""The server as part of a process: in a thread of its own, or in the foreground.

uvicorn with httptools, and with uvloop where it is installed (extra ``wsiweb[fast]``).
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any, Self

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from wsiweb.errors import Unreachable
from wsiweb.server.app import create_app
from wsiweb.server.faults import with_faults
from wsiweb.server.faults.passing import HANG_UP
from wsiweb.server.origin import KnownNames
from wsiweb.server.sharing import shared
from wsiweb.wire.uris import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from types import TracebackType

    from starlette.types import ASGIApp

    from wsiweb.server.faults import Fault

__all__ = ["Server", "listen", "run_forever", "serve"]

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
    allow_host: Iterable[str] = (),
    allow_origin: Iterable[str] = (),
    faults: Iterable[Fault | str] = (),
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
        Listen on other addresses than this machine's own, and answer whatever name the server is
        called by. There is no login.
    allow_host : iterable of str
        Host names, without ports, that it answers to besides localhost: those that a reverse proxy
        on this machine passes on.
    allow_origin : iterable of str
        Pages of these origins may read the answers in a browser (CORS), such as
        ``"https://viewer.example"``: viewers that come from elsewhere.
    faults : iterable of Fault or str
        Be a bad archive: what `wsiweb.server.faults` has, such as ``"busy:every=3"``; the first is
        nearest to the client.
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
        For an address that others reach, without `allow_remote`; for what is no host name, no
        origin, or no fault.

    Examples
    --------
    >>> import tempfile
    >>> with serve(tempfile.mkdtemp()) as server:
    ...     server.url.startswith("http://127.0.0.1:")
    True
    """
    _check_host(host, allow_remote=allow_remote)
    if app is not None:
        open_to = shared(with_faults(app, faults), allow_origin)
        known = _known(open_to, allow_host, allow_remote=allow_remote)
        return Server(known, listen(host, port))
    if folder is None:
        raise ValueError("serve() needs a folder, or an app.")
    inner = create_app(folder, stow=stow, **options)
    open_to = shared(with_faults(inner, faults), allow_origin)
    known = _known(open_to, allow_host, allow_remote=allow_remote)
    inner.state.store.refresh()
    return Server(known, listen(host, port), on_close=inner.state.store.close)


def run_forever(
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8042,
    stow: bool = False,
    allow_remote: bool = False,
    allow_host: Iterable[str] = (),
    allow_origin: Iterable[str] = (),
    faults: Iterable[Fault | str] = (),
    on_ready: Callable[[str], None] | None = None,
    **options: Any,
) -> None:
    """Serve a folder in the foreground until Ctrl-C, which ends it cleanly.

    Parameters
    ----------
    folder, host, port, stow, allow_remote, allow_host, allow_origin, faults, **options
        As of `serve`.
    on_ready : callable, optional
        Told the base URL once requests are answered.

    Raises
    ------
    NotFound, Unreachable, ValueError
        As of `serve`.
    """
    _check_host(host, allow_remote=allow_remote)
    inner = create_app(folder, stow=stow, **options)
    open_to = shared(with_faults(inner, faults), allow_origin)
    known = _known(open_to, allow_host, allow_remote=allow_remote)
    inner.state.store.refresh()
    with contextlib.closing(listen(host, port)) as listener:
        url = _url(listener)
        try:
            _Uvicorn(known, lambda: on_ready(url) if on_ready else None).run(sockets=[listener])
        except KeyboardInterrupt:  # raised anew by uvicorn after it has ended all
            pass
        finally:
            inner.state.store.close()


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


class _Protocol(HttpToolsProtocol):
    """uvicorn's HTTP, which lets the application close the connection: faults do."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {HANG_UP: {"close": self.transport.close}}


class _Uvicorn(uvicorn.Server):
    """uvicorn that says when it listens, and leaves logging as the process has it."""

    def __init__(self, app: ASGIApp, on_ready: Callable[[], object]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # origin.base_url reads all of them, or none
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=_GRACE,
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


def _check_host(host: str, *, allow_remote: bool) -> None:
    if not allow_remote and not is_loopback(host):
        raise ValueError(
            f"Others can reach {host!r}, and there is no login: everyone who reaches the port sees "
            "everything. Pass allow_remote=True (--allow-remote) if that is meant."
        )


def _known(app: ASGIApp, allow_host: Iterable[str], *, allow_remote: bool) -> ASGIApp:
    known = KnownNames(app, allow_host)
    return app if allow_remote else known


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one.

    Raises
    ------
    Unreachable
        When the address cannot be listened on.
    """
    listener = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        if sys.platform == "win32":  # where REUSEADDR shares the port with whoever wants it
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
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
