"""The command that opens the page, as a user calls it."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from http.cookiejar import CookieJar

import pytest

from wsiweb import names
from wsiweb.browse import pages
from wsiweb.client.auth import NoAuth

BUILT = pages.Pages().built


@pytest.fixture
def built(tmp_path, monkeypatch):
    """A front end of one line, where none is built."""
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html><title>wsiweb</title>")
    monkeypatch.setattr(pages.Pages.__init__, "__defaults__", (folder,))
    return folder


def test_help_teaches(call):
    said = call("browse", "--help").output
    for option in ("--port", "--no-open", "--host", "--certificate", "--read-only", "--user"):
        assert option in said


def test_what_makes_no_sense(call, built, home):
    assert "no folder" in call("browse", "/no/such", "--no-open", status=1).output
    assert "URL" in call("browse", "gopher://x", "--no-open", status=1).output
    assert "--certificate" in call("browse", "--host", "0.0.0.0", status=1).output
    (home / "a.pem").write_text("nothing")
    assert "both" in call("browse", "--certificate", "a.pem", status=2).output
    said = call("browse", "--certificate", "a.pem", "--key", "a.pem", status=1).output
    assert "no certificate" in said
    said = call("browse", "http://a.example", "http://b.example", "--user", "x", status=2).output
    assert "names" in said


def test_a_front_end_that_is_not_built(call, monkeypatch, tmp_path):
    monkeypatch.setattr(pages.Pages.__init__, "__defaults__", (tmp_path / "nothing",))
    assert "npm run build" in call("browse", "--no-open", status=1).output


def test_credentials_are_for_the_one_archive_that_is_meant(call, home, monkeypatch):
    from wsiweb.cli.browse import _with_ways

    names.add(names.NamedArchive(name="lab", url="http://lab.example", user="reader"))
    monkeypatch.setenv("WSIWEB_TOKEN", "of anybody")
    monkeypatch.setenv("WSIWEB_PASSWORD", "of anybody")
    ((_, one),) = _with_ways(["lab"], None, (), None)
    with one() as archive:
        assert archive.url == "http://lab.example"
    (_, first), (_, second) = _with_ways(["http://a.example", "http://b.example"], None, (), None)
    for opener in (first, second):
        with opener() as archive:
            assert archive._place.auth == NoAuth()


@pytest.mark.skipif(not BUILT, reason="the front end is not built: npm run build")
def test_browse_until_ctrl_c(made_folder, tmp_path):
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "wsiweb", "browse", str(made_folder), "--port", "0", "--no-open"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    address = re.search(r"http://\S+", process.stdout.readline())[0]
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with opener.open(address) as answer:
        assert b"<title>wsiweb</title>" in answer.read()
        assert "token" not in answer.url
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(address.split("?")[0])
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=15)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.skipif(not BUILT, reason="the front end is not built: npm run build")
def test_the_demonstration_is_shown_to_who_is_at_a_terminal_until_ctrl_c(tmp_path):
    shown = {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"}
    environment = {name: value for name, value in os.environ.items() if name not in shown}
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "wsiweb", "demo", "--size", "600"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        cwd=tmp_path,
        env=environment | {"BROWSER": "true"},
    )
    os.close(terminal)
    said = b""
    while b"Ctrl-C ends" not in said:
        said += os.read(controller, 1000)
    address = re.search(rb"page is at (http://\S+)", said)[1].decode()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with opener.open(address) as answer:
        assert answer.status == 200
    process.send_signal(signal.SIGINT)
    assert process.wait(15) == 0
    os.close(controller)
