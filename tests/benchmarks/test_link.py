"""The slow link: it waits as it says, and counts what it passes on."""

from __future__ import annotations

import http.client
import time
from urllib.parse import urlsplit

import pytest
from wsiweb_benchmarks import link
from wsiweb_benchmarks.link import Counts, Link, Terms

BODY = 5 * (b"\r\n\r\n" + b"x" * 99_996)  # five frames, as it looks to the link
SIZE = len(BODY)


async def app(scope, receive, send):
    """Answers every request with half a megabyte."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    headers = [(b"content-length", str(SIZE).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


@pytest.fixture(scope="module")
def control():
    from wsiweb.server import serve

    with serve(app=Link(app, Terms())) as server:
        yield server.url + link.CONTROL


@pytest.fixture
def ask(control):
    """Ask for a path on one connection; return the seconds that it took."""
    connection = http.client.HTTPConnection(urlsplit(control).netloc, timeout=10)

    def asked(path="/"):
        start = time.perf_counter()
        connection.request("GET", path)
        assert len(connection.getresponse().read()) == SIZE
        return time.perf_counter() - start

    yield asked
    connection.close()


def test_without_terms_nobody_waits(control, ask):
    link.begin(control, Terms())
    ask()
    assert ask() < 0.1


def test_each_request_waits_and_the_first_of_a_connection_twice(control, ask):
    link.begin(control, Terms(delay=0.1))
    assert ask() >= 0.195
    assert 0.095 <= ask() < 0.19


def test_a_handshake_takes_a_round_trip_from_when_the_connection_is_asked_for(
    made, made_folder, tmp_path
):
    path = f"/studies/{made.study_uid}/series/{made.series_uid}/metadata"
    with link.served(made_folder, tmp_path / "index.sqlite", Terms(delay=0.2)) as url:

        def seconds(idle):
            connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
            connection.connect()
            time.sleep(idle)
            start = time.perf_counter()
            connection.request("GET", path)
            connection.getresponse().read()
            connection.close()
            return time.perf_counter() - start

        def quickest(idle):  # a busy machine adds to it, and takes nothing away
            return min(seconds(idle) for _ in range(3))

        assert quickest(idle=0.0) >= 0.39
        assert 0.29 <= quickest(idle=0.1) < 0.39
        assert 0.19 <= quickest(idle=0.3) < 0.29


def test_the_bandwidth_is_what_it_is_said_to_be(control, ask):
    link.begin(control, Terms(bandwidth=5e6))
    took = ask() + ask()
    assert 2 * SIZE / 5e6 - 0.02 <= took < 2 * SIZE / 5e6 + 0.2


def test_a_frame_costs_and_a_list_costs_each_of_its_frames(control, ask):
    link.begin(control, Terms(frame_cost=0.02))
    assert ask("/studies/1/series/2/instances/3/metadata") < 0.1
    assert ask("/studies/1/series/2/instances/3/frames/1,2,3,4,5") >= 0.098


def test_it_counts_requests_connections_and_bytes_but_not_itself(control, ask):
    link.begin(control, Terms())
    ask()
    ask()
    counted = link.counts(control)
    assert (counted.requests, counted.connections, counted.bytes_sent) == (2, 1, 2 * SIZE)
    assert counted.cpu > 0
    link.reset(control)
    counted = link.counts(control)
    assert counted == Counts(cpu=counted.cpu)


def test_the_server_runs_in_a_process_of_its_own_and_ends(made, made_folder, tmp_path):
    with link.served(made_folder, tmp_path / "index.sqlite", Terms()) as url:
        path = f"/studies/{made.study_uid}/series/{made.series_uid}/metadata"
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        connection.request("GET", path)
        assert connection.getresponse().status == 200
        connection.close()
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection(urlsplit(url).netloc, timeout=1).connect()
