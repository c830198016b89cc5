"""A bad archive, asked without any library of ours, and its folder, looked into."""

from __future__ import annotations

import contextlib
import http.client
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from server.making import Answer, ask, dicom, element

from wsiweb.wire.multipart import Part, encode

if TYPE_CHECKING:
    from pathlib import Path

TYPE = 'multipart/related; type="application/dicom"; boundary=b'
DICOM_JSON = "application/dicom+json"
FAILED, REFERENCED, OTHER = "00081198", "00081199", "0008119A"
GARBAGE = b"this is no DICOM"
CLOSED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)
"""What is raised where a connection was closed without an answer."""


def another(uid, patient="another", **more):
    """Return an object with a patient, which makes it another one than `dicom(uid)`."""
    return dicom(uid, x00100020=element(0x00100020, "LO", patient), **more)


def body_of(*objects, part_type="application/dicom"):
    headers = {"Content-Type": part_type} if part_type else {}
    return b"".join(encode([Part(headers, one) for one in objects], "b"))


@dataclass
class Bad:
    url: str
    folder: Path

    def post(self, *objects, path="/studies", part_type="application/dicom", body=None, **headers):
        """Send objects, or a body."""
        headers.setdefault("Content_Type", TYPE)
        whole = body_of(*objects, part_type=part_type) if body is None else body
        return ask(self.url, path, "POST", whole, **headers)

    def get(self, path="/instances", **headers) -> Answer:
        return ask(self.url, path, **headers)

    def statuses(self, count, **headers):
        return [self.get("/studies", **headers).status for _ in range(count)]

    @property
    def held(self):
        """What the folder holds: each object by its UID. Nothing may be left of broken ones."""
        names = [path for path in self.folder.rglob("*") if path.is_file()]
        assert all(path.suffix == ".dcm" for path in names), names
        return {path.stem: path.read_bytes() for path in names}


def talk(url, head, body=b""):
    """Send bytes, and return what comes until the connection is closed, which may be nothing."""
    parts = urlsplit(url)
    came = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        lines = [*head, f"Host: {parts.netloc}", "", ""]
        connection.sendall("\r\n".join(lines).encode() + body)
        with contextlib.suppress(ConnectionResetError):
            while data := connection.recv(65536):
                came += data
    return came


@contextlib.contextmanager
def connected(url, timeout=20):
    """A connection of one's own."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=timeout)
    try:
        yield connection
    finally:
        connection.close()


def uids(answer, tag):
    """Return the objects in a sequence of an answer, and of what failed the reasons too."""
    items = answer.json.get(tag, {}).get("Value", [])
    named = [one.get("00081155", {}).get("Value", [None])[0] for one in items]
    if tag == REFERENCED:
        return named
    return [(uid, one["00081197"]["Value"][0]) for uid, one in zip(named, items, strict=True)]
