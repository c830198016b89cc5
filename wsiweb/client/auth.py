"""Credentials: how a request is prepared, and what is done when they are refused.

A provider answers two questions, and does no HTTP with the archive itself: which headers go
with a request, and, after a 401 or 403, whether there are fresh ones to try. Secrets appear
in no repr, log or error.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from wsiweb.errors import Unauthorized
from wsiweb.loop import in_pool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SENDABLE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # what a header can hold (RFC 9110 5.5)

__all__ = ["Auth", "BasicAuth", "BearerAuth", "HeaderAuth", "NoAuth", "as_auth"]


class Auth(Protocol):
    """What a provider of credentials must offer."""

    async def headers(self) -> Mapping[str, str]:
        """Return the headers that a request to the archive carries."""
        ...

    async def refresh(self) -> bool:
        """Get fresh credentials after a refusal; False when there are none to be had.

        Called by one task at a time, on the library's event loop.
        """
        ...


@dataclass(frozen=True)
class NoAuth:
    """No credentials."""

    async def headers(self) -> Mapping[str, str]:
        """Return no headers."""
        return {}

    async def refresh(self) -> bool:
        """Return False: there is nothing to try."""
        return False


@dataclass(frozen=True)
class HeaderAuth(NoAuth):
    """Headers of your own with every request (an API key, a gateway's header).

    Parameters
    ----------
    values : mapping of str to str
        Header names and values.
    """

    values: Mapping[str, str] = field(repr=False)

    def __post_init__(self) -> None:
        for name, value in self.values.items():
            if not name or not _SENDABLE.fullmatch(name) or not _SENDABLE.fullmatch(value):
                raise ValueError(f"The header {name!r} holds what no header can (a line break?).")

    async def headers(self) -> Mapping[str, str]:
        """Return the headers given."""
        return self.values


@dataclass(frozen=True)
class BasicAuth(NoAuth):
    """User name and password (RFC 7617).

    Parameters
    ----------
    user : str
        User name; without a colon.
    password : str
        Password; never shown.
    """

    user: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        if ":" in self.user:
            raise ValueError("A user name for Basic authentication cannot hold a colon.")

    async def headers(self) -> Mapping[str, str]:
        """Return the Authorization header."""
        pair = f"{self.user}:{self.password}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode("ascii")}


class BearerAuth:
    """A bearer token (RFC 6750), fixed or renewed when it expires.

    Parameters
    ----------
    token : str or callable
        The token, or a function without arguments that returns a fresh one. The function is
        called once before the first request and once after a refusal, in a thread of the pool,
        however many threads are waiting.

    Examples
    --------
    >>> BearerAuth("secret")
    BearerAuth(...)
    """

    def __init__(self, token: str | Callable[[], str]) -> None:
        self._source = token
        self._token: str | None = None
        if isinstance(token, str):
            self._token = _checked(token)

    def __repr__(self) -> str:
        return "BearerAuth(...)"

    async def headers(self) -> Mapping[str, str]:
        """Return the Authorization header."""
        if self._token is None:
            await self.refresh()
        return {"Authorization": f"Bearer {self._token}"}

    async def refresh(self) -> bool:
        """Ask the function for a fresh token; False when there is none to be had.

        Raises
        ------
        Unauthorized
            When the function fails, or returns what is no token.
        """
        if isinstance(self._source, str):
            return False
        try:
            token = _checked(await in_pool(self._source))
        except Exception as error:
            raise Unauthorized(
                f"The function that gets the token failed ({type(error).__name__}: {error})."
            ) from error
        fresh = token != self._token
        self._token = token
        return fresh


def _checked(token: object) -> str:
    """Return a token without the line end of the file that it was read from."""
    if not isinstance(token, str):
        raise ValueError(f"A token is text, not {type(token).__name__}.")  # noqa: TRY004 - misuse
    token = token.strip()
    if not token or not _SENDABLE.fullmatch(token):
        raise ValueError("The token is empty, or holds what no header can.")
    return token


def as_auth(auth: Auth | tuple[str, str] | str | None) -> Auth:
    """Understand the short forms: a (user, password) pair, a token, or None.

    Raises
    ------
    ValueError
        For anything else; what was given is not repeated, as it may be a secret.
    """
    match auth:
        case None:
            return NoAuth()
        case str():
            return BearerAuth(auth)
        case (str() as user, str() as password):
            return BasicAuth(user, password)
        case _ if hasattr(auth, "headers") and hasattr(auth, "refresh"):
            return auth  # type: ignore[return-value]
        case _:
            raise ValueError(
                "auth takes None, a (user, password) pair, a bearer token, or a provider such "
                f"as wsiweb.BasicAuth; a {type(auth).__name__} was given."
            )
