"""What is known of an archive that has a name, and the credentials that belong to it."""

from __future__ import annotations

import base64
import dataclasses
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsiweb.wire.uris import split_base

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["SECRET", "NamedArchive", "folded", "is_name"]

SECRET = re.compile(r"auth|cookie|key|passw|secret|token", re.IGNORECASE)
"""What a word has in it that stands for a secret."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token (RFC 9110 5.6.2)


def is_name(text: str) -> bool:
    """Tell whether an archive may be called so."""
    return _NAME.fullmatch(text) is not None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NamedArchive:
    """An archive that has a name.

    Parameters
    ----------
    name : str
        Letters, digits, - and _; at most 64.
    url : str
        Base URL of the DICOMweb service, or a folder.
    user : str
        User for Basic authentication; without one a bearer token is used, if there is one.
    store_user : str
        Another user for what is stored.
    store_url : str
        Another base URL for what is stored.
    ca : str
        As in `wsiweb.connect`.
    headers : mapping of str to str
        Extra headers. ``${VARIABLE}`` stands for an environment variable, and is the only way for
        a header that sounds like a secret (an API key).

    Raises
    ------
    ValueError
        For a value that makes no sense, or a secret.

    Examples
    --------
    >>> NamedArchive(name="lab", url="https://pacs.lab/dicom-web/").url
    'https://pacs.lab/dicom-web'
    """

    name: str
    url: str
    user: str = ""
    store_user: str = ""
    store_url: str = ""
    ca: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise ValueError(
                f"{self.name!r} is no name for an archive: it is made of letters, digits, - and _."
            )
        for one in dataclasses.fields(self):
            value = getattr(self, one.name)
            if one.name != "headers" and (not isinstance(value, str) or not value.isprintable()):
                raise ValueError(f"{one.name} of the archive {self.name} is text on one line.")
        if "://" in self.url:
            object.__setattr__(self, "url", split_base(self.url))
        elif not Path(self.url).expanduser().is_absolute():
            raise ValueError(
                f"{self.url!r} is not where the archive {self.name} is: give a URL, such as "
                "https://pacs.lab/dicom-web, or a folder by its whole path."
            )
        if self.store_url:
            object.__setattr__(self, "store_url", split_base(self.store_url))
        for user in (self.user, self.store_user):
            if ":" in user:
                raise ValueError(
                    f"The user {user.partition(':')[0]!r} of the archive {self.name} holds a "
                    "colon. If a password follows it: that does not belong here."
                )
        _check_headers(self)

    # Getting in -----------------------------------------------------------------------------

    def auth(self, ask: Callable[[str], str] | None = None, *, general: bool = True) -> Any:
        """Return the credentials, in a form that `wsiweb.connect` takes.

        Of the environment ``WSIWEB_PASSWORD_<NAME>`` is looked at first, then the keyring, and
        ``WSIWEB_PASSWORD`` in the end; for a token ``WSIWEB_TOKEN_<NAME>`` and ``WSIWEB_TOKEN``.

        Parameters
        ----------
        ask : callable, optional
            Called with the user's name where no password is found; returns it.
        general : bool
            Whether ``WSIWEB_PASSWORD`` and ``WSIWEB_TOKEN`` may be used: not where several
            archives are at work, of which only one is meant by them.

        Raises
        ------
        ValueError
            When a password or a variable is missing.
        """
        return self._credentials(self.user, "", ask, general)

    def store_auth(self, ask: Callable[[str], str] | None = None, *, general: bool = True) -> Any:
        """Return other credentials for what is stored, or None: the same. As `auth`.

        Their variables are ``WSIWEB_STORE_PASSWORD_<NAME>`` and ``WSIWEB_STORE_TOKEN_<NAME>``.
        """
        token = _variable("STORE_TOKEN", self.name)
        if not self.store_user:
            return token
        return self._credentials(self.store_user, "STORE_", ask, general)

    def _credentials(
        self, user: str, prefix: str, ask: Callable[[str], str] | None, general: bool
    ) -> Any:
        from wsiweb.client.auth import HeaderAuth

        if user:
            password = self._password(user, prefix, ask, general)
            if not self.headers:
                return (user, password)
            pair = base64.b64encode(f"{user}:{password}".encode()).decode()
            return HeaderAuth({"Authorization": f"Basic {pair}", **self._sent()})
        token = _variable(f"{prefix}TOKEN", self.name)
        if token is None and general:
            token = os.environ.get(f"WSIWEB_{prefix}TOKEN")
        if not self.headers:
            return token or None
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        return HeaderAuth({**bearer, **self._sent()})

    def _password(
        self, user: str, prefix: str, ask: Callable[[str], str] | None, general: bool
    ) -> str:
        found = _variable(f"{prefix}PASSWORD", self.name)
        if found is None:
            found = _from_keyring(self.name, user)
        if found is None and general:
            found = os.environ.get(f"WSIWEB_{prefix}PASSWORD")
        if found is None and ask is not None:
            found = ask(user)
        if found is None:
            raise ValueError(
                f"There is no password for {user} at the archive {self.name}: set the environment "
                f"variable {_variable_name(f'{prefix}PASSWORD', self.name)}, keep it in the "
                f"keyring (keyring set wsiweb:{self.name} {user}), or pass auth=."
            )
        return found

    def _sent(self) -> dict[str, str]:
        """Return the headers with the values of their variables."""

        def value(match: re.Match[str]) -> str:
            found = os.environ.get(match[1])
            if found is None:
                raise ValueError(
                    f"The archive {self.name} wants the environment variable {match[1]}, which is "
                    "not set."
                )
            return found

        return {name: _VARIABLE.sub(value, text) for name, text in self.headers.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return what is set, as values that JSON knows; headers with their variables' names."""
        values = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        values["headers"] = dict(self.headers)
        return {name: value for name, value in values.items() if value}


def _check_headers(archive: NamedArchive) -> None:
    if not isinstance(archive.headers, dict):
        raise ValueError(  # noqa: TRY004 - of a file
            f'headers of the archive {archive.name} are a table: headers = {{ "X-Site" = "7" }}.'
        )
    headers: dict[str, Any] = archive.headers
    for name, text in headers.items():
        if _HEADER.fullmatch(name) is None or not isinstance(text, str) or not text.isprintable():
            raise ValueError(f"The archive {archive.name} has the header {name!r}, which is none.")
        if SECRET.search(name) and _VARIABLE.search(text) is None:
            raise ValueError(
                f"The header {name} of the archive {archive.name} sounds like a secret, which "
                f"does not belong in the file: write {name}: ${{MY_VARIABLE}}, and set that "
                "environment variable."
            )


def _variable_name(what: str, name: str) -> str:
    return f"WSIWEB_{what}_{folded(name)}"


def _variable(what: str, name: str) -> str | None:
    return os.environ.get(_variable_name(what, name))


def folded(name: str) -> str:
    """Return a name as it stands in that of an environment variable."""
    return name.upper().replace("-", "_")


def _from_keyring(name: str, user: str) -> str | None:
    """Return a password from the system's keyring; None where there is no keyring, or it is not in.

    To set it: ``keyring set wsiweb:<name> <user>``.
    """
    import importlib

    try:
        keyring: Any = importlib.import_module("keyring")
    except ImportError:
        return None
    try:
        return keyring.get_password(f"wsiweb:{name}", user)
    except keyring.errors.KeyringError:  # none that works on this machine, or it stayed locked
        return None
