from __future__ import annotations

import pytest
from server.making import ask, dicom, element

from wsiweb.server import serve

ICC = element(0x00282000, "OB", bytes(4000))
PATH = "/studies/1.2.3/series/1.2.3.4/instances/1.1"
FRAMES = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'


@pytest.fixture
def reading(tmp_path):
    """Called with faults, it asks a bad archive of six instances."""
    servers = []
    for number in range(6):
        (tmp_path / f"{number}.dcm").write_bytes(
            dicom(f"1.{number}", series="1.2.3.4", frames=3, x00282000=ICC)
        )

    def start(*faults):
        server = serve(tmp_path, faults=faults)
        servers.append(server)
        return lambda path, **headers: ask(server.url, path, **headers)

    yield start
    for server in servers:
        server.close()


def test_no_content_where_nothing_is_found(reading):
    get = reading("no-content")
    answer = get("/studies?PatientID=nobody")
    assert (answer.status, answer.body) == (204, b"")
    assert len(get("/instances").json) == 6
    assert get(f"{PATH}9/metadata").status == 404


def test_a_page_has_a_limit(reading):
    get = reading("page-limit:most=4,default=2")
    counts = [len(get(f"/instances{query}").json) for query in ("", "?limit=3", "?limit=50")]
    assert counts == [2, 3, 4]
    assert len(get("/instances?limit=50&offset=4").json) == 2
    assert len(get("/instances?SOPInstanceUID=1.2").json) == 1


def test_filters_are_passed_over(reading):
    get = reading("unfiltered")
    assert len(get("/instances?SOPInstanceUID=1.2").json) == 6
    assert len(get("/instances?SOPInstanceUID=1.2&limit=4").json) == 4
    found = get("/instances?SOPInstanceUID=1.2&includefield=BitsStored").json
    assert all("00280101" in one for one in found)


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("includefield=AvailableTransferSyntaxUID", 400),
        ("includefield=Rows,00083002", 400),
        ("SOPClassUID=1.2", 400),
        ("00080016=1.2", 400),
        ("SOPInstanceUID=1.2&includefield=Rows&limit=3&includefield=all", 200),
    ],
)
def test_a_picky_search(reading, query, status):
    assert reading("picky-search")(f"/instances?{query}").status == status


def test_bulk_data_of_the_wrong_host(reading):
    uris = {}
    for faults in ((), ("wrong-host",)):
        (header,) = (
            reading(*faults)(f"{PATH}/metadata", Accept_Encoding="gzip").json
            if (faults)
            else reading()(f"{PATH}/metadata").json
        )
        uris[faults] = header["00282000"]["BulkDataURI"]
    right, wrong = uris.values()
    assert wrong == "http://inner.invalid:8080/" + right.split("/", 3)[3]


def test_large_values_are_dropped(reading):
    (whole,), (dropped,) = (
        reading(*faults)(f"{PATH}/metadata").json for faults in ((), ("no-bulk",))
    )
    assert whole.keys() - dropped.keys() == {"00282000"}


def test_large_values_are_dropped_at_any_depth():
    import asyncio
    import json

    from wsiweb.server.faults import with_faults

    inner = {"00282000": {"vr": "OB", "BulkDataURI": "x"}, "00280010": {"vr": "US", "Value": [2]}}
    body = json.dumps([{"00480105": {"vr": "SQ", "Value": [inner]}, "00081199": {"vr": "SQ"}}])
    sent = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body.encode()})

    async def send(event):
        sent.append(event)

    scope = {"type": "http", "method": "GET", "path": f"{PATH}/metadata", "headers": []}
    asyncio.run(with_faults(app, ["no-bulk"])(scope, None, send))
    (header,) = json.loads(sent[1]["body"])
    assert header["00480105"]["Value"] == [{"00280010": {"vr": "US", "Value": [2]}}]


def test_parts_without_type(reading):
    plain, bad = (
        reading(*faults)(f"{PATH}/frames/1", Accept=FRAMES) for faults in ((), ["no-type"])
    )
    assert 'type="application/octet-stream"' in plain.headers["content-type"]
    kind, name, boundary = bad.headers["content-type"].split("; ")
    assert (kind, name) == ("multipart/related", "application/octet-stream")
    assert boundary.removeprefix("boundary=").encode() in bad.body


def test_the_last_accept_counts(reading):
    accept = f"{FRAMES}, image/png"
    plain, bad = (
        reading(*faults)(f"{PATH}/frames/1", Accept=accept) for faults in ((), ["last-accept"])
    )
    assert (plain.status, bad.status) == (200, 406)
    assert reading("last-accept")("/instances").status == 200


def test_one_frame_at_a_time(reading):
    get = reading("one-frame")
    assert get(f"{PATH}/frames/2", Accept=FRAMES).status == 200
    assert get(f"{PATH}/frames/1,2", Accept=FRAMES).status == 400


def test_which_requests_a_fault_befalls(reading):
    paths = {
        "search": "/studies",
        "metadata": f"{PATH}/metadata",
        "frames": f"{PATH}/frames/1",
        "objects": PATH,
        "rendered": f"{PATH}/rendered",
        "bulkdata": f"{PATH}/bulkdata/x",
        "other": "/nowhere",
    }
    for on in ("search", "metadata", "frames", "objects", "rendered", "bulkdata", "read", "store"):
        get = reading(f"busy:on={on}")
        befallen = {kind for kind, path in paths.items() if get(path).status == 503}
        assert befallen == (set(paths) if on == "read" else {on} - {"store"})
    get = reading("busy:on=search")
    assert get("/dicom-web/studies/1.2.3/instances").status == 503
