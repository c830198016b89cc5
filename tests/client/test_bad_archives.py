"""Archives that behave as real ones were seen to, and what must not come of it."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import numpy as np
import pytest
from faulty import Fault, Proxy

import wsiweb
from wsiweb.server import serve
from wsiweb.wire.media import Step


def _slide(url, **given):
    return wsiweb.connect(url, **given).slides()[0].open()


def _answer(body=b"", status=200, headers=()):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": body})

    return app


# Frames ---------------------------------------------------------------------------------------


def test_one_passing_500_does_not_lead_to_decompressed_pixels(faulty):
    app, server = faulty(Fault("/frames/", status=500, times=1))
    slide = _slide(server.url)
    assert slide.tile(0, 0, 0).media_type == "image/jpeg"
    assert slide._frames.client.profile.accept is Step.STORED
    accepts = [headers["accept"] for _, path, headers in app.log if "/frames/" in path]
    assert len(accepts) == 2
    assert all("transfer-syntax=*" in accept for accept in accepts)


def test_one_instance_that_refuses_does_not_spoil_the_others(faulty):
    """A step is remembered by its kind, tried first, and still only tried."""
    app, _ = faulty()

    async def picky(scope, receive, send):
        accept = dict(scope["headers"]).get(b"accept", b"").decode()
        if "/frames/" in scope["path"] and level_1 in scope["path"] and "*" in accept:
            await _answer(status=406)(scope, receive, send)
        else:
            await app(scope, receive, send)

    level_1 = "unknown yet"
    with serve(app=picky) as server:
        slide = _slide(server.url)
        level_1 = slide.levels[1].instance_uids[0]
        slide.read_region((0, 0), 0, (10, 10))
        slide.read_region((0, 0), 1, (10, 10))
        slide.read_region((1000, 1000), 0, (10, 10))


def _bare_only(app):
    async def bare_only(scope, receive, send):
        headers = dict(scope["headers"])
        if "/frames/" in scope["path"] and b"transfer-syntax" in headers.get(b"accept", b""):
            await _answer(status=406)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return bare_only


def _forget_syntax(body):
    body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    model = json.loads(body)
    for instance in model:
        instance.pop("00083002", None)
    return json.dumps(model).encode()


@pytest.mark.parametrize("known", [True, False])
def test_an_archive_that_only_decompresses_is_read_with_a_warning(faulty, made_server, known):
    headers = {"content-encoding": "identity"}
    faults = [] if known else [Fault("/metadata", body=_forget_syntax, headers=headers)]
    app, _ = faulty(*faults)
    with serve(app=_bare_only(app)) as server:
        slide = _slide(server.url)
        with pytest.warns(UserWarning, match="decompressed"):
            region = slide.read_region((500, 300), 0, (600, 600))
        expected = _slide(made_server.url).read_region((500, 300), 0, (600, 600))
        np.testing.assert_array_equal(region, expected)
        with pytest.raises(wsiweb.NotAcceptable, match="only decompressed"):
            slide.tile(0, 3, 3)


def _sorted_lists(app):
    """Answer lists of frames in rising order, whatever the order asked."""

    async def sorting(scope, receive, send):
        head, mark, numbers = scope["path"].rpartition("/frames/")
        if mark:
            path = head + mark + ",".join(sorted(numbers.split(","), key=int))
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await app(scope, receive, send)

    return sorting


def test_an_archive_that_sorts_its_answers_is_not_misread(faulty, made_server):
    app, _ = faulty()
    wanted = [((x * 256, y * 256), 0, (256, 256)) for y in range(5) for x in range(8)][::-1]
    with serve(app=_sorted_lists(app)) as server:
        regions = list(_slide(server.url).read_regions(wanted))
    expected = list(_slide(made_server.url).read_regions(wanted))
    assert all((one == two).all() for one, two in zip(regions, expected, strict=True))


def _located(order):
    """Return a change of a body of parts: their order, and a Content-Location for each."""

    def change(body):
        boundary = body.strip().split(b"\r\n")[0][2:]
        parts = body.split(b"--" + boundary)[1:-1]
        marked = [
            part.replace(b"\r\n", b"\r\nContent-Location: /x/frames/%d\r\n" % (at + 1), 1)
            for at, part in enumerate(parts)
        ]
        return b"--" + (b"--" + boundary).join([b"", *order(marked)])[2:] + b"--" + boundary + b"--"

    return change


def test_parts_are_told_by_their_content_location(faulty, made_server):
    _, server = faulty(Fault("/frames/", body=_located(lambda parts: parts[::-1])))
    region = _slide(server.url).read_region((0, 0), 0, (768, 256))
    expected = _slide(made_server.url).read_region((0, 0), 0, (768, 256))
    np.testing.assert_array_equal(region, expected)


def test_a_part_of_another_frame_is_refused(faulty):
    _, server = faulty(Fault("/frames/", body=_located(lambda parts: parts)))
    with pytest.raises(wsiweb.ProtocolError, match="Frame 1 came"):
        _slide(server.url).read_region((256, 256), 0, (512, 10))


def test_a_list_answered_with_its_first_frame_only_is_asked_singly(faulty, made_server):
    app, _ = faulty()

    async def first_only(scope, receive, send):
        head, mark, numbers = scope["path"].rpartition("/frames/")
        if mark:
            path = head + mark + numbers.split(",")[0]
            scope = {**scope, "path": path, "raw_path": path.encode()}
        await app(scope, receive, send)

    with serve(app=first_only) as server:
        slide = _slide(server.url)
        region = slide.read_region((0, 0), 0, (800, 800))
        assert slide._frames.client.profile.most_frames == 1
    assert (region == _slide(made_server.url).read_region((0, 0), 0, (800, 800))).all()


def test_passing_faults_do_not_end_batching(faulty):
    _, server = faulty(Fault("/frames/", status=500, times=3))
    slide = _slide(server.url)
    slide.read_region((0, 0), 0, (800, 800))
    assert slide._frames.client.profile.most_frames > 1


def test_failed_reads_keep_nothing_in_memory(faulty):
    import gc
    import tracemalloc

    _, server = faulty(Fault("/frames/", status=404))
    slide = _slide(server.url)

    def fail():
        for read in (
            lambda: slide.read_region((0, 0), 0, (2000, 1400)),
            lambda: next(slide.read_regions([((0, 0), 0, (2000, 1400))] * 2)),
        ):
            try:
                read()
            except wsiweb.NotFound:
                continue
            raise AssertionError

    fail()
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(5):
            fail()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert held < 20_000_000  # fifteen regions of 8 MB were begun; the last may be on its way out


# Searches -------------------------------------------------------------------------------------


def _studies(count, *, honours=(), page=None, headers=()):
    """An archive of studies P0, P1 ... that ignores filters, and what else is not honoured."""

    def found(query):
        wanted = dict(pair.split("=", 1) for pair in query.split("&") if "=" in pair)
        limit = int(wanted["limit"]) if "limit" in honours else count
        offset = int(wanted.get("offset", 0)) if "offset" in honours else 0
        chosen = range(count)[offset : offset + min(limit, page or count)]
        return [
            {
                "0020000D": {"vr": "UI", "Value": [f"1.{number}"]},
                "00100020": {"vr": "LO", "Value": [f"P{number}"]},
            }
            for number in chosen
        ]

    async def app(scope, receive, send):
        body = json.dumps(found(scope["query_string"].decode())).encode()
        await _answer(body, headers=headers)(scope, receive, send)

    return app


def test_a_limit_counts_what_is_left_after_filtering():
    with serve(app=_studies(450, honours=("limit", "offset"))) as server:
        archive = wsiweb.connect(server.url)
        assert len(archive.studies(patient_id="P7")) == 1
        assert [one.patient_id for one in archive.studies(patient_id="P407", limit=1)] == ["P407"]
        assert len(archive.studies(limit=3)) == 3
        assert len(archive.studies()) == 450


def test_an_archive_with_a_cap_of_its_own_is_listed_whole():
    with serve(app=_studies(450, honours=("limit", "offset"), page=100)) as server:
        assert len(wsiweb.connect(server.url).studies()) == 450


def test_a_list_that_may_be_cut_is_warned_of():
    with (
        serve(app=_studies(5000, page=100)) as server,
        pytest.warns(UserWarning, match="there may be more"),
    ):
        assert len(wsiweb.connect(server.url).studies()) == 100
    headers = [(b"warning", b'299 pacs "There are more results"')]
    with (
        serve(app=_studies(7, headers=headers)) as server,
        pytest.warns(UserWarning, match="There are more results"),
    ):
        assert len(wsiweb.connect(server.url).studies()) == 7


def test_a_list_that_grows_while_it_is_paged_through_is_not_said_to_be_cut():
    """What is stored before the others moves them on: the next page begins with known ones."""

    def found(offset):
        return [{"0020000D": {"vr": "UI", "Value": [f"1.{n}"]}} for n in range(100)][offset - 2 :]

    async def app(scope, receive, send):
        query = scope["query_string"].decode()
        page = found(100) if "offset=100" in query else found(2)
        await _answer(json.dumps(page).encode())(scope, receive, send)

    with serve(app=app) as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(wsiweb.connect(server.url).studies()) == 100


def test_a_listing_shows_itself_without_fetching_all():
    with serve(app=_studies(1000, honours=("limit", "offset"))) as server:
        archive = wsiweb.connect(server.url)
        with wsiweb.trace() as cost:
            studies = archive.studies()
            assert studies
            assert "so far" in repr(studies)
        assert cost.requests == 1
        assert len(studies) == 1000


BROKEN = {
    "a gzip stream cut at its start": (
        _answer(gzip.compress(b"[]" * 999)[:5], headers=[(b"content-encoding", b"gzip")]),
        wsiweb.WsiwebError,
    ),
    "206": (_answer(b"[]", 206), wsiweb.ArchiveError),
    "202": (_answer(b"[]", 202), wsiweb.ArchiveError),
    "a redirect to nonsense": (
        _answer(status=302, headers=[(b"location", b"http://[bad/x")]),
        wsiweb.ProtocolError,
    ),
    "a redirect to an impossible port": (
        _answer(status=302, headers=[(b"location", b"http://a:99999999/x")]),
        wsiweb.ProtocolError,
    ),
    "a redirect to an impossible host": (
        _answer(status=302, headers=[(b"location", b"http://a..b/x")]),
        wsiweb.Unreachable,
    ),
    "an impossible Retry-After": (
        _answer(status=503, headers=[(b"retry-after", b"Mon, 01 Jan 99999999999 00:00:00 GMT")]),
        wsiweb.Busy,
    ),
    "an unknown compression": (
        _answer(b"junk", headers=[(b"content-encoding", b"br")]),
        wsiweb.WsiwebError,
    ),
}


@pytest.mark.parametrize(("app", "error"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_answers_are_errors_of_ours(app, error):
    with serve(app=app) as server, pytest.raises(error):
        wsiweb.connect(server.url, settings=wsiweb.Settings(retries=1)).studies()[0]


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".lab"])
def test_hosts_that_cannot_be(host):
    with pytest.raises(wsiweb.Unreachable):
        wsiweb.connect(f"http://{host}", settings=wsiweb.Settings(retries=0)).studies()[0]


# Secrets --------------------------------------------------------------------------------------


def _chain(error):
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def test_no_error_in_the_chain_holds_the_token():
    import socket

    listener = socket.create_server(("127.0.0.1", 0))

    def talk_nonsense():
        for _ in range(2):
            client, _ = listener.accept()
            client.recv(9999)
            client.sendall(b"garbage\r\n\r\n")
            client.close()

    thread = threading.Thread(target=talk_nonsense)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    archive = wsiweb.connect(url, auth="S3CRET", settings=wsiweb.Settings(retries=1))
    with pytest.raises(wsiweb.Unreachable) as caught:
        archive.studies()[0]
    thread.join()
    listener.close()
    for error in _chain(caught.value):
        assert "S3CRET" not in f"{error!r} {error} {vars(error)}"


def test_the_signature_of_another_host_is_not_shown(made_server):
    target = f"{made_server.url}/nothing?X-Signature=S3CRET".replace("127.0.0.1", "localhost")
    with (
        serve(app=_answer(status=302, headers=[(b"location", target.encode())])) as server,
        pytest.raises(wsiweb.ArchiveError, match="nothing") as caught,
    ):
        wsiweb.connect(server.url).studies()[0]
    assert "S3CRET" not in str(caught.value)


def test_a_redirect_to_the_same_origin_written_otherwise_keeps_the_credentials(faulty):
    app, server = faulty()

    async def redirecting(scope, receive, send):
        if scope["path"].startswith("/moved"):
            await app({**scope, "path": scope["path"][6:]}, receive, send)
            return
        query = scope["query_string"]
        port = scope["server"][1]
        target = f"HTTP://127.0.0.1:{port}/moved{scope['path']}?".encode() + query
        await _answer(status=307, headers=[(b"location", target)])(scope, receive, send)

    with serve(app=redirecting) as front:
        assert len(wsiweb.connect(front.url, auth="t").studies()) == 1
    assert all(headers["authorization"] == "Bearer t" for _, _, headers in app.log)
    del server


def test_the_token_is_fetched_once_and_renewed_once_for_all_that_wait():
    calls = []

    def token():
        calls.append(None)
        time.sleep(0.05)
        return "expired"

    with serve(app=_answer(status=401)) as server:
        archive = wsiweb.connect(server.url, auth=wsiweb.BearerAuth(token))

        def ask(_):
            with pytest.raises(wsiweb.Unauthorized):
                archive.studies()[0]

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(ask, range(8)))
    assert len(calls) == 2


def _no_token():
    raise KeyError("vault")


@pytest.mark.parametrize("token", [_no_token, lambda: None, lambda: "", lambda: "a\x00b"])
def test_a_function_that_gives_no_token_is_told(made_server, token):
    archive = wsiweb.connect(made_server.url, auth=wsiweb.BearerAuth(token))
    with pytest.raises(wsiweb.Unauthorized, match="token"):
        archive.studies()[0]


def test_a_token_read_from_a_file_may_end_its_line(faulty):
    app, server = faulty()
    wsiweb.connect(server.url, auth="t0ken\n").studies()[0]
    assert app.log[0][2]["authorization"] == "Bearer t0ken"


# Processes ------------------------------------------------------------------------------------


def _script(code, url, **environment):
    return subprocess.run(
        [sys.executable, "-W", "default", "-c", textwrap.dedent(code), url],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, **environment},
    )


def test_a_script_may_end_while_a_thread_reads(faulty):
    _, server = faulty(Fault("/frames/", delay=0.4))
    code = r"""
        import sys, threading, time, wsiweb
        slide = wsiweb.connect(sys.argv[1]).slides()[0].open()
        def read(size):
            sys.stdout.write(f"{slide.read_region((0, 0), 0, size).shape}\n")
        for size in ((10, 10), (700, 700)):
            threading.Thread(target=read, args=(size,)).start()
        time.sleep(0.1)
    """
    done = _script(code, server.url)
    assert sorted(done.stdout.splitlines()) == ["(10, 10, 3)", "(700, 700, 3)"], done.stderr
    assert done.stderr == ""


def test_a_script_may_forget_to_close(made_server):
    code = """
        import atexit, sys, weakref
        weakref.finalize(sys.modules["atexit"], int)  # whose end comes after the library's
        atexit.register(lambda: archive.close())
        import wsiweb
        archive = wsiweb.connect(sys.argv[1])
        slide = archive.slides()[0].open()
        slide.thumbnail(64)
        other = wsiweb.connect(sys.argv[1])
        other.studies()[0]
    """
    done = _script(code, made_server.url)
    assert (done.returncode, done.stderr) == (0, "")


def test_this_machine_is_not_looked_for_behind_a_proxy(made_server):
    code = "import sys, wsiweb; print(len(wsiweb.connect(sys.argv[1]).studies()))"
    dead = "http://127.0.0.1:9"
    done = _script(code, made_server.url, http_proxy=dead, HTTP_PROXY=dead)
    assert done.stdout == "1\n", done.stderr
    code = """
        import sys, wsiweb
        try:
            wsiweb.connect("http://pacs.lab", settings=wsiweb.Settings(retries=0)).studies()[0]
        except wsiweb.Unreachable as error:
            print(error)
    """
    done = _script(code, "", http_proxy="127.0.0.1:9")
    assert "By the proxy" in done.stdout


def test_a_worker_connects_once_however_often_its_slide_comes(made_server):
    proxy = Proxy(urlsplit(made_server.url).port)
    try:
        slide = _slide(f"http://127.0.0.1:{proxy.port}")
        parcel = pickle.dumps(slide)
        code = """
            import gc, pickle, sys, wsiweb
            parcel = bytes.fromhex(sys.stdin.read())
            with wsiweb.trace() as cost:
                for _ in range(20):
                    pickle.loads(parcel).read_region((0, 0), 0, (600, 600))
                    gc.collect()
            print(cost.frames_fetched, cost.connections)
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            input=parcel.hex(),
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    finally:
        proxy.close()
    frames, connections = map(int, done.stdout.split())
    assert frames == 9
    assert connections <= 2
