"""One STOW request: against the embedded server over a socket and in-process, and on bad ways."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import pickle
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import trustme
from server.making import dicom, element

import wsiweb
from wsiweb import loop
from wsiweb.client.auth import NoAuth
from wsiweb.client.client import DicomwebClient
from wsiweb.client.http import HttpTransport
from wsiweb.client.in_process import AsgiTransport
from wsiweb.client.stow import Body, FileChanged, Sendable
from wsiweb.server import create_app, serve
from wsiweb.wire.multipart import MultipartReader

QUICK = wsiweb.Settings(connect_timeout=2, read_timeout=2, store_timeout=2)
ROOT = Path(__file__).parents[2]


def sendable(path):
    return Sendable(path, path.stat().st_size)


def written(folder, *uids, size=100, **given):
    """DICOM files of at least so many bytes."""
    folder.mkdir(exist_ok=True)
    for uid in uids:
        pixels = element(0x7FE00010, "OW", os.urandom(size))
        (folder / f"{uid}.dcm").write_bytes(dicom(uid, pixels=pixels, **given))
    return [sendable(folder / f"{uid}.dcm") for uid in uids]


def held(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*.dcm")}


def sent(files):
    return {file.path.name: file.path.read_bytes() for file in files}


def store(url, files, settings=QUICK, client=None, **given):
    with wsiweb.connect(url, settings=settings, **(client or {})) as archive:
        return loop.run(archive._client.store(files, **given))


@pytest.fixture
def folder(tmp_path):
    """What the server stores; nothing else may be left in it."""
    folder = tmp_path / "archive"
    folder.mkdir()
    yield folder
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


@pytest.fixture
def files(tmp_path):
    return written(tmp_path / "mine", *(f"1.{number}" for number in range(5)))


@pytest.fixture
def large(tmp_path):
    """More than what sockets hold between them."""
    return written(tmp_path / "mine", "1.1", size=30_000_000)


@pytest.fixture(params=["socket", "in-process"])
def client(request, folder):
    """A client of the embedded server on `folder`, by either way."""
    with contextlib.ExitStack() as stack:
        if request.param == "socket":
            server = stack.enter_context(serve(folder, stow=True, max_stow=50_000_000))
            transport = HttpTransport(server.url, QUICK)
        else:

            def start():
                app = create_app(folder, stow=True, max_stow=50_000_000)
                return app, app.state.store.close

            transport = AsgiTransport(start, folder.as_uri())
        client = DicomwebClient(transport, NoAuth(), QUICK)
        yield client
        loop.run(client.close())


# Bodies ---------------------------------------------------------------------------------------


async def whole(body):
    return [chunk async for chunk in body.chunks()]


@pytest.mark.parametrize("sizes", [[0], [1], [100] * 40, [2**20], [3 * 2**20 + 1, 5, 2**20 - 300]])
def test_a_body_is_as_long_as_it_says_and_its_parts_are_the_files(tmp_path, sizes):
    paths = [tmp_path / str(number) for number in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        path.write_bytes(os.urandom(size))
    body = Body([sendable(path) for path in paths])
    chunks = loop.run(whole(body))
    data = b"".join(chunks)
    assert len(data) == body.length == body.sent
    assert max(map(len, chunks)) < 2**21 + 2**16
    assert len(chunks) < 3 + sum(sizes) / 2**20
    reader = MultipartReader(body.content_type)
    parts = reader.feed(data) + reader.close()
    assert [part.body for part in parts] == [path.read_bytes() for path in paths]
    assert {tuple(part.headers.items()) for part in parts} == {
        (("content-type", "application/dicom"),)
    }


def test_a_body_begins_anew_and_bodies_have_boundaries_of_their_own(files):
    body = Body(files)

    async def begun():
        chunks = body.chunks()
        await anext(chunks)
        await chunks.aclose()

    loop.run(begun())
    assert b"".join(loop.run(whole(body))) == b"".join(loop.run(whole(body)))
    assert len({Body(files).content_type for _ in range(50)}) == 50


def test_files_are_closed_when_a_body_is_left(large):
    async def begun():
        async with contextlib.aclosing(Body(large).chunks()) as chunks:
            await anext(chunks)

    for _ in range(5):
        loop.run(begun())
    assert _within(
        2, lambda: not any("1.1.dcm" in one.path for one in psutil.Process().open_files())
    )


def _within(seconds, true):
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


def test_what_is_no_file_is_told_before_anything_is_sent(tmp_path, files):
    lacking = Sendable(tmp_path / "none.dcm", 5)
    longer = Sendable(files[0].path, files[0].size + 1)
    log = []

    async def app(scope, receive, send):
        log.append(scope)

    with serve(app=app) as server:
        for bad, words in (
            (lacking, "No such file"),
            (longer, "bytes, and had"),
            (Sendable(tmp_path, 4096), "no file"),
        ):
            with pytest.raises(FileChanged, match=words) as caught:
                store(server.url, [*files, bad])
            assert caught.value.path == bad.path
            assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
        with pytest.raises(ValueError, match="empty"):
            store(server.url, [])
        with pytest.raises(ValueError, match=r"'\.\./x' is not a Study"):
            store(server.url, files, study="../x")
    assert [scope for scope in log if scope["type"] == "http"] == []


# Storing --------------------------------------------------------------------------------------


def test_what_is_sent_is_stored_byte_for_byte(client, folder, files):
    counts = []
    answer = loop.run(client.store(files, on_bytes=counts.append))
    assert (answer.status, answer.silent) == (200, False)
    assert [one.instance_uid for one in answer.verdicts] == [f"1.{n}" for n in range(5)]
    assert held(folder) == sent(files)
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert counts[-1] == Body(files).length


def test_bytes_are_counted_as_they_leave(client, folder, large):
    counts = []
    loop.run(client.store(large, on_bytes=counts.append))
    assert held(folder) == sent(large)
    assert len(counts) > 25
    assert max(b - a for a, b in itertools.pairwise(counts)) <= 2**21


def test_the_server_s_refusals_are_an_answer(client, folder, files, tmp_path):
    loop.run(client.store(files[:2]))
    other = written(tmp_path / "other", "1.0")
    answer = loop.run(client.store([*other, *files[1:]]))
    assert answer.status == 202
    assert {one.instance_uid for one in answer.verdicts if one.stored} == {
        file.path.stem for file in files[1:]
    }
    (clash,) = [one for one in answer.verdicts if not one.stored]
    assert (clash.instance_uid, clash.code) == ("1.0", 273)
    assert "another object" in clash.comment
    assert held(folder) == sent(files)


def test_the_wrong_study_is_an_answer_too(client, folder, files):
    answer = loop.run(client.store(files, study="1.9"))
    assert (answer.status, {one.code for one in answer.verdicts}) == (409, {43264})
    assert loop.run(client.store(files, study="1.2.3")).status == 200
    assert held(folder) == sent(files)


def test_what_is_no_dicom_has_no_name(client, folder, tmp_path):
    (tmp_path / "noise").write_bytes(b"noise")
    answer = loop.run(client.store([sendable(tmp_path / "noise")]))
    assert (answer.status, answer.silent) == (409, True)
    assert [(one.instance_uid, one.code) for one in answer.verdicts] == [("", 49152)]
    assert held(folder) == {}


def test_more_than_the_server_takes(client, folder, tmp_path):
    files = written(tmp_path / "mine", "1.1", "1.2", size=30_000_000)
    with pytest.raises(wsiweb.TooLarge, match=r"more than the archive takes.*POST .* 413"):
        loop.run(client.store(files))
    assert held(folder) == {}
    assert loop.run(client.store(files[:1])).status == 200


def test_a_server_that_stores_nothing(folder, files):
    with serve(folder) as server:
        with pytest.raises(wsiweb.ArchiveError, match="takes nothing at this address") as caught:
            store(server.url, files)
        assert caught.value.status == 405
        with pytest.raises(wsiweb.NotFound, match="takes nothing at this address"):
            store(f"{server.url}/elsewhere", files)


def test_a_closed_client_sends_nothing(client, files):
    loop.run(client.close())
    with pytest.raises(ValueError, match="was closed"):
        loop.run(client.store(files))


# A file that changes while it is sent ---------------------------------------------------------


def _after(bytes_, act):
    """A callback that acts once, when so many bytes have left."""
    done = []

    def on_bytes(count):
        if count > bytes_ and not done:
            done.append(count)
            act()

    return on_bytes


def test_a_file_that_shrinks_is_told_and_nothing_of_it_is_stored(client, folder, files, large):
    path = large[0].path
    shrink = _after(5_000_000, lambda: os.truncate(path, 10_000_000))
    with pytest.raises(FileChanged, match=r"1\.1\.dcm cannot be sent: it became shorter"):
        loop.run(client.store([*files[2:], *large], on_bytes=shrink))
    _nothing_comes(folder)
    assert loop.run(client.store(files[2:])).status == 200


def test_a_file_that_is_written_to_is_told(client, folder, large):
    def scribble():
        with large[0].path.open("r+b") as handle:
            handle.seek(-2, os.SEEK_END)
            handle.write(b"xx")

    with pytest.raises(FileChanged, match="it was changed while"):
        loop.run(client.store(large, on_bytes=_after(5_000_000, scribble)))
    _nothing_comes(folder)


def test_a_file_that_vanishes_before_its_turn_is_told(client, folder, files, large):
    unlink = _after(5_000_000, files[4].path.unlink)
    with pytest.raises(FileChanged, match=r"1\.4\.dcm cannot be sent: .*No such file"):
        loop.run(client.store([*large, files[4]], on_bytes=unlink))
    _nothing_comes(folder)


def test_a_file_that_loses_its_name_in_mid_course_is_sent_whole(client, folder, large):
    expected = sent(large)
    loop.run(client.store(large, on_bytes=_after(5_000_000, large[0].path.unlink)))
    assert held(folder) == expected


def _nothing_comes(folder):
    assert _within(3, lambda: not any(path.name.startswith(".") for path in folder.iterdir()))
    assert held(folder) == {}


def test_a_cancelled_request_stores_nothing(client, folder, large):
    began = threading.Event()
    future = loop.start(client.store(large, on_bytes=_after(3_000_000, began.set)))
    assert began.wait(10)
    future.cancel()
    time.sleep(0.2)
    if not held(folder):  # it was not too late
        _nothing_comes(folder)


# Again, elsewhere, not at all -----------------------------------------------------------------


class Before:
    """Answers the first requests by itself, and counts what it is sent; then the real server."""

    def __init__(self, app, *answers, read=True):
        self.app = app
        self.answers = list(answers)
        self.read = read
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        self.headers.append({key.decode(): value.decode() for key, value in scope["headers"]})
        self.paths.append(scope["path"])
        if not self.answers:
            self.bodies.append(b"")

            async def noted():
                event = await receive()
                self.bodies[-1] += event.get("body", b"")
                return event

            await self.app(scope, noted, send)
            return
        status, headers, text = self.answers.pop(0)
        more = self.read
        body = b""
        while more:
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)
        self.bodies.append(body)
        pairs = [(key.encode(), value.encode()) for key, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": pairs})
        await send({"type": "http.response.body", "body": text})


@pytest.fixture
def behind(folder):
    """Start the embedded server behind `Before`."""
    with contextlib.ExitStack() as stack:

        def start(*answers, read=True):
            app = create_app(folder, stow=True)
            stack.callback(app.state.store.close)
            before = Before(app, *answers, read=read)
            return before, stack.enter_context(serve(app=before))

        yield start


def _renewable():
    tokens = iter(["old", "new"])
    return wsiweb.BearerAuth(lambda: next(tokens))


@pytest.mark.parametrize("read", [True, False])
@pytest.mark.parametrize("status", [401, 403])
def test_after_expired_credentials_the_body_is_sent_again_whole(
    behind, folder, large, status, read
):
    app, server = behind((status, {}, b"expired"), read=read)
    counts = []
    answer = store(server.url, large, client={"auth": _renewable()}, on_bytes=counts.append)
    assert answer.status == 200
    assert held(folder) == sent(large)
    assert counts.count(0) == 2  # it began anew
    first, second = app.headers
    assert (first["authorization"], second["authorization"]) == ("Bearer old", "Bearer new")
    assert first["content-type"] != second["content-type"]  # a boundary of its own
    length = int(second["content-length"])
    assert len(app.bodies[1]) == length
    assert "transfer-encoding" not in second
    if read:
        assert len(app.bodies[0]) == int(first["content-length"]) == length


def test_expired_twice_is_an_error(behind, files):
    _, server = behind(*[(401, {}, b"")] * 9)
    with pytest.raises(wsiweb.Unauthorized, match="store_auth="):
        store(server.url, files, client={"auth": _renewable()})
    app, server = behind((401, {}, b""))
    with pytest.raises(wsiweb.Unauthorized):
        store(server.url, files, client={"auth": ("user", "password")})
    assert len(app.paths) == 1


@pytest.mark.parametrize("status", [503, 429])
def test_a_busy_archive_is_not_asked_again_here_but_the_next_time_all_is_sent(
    behind, folder, files, status
):
    app, server = behind((status, {"retry-after": "7"}, b"later"))
    with wsiweb.connect(server.url) as archive:
        with pytest.raises(wsiweb.Busy) as caught:
            loop.run(archive._client.store(files))
        assert caught.value.retry_after == 7
        assert len(app.paths) == 1
        assert loop.run(archive._client.store(files)).status == 200
    assert held(folder) == sent(files)
    assert [len(body) for body in app.bodies] == [Body(files).length] * 2


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (404, wsiweb.NotFound, "takes nothing at this address"),
        (406, wsiweb.NotAcceptable, "DICOM JSON"),
        (413, wsiweb.TooLarge, "one request"),
        (415, wsiweb.NotAcceptable, "multipart/related"),
        (500, wsiweb.ArchiveError, "could not do this"),
        (501, wsiweb.ArchiveError, "takes nothing"),
        (504, wsiweb.ArchiveError, "could not do this"),
        (507, wsiweb.ArchiveError, "out of space"),
        (400, wsiweb.ArchiveError, "could not do this"),  # that names no object
    ],
)
def test_what_is_no_answer_is_an_error_with_its_words(behind, files, status, kind, words):
    app, server = behind((status, {"content-type": "text/html"}, b"<b>because</b>"))
    with pytest.raises(kind, match=words) as caught:
        store(server.url, files)
    assert caught.value.status == status
    assert caught.value.method == "POST"
    assert "because" in str(caught.value)
    assert len(app.paths) == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204, 409])
def test_what_says_nothing_is_a_silent_answer(behind, files, status):
    _, server = behind((status, {}, b"" if status == 204 else b"success"))
    answer = store(server.url, files)
    assert (answer.status, answer.silent, answer.verdicts) == (status, True, ())


def test_400_that_names_objects_is_an_answer(behind, files):
    body = b'{"00081199":{"vr":"SQ","Value":[{"00081155":{"vr":"UI","Value":["1.0"]}}]}}'
    _, server = behind((400, {"content-type": "application/dicom+json"}, body))
    answer = store(server.url, files)
    assert (answer.status, [one.instance_uid for one in answer.verdicts]) == (400, ["1.0"])


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("read", [True, False])
def test_redirects_that_keep_the_body_are_followed_with_all_of_it(
    behind, folder, large, status, read
):
    app, server = behind((status, {"location": "/dicom-web/studies"}, b""), read=read)
    assert store(server.url, large, client={"auth": ("user", "pass")}).status == 200
    assert app.paths == ["/studies", "/dicom-web/studies"]
    assert all("authorization" in headers for headers in app.headers)
    assert held(folder) == sent(large)


@pytest.mark.parametrize("status", [301, 302, 303])
def test_redirects_that_lose_the_body_are_errors(behind, folder, files, status):
    app, server = behind((status, {"location": "/dicom-web/studies?secret=1"}, b""))
    with pytest.raises(wsiweb.ArchiveError, match="points to /dicom-web/studies") as caught:
        store(server.url, files)
    assert "secret" not in str(caught.value)
    assert len(app.paths) == 1
    assert held(folder) == {}


def test_another_origin_gets_no_credentials(behind, folder, files):
    other, elsewhere = behind()
    _, server = behind((307, {"location": f"{elsewhere.url}/studies"}, b""))
    assert store(server.url, files, client={"auth": ("user", "pass")}).status == 200
    assert "authorization" not in other.headers[0]
    assert held(folder) == sent(files)


def test_redirects_in_a_circle_end(behind, files):
    app, server = behind(*[(307, {"location": "/studies"}, b"")] * 9)
    with pytest.raises(wsiweb.ArchiveError, match="More than 5 redirects"):
        store(server.url, files)
    assert len(app.paths) == 5


# A server of few words ------------------------------------------------------------------------


class Raw:
    """A server that does with each connection what it is told, below HTTP."""

    def __init__(self, act, tls=None):
        self._act = act
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with contextlib.suppress(OSError):
                if self._tls is not None:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                self._act(connection)
            connection.close()

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def raw():
    with contextlib.ExitStack() as stack:

        def start(act, **given):
            server = Raw(act, **given)
            stack.callback(server.close)
            return server

        yield start


def _take(connection, count):
    while count > 0 and (data := connection.recv(65536)):
        count -= len(data)


_413 = b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\n\r\ntoo large"


@pytest.mark.parametrize("taken", [1, 1_000_000, 10_000_000])
def test_a_refusal_in_mid_course_is_read_though_the_connection_is_reset(raw, large, taken):
    """The socket is closed with bytes unread: the system answers each further one with a reset."""

    def act(connection):
        _take(connection, taken)
        connection.sendall(_413)

    server = raw(act)
    descriptors = psutil.Process().num_fds()
    with wsiweb.connect(server.url, settings=QUICK) as archive:
        for _ in range(50):
            with pytest.raises(wsiweb.TooLarge, match="too large"):
                loop.run(archive._client.store(large))
    assert _within(2, lambda: psutil.Process().num_fds() <= descriptors + 2)


def test_a_refusal_in_mid_course_over_tls(raw, large, tmp_path):
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def act(connection):
        _take(connection, 1_000_000)
        connection.sendall(_413)
        _take(connection, 10**9)  # as proxies do, lest the answer be lost

    server = raw(act, tls=context)
    for _ in range(5):
        with pytest.raises(wsiweb.TooLarge):
            store(server.url, large, client={"ca": str(bundle)})


@pytest.mark.parametrize("taken", [1, 1_000_000, 30_000_000])
def test_a_connection_that_is_dropped_is_unreachable_and_not_tried_again(raw, large, taken):
    server = raw(lambda connection: _take(connection, taken))
    with pytest.raises(wsiweb.Unreachable, match="dropped before an answer"):
        store(server.url, large)
    assert server.connections == 1


def test_an_answer_that_breaks_off(raw, files):
    def act(connection):
        _take(connection, Body(files).length)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{")

    with pytest.raises(wsiweb.Unreachable, match="broke off"):
        store(raw(act).url, files)


def test_half_an_answer_s_head_is_no_answer(raw, large):
    def act(connection):
        _take(connection, 1_000_000)
        connection.sendall(b"HTTP/1.1 413 Too L")

    for _ in range(10):
        with pytest.raises(wsiweb.Unreachable):
            store(raw(act).url, large)


@pytest.mark.parametrize("taken", [1_000_000, 31_000_000])
def test_an_archive_that_stalls_is_given_up(raw, large, taken):
    """In mid-course, where it takes no more, and at the end, where it does not answer."""
    settings = wsiweb.Settings(connect_timeout=1, read_timeout=0.1, store_timeout=1)
    server = raw(lambda connection: (_take(connection, taken), time.sleep(4)))
    began = time.monotonic()
    with pytest.raises(wsiweb.Unreachable, match=r"1 s to take what is sent and to answer.*Setti"):
        store(server.url, large, settings)
    assert 0.9 < time.monotonic() - began < 3


def test_an_archive_that_is_slow_is_not_given_up(raw, large):
    """Each piece in time, all of it not: what counts is that something moves."""
    settings = wsiweb.Settings(connect_timeout=1, read_timeout=0.1, store_timeout=1)

    def act(connection):
        for _ in range(10):
            _take(connection, 2_000_000)
            time.sleep(0.2)
        _take(connection, Body(large).length - 10 * 2_065_536)  # each took up to 65,536 more
        time.sleep(0.5)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nsuccess")

    began = time.monotonic()
    assert store(raw(act).url, large, settings).text == "success"
    assert time.monotonic() - began > 2


def test_nobody_there(files):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(wsiweb.Unreachable, match="No connection"):
        store(f"http://127.0.0.1:{port}", files)


# Other credentials, another address -----------------------------------------------------------


def test_what_is_stored_may_go_elsewhere_with_other_credentials(behind, files, folder):
    reading, read_server = behind()
    storing, store_server = behind()
    with wsiweb.connect(
        read_server.url,
        auth=("reader", "a"),
        store_auth=("writer", "b"),
        store_url=f"{store_server.url}/dicom-web/",
    ) as archive:
        assert loop.run(archive._client.store(files)).status == 200
        assert len(archive.studies()) == 1
    assert set(storing.paths) == {"/dicom-web/studies"}
    assert set(reading.paths) == {"/studies"}
    writer, reader = storing.headers[0]["authorization"], reading.headers[0]["authorization"]
    assert writer != reader
    assert "writer" not in repr(archive._place)


def test_the_same_credentials_are_renewed_once_for_reading_and_storing(behind, files):
    app, server = behind((401, {}, b""))
    renewals = []

    def token():
        renewals.append(1)
        return f"token {len(renewals)}"

    with wsiweb.connect(server.url, auth=wsiweb.BearerAuth(token)) as archive:
        loop.run(archive._client.store(files))
        assert len(archive.studies()) == 1
    assert len(renewals) == 2
    assert {headers["authorization"] for headers in app.headers[1:]} == {"Bearer token 2"}


def test_a_place_travels_with_its_credentials_to_store(files):
    with wsiweb.connect(
        "http://127.0.0.1:1", store_auth="secret", store_url="http://127.0.0.1:2/x"
    ) as archive:
        place = pickle.loads(pickle.dumps(archive._place))
    assert place.store_where == "http://127.0.0.1:2/x"
    assert asyncio.run(place.store_auth.headers()) == {"Authorization": "Bearer secret"}
    assert "secret" not in repr(place)


@pytest.mark.parametrize("bad", [{"store_url": "folder"}, {"store_auth": 3}])
def test_what_makes_no_sense_is_refused(bad):
    with pytest.raises(ValueError, match=r"URL of an archive|auth takes"):
        wsiweb.connect("http://127.0.0.1:1", **bad)


def test_a_folder_takes_what_is_stored_in_it(tmp_path, files):
    (tmp_path / "empty").mkdir()
    assert store(str(tmp_path / "empty"), files).status == 200
    assert held(tmp_path / "empty") == sent(files)


# Memory ---------------------------------------------------------------------------------------

_SENDER = """
import re, sys
from pathlib import Path
import wsiweb
from wsiweb import loop
from wsiweb.client.stow import Sendable
path = Path(sys.argv[2])
with wsiweb.connect(sys.argv[1]) as archive:
    answer = loop.run(archive._client.store([Sendable(path, path.stat().st_size)]))
print(answer.status, [one.stored for one in answer.verdicts])
print(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak")
def test_an_object_of_a_gigabyte_needs_no_memory_to_speak_of(folder, tmp_path):
    frames = 1000
    head = dicom("1.1", pixels=b"", frames=frames, shape=(1024, 1024))
    pixels = element(0x7FE00010, "OW", b"", length=frames * 2**20)
    path = tmp_path / "large.dcm"
    with path.open("wb") as handle:
        handle.write(head + pixels)
        handle.truncate(handle.tell() + frames * 2**20)  # sparse
    with serve(folder, stow=True) as server:
        done = subprocess.run(
            [sys.executable, "-c", _SENDER, server.url, str(path)],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    assert done.returncode == 0, done.stderr
    said, peak = done.stdout.splitlines()
    assert said == "200 [True]"
    assert int(peak) < 120 * 1024  # KiB; a bare `import wsiweb` with aiohttp takes some 45 MiB
    (stored,) = folder.rglob("*.dcm")
    assert stored.stat().st_size == path.stat().st_size
    stored.unlink()


def test_files_are_let_go_of(client, files):
    before = psutil.Process().num_fds()
    for _ in range(10):
        loop.run(client.store(files))
    assert _within(3, lambda: psutil.Process().num_fds() <= before + 8)
