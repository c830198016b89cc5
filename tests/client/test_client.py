"""The client against the embedded server, on good days and bad ones."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import ssl
import threading
import time
from urllib.parse import urlsplit

import psutil
import pytest
import trustme
from faulty import Fault, Faulty, Proxy

import wsiweb
from wsiweb import loop, synthetic
from wsiweb.client import http
from wsiweb.client.http import HttpTransport
from wsiweb.client.profile import ServerProfile
from wsiweb.server import create_app, serve
from wsiweb.wire.media import Step
from wsiweb.wire.query import Query

QUICK = wsiweb.Settings(retries=1, read_timeout=2, connect_timeout=2)


def _read(server_or_url, settings=QUICK, **given):
    url = server_or_url if isinstance(server_or_url, str) else server_or_url.url
    with wsiweb.connect(url, settings=settings, **given) as archive:
        return archive.slides()[0].open().read_region((0, 0), 0, (600, 600))


# Opening --------------------------------------------------------------------------------------


def test_opening_takes_one_request_and_no_frames(faulty, made):
    app, server = faulty()
    with wsiweb.connect(server.url) as archive:
        archive.open_slide(made.study_uid, made.series_uid)
    assert len(app.log) == 1
    assert app.paths("/frames/") == []


@pytest.mark.parametrize("status", [400, 404, 500, 501])
def test_without_metadata_of_a_series_each_instance_is_asked(faulty, made, status):
    app, server = faulty(Fault(f"series/{made.series_uid}/metadata", status=status))
    with wsiweb.connect(server.url, settings=wsiweb.Settings(retries=0)) as archive:
        slide = archive.open_slide(made.study_uid, made.series_uid)
    assert slide.size == (2100, 1500)
    assert len(app.log) <= len(made.paths) + 2


def test_a_study_with_one_slide_needs_no_series(made_server, made):
    with wsiweb.connect(made_server.url) as archive:
        assert archive.open_slide(made.study_uid).series_uid == made.series_uid


def test_what_is_not_there_is_not_found(made_server, made):
    with wsiweb.connect(made_server.url) as archive:
        for study, series in (("1.2", "3.4"), (made.study_uid, "3.4"), ("1.2", None)):
            with pytest.raises(wsiweb.NotFound):
                archive.open_slide(study, series)


# Searching ------------------------------------------------------------------------------------


def test_an_archive_that_ignores_offset_does_not_make_an_endless_list(faulty):
    app, server = faulty()

    class Deaf:
        async def __call__(self, scope, receive, send):
            scope = {**scope, "query_string": b""}
            await app(scope, receive, send)

    with serve(app=Deaf()) as deaf, wsiweb.connect(deaf.url) as archive:
        assert len(archive.studies()) == 1
    del server


def test_an_archive_that_ignores_filters_is_filtered_again(faulty):
    _, server = faulty()
    with wsiweb.connect(server.url) as archive:
        assert len(archive.studies(patient_id="nobody")) == 0

    app, server = faulty()

    class Deaf:
        async def __call__(self, scope, receive, send):
            query = b"&".join(
                one for one in scope["query_string"].split(b"&") if not one.startswith(b"00100020")
            )
            await app({**scope, "query_string": query}, receive, send)

    with serve(app=Deaf()) as deaf, wsiweb.connect(deaf.url) as archive:
        assert len(archive.studies()) == 1
        assert len(archive.studies(patient_id="nobody")) == 0


def test_204_is_an_empty_list(faulty):
    _, server = faulty(Fault("/studies", status=204))
    with wsiweb.connect(server.url) as archive:
        assert list(archive.studies()) == []


def test_a_search_that_is_not_json_is_told(faulty):
    _, server = faulty(Fault("/studies", status=200, text="<html>Please log in</html>"))
    with (
        wsiweb.connect(server.url, settings=QUICK) as archive,
        pytest.raises(wsiweb.ProtocolError, match=r"not DICOM JSON.*log in"),
    ):
        list(archive.studies())


def test_an_unknown_filter_is_told_before_anything_is_sent(faulty):
    app, server = faulty()
    with wsiweb.connect(server.url) as archive, pytest.raises(ValueError, match="PatientID"):
        archive.studies(PatientIdd="1")
    assert app.log == []


# Frames on bad days ---------------------------------------------------------------------------


def _without_last_part(body):
    head, boundary, _ = body.rpartition(b"\r\n--")
    head, _, _ = head.rpartition(b"\r\n--")
    return head + boundary + body[body.rindex(b"\r\n--") + 4 :]


PASSING = {
    "503 then fine": Fault("/frames/", times=1, status=503, headers={"retry-after": "0"}),
    "429 then fine": Fault("/frames/", times=1, status=429),
    "502 then fine": Fault("/frames/", times=1, status=502),
    "truncated once": Fault("/frames/", times=1, keep=20_000),
    "dropped in the middle once": Fault("/frames/", times=1, cut=20_000),
    "a part missing once": Fault("/frames/", times=1, body=_without_last_part),
    "503 on metadata": Fault("/metadata", times=1, status=503),
    "metadata dropped once": Fault("/metadata", times=1, cut=100),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_what_passes_is_survived(faulty, fault, made_server):
    _, server = faulty(fault)
    assert (_read(server) == _read(made_server)).all()
    assert fault.times == 0


LASTING = {
    "truncated part": (Fault("/frames/", keep=20_000), wsiweb.ProtocolError, "cut off"),
    "missing part": (
        Fault("/frames/", body=_without_last_part),
        wsiweb.ProtocolError,
        r"\d+ frames? (was|were) asked for and \d+ came",
    ),
    "wrong content type": (
        Fault("/frames/", headers={"content-type": "text/html"}),
        wsiweb.ProtocolError,
        "text/html came",
    ),
    "no boundary": (
        Fault("/frames/", headers={"content-type": "multipart/related"}),
        wsiweb.ProtocolError,
        "boundary",
    ),
    "503 for ever": (Fault("/frames/", status=503), wsiweb.Busy, "overloaded"),
    "401": (Fault("/frames/", status=401), wsiweb.Unauthorized, "auth="),
    "403": (Fault("/frames/", status=403), wsiweb.Unauthorized, "expired"),
    "404": (Fault("/frames/", status=404), wsiweb.NotFound, "no such"),
    "406": (Fault("/frames/", status=406, text="no way"), wsiweb.NotAcceptable, "no way"),
    "500": (Fault("/frames/", status=500), wsiweb.ArchiveError, "500"),
    "dropped for ever": (Fault("/frames/", cut=20_000), wsiweb.Unreachable, "broke off"),
    "empty": (Fault("/frames/", status=204), wsiweb.ProtocolError, "no content"),
    "silent": (Fault("/frames/", delay=9), wsiweb.Unreachable, "in time"),
    "corrupt JPEG": (
        Fault("/frames/", body=lambda body: body.replace(b"\xff\xd9", b"\xff\xd8")),
        wsiweb.DecodeError,
        "instance",
    ),
}


@pytest.mark.parametrize(("fault", "error", "words"), LASTING.values(), ids=LASTING.keys())
def test_what_lasts_is_a_clear_error(faulty, fault, error, words):
    _, server = faulty(fault)
    settings = wsiweb.Settings(retries=1, read_timeout=0.5)
    began = time.perf_counter()
    with pytest.raises(error, match=words):
        _read(server, settings)
    assert time.perf_counter() - began < 20


def test_a_long_retry_after_is_not_waited_for(faulty):
    _, server = faulty(Fault("/frames/", status=503, headers={"retry-after": "7200"}))
    began = time.perf_counter()
    with pytest.raises(wsiweb.Busy) as caught:
        _read(server, wsiweb.Settings(patience=1))
    assert caught.value.retry_after == 7200
    assert time.perf_counter() - began < 5


IMPOSSIBLE = {
    "zero tile size": ("00280010", 0),
    "huge tile": ("00280010", 2**40),
    "frame count that does not fit": ("00280008", 7),
    "huge dimensions": ("00480006", 2**32 - 1),
    "negative dimensions": ("00480007", -5),
    "words": ("00480006", "many"),
    "no samples": ("00280002", 0),
    "77 bits": ("00280100", 77),
}


@pytest.mark.parametrize(("tag", "value"), IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_impossible_headers_are_refused_by_name(faulty, tag, value):
    def spoil(body):
        model = json.loads(body)
        for instance in model:
            instance[tag]["Value"] = [value]
        return json.dumps(model).encode()

    from wsiweb.wire.dicomjson import keyword_of

    keyword = keyword_of(tag)
    headers = {"content-encoding": "identity"}
    _, server = faulty(Fault("/metadata", body=_unzipped(spoil), headers=headers))
    began = time.perf_counter()
    with pytest.raises(wsiweb.WsiwebError) as caught:
        _read(server)
    if tag == "00480006" and value == 2**32 - 1:
        keyword = "NumberOfFrames"  # which does not fit so many tiles
    assert keyword in str(caught.value)
    assert re.search(r"[Ii]nstance \d|\d cannot be read", str(caught.value))
    assert time.perf_counter() - began < 5


def _unzipped(spoil):
    import gzip

    return lambda body: spoil(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)


# Stepping down --------------------------------------------------------------------------------


def _picky(app, accepts):
    """Refuse frames unless the Accept header passes."""

    async def picky(scope, receive, send):
        headers = dict(scope["headers"]) if scope["type"] == "http" else {}
        if "/frames/" in scope.get("path", "") and not accepts(headers[b"accept"].decode()):
            await send({"type": "http.response.start", "status": 406, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await app(scope, receive, send)

    return picky


def test_the_ladder_is_stepped_down_once_and_remembered(faulty, made_server):
    app, _ = faulty()
    picky = _picky(app, lambda accept: "transfer-syntax=*" not in accept)
    with serve(app=picky) as server, wsiweb.connect(server.url) as archive:
        slide = archive.slides()[0].open()
        region = slide.read_region((0, 0), 0, (600, 600))
        assert archive._client.profile.accept is Step.EXACT
        with wsiweb.trace() as cost:
            slide.read_region((1000, 1000), 0, (100, 100))
        assert cost.requests == 1
    assert (region == _read(made_server)).all()


def test_an_archive_of_single_frames_is_asked_one_by_one(faulty, made_server):
    app, _ = faulty()

    async def single(scope, receive, send):
        if "," in scope.get("path", ""):
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b"one at a time"})
            return
        await app(scope, receive, send)

    with serve(app=single) as server, wsiweb.connect(server.url) as archive:
        region = archive.slides()[0].open().read_region((0, 0), 0, (600, 600))
        assert archive._client.profile.most_frames == 1
    assert (region == _read(made_server)).all()


def test_an_archive_that_encodes_anew_is_refused(tmp_path):
    import numpy as np

    from wsiweb import synthetic
    from wsiweb.server import create_app

    synthetic.write_slide(tmp_path, 600, 600, transfer_syntax="1.2.840.10008.1.2.1")
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(np.zeros((256, 256, 3), np.uint8)).save(buffer, "JPEG")
    from faulty import Faulty

    jpeg = {"content-type": "image/jpeg"}
    app = Faulty(
        create_app(tmp_path), Fault("/frames/", body=lambda _: buffer.getvalue(), headers=jpeg)
    )
    with serve(app=app) as server, wsiweb.connect(server.url) as archive:
        slide = archive.slides()[0].open()
        with pytest.raises(wsiweb.NotAcceptable, match="encodes anew"):
            slide.read_region((0, 0), 0, (100, 100))


@pytest.mark.parametrize("status", [400, 404, 414, 431, 500])
def test_a_url_that_is_too_long_is_halved_until_it_is_not(tmp_path, status):
    synthetic.write_slide(tmp_path, 8192, 8192, seed=1, levels=[1], tile_size=128)

    class Short(Faulty):
        async def __call__(self, scope, receive, send):
            too_long = len(scope.get("path", "")) > 2100
            self.faults = [Fault("/frames/", status=status)] if too_long else []
            await super().__call__(scope, receive, send)

    app = Short(create_app(tmp_path))
    with serve(app=app) as server, wsiweb.connect(server.url, settings=QUICK) as archive:
        slide = archive.slides()[0].open()
        tiles = [((x, y), 0, (128, 128)) for y in range(0, 8192, 128) for x in range(0, 8192, 128)]
        for _ in slide.read_regions(tiles, ahead=4096):
            pass
        lists = app.paths("/frames/")
        refused = [path for path in lists if len(path) > 2100]
        assert refused
        assert len(lists) < 100  # of 4,096 frames; and what is too long is soon known
        assert archive._client.profile.most_frames > 1
        slide._frames.forget(slide.levels[0].instance_uids)
        slide.read_region((0, 0), 0, (8192, 4096))
        again = [path for path in app.paths("/frames/")[len(lists) :] if len(path) > 2100]
        shortened = archive._client.profile.longest_url < ServerProfile.longest_url
        assert shortened == (status != 500)  # a 500 may have been bad luck
        assert not (shortened and again)


@pytest.mark.parametrize(("status", "error"), [(404, "NotFound"), (500, "ArchiveError")])
def test_what_is_refused_for_another_reason_shortens_no_url(tmp_path, status, error):
    synthetic.write_slide(tmp_path, 8192, 8192, seed=1, levels=[1], tile_size=128)

    class Damaged(Faulty):
        async def __call__(self, scope, receive, send):
            numbers = scope.get("path", "").rpartition("/frames/")[2].split(",")
            self.faults = [Fault("/frames/", status=status)] if "7" in numbers else []
            await super().__call__(scope, receive, send)

    app = Damaged(create_app(tmp_path))
    with serve(app=app) as server, wsiweb.connect(server.url, settings=QUICK) as archive:
        slide = archive.slides()[0].open()
        with pytest.raises(getattr(wsiweb, error)):
            slide.read_region((0, 0), 0, (8192, 4096))
        assert archive._client.profile.longest_url == ServerProfile.longest_url
        assert archive._client.profile.most_frames > 1


# Connections ----------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", [False, True])
def test_connections_for_frames_are_opened_while_headers_are_on_their_way(
    made_server, made, tmp_path, tls
):
    given, context, scheme = {}, None, "http"
    if tls:
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        authority.cert_pem.write_to_path(str(tmp_path / "bundle.pem"))
        given, scheme = {"ca": str(tmp_path / "bundle.pem")}, "https"
    proxy = Proxy(urlsplit(made_server.url).port, context)
    try:
        with wsiweb.connect(f"{scheme}://127.0.0.1:{proxy.port}", **given) as archive:
            slide = archive.open_slide(made.study_uid, made.series_uid)
            end = time.monotonic() + 10
            while archive._client.connected < 4 and time.monotonic() < end:
                time.sleep(0.01)
            opened = -1  # fewer than 4 in the end, where this machine is busy
            while opened != proxy.connections:
                opened = proxy.connections
                time.sleep(0.3)
            assert 1 < opened <= 4
            archive.open_slide(made.study_uid, made.series_uid)
            assert proxy.connections == opened
            with wsiweb.trace() as cost:
                slide.read_region((0, 0), 0, slide.size)
            assert 1 < cost.requests <= 4
            assert cost.connections == 0
    finally:
        proxy.close()


def test_none_are_opened_while_others_are_in_use(faulty, made, monkeypatch):
    _, server = faulty(Fault("/frames/", delay=0.3))
    with wsiweb.connect(server.url) as archive:
        slide = archive.open_slide(made.study_uid, made.series_uid)
        while not archive._client._preparing.done():
            time.sleep(0.01)
        monkeypatch.setattr(archive._client._exchange, "connect", None)
        regions = slide.read_regions([((0, 0), 0, slide.size)])
        reading = loop.submit(next, regions)
        while not archive._client._exchange.in_use:
            time.sleep(0.005)
        archive.open_slide(made.study_uid, made.series_uid)
        assert reading.result().any()


def _with_slow_connections(monkeypatch):
    """All but the first handshake take a minute."""
    begun = []
    connection = HttpTransport._connection

    async def slow(self):
        begun.append(1)
        if len(begun) > 1:
            await asyncio.sleep(60)
        return await connection(self)

    monkeypatch.setattr(HttpTransport, "_connection", slow)


def test_a_slow_handshake_does_not_keep_the_others(made_server, made, monkeypatch):
    _with_slow_connections(monkeypatch)
    monkeypatch.setattr(http, "_MOMENT", 0.1)
    with wsiweb.connect(made_server.url, settings=wsiweb.Settings(connections=4)) as archive:
        slide = archive.open_slide(made.study_uid, made.series_uid)
        assert loop.run(asyncio.wait_for(archive._client._preparing, 2)) is None
        assert archive._client.connected == 2
        assert slide.read_region((0, 0), 0, slide.size).any()


def test_closing_ends_what_is_being_opened(made_server, made, monkeypatch, capfd):
    _with_slow_connections(monkeypatch)
    archive = wsiweb.connect(made_server.url)
    archive.open_slide(made.study_uid, made.series_uid)
    began = time.monotonic()
    archive.close()
    assert time.monotonic() - began < 0.8
    assert archive._client._preparing.done()
    gc.collect()
    assert capfd.readouterr().err == ""


def test_with_one_connection_no_other_is_opened(made_server, made):
    proxy = Proxy(urlsplit(made_server.url).port)
    try:
        one = wsiweb.Settings(connections=1)
        with wsiweb.connect(f"http://127.0.0.1:{proxy.port}", settings=one) as archive:
            archive.open_slide(made.study_uid, made.series_uid).read_region((0, 0), 0, (900, 900))
        assert proxy.connections == 1
    finally:
        proxy.close()


def test_an_archive_that_takes_one_connection_only_is_read_all_the_same(made_server, made):
    """The second to the fourth are closed by it when a request comes."""

    class One(Proxy):
        @property
        def drop_next(self):
            return self.connections in {2, 3, 4}

        @drop_next.setter
        def drop_next(self, _):
            pass

    proxy = One(urlsplit(made_server.url).port)
    try:
        with wsiweb.connect(f"http://127.0.0.1:{proxy.port}", settings=QUICK) as archive:
            slide = archive.open_slide(made.study_uid, made.series_uid)
            assert slide.read_region((0, 0), 0, (900, 900)).any()
    finally:
        proxy.close()


def test_a_dropped_keep_alive_is_survived(made_server):
    proxy = Proxy(urlsplit(made_server.url).port)
    try:
        with wsiweb.connect(f"http://127.0.0.1:{proxy.port}") as archive:
            slide = archive.slides()[0].open()
            for x in range(3):
                proxy.drop_idle()
                slide.read_region((x * 512, 0), 0, (256, 256))
    finally:
        proxy.close()


def test_a_connection_dropped_before_the_answer_is_tried_again(made_server):
    proxy = Proxy(urlsplit(made_server.url).port)
    try:
        proxy.drop_next = 1
        assert _read(f"http://127.0.0.1:{proxy.port}").shape == (600, 600, 3)
        proxy.drop_next = 1000
        proxy.drop_idle()
        with pytest.raises(wsiweb.Unreachable, match="dropped"):
            _read(f"http://127.0.0.1:{proxy.port}")
    finally:
        proxy.close()


def test_a_server_that_is_gone_is_unreachable(made_folder):
    with serve(made_folder) as server:
        archive = wsiweb.connect(server.url, settings=QUICK)
        slide = archive.slides()[0].open()
    with pytest.raises(wsiweb.Unreachable, match="running"):
        slide.read_region((0, 0), 0, (100, 100))
    archive.close()


def test_no_such_host():
    with (
        wsiweb.connect("http://nowhere.invalid", settings=QUICK) as archive,
        pytest.raises(wsiweb.Unreachable, match=r"nowhere\.invalid"),
    ):
        archive.studies()[0]


def test_nothing_leaks(made_server, made_folder):
    """Fifty archives, closed or merely dropped, leave no file descriptor and no thread."""
    import gc

    def open_and_read(target, *, close):
        archive = wsiweb.connect(target)
        archive.slides()[0].open().read_region((0, 0), 0, (300, 300))
        if close:
            archive.close()

    targets = [made_server.url, made_folder]
    for turn in range(10):  # the pools fill up: they are kept, and bounded
        open_and_read(targets[turn % 2], close=True)
    gc.collect()
    time.sleep(0.3)
    me = psutil.Process(os.getpid())
    before = me.num_fds(), threading.active_count()
    for turn in range(50):
        open_and_read(targets[turn % 2], close=turn % 4 < 2)
    gc.collect()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        after = me.num_fds(), threading.active_count()
        if after[0] <= before[0] + 3 and after[1] <= before[1] + 3:
            break
        time.sleep(0.1)
    # Fifty leaks would be fifty; the pools of the library and of the server may still grow by some.
    assert after[0] <= before[0] + 3
    assert after[1] <= before[1] + 3


# Credentials ----------------------------------------------------------------------------------


def _guarded(app, good):
    """Answer 401 to all but requests with one of the good Authorization headers."""

    async def guarded(scope, receive, send):
        headers = dict(scope.get("headers", []))
        if scope["type"] == "http" and headers.get(b"authorization", b"").decode() not in good:
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await app(scope, receive, send)

    return guarded


def test_basic_and_wrong_password(faulty):
    app, _ = faulty()
    with serve(app=_guarded(app, {"Basic bWU6c2VjcmV0"})) as server:
        assert _read(server, auth=("me", "secret")).any()
        with pytest.raises(wsiweb.Unauthorized) as caught:
            _read(server, auth=("me", "wrong-s3cret"))
    assert "s3cret" not in str(caught.value)


def test_a_token_is_renewed_once_for_all_threads_in_mid_read(faulty):
    app, _ = faulty()
    good = {"Bearer 1"}
    made = []

    def token():
        made.append(None)
        return str(len(made))

    with serve(app=_guarded(app, good)) as server:
        auth = wsiweb.BearerAuth(token)
        with wsiweb.connect(server.url, auth=auth) as archive:
            slide = archive.slides()[0].open()
            good.clear()
            good.add("Bearer 2")
            slide.read_region((0, 0), 0, slide.size)
    assert len(made) == 2


def test_credentials_stay_at_home_when_redirected(faulty, made_server):
    elsewhere, other = faulty()

    async def redirecting(scope, receive, send):
        query = scope["query_string"]
        target = other.url.encode() + scope["path"].encode() + (b"?" + query if query else b"")
        await send(
            {"type": "http.response.start", "status": 307, "headers": [(b"location", target)]}
        )
        await send({"type": "http.response.body", "body": b""})

    with serve(app=redirecting) as server:
        assert _read(server, auth=wsiweb.HeaderAuth({"X-Key": "k"})).any()
    assert elsewhere.log
    assert all("x-key" not in headers for _, _, headers in elsewhere.log)


def test_a_redirect_circle_ends(faulty):
    app, server = faulty(Fault("/studies", status=302, headers={"location": "/studies"}))
    with (
        wsiweb.connect(server.url, settings=QUICK) as archive,
        pytest.raises(wsiweb.ArchiveError, match="redirects"),
    ):
        archive.studies()[0]
    del app


def test_bulk_data_come_from_where_the_metadata_say(tmp_path):
    from server.making import dicom, element

    profile = bytes(range(256)) * 8
    (tmp_path / "a.dcm").write_bytes(dicom("1.1", pixels=element(0x00282000, "OB", profile)))
    with serve(tmp_path) as server, wsiweb.connect(server.url) as archive:
        client = archive._client
        (found,) = loop.run(client.search(Query.build("instances")))
        study, series = found.text("StudyInstanceUID"), found.text("SeriesInstanceUID")
        (header,) = loop.run(client.metadata(study, series))
        uri = header.bulk("ICCProfile").uri
        assert uri is not None
        document = f"{server.url}/studies/{study}/series/{series}/metadata"
        for form in (uri, uri.replace(server.url, "http://inner.proxy:99")):
            assert loop.run(client.bulkdata(form, document_url=document)) == profile
        with pytest.raises(wsiweb.NotFound):
            loop.run(client.bulkdata(uri + "9", document_url=document))
