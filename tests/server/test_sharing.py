"""Pages of which origins may read the answers."""

from __future__ import annotations

import pytest
from server.making import ask, dicom

from wsiweb.server import run_forever, serve

VIEWER = "https://viewer.example"
FRAMES = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "1.dcm").write_bytes(dicom("1.1"))
    return tmp_path


def test_by_itself_no_page_of_another_origin_reads_anything(folder):
    with serve(folder) as server:
        answer = ask(server.url, "/studies", Origin=VIEWER)
        assert answer.status == 200
        assert not [name for name in answer.headers if name.startswith("access-control")]
        leave = {"Origin": VIEWER, "Access_Control_Request_Method": "GET"}
        given = ask(server.url, "/studies", "OPTIONS", **leave)
        assert not [name for name in given.headers if name.startswith("access-control")]


def test_pages_of_an_allowed_origin_read_answers_and_refusals(folder):
    with serve(folder, allow_origin=[VIEWER, "http://[::1]:3000"], stow=True) as server:
        for path, status in (("/studies", 200), ("/studies/9/metadata", 404)):
            answer = ask(server.url, path, Origin=VIEWER)
            assert answer.status == status
            assert answer.headers["access-control-allow-origin"] == VIEWER
            assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_pages_of_an_allowed_origin_are_given_leave(folder, method):
    with serve(folder, allow_origin=VIEWER, stow=True) as server:
        asked = {"Origin": VIEWER, "Access_Control_Request_Method": method}
        given = ask(
            server.url, "/studies", "OPTIONS", Access_Control_Request_Headers="accept", **asked
        )
        assert given.status == 200
        assert given.headers["access-control-allow-origin"] == VIEWER
        assert method in given.headers["access-control-allow-methods"]
        assert given.headers["access-control-allow-headers"] == "accept"


@pytest.mark.parametrize(
    "origin", ["https://viewer.example.evil", "http://viewer.example", "https://evil", "null"]
)
def test_other_pages_are_not(folder, origin):
    with serve(folder, allow_origin=VIEWER) as server:
        answer = ask(server.url, "/studies", Origin=origin)
        assert "access-control-allow-origin" not in answer.headers
        leave = {"Origin": origin, "Access_Control_Request_Method": "GET"}
        refused = ask(server.url, "/studies", "OPTIONS", **leave)
        assert refused.status == 400
        assert "access-control-allow-origin" not in refused.headers


def test_the_name_is_looked_at_first(folder):
    with serve(folder, allow_origin=VIEWER) as server:
        refused = ask(server.url, "/studies", Host="evil.example", Origin=VIEWER)
        assert refused.status == 421
        assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize("start", [serve, run_forever])
@pytest.mark.parametrize(
    "origin", ["", "*", "null", "viewer.example", "https://Viewer.example", "https://a.example/"]
)
def test_origins_that_are_none_are_refused(folder, start, origin):
    with pytest.raises(ValueError, match="no origin of a page"):
        start(folder, allow_origin=[origin])
