"""Who may ask, decided before anything else.

What is shown here are patients, and what can be asked for changes archives. The app listens on this
machine; that keeps other machines out, but neither other users of it nor the pages of other sites
that a browser on it shows. So each request passes, in this order:

1. its ``Host`` is a name of this machine, or one that was allowed (DNS rebinding);
2. its method is one of four;
3. it shows the cookie that only the start token gives (other users, other pages; ``SameSite`` keeps
   it from being sent along with what other sites ask for);
4. the browser does not say that another site asks (``Sec-Fetch-Site``: another port of this machine
   counts as the same site for cookies, and is another origin);
5. if it changes something, it comes from this very origin (``Origin``), and the app is not
   read-only.

One limit is that of cookies, which belong to a host and not to a port: a browser that has opened
this page sends its cookie to every other server of this machine that it is led to under the same
name, such as ``127.0.0.1``, also to that of another user, who could then look on. The cookie ends
with the run.

Every answer says what the page may load (all from here, no script in the page), that it is not to
be framed, guessed at, kept by others, or named to others as a referrer.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import ipaddress
import re
import secrets
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from wsiweb.browse.answers import refusal
from wsiweb.wire.uris import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard", "Keys"]

_METHODS = frozenset({"GET", "HEAD", "POST", "DELETE"})
_SAFE = frozenset({"GET", "HEAD"})
_HARMLESS = re.compile(r"/api/archives/[^/]+/verify")  # asks, though it is a POST
_DATA = ("/api/", "/feed/")
_COOKIE = "wsiweb"
_MOST_ONCE = 8

# Of the pages for who is not let in, which can load nothing: named to browsers by its hash.
_STYLE = (
    ":root{color-scheme:light dark}"
    "body{margin:0;font:1rem/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}"
    "main{max-width:34rem;margin:16vh auto 0;padding:1.5rem}"
    "h1{font-size:1.25rem}code{font-size:.9em}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_ALLOWED = {
    "default-src": "'self'",
    "script-src": "'self'",
    "style-src": f"'self' 'sha256-{_STYLE_HASH}'",
    "img-src": "'self' blob: data:",
    "connect-src": "'self'",
    "font-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
_POLICY = "; ".join(f"{what} {whence}" for what, whence in _ALLOWED.items())
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",  # for browsers that know no frame-ancestors
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Keys:
    """What lets a browser in.

    Attributes
    ----------
    token : str
        For the address that is printed; it holds while the server runs.
    """

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(32)
        self.cookie = secrets.token_urlsafe(32)
        self._once: list[str] = []

    def once(self) -> str:
        """Return a token that lets in a single time.

        For the address that a browser is started with: other users of the machine may see that
        in the list of processes, but come too late.
        """
        token = secrets.token_urlsafe(32)
        self._once = [*self._once[1 - _MOST_ONCE :], token]
        return token

    def opens(self, token: str) -> bool:
        """Tell whether a token lets in."""
        given = token.encode()
        for one in self._once:
            if hmac.compare_digest(one.encode(), given):
                self._once.remove(one)
                return True
        return hmac.compare_digest(self.token.encode(), given)

    def is_known(self, cookie: str) -> bool:
        """Tell whether a browser was let in before."""
        return hmac.compare_digest(self.cookie.encode(), cookie.encode())


class Guard:
    """Lets through what may pass; an ASGI application before another.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    keys : Keys
        What lets in.
    hosts : iterable of str
        Names, without ports, that the app answers to besides those of loopback.
    remote : bool
        Whether it is reached from other machines: then by its addresses as well.
    read_only : bool
        Whether all changes are refused.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: Keys,
        *,
        hosts: Iterable[str] = (),
        remote: bool = False,
        read_only: bool = False,
    ) -> None:
        self._app = app
        self._keys = keys
        self._hosts = {name.lower().strip("[]") for name in hosts}
        self._remote = remote
        self._read_only = read_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def covered(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
                headers.add_vary_header("Cookie")
            await send(message)

        answer = self._answer(scope)
        await (self._app if answer is None else answer)(scope, receive, covered)

    def _answer(self, scope: Scope) -> Response | None:
        """Return what to answer at once; None for what may pass."""
        headers = Headers(scope=scope)
        path: str = scope["path"]
        method: str = scope["method"]
        host = headers.get("host", "")
        if not self._is_ours(host):
            return refusal(421, "This page answers to the address that wsiweb browse said.")
        if method not in _METHODS:
            allowed = {"Allow": ", ".join(sorted(_METHODS))}
            return refusal(405, f"{method[:20]} is not understood here.", allowed)
        is_data = path.startswith(_DATA)
        token = _token(scope) if method == "GET" and not is_data else None
        if token is not None:
            return self._let_in(scope, token)
        site = headers.get("sec-fetch-site", "same-origin")
        if not self._keys.is_known(_cookie(scope, headers)):
            if is_data or method != "GET":
                words = "Open the page with the whole address that wsiweb browse said."
                return refusal(401, words)
            # A link on another site does not bring the cookie along; our own page does.
            return _again(scope) if site in {"cross-site", "same-site"} else _stranger()
        if site not in {"same-origin", "none"} and (is_data or method not in _SAFE):
            return refusal(403, "Another site asked for that: it is not given.")
        if method in _SAFE:
            return None
        return self._refused_change(scope, headers, host)

    def _refused_change(self, scope: Scope, headers: Headers, host: str) -> Response | None:
        origin = f"{scope['scheme']}://{host}"
        if headers.get("origin", "").lower() != origin.lower():
            return refusal(403, "Only the page itself may ask for changes.")
        if self._read_only and _HARMLESS.fullmatch(scope["path"]) is None:
            words = "This page was started with --read-only: it shows, and changes nothing."
            return refusal(403, words)
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit("//" + host).hostname or ""
        except ValueError:
            return False
        if is_loopback(name) or name in self._hosts:
            return True
        if not self._remote:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False  # a name may be anybody's; it has to be allowed
        return True

    def _let_in(self, scope: Scope, token: str) -> Response:
        if not self._keys.opens(token):
            return _stranger()
        secure = "; Secure" if scope["scheme"] == "https" else ""
        value = f"{_cookie_name(scope)}={self._keys.cookie}; Path=/; HttpOnly; SameSite=Strict"
        headers = {"Location": _without_token(scope), "Set-Cookie": value + secure}
        return Response(status_code=303, headers=headers)


def _cookie_name(scope: Scope) -> str:
    # Cookies do not know ports: two of these apps on one machine must not overwrite each other's.
    server = scope.get("server") or ("", 0)
    return f"{_COOKIE}-{server[1]}"


def _cookie(scope: Scope, headers: Headers) -> str:
    wanted = _cookie_name(scope)
    for line in headers.getlist("cookie"):
        for pair in line.split(";"):
            name, _, value = pair.strip().partition("=")
            if name == wanted:
                return value
    return ""


def _parameters(scope: Scope) -> list[tuple[str, str]]:
    text = scope.get("query_string", b"").decode("latin-1")
    return parse_qsl(text, keep_blank_values=True)


def _token(scope: Scope) -> str | None:
    return next((value for name, value in _parameters(scope) if name == "token"), None)


def _without_token(scope: Scope) -> str:
    # One slash at the beginning: "//name" would lead to another machine.
    path = "/" + quote(scope["path"].replace("\\", "/").lstrip("/"), safe="/:@!$&'()*+,;=-._~")
    rest = [pair for pair in _parameters(scope) if pair[0] != "token"]
    return f"{path}?{urlencode(rest)}" if rest else path


# Pages for who is not let in: they need no file, and say nothing of what is here ------------------

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">{head}
<title>{title}</title><style>{style}</style></head>
<body><main><h1>{title}</h1>{text}</main></body>
</html>
"""


def _stranger() -> Response:
    text = (
        "<p>This page belongs to the person who started it, and does not know this browser. Open "
        "it with the whole address that <code>wsiweb browse</code> said when it was started: the "
        "end of it, <code>?token=</code> and what follows, is the key.</p>"
        "<p>If wsiweb was started anew since, the old address no longer fits.</p>"
    )
    page = _PAGE.format(head="", title="This address does not fit", text=text, style=_STYLE)
    return Response(page, 401, media_type="text/html")


def _again(scope: Scope) -> Response:
    """Have the browser come again by itself: from our own page it brings the cookie along."""
    target = html.escape(_without_token(scope), quote=True)
    head = f'<meta http-equiv="refresh" content="0;url={target}">'
    text = f'<p><a href="{target}">Go on</a></p>'
    page = _PAGE.format(head=head, title="wsiweb", text=text, style=_STYLE)
    return Response(page, 200, media_type="text/html")
