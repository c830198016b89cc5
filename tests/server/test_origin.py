"""By which names the server is known: in answers, and to whom it answers at all."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest
from server.making import ask, dicom

from wsiweb.server import create_app, run_forever, serve


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "1.dcm").write_bytes(dicom("1.1"))
    return tmp_path


def where(answer):
    assert answer.status == 200, answer.body
    return answer.json[0]["00081190"]["Value"][0].removesuffix("/studies/1.2.3")


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]", "a.localhost"])
def test_a_host_without_its_port_gets_it_back(folder, name):
    with serve(folder) as server:
        port = urlsplit(server.url).port
        assert where(ask(server.url, "/studies", Host=name)) == f"http://{name}:{port}"
        named = ask(server.url, "/studies", Host=f"{name}:99")
        assert where(named) == f"http://{name}:99"  # a tunnel, say


def test_names_that_are_allowed_are_answered_and_others_not(folder):
    with serve(folder, allow_host=("pacs.example", "Slides.Example")) as server:
        for name in ("pacs.example", "PACS.example:8443", "slides.example", "localhost"):
            assert ask(server.url, "/studies", Host=name).status == 200
        for name in ("evil.example", "pacs.example.evil", "x.pacs.example", "@", "["):
            refused = ask(server.url, "/studies", Host=name)
            assert refused.status == 421, name
            assert "--allow-host" in refused.json["error"]
        assert where(ask(server.url, "/studies", Host="pacs.example")) == "http://pacs.example"


@pytest.mark.parametrize("start", [serve, run_forever])
@pytest.mark.parametrize("name", ["", "http://pacs.example", "pacs.example:80", "a b"])
def test_names_that_are_none_are_refused(folder, start, name):
    with pytest.raises(ValueError, match="host name"):
        start(folder, allow_host=(name,))


def test_what_a_reverse_proxy_says_is_repeated_as_a_whole(folder):
    with serve(folder) as server:
        both = {"X_Forwarded_Host": "pacs.example", "X_Forwarded_Proto": "https"}
        assert where(ask(server.url, "/studies", **both)) == "https://pacs.example"
        chain = {"X_Forwarded_Host": "a.example, b.example", "X_Forwarded_Proto": "https, http"}
        assert where(ask(server.url, "/studies", **chain)) == "https://a.example"
        assert where(ask(server.url, "/studies", X_Forwarded_Proto="https")) == (
            server.url.replace("http:", "https:")
        )
        odd = {"X_Forwarded_Host": '"><script>', "X_Forwarded_Proto": "javascript"}
        assert where(ask(server.url, "/studies", **odd)) == server.url
        # Naming somebody else does not make one local.
        refused = ask(server.url, "/studies", Host="evil.example", X_Forwarded_Host="localhost")
        assert refused.status == 421


def test_an_app_of_ones_own_answers_to_local_names_only(folder):
    app = create_app(folder)
    with serve(app=app) as server:
        assert ask(server.url, "/studies", Host="evil.example").status == 421
        assert ask(server.url, "/studies").status == 200
    with serve(app=app, allow_host=("pacs.example",)) as server:
        assert ask(server.url, "/studies", Host="pacs.example").status == 200
    with serve(app=app, allow_remote=True) as server:
        assert ask(server.url, "/studies", Host="evil.example").status == 200
    app.state.store.close()


def test_a_hostile_host_is_refused_and_not_repeated(folder):
    with serve(folder) as server:
        refused = ask(server.url, "/studies", Host='x"]}<script>')
        assert (refused.status, b"script" in refused.body) == (421, False)
    with serve(folder, allow_remote=True) as server:
        answer = ask(server.url, "/studies", Host='x"]}<script>')
        assert where(answer) == ""  # relative: only the path is known


def test_no_host_at_all_is_answered(folder):
    with serve(folder) as server:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=10)
        connection.putrequest("GET", "/studies", skip_host=True)
        connection.endheaders()
        assert connection.getresponse().status in {200, 400}  # 400 by HTTP/1.1's own rule
        connection.close()
