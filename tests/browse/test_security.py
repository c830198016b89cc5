"""Who may ask, and for what."""

from __future__ import annotations

import json
import socket
import ssl
from urllib.parse import urlsplit

import pytest
import trustme
from browse.paging import Page

from wsiweb.browse import serve
from wsiweb.browse.run import Tls


@pytest.fixture
def page(browse, slides):
    return browse(slides)


DATA = ["/api/archives", "/api/studies", "/api/jobs", "/api/events", "/feed/a/1.2/1.3/manifest"]


# The key ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DATA)
def test_nothing_is_said_without_the_cookie(page, path):
    for cookie in (None, "wsiweb=x", page.cookie[:-1], page.cookie.split("=")[0] + "="):
        said = page.ask(path, cookie=cookie)
        assert said.status == 401
        assert "wsiweb browse" in said.words


def test_a_wrong_token_gets_a_page_that_says_so(page):
    for token in ("", "x", page.server.token[:-1], page.server.token + "x", "%00", "é"):
        said = page.ask(f"/?token={token.encode().hex() if token == 'é' else token}", cookie=None)
        assert (said.status, said.headers["content-type"]) == (401, "text/html; charset=utf-8")
        assert b"does not fit" in said.body
        assert "set-cookie" not in said.headers
    assert page.ask("/", cookie=None).status == 401
    assert page.ask("/studies/1.2.3", cookie=None).status == 401


def test_a_wrong_token_does_not_let_in_who_was_in_before(page):
    assert page.ask("/?token=wrong").status == 401


def test_the_token_becomes_a_cookie_and_leaves_the_address(page):
    said = page.ask(f"/view/a/1.2/1.3?x=5&token={page.server.token}&d=2.5", cookie=None)
    assert (said.status, said.headers["location"]) == (303, "/view/a/1.2/1.3?x=5&d=2.5")
    cookie = said.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert page.server.token not in cookie
    assert page.ask("/api/archives", cookie=cookie.split(";")[0]).status == 200


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example", "///evil.example"])
def test_the_way_in_leads_nowhere_else(page, path):
    said = page.ask(f"{path}?token={page.server.token}", cookie=None)
    assert said.status == 303
    location = said.headers["location"]
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))


def test_a_token_for_once_lets_in_once(page):
    address = page.server.address_of("/jobs?a=1")
    path = address.removeprefix(page.server.url)
    first = page.ask(path, cookie=None)
    assert (first.status, first.headers["location"]) == (303, "/jobs?a=1")
    assert page.ask(path, cookie=None).status == 401


def test_a_cookie_is_of_one_server(page, browse, slides):
    other = browse(slides)
    assert other.ask("/api/archives", cookie=page.cookie).status == 401
    both = f"{page.cookie}; {other.cookie}"
    assert page.ask("/api/archives", cookie=both).status == 200
    assert other.ask("/api/archives", cookie=both).status == 200


def test_a_link_on_another_site_comes_again_from_here(page):
    """SameSite=Strict keeps the cookie back on the first step."""
    away = {"Sec-Fetch-Site": "cross-site"}
    said = page.ask('/studies/1.2?x="><script>', cookie=None, headers=away)
    assert said.status == 200
    assert b'content="0;url=/studies/1.2?x=%22%3E%3Cscript%3E"' in said.body
    assert b"<script" not in said.body
    here = {"Sec-Fetch-Site": "same-origin"}
    assert page.ask("/studies/1.2", cookie=None, headers=here).status == 401


# Where it comes from ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "", "127.0.0.1.evil.example", "10.0.0.1", "[", "a@b", "x localhost"]
)
def test_other_names_are_not_answered(page, host):
    for cookie in (None, page.cookie):
        assert page.ask("/api/archives", cookie=cookie, headers={"Host": host}).status == 421
    assert page.ask(f"/?token={page.server.token}", headers={"Host": host}).status == 421


def test_local_names_are(page):
    for host in ("localhost", f"localhost:{urlsplit(page.server.url).port}", "[::1]:99"):
        assert page.ask("/api/archives", headers={"Host": host}).status == 200


CHANGES = [
    ("POST", "/api/archives", {"target": "/"}),
    ("DELETE", "/api/archives/x", {}),
    ("POST", "/api/archives/x/verify", {}),
    ("POST", "/api/download", {}),
    ("POST", "/api/import", {}),
    ("POST", "/api/send", {}),
    ("POST", "/api/remove", {}),
    ("POST", "/api/jobs/clear", {}),
    ("POST", "/api/jobs/a/b/cancel", {}),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_changes_come_from_the_page_itself(page, method, path, body):
    port = urlsplit(page.server.url).port
    others = ("null", "", "http://evil.example", f"https://127.0.0.1:{port}", "http://127.0.0.1:1")
    for origin in others:
        said = page.change(path, body, method, Origin=origin)
        assert said.status == 403, origin
        assert "page itself" in said.words
    without = {"Content-Type": "application/json"}
    assert page.ask(path, method, json.dumps(body), headers=without).status == 403
    assert page.change(path, body, method).status != 403


def test_a_form_of_another_kind_is_refused(page):
    headers = {"Origin": page.origin}
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        said = page.ask(
            "/api/archives", "POST", '{"target": "/"}', headers={**headers, "Content-Type": kind}
        )
        assert said.status == 415


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_pages_of_this_machine_get_no_data(page, site):
    headers = {"Sec-Fetch-Site": site}
    for path in DATA:
        assert page.ask(path, headers=headers).status == 403
    assert page.ask("/api/archives", headers={"Sec-Fetch-Site": "same-origin"}).status == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_foreign_methods(page, method):
    said = page.ask("/api/archives", method, headers={"Origin": page.origin})
    assert said.status in {400, 405}


def test_methods_that_an_address_does_not_know(page):
    assert page.change("/api/studies").status == 405
    assert page.change("/api/about", method="DELETE").status == 405


def test_what_is_too_much(page):
    said = page.change("/api/archives", {"target": "x" * 2_000_000})
    assert said.status == 413


@pytest.mark.parametrize("body", ["[]", "1", "{", '{"target": 5}', '{"target": "a\\u0000b"}', "{}"])
def test_odd_bodies(page, body):
    headers = {"Origin": page.origin, "Content-Type": "application/json"}
    assert page.ask("/api/archives", "POST", body, headers=headers).status == 400


# What answers say ---------------------------------------------------------------------------------


def test_every_answer_is_covered(page):
    answers = [
        page.ask("/api/archives"),
        page.ask("/api/nothing"),
        page.ask("/", cookie=None),
        page.ask("/"),
        page.ask("/static/no.js"),
        page.ask(f"/?token={page.server.token}"),
        page.ask("/", headers={"Host": "evil.example"}),
        page.change("/api/archives"),
    ]
    for said in answers:
        policy = said.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert said.headers["x-content-type-options"] == "nosniff"
        assert said.headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in said.headers
        assert "server" not in said.headers


@pytest.mark.parametrize(
    "path",
    [
        "/static/../browse/app.py",
        "/static/..%2f..%2fbrowse/app.py",
        "/static/%2e%2e/%2e%2e/pyproject.toml",
        "/static//etc/passwd",
        "/static/..\\..\\pyproject.toml",
        "/../../etc/passwd",
        "/feed/../api/archives",
        "/api/../../etc/passwd",
        "/api/thumbnails/a/../../etc",
        "/feed/%2e%2e/1.2/1.3/manifest",
        "/feed/a/..%2f..%2f/1.3/manifest",
    ],
)
def test_tricks_with_paths(page, path):
    said = page.ask(path)
    assert said.status in {400, 404}
    assert b"root:" not in said.body
    assert b"[build-system]" not in said.body


def test_uids_that_are_none(page):
    (archive,) = page.archives().values()
    for odd in ("x", "1.2%00", "..", "1.2;rm", "1" * 65):
        assert page.ask(f"/feed/{archive['id']}/{odd}/1.3/manifest").status in {400, 404}
        assert page.ask(f"/api/thumbnails/{archive['id']}/{odd}").status in {400, 404}
        assert page.ask(f"/api/studies/{odd}").status in {400, 404}


# Read-only ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_a_page_that_only_shows_refuses_changes_in_words(browse, slides, method, path, body):
    page = browse(slides, read_only=True)
    said = page.change(path, body, method)
    if path.endswith("verify"):
        assert said.status == 404  # it changes nothing: only there is no archive x
    else:
        assert said.status == 403
        assert "--read-only" in said.words


def test_a_page_that_only_shows_says_so(browse, slides):
    page = browse(slides, read_only=True)
    assert page.get("/api/about").json["readOnly"]
    assert all(one["readOnly"] for one in page.get("/api/archives").json)
    assert page.listed()["total"] == 1


# Other hosts --------------------------------------------------------------------------------------


def test_others_are_let_in_with_tls_only(home):
    for host in ("0.0.0.0", "::", "pacs.example"):
        with pytest.raises(ValueError, match="--certificate"):
            serve(host=host)


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "slides.example")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "certificate.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return Tls(folder / "certificate.pem", folder / "key.pem"), context


def test_tls_for_others(home, slides, tls):
    served, context = tls
    with serve([str(slides)], host="0.0.0.0", tls=served, hosts=["slides.example"]) as server:
        assert server.url.startswith("https://127.0.0.1:")
        page = Page(server, context=context)
        opened = page.ask(f"/?token={server.token}", cookie=None)
        assert "Secure" in opened.headers["set-cookie"]
        assert page.listed()["total"] == 1
        for host, status in (
            ("slides.example", 200),
            ("10.1.2.3:8788", 200),
            ("evil.example", 421),
        ):
            assert page.ask("/api/archives", headers={"Host": host}).status == status
        assert page.ask("/api/archives", cookie=None).status == 401
        said = page.change("/api/archives", {"target": "https://pacs.example/dicom-web"})
        assert said.status == 200
        # Folders of the machine it runs on are for who sits there.
        assert not page.get("/api/about").json["paths"]
        assert page.ask("/api/folders?path=/").status == 400
        for path, body in (
            ("/api/archives", {"target": str(slides)}),
            ("/api/import", {"folder": str(slides)}),
        ):
            refused = page.change(path, body)
            assert refused.status == 400
            assert "machine" in refused.words
        with socket.create_connection(("127.0.0.1", urlsplit(server.url).port), 10) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert b"HTTP/1.1 200" not in plain.recv(1000)


def test_a_certificate_that_is_none(tmp_path):
    (tmp_path / "a.pem").write_text("nothing")
    with pytest.raises(ValueError, match="no certificate"):
        Tls(tmp_path / "a.pem", tmp_path / "a.pem")
    with pytest.raises(ValueError, match="no certificate"):
        Tls(tmp_path / "b.pem", tmp_path / "b.pem")
