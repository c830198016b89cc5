"""A real archive for the tests: Debian's Orthanc with its DICOMweb plugin, in its own process."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
MISSING = (
    "Orthanc with its DICOMweb plugin is not installed; the integration tests run against it: "
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
    user, password : str
        It answers 401 to anybody else.
    """

    root: str
    user: str
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        return f"{self.root}/dicom-web"

    def get(self, url: str) -> bytes:
        """Ask for one resource with plain urllib."""
        return self._ask(urllib.request.Request(url))

    def upload(self, folder: Path) -> list[str]:
        """Store all DICOM files of a folder through Orthanc's own interface, not by STOW.

        Returns
        -------
        list of str
            "Success" or "AlreadyStored" per file, in the order of their names.
        """
        paths = sorted(Path(folder).glob("*.dcm"))
        assert paths, f"no DICOM files in {folder}"
        return [
            json.loads(
                self._ask(urllib.request.Request(f"{self.root}/instances", data=path.read_bytes()))
            )["Status"]
            for path in paths
        ]

    def _ask(self, request: urllib.request.Request) -> bytes:
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        request.add_header("Authorization", f"Basic {token}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Start Orthanc on a free port of this machine, for all tests; stop it in the end."""
    program = shutil.which("Orthanc") or shutil.which("/usr/sbin/Orthanc")
    if program is None or not PLUGIN.exists():
        # Where nobody reads the reasons of skipped tests, a missing server must not look green.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
    home = tmp_path_factory.mktemp("orthanc")
    for attempt in range(3):
        port = _free_port()
        server = Orthanc(f"http://127.0.0.1:{port}", "tester", "a test's password")
        with _process(program, _configuration(home, server, port), home) as process:
            if _ready(process, server):
                yield server
                return
        if attempt == 2 or "already in use" not in _log(home).lower():
            break
    pytest.fail(f"Orthanc did not start within {PATIENCE:.0f} s. It says:\n{_log(home)}")


def _configuration(home: Path, server: Orthanc, port: int) -> Path:
    storage = home / "storage"
    configuration = {
        "Name": "wsiweb-tests",
        "StorageDirectory": str(storage),
        "IndexDirectory": str(storage),
        # This plugin only: the one with GDCM crashes on ordinary requests.
        "Plugins": [str(PLUGIN)],
        "HttpPort": port,
        "RemoteAccessAllowed": False,
        "DicomServerEnabled": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {server.user: server.password},
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    path = home / "orthanc.json"
    path.write_text(json.dumps(configuration, indent=2))
    return path


@contextlib.contextmanager
def _process(program: str, configuration: Path, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
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
            return system["Name"] == "wsiweb-tests"
        time.sleep(0.05)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _log(home: Path) -> str:
    return (home / "log").read_text(errors="replace")[-2000:]
