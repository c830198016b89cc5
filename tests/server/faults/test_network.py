from __future__ import annotations

import asyncio
import http.client
import time

import pytest
from server.faults.asking import CLOSED, TYPE, body_of, connected, talk, uids
from server.making import dicom

from wsiweb.server.faults import with_faults
from wsiweb.server.faults.passing import Call

FIRST = dicom("1.1")
LENGTH = len(body_of(FIRST))


def _elapsed(act):
    began = time.monotonic()
    result = act()
    return result, time.monotonic() - began


def _gives_up(url, seconds):
    with connected(url, seconds) as connection:
        connection.request("POST", "/studies", body_of(FIRST), {"Content-Type": TYPE})
        with pytest.raises(TimeoutError):
            connection.getresponse()


def test_slow_waits_before_anything_is_done(bad):
    archive = bad("slow:seconds=0.5")
    _gives_up(archive.url, 0.2)
    time.sleep(0.5)
    assert archive.held == {}
    answer, seconds = _elapsed(lambda: archive.post(FIRST))
    assert answer.status == 200
    assert seconds >= 0.5


def test_a_late_answer_comes_after_the_deed(bad):
    archive = bad("late-answer:seconds=1.5")
    _gives_up(archive.url, 0.7)
    assert archive.held == {"1.1": FIRST}
    answer, seconds = _elapsed(lambda: archive.post(FIRST))
    assert uids(answer, "00081199") == ["1.1"]
    assert seconds >= 1.5


@pytest.mark.parametrize(("name", "status"), [("busy", 503), ("too-many", 429)])
def test_overloaded(bad, name, status):
    archive = bad(f"{name}:retry_after=7,times=1")
    answer = archive.post(FIRST)
    assert (answer.status, answer.headers["retry-after"]) == (status, "7")
    assert archive.held == {}
    assert archive.post(FIRST).status == 200
    assert archive.held == {"1.1": FIRST}


def test_failing(bad):
    archive = bad("failing:status=502")
    answer = archive.post(FIRST)
    assert (answer.status, answer.headers["content-type"]) == (502, "text/html")
    assert b"<html>" in answer.body
    assert archive.held == {}


def test_moved_is_answered_where_it_moved(bad):
    archive = bad("moved:status=308")
    answer = archive.post(FIRST, path="/studies?x=1")
    assert (answer.status, answer.headers["location"]) == (308, "/dicom-web/studies?x=1")
    assert archive.held == {}
    assert archive.post(FIRST, path=answer.headers["location"]).status == 200
    assert archive.held == {"1.1": FIRST}


def test_credentials_expire_until_others_come(bad):
    archive = bad("expired:lasts=2")
    old, new = {"Authorization": "Bearer old"}, {"Authorization": "Bearer new"}
    assert archive.statuses(3, **old) == [200, 200, 401]
    answer = archive.post(FIRST, **old)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert archive.held == {}
    assert archive.post(FIRST, **new).status == 200
    assert archive.held == {"1.1": FIRST}
    assert archive.statuses(2, **new) == [200, 401]
    assert archive.statuses(3) == [200, 200, 401]  # none are credentials too


@pytest.mark.parametrize("taken", [0, 1, 300, 10**6])
def test_dropped_closes_the_connection_without_an_answer(bad, taken):
    archive = bad(f"dropped:taken={taken},times=2")
    head = ["POST /studies HTTP/1.1", f"Content-Type: {TYPE}", f"Content-Length: {LENGTH}"]
    assert talk(archive.url, head, body_of(FIRST)) == b""
    with pytest.raises(CLOSED):
        archive.get("/studies")
    assert archive.held == {}
    assert archive.post(FIRST).status == 200


def test_dropped_in_the_middle_of_a_body(bad):
    """It need not all be sent: 300 bytes have come, the rest never does."""
    archive = bad("dropped:taken=300")
    head = ["POST /studies HTTP/1.1", f"Content-Type: {TYPE}", f"Content-Length: {LENGTH}"]
    assert talk(archive.url, head, body_of(FIRST)[:300]) == b""
    assert archive.held == {}


def test_a_crash_after_storing(bad):
    archive = bad("crash-after-store:times=1")
    with pytest.raises(CLOSED):
        archive.post(FIRST, dicom("1.2"))
    assert archive.held == {"1.1": FIRST, "1.2": dicom("1.2")}
    assert archive.get().status == 200  # only what stores is befallen
    assert archive.post(FIRST).status == 200


def test_truncated_promises_more_than_comes(bad):
    archive = bad("truncated:keep=50")
    with connected(archive.url) as connection:
        connection.request("POST", "/studies", body_of(FIRST), {"Content-Type": TYPE})
        answer = connection.getresponse()
        with pytest.raises(http.client.IncompleteRead) as cut:
            answer.read()
        assert answer.status == 200
        assert len(cut.value.partial) == 50
        assert cut.value.expected == int(answer.headers["content-length"]) - 50 > 50
    assert archive.held == {"1.1": FIRST}


def test_a_short_answer_pretends_to_be_whole(bad):
    whole = bad().post(FIRST).body
    archive = bad("short-answer:keep=50,times=1", "short-answer:keep=999999,after=1")
    answer = archive.post(FIRST)
    assert (answer.status, answer.headers["content-length"]) == (200, "50")
    assert whole.startswith(answer.body[:20])
    assert len(archive.post(FIRST).body) == len(archive.post(FIRST).body) > 50  # one byte less
    with pytest.raises(ValueError, match="Expecting"):
        _ = archive.post(FIRST).json
    assert archive.held == {"1.1": FIRST}


def test_an_answer_without_a_body_cannot_be_cut(bad):
    for name in ("truncated", "short-answer"):
        answer = bad(name, "silent").post(FIRST)
        assert (answer.status, answer.body) == (200, b"")


# What becomes of the body of a request that is refused --------------------------------------------

HEAD = ["POST /studies HTTP/1.1", f"Content-Type: {TYPE}", "Content-Length: 5000000"]


def test_an_unread_body_is_answered_at_once_and_the_connection_closed(bad):
    came = talk(bad("busy:body=unread").url, HEAD, b"only the beginning")
    assert came.startswith(b"HTTP/1.1 503")
    assert b"connection: close" in came


def test_a_discarded_body_may_be_sent_to_its_end(bad):
    archive = bad("busy:body=discarded,times=1")
    with connected(archive.url) as connection:
        connection.putrequest("POST", "/studies")
        connection.putheader("Content-Length", "5000000")
        connection.endheaders()
        connection.send(bytes(1000))
        answer = connection.getresponse()
        assert answer.read() == b"Service Unavailable"
        connection.send(bytes(5_000_000 - 1000))
        connection.request("GET", "/studies")  # on the same connection
        assert connection.getresponse().status == 200


def test_a_read_body_is_answered_after_its_end(bad):
    archive = bad("busy:body=read")
    with connected(archive.url, 0.5) as connection:
        connection.putrequest("POST", "/studies")
        connection.putheader("Content-Length", "2000")
        connection.endheaders()
        connection.send(bytes(1000))
        connection.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.sock.recv(1)
        connection.send(bytes(1000))
        assert connection.sock.recv(12) == b"HTTP/1.1 503"


def test_nobody_is_answered_who_went_away(bad):
    for faults in ("busy:body=read", "dropped:taken=100"):
        with connected(bad(faults).url) as connection:
            connection.putrequest("POST", "/studies")
            connection.putheader("Content-Length", "5000")
            connection.endheaders(b"x")
            time.sleep(0.1)
    time.sleep(0.2)  # what it logs then is an error of the fixture


def test_without_a_server_there_is_no_connection_to_close():
    async def nothing(scope, receive, send):
        raise AssertionError("it is not asked")

    scope = {"type": "http", "method": "GET", "path": "/studies", "headers": []}
    with pytest.raises(ConnectionAbortedError, match="there is none"):
        asyncio.run(with_faults(nothing, ["dropped"])(scope, None, None))
    assert Call({**scope, "path": "/nowhere"}, None, None).kind == "other"
