"""Debian's Orthanc with its DICOMweb plugin, in a process of its own on this machine."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MISSING", "PLUGIN", "Orthanc", "installed", "running"]

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
MISSING = (
    "Orthanc with its DICOMweb plugin is not installed; on Debian: "
    "apt-get install orthanc orthanc-dicomweb"
)
PATIENCE = 30.0  # seconds until it must have started


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc.

    Attributes
    ----------
    root, url : str
        Of its own REST interface, and of DICOMweb; both without a slash at the end.
    name : str
        By which it is told from another program on the same port.
    user, password : str
        It answers 401 to anybody else; empty when it asks nobody.
    """

    root: str
    name: str = "wsiweb"
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """Base URL of DICOMweb."""
        return f"{self.root}/dicom-web"

    def get(self, url: str) -> bytes:
        """Ask for one resource with plain urllib."""
        return self.ask(urllib.request.Request(url))  # noqa: S310 - this machine's

    def upload(self, folder: Path) -> list[str]:
        """Store all DICOM files of a folder through Orthanc's own interface, not by STOW.

        Returns
        -------
        list of str
            "Success" or "AlreadyStored" per file, in the order of their names.

        Raises
        ------
        FileNotFoundError
            When there are none.
        """
        paths = sorted(Path(folder).glob("*.dcm"))
        if not paths:
            raise FileNotFoundError(f"There are no DICOM files in {folder}.")
        url = f"{self.root}/instances"
        return [
            json.loads(self.ask(urllib.request.Request(url, path.read_bytes())))["Status"]  # noqa: S310
            for path in paths
        ]

    def ask(self, request: urllib.request.Request) -> bytes:
        """Send a request with the password, and return the body of the answer."""
        if self.user:
            token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            request.add_header("Authorization", f"Basic {token}")
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
            return answer.read()


def installed() -> str | None:
    """Return the program; None when it or its plugin is missing."""
    program = shutil.which("Orthanc") or shutil.which("/usr/sbin/Orthanc")
    return program if PLUGIN.exists() else None


@contextlib.contextmanager
def running(
    home: Path, *, user: str = "", password: str = "", threads: int = 50
) -> Iterator[Orthanc]:
    """Run Orthanc on a free port of this machine; what it stores stays in `home`.

    Parameters
    ----------
    home : Path
        For its database, its configuration and its log.
    user, password : str
        Whom it answers; everybody on this machine when there is no user.
    threads : int
        Requests that it works on at a time; 50 is its own default. Each may hold an instance in
        memory, more than once.

    Raises
    ------
    RuntimeError
        When it is not installed, or does not start.
    """
    program = installed()
    if program is None:
        raise RuntimeError(MISSING)
    home.mkdir(parents=True, exist_ok=True)
    for _ in range(3):
        port = _free_port()
        server = Orthanc(f"http://127.0.0.1:{port}", user=user, password=password)
        with _process(program, _configuration(home, server, port, threads), home) as process:
            if _ready(process, server):
                yield server
                return
        if "already in use" not in _log(home).lower():
            break
    raise RuntimeError(f"Orthanc did not start within {PATIENCE:.0f} s. It says:\n{_log(home)}")


def _configuration(home: Path, server: Orthanc, port: int, threads: int) -> Path:
    storage = home / "storage"
    configuration = {
        "Name": server.name,
        "StorageDirectory": str(storage),
        "IndexDirectory": str(storage),
        # This plugin only: the one with GDCM crashes on ordinary requests.
        "Plugins": [str(PLUGIN)],
        "HttpPort": port,
        "HttpThreadsCount": threads,
        "RemoteAccessAllowed": False,
        "DicomServerEnabled": False,
        "AuthenticationEnabled": bool(server.user),
        "RegisteredUsers": {server.user: server.password} if server.user else {},
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    path = home / "orthanc.json"
    path.write_text(json.dumps(configuration, indent=2))
    return path


@contextlib.contextmanager
def _process(program: str, configuration: Path, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - the program that was asked for
            [program, str(configuration)],
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _ready(process: subprocess.Popen[bytes], server: Orthanc) -> bool:
    """Wait until DICOMweb answers; False when the process ended or took too long."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        # On a port that another program took in the meantime, the name would be another.
        with contextlib.suppress(OSError, ValueError, KeyError):
            system = json.loads(server.get(f"{server.root}/system"))
            server.get(f"{server.url}/studies?limit=1")
            return system["Name"] == server.name
        time.sleep(0.05)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _log(home: Path) -> str:
    return (home / "log").read_text(errors="replace")[-2000:]
