"""The app as part of a process: in a thread of its own, or in the foreground."""

from __future__ import annotations

import contextlib
import ssl
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import uvicorn

from wsiweb.browse.app import create_app
from wsiweb.errors import Unreachable
from wsiweb.server.run import listen
from wsiweb.wire.uris import is_loopback

if TYPE_CHECKING:
    import os
    import socket
    from collections.abc import Callable, Iterable, Sequence

    from wsiweb.archive import Archive
    from wsiweb.browse.app import App

    Targets = Iterable[str | tuple[str, Callable[[], Archive]]]

__all__ = ["BrowseServer", "Tls", "run_forever", "serve"]

_GRACE = 3  # seconds that requests under way get when the server ends
_KEEP_ALIVE = 75  # seconds that an idle connection is kept: people look at a slide for a while


@dataclass(frozen=True)
class Tls:
    """What a server proves itself by.

    Parameters
    ----------
    certificate, key : path
        PEM files.

    Raises
    ------
    ValueError
        When they cannot be used; the message says why.
    """

    certificate: str | os.PathLike[str]
    key: str | os.PathLike[str]

    def __post_init__(self) -> None:
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            files = f"{self.certificate} and {self.key}"
            raise ValueError(f"{files} are no certificate and its key: {error}.") from error


def serve(
    targets: Targets = (),
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: Tls | None = None,
    hosts: Sequence[str] = (),
    read_only: bool = False,
    **options: Any,
) -> BrowseServer:
    """Run the app in a thread of this process.

    Parameters
    ----------
    targets : iterable
        Archives to begin with, as of `create_app`.
    host, port : str, int
        Where to listen; port 0 takes a free one.
    tls : Tls, optional
        Speak TLS; a must where others can reach the host.
    hosts : sequence of str
        Further names that it answers to, without ports: those by which others call it.
    read_only : bool
        Whether all changes are refused.
    **options
        Passed on to `create_app`.

    Returns
    -------
    BrowseServer
        Running; a context manager.

    Raises
    ------
    ValueError
        For an address that others reach, without TLS; for a target that makes no sense.
    NotFound
        For a folder that does not exist.
    Unreachable
        When the address cannot be listened on.

    Examples
    --------
    >>> import tempfile
    >>> with serve([tempfile.mkdtemp()]) as server:
    ...     server.address.startswith(server.url + "/?token=")
    True
    """
    app = _app(targets, host, tls, hosts, read_only=read_only, **options)
    return BrowseServer(app, listen(host, port), tls)


def run_forever(
    targets: Targets = (),
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: Tls | None = None,
    hosts: Sequence[str] = (),
    read_only: bool = False,
    any_port: bool = False,
    on_ready: Callable[[str, str], None] | None = None,
    **options: Any,
) -> None:
    """Run the app in the foreground until Ctrl-C, which ends it cleanly.

    Parameters
    ----------
    targets, host, port, tls, hosts, read_only, **options
        As of `serve`.
    any_port : bool
        Whether a free port is taken where that one is not to be had.
    on_ready : callable, optional
        Told two addresses once requests are answered: the one to print, which holds while this
        runs, and one that lets a browser in a single time.

    Raises
    ------
    ValueError, NotFound, Unreachable
        As of `serve`.
    """
    app = _app(targets, host, tls, hosts, read_only=read_only, **options)
    with contextlib.closing(_listener(host, port, any_port=any_port)) as listener:
        url = url_of(listener, tls, hosts)

        def ready() -> None:
            if on_ready is not None:
                on_ready(f"{url}/?token={app.keys.token}", f"{url}/?token={app.keys.once()}")

        # Raised anew by uvicorn after it has ended all.
        with contextlib.suppress(KeyboardInterrupt):
            _Uvicorn(app, ready, tls).run(sockets=[listener])


class BrowseServer:
    """The running app, in a thread of its own; `serve` starts one. A context manager.

    Attributes
    ----------
    url : str
        Where it is, such as ``"http://127.0.0.1:8788"``.
    address : str
        The same with the start token: what to open in a browser.
    token : str
        The start token.
    """

    def __init__(self, app: App, listener: socket.socket, tls: Tls | None = None) -> None:
        self.app = app
        self.url = url_of(listener, tls, ())
        self.token = app.keys.token
        self._listener = listener
        self._failure: BaseException | None = None
        self._ready = threading.Event()
        self._uvicorn = _Uvicorn(app, self._ready.set, tls)
        self._thread = threading.Thread(target=self._run, name="wsiweb-browse", daemon=True)
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self.close()
            raise Unreachable(f"The page did not start: {self._failure!r}") from self._failure

    @property
    def address(self) -> str:
        """The address with the start token."""
        return f"{self.url}/?token={self.token}"

    def address_of(self, path: str) -> str:
        """Return an address that lets a browser in a single time.

        Parameters
        ----------
        path : str
            What it is to show, beginning with a slash.
        """
        mark = "&" if "?" in path else "?"
        return f"{self.url}{path}{mark}token={self.app.keys.once()}"

    def _run(self) -> None:
        try:
            self._uvicorn.run(sockets=[self._listener])
        except BaseException as error:  # the thread that started this is told
            self._failure = error
        finally:
            self._ready.set()

    def close(self) -> None:
        """End it, with its connections to archives. May be called again."""
        self._uvicorn.should_exit = True
        self._thread.join()
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<BrowseServer {self.url}>"


class _Uvicorn(uvicorn.Server):
    """uvicorn that says when it listens, and does not wait for streams of events in the end."""

    def __init__(self, app: App, on_ready: Callable[[], object], tls: Tls | None) -> None:
        files = {} if tls is None else {"ssl_certfile": tls.certificate, "ssl_keyfile": tls.key}
        super().__init__(
            uvicorn.Config(
                app,
                ws="none",
                log_config=None,
                access_log=False,  # its lines would hold start tokens
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=_GRACE,
                **files,  # type: ignore[arg-type]
            )
        )
        self._app = app
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.end_streams()
        await super().shutdown(sockets)


def _app(
    targets: Targets,
    host: str,
    tls: Tls | None,
    hosts: Sequence[str],
    *,
    read_only: bool,
    **options: Any,
) -> App:
    remote = not is_loopback(host)
    if remote and tls is None:
        raise ValueError(
            f"Others can reach {host!r}, and without TLS they could read along, the token as well. "
            "Give a certificate and its key (--certificate, --key)."
        )
    named = [] if _is_address(host) else [host]
    return create_app(
        targets, read_only=read_only, remote=remote, hosts=[*named, *hosts], **options
    )


def _listener(host: str, port: int, *, any_port: bool) -> socket.socket:
    try:
        return listen(host, port)
    except Unreachable:
        if not any_port:
            raise
    return listen(host, 0)


def _is_address(host: str) -> bool:
    return not any(one.isalpha() for one in host.replace(":", "")) or ":" in host


def url_of(listener: socket.socket, tls: Tls | None, hosts: Sequence[str]) -> str:
    """Return where a server is reached: by a name that certificates may hold, if one was given."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(str(host), str(host))  # noqa: S104
    host = hosts[0] if hosts else f"[{host}]" if ":" in host else host
    return f"{'http' if tls is None else 'https'}://{host}:{port}"
