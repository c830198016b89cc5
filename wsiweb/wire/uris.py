"""Addresses of DICOMweb resources, both ways (PS3.18 8.2, 10.4.1, 10.6.1).

A `Resource` is where something is below a service's base URL; it makes the path and is made from
it, so that the client and the embedded server cannot disagree.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Self, cast, get_args
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from wsiweb.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Aspect",
    "Resource",
    "hides_secret",
    "is_loopback",
    "is_uid",
    "rebase",
    "shown",
    "split_base",
]

Aspect = Literal[
    "", "studies", "series", "instances", "metadata", "frames", "rendered", "thumbnail", "bulkdata"
]
"""What of an object is meant: the object itself, a search below it, or one side of it."""

_SEARCHES = ("studies", "series", "instances")
_LAST = ("metadata", "rendered", "thumbnail")
_OF_FRAMES = ("frames", "rendered", "thumbnail")
_UID = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_ODD_IN_HOST = re.compile(r"[\s\\<>\"{}|^`\x00-\x1f\x7f]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SUBDELIMITERS = "!$&'()*+,;="  # mean themselves in a path (RFC 3986 2.2)
_BEFORE_SECRETS = frozenset({"link", "token"})  # Kheops: /api/link/TOKEN/studies
_HIDDEN = re.compile(r"hidden-[0-9a-f]{8}")
_BY_CHANCE = re.compile(
    r"eyJ[\w-]+\.[\w-]+\.[\w-]*"  # a JSON web token, or anything long as nobody would call a folder
    r"|(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9].*[A-Za-z])(?:[\w~+=-]|%[0-9A-Fa-f]{2}){20,}"
)
_FRAMES = re.compile(r"[0-9]{1,10}(?:,[0-9]{1,10})*")


def is_uid(text: str) -> bool:
    """Tell whether a text is a DICOM UID (PS3.5 9.1), leading zeros allowed as many write them.

    Examples
    --------
    >>> is_uid("1.2.840.10008.1"), is_uid("../etc/passwd")
    (True, False)
    """
    return len(text) <= 64 and _UID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Resource:
    """A DICOMweb resource, below the base URL.

    Parameters
    ----------
    study, series, instance : str, optional
        UIDs; each needs the one before it, except below a search.
    frames : tuple of int
        One-based frame numbers, in order; duplicates are kept.
    aspect : Aspect
        ``""`` for the object itself (an instance, a whole series or study); ``"studies"``,
        ``"series"`` or ``"instances"`` for a search; else the side of the object that is meant.
    bulkdata : str
        The rest of a bulk data path, with ``aspect="bulkdata"``.

    Raises
    ------
    ValueError
        For what is no UID, no frame number, or makes no sense together.

    Examples
    --------
    >>> Resource("1.2", "3", "4", frames=(1, 2), aspect="frames").path
    'studies/1.2/series/3/instances/4/frames/1,2'
    >>> Resource.parse("studies/1.2/metadata").aspect
    'metadata'
    """

    study: str | None = None
    series: str | None = None
    instance: str | None = None
    frames: tuple[int, ...] = ()
    aspect: Aspect = ""
    bulkdata: str = ""

    def __post_init__(self) -> None:
        for name, uid in (
            ("Study", self.study),
            ("Series", self.series),
            ("SOP", self.instance),
        ):
            if uid is not None and not is_uid(uid):
                raise ValueError(f"{uid!r} is not a {name} Instance UID.")
        if self.instance is not None and self.series is None:
            raise ValueError("An instance is addressed below its series.")
        if self.series is not None and self.study is None:
            raise ValueError("A series is addressed below its study.")
        if self.aspect not in get_args(Aspect):
            raise ValueError(f"DICOMweb has no resource {self.aspect!r}.")
        if self.aspect in _SEARCHES:
            self._check_search()
        elif self.study is None:
            raise ValueError("An object is addressed below its study.")
        self._check_frames()
        if (self.aspect == "bulkdata") != bool(self.bulkdata):
            raise ValueError("A bulk data path goes with the aspect bulkdata.")
        if not {".", ".."}.isdisjoint(self.bulkdata.split("/")):
            raise ValueError(f"{self.bulkdata!r} leads out of the bulk data.")

    def _check_frames(self) -> None:
        if self.aspect == "frames" and not self.frames:
            # Its path would be that of the whole instance.
            raise ValueError("At least one frame must be asked for.")
        if self.frames and self.aspect not in _OF_FRAMES:
            raise ValueError(f"Frames have no {self.aspect or 'object of their own'}.")
        if self.frames and (self.instance is None or min(self.frames) < 1):
            raise ValueError("Frames are counted from 1, and belong to an instance.")

    def _check_search(self) -> None:
        depth = sum(uid is not None for uid in (self.study, self.series, self.instance))
        if depth > _SEARCHES.index(self.aspect):
            raise ValueError(f"There is no search for {self.aspect} below that object.")

    def with_frames(self, numbers: Iterable[int]) -> Self:
        """Return the frames with these one-based numbers of the same instance."""
        return replace(self, frames=tuple(numbers), aspect="frames")

    @property
    def path(self) -> str:
        """The path below the base URL, percent-encoded, without a leading slash."""
        steps: list[str] = []
        for name, uid in zip(_SEARCHES, (self.study, self.series, self.instance), strict=True):
            if uid is not None:
                steps += [name, uid]
        if self.frames:
            steps += ["frames", ",".join(map(str, self.frames))]
        if self.aspect == "bulkdata":
            steps += ["bulkdata", quote(self.bulkdata, safe="/")]
        elif self.aspect not in {"", "frames"}:
            steps.append(self.aspect)
        return "/".join(steps)

    @classmethod
    def parse(cls, path: str) -> Self:
        """Understand a path below the base URL.

        Raises
        ------
        ValueError
            When it is not a DICOMweb resource; the message says what is wrong with it.
        """
        steps = [unquote(step) for step in path.strip("/").split("/")]
        uids: dict[str, str] = {}
        for name in _SEARCHES:
            if len(steps) >= 2 and steps[0] == name:
                uids[name] = steps[1]
                steps = steps[2:]
        study, series, instance = (uids.get(name) for name in _SEARCHES)
        frames: tuple[int, ...] = ()
        bulkdata = ""
        match steps:
            case [] | [""]:
                aspect = ""
            case ["bulkdata", *rest] if any(rest):
                aspect, bulkdata = "bulkdata", "/".join(rest)
            case ["frames", numbers, *rest]:
                if _FRAMES.fullmatch(numbers) is None:
                    raise ValueError(f"{numbers!r} is not a list of frame numbers.")
                frames = tuple(map(int, numbers.split(",")))
                if rest and (len(rest) > 1 or rest[0] not in {"rendered", "thumbnail"}):
                    raise ValueError(f"{path!r} is not a DICOMweb resource.")
                aspect = rest[0] if rest else "frames"
            case [name] if name in _SEARCHES or name in _LAST:
                aspect = name
            case _:
                raise ValueError(f"{path!r} is not a DICOMweb resource.")
        return cls(study, series, instance, frames, cast("Aspect", aspect), bulkdata)


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine's own.

    Examples
    --------
    >>> is_loopback("localhost"), is_loopback("127.0.0.1"), is_loopback("pacs.lab")
    (True, True, False)
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def split_base(url: str) -> str:
    """Return the base URL of a service in its plain form, without a trailing slash.

    Parameters
    ----------
    url : str
        What a user typed.

    Raises
    ------
    ValueError
        When it is not an http(s) URL with a host, or holds credentials (which would end up in
        logs and errors), a query or a fragment. Credentials are not repeated in the message.

    Examples
    --------
    >>> split_base("https://pacs.lab/dicom-web/")
    'https://pacs.lab/dicom-web'
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    odd = _ODD_IN_HOST.search(parts.netloc) is not None
    if parts.scheme not in {"http", "https"} or not host or port == 0 or odd:
        shown = "That" if "@" in url else repr(url)
        raise ValueError(
            f"{shown} is not the URL of an archive, such as https://pacs.lab/dicom-web."
        )
    if "@" in parts.netloc:
        raise ValueError("Credentials do not belong into a URL; pass auth=(user, password).")
    if parts.query or parts.fragment:
        raise ValueError("The base URL of an archive has neither query (?) nor fragment (#).")
    path = quote(parts.path.rstrip("/"), safe="/%:@~" + _SUBDELIMITERS)
    return urlunsplit((parts.scheme, parts.netloc.lower(), path, "", ""))


def shown(url: str) -> str:
    """Return a URL as people may see it: on a screen, in a log, a report or a database.

    Some archives are entered by a secret in the path. It is replaced by a few characters of its
    hash, so that two such archives are still told apart. What is shown cannot be connected to.

    Parameters
    ----------
    url : str
        A base URL, or one below it. A folder's is returned as it is.

    Examples
    --------
    >>> shown("https://kheops.lab/api/link/qoPiTk0PNBHPEGZ4zCRXzk/studies")
    'https://kheops.lab/api/link/hidden-eea01eb6/studies'
    >>> shown("https://pacs.lab/dicom-web")
    'https://pacs.lab/dicom-web'
    """
    if not url.lower().startswith(("http://", "https://")):
        return url
    path, mark, query = url.partition("?")
    steps = path.split("/")
    first = 3  # behind the scheme, nothing, and the host
    for at in range(first, len(steps)):
        if _is_secret(steps[at], steps[at - 1] if at > first else ""):
            steps[at] = f"hidden-{hashlib.sha256(steps[at].encode()).hexdigest()[:8]}"
    return "/".join(steps) + mark + query


def _is_secret(step: str, before: str) -> bool:
    if not step or step in _SEARCHES or _HIDDEN.fullmatch(step) is not None:
        return False
    return before.lower() in _BEFORE_SECRETS or _BY_CHANCE.fullmatch(step) is not None


def hides_secret(url: str) -> bool:
    """Tell whether a URL, as `shown`, lacks a secret that is needed to connect to it.

    Examples
    --------
    >>> hides_secret("https://kheops.lab/api/link/hidden-eea01eb6")
    True
    """
    return any(_HIDDEN.fullmatch(step) is not None for step in url.split("/"))


def rebase(uri: str, base_url: str, document_url: str) -> str:
    """Return where a BulkDataURI is to be fetched.

    A relative one is resolved against the document it stood in. An absolute one often has the
    wrong host or scheme: archives behind a proxy do not know their own name. When its path shows
    that it lies in the same service it is moved to the base URL; otherwise it stays as it is, and
    goes without credentials.

    Parameters
    ----------
    uri : str
        The BulkDataURI.
    base_url : str
        The service's base URL, without a trailing slash.
    document_url : str
        Where the metadata was fetched.

    Raises
    ------
    ProtocolError
        When it is no URL, or one of another kind than the service's: an archive must not make
        its client read local files.

    Examples
    --------
    >>> rebase("http://inner:80/dicom-web/studies/1/bulkdata/x", "https://pacs.lab/dicom-web", "")
    'https://pacs.lab/dicom-web/studies/1/bulkdata/x'
    """
    try:
        absolute = urljoin(document_url, uri.strip())
        parts = urlsplit(absolute)
    except ValueError as error:
        raise ProtocolError(f"The BulkDataURI {uri[:200]!r} is not a URL.") from error
    kinds = {"http", "https", urlsplit(base_url).scheme}
    if parts.scheme not in kinds or _CONTROL.search(absolute) is not None:
        raise ProtocolError(f"The BulkDataURI {uri[:200]!r} is not to be fetched.")
    if absolute.startswith(base_url + "/"):
        return absolute
    base_path = urlsplit(base_url).path
    tail = None
    if base_path and parts.path.startswith(base_path + "/"):
        tail = parts.path[len(base_path) :]
    else:
        for mark in ("/studies/", "/bulk/", "/bulkdata/"):
            at = parts.path.find(mark)
            if at >= 0:
                tail = parts.path[at:]
                break
    if tail is None:
        return absolute
    return base_url + tail + (f"?{parts.query}" if parts.query else "")
