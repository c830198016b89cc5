from __future__ import annotations

import contextlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from wsiweb.errors import ProtocolError
from wsiweb.wire.uris import Resource, hides_secret, is_uid, rebase, shown, split_base

UIDS = st.from_regex(r"[0-9]{1,8}(\.[0-9]{1,8}){0,5}", fullmatch=True)
FRAMES = st.lists(st.integers(1, 2**31), min_size=1, max_size=5).map(tuple)


@st.composite
def resources(draw):
    depth = draw(st.integers(0, 3))
    uids = [draw(UIDS) for _ in range(depth)] + [None] * (3 - depth)
    aspects = list(("studies", "series", "instances")[depth:])
    if depth:
        aspects += ["", "metadata", "rendered", "thumbnail", "bulkdata"]
    if depth == 3:
        aspects += ["frames"]
    aspect = draw(st.sampled_from(aspects))
    frames = ()
    if aspect == "frames" or (
        depth == 3 and aspect in {"rendered", "thumbnail"} and draw(st.booleans())
    ):
        frames = draw(FRAMES)
    bulk = draw(st.from_regex(r"[A-Za-z0-9 %_.~-]+(/[A-Za-z0-9]+)*", fullmatch=True))
    assume({".", ".."}.isdisjoint(bulk.split("/")))
    return Resource(*uids, frames, aspect, bulk if aspect == "bulkdata" else "")


@given(resources())
def test_paths_go_both_ways(resource):
    assert Resource.parse(resource.path) == resource
    assert Resource.parse("/" + resource.path + "/") == resource


@given(st.text(max_size=80))
def test_any_path_is_a_resource_or_a_value_error(path):
    with contextlib.suppress(ValueError):
        assert Resource.parse(Resource.parse(path).path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "studies/../../etc/passwd",
        "studies/1.2/series/x",
        "studies/1.2/instances/3/frames/1",
        "studies/1/series/2/instances/3/frames/0",
        "studies/1/series/2/instances/3/frames/1,,2",
        "studies/1/series/2/instances/3/frames/-1",
        "studies/1/series/2/instances/3/frames/1/metadata",
        "series/1",
        "studies/1/studies",
        "studies/" + "1" * 65,
        "studies/1/nonsense",
        "studies/1/bulkdata/../../../etc/passwd",
        "studies/1/bulkdata/%2e%2e/x",
        "studies/1/bulkdata",
        "studies/1/series/2/instances/3/frames",
        "studies/1/series/2/instances/3/frames/٣",
        "studies//series/2",
        "bulkdata/x",
    ],
)
def test_what_is_no_resource_is_refused(path):
    with pytest.raises(ValueError, match=r".+"):
        Resource.parse(path)


@pytest.mark.parametrize(
    "text", ["", "1..2", ".1", "1.", "1.2a", "1" * 65, "1.2\n", "..", "\u0661"]
)
def test_what_is_no_uid(text):
    assert not is_uid(text)


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("https://pacs.lab/dicom-web/", "https://pacs.lab/dicom-web"),
        (" http://localhost:8042/dicom-web ", "http://localhost:8042/dicom-web"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("https://a/b c", "https://a/b%20c"),
        ("HTTPS://PACS.Lab/DICOM-web//", "https://pacs.lab/DICOM-web"),
        ("https://a/v1/(x)/b;c=1,2+3", "https://a/v1/(x)/b;c=1,2+3"),
    ],
)
def test_a_base_url_is_made_plain(typed, base):
    assert split_base(typed) == base


@pytest.mark.parametrize(
    "typed",
    [
        "ftp://a",
        "https://",
        "https://u:s3cret@a/b",
        "http://a?x=1",
        "http://a:99999",
        "http://a#x",
        "http://[::1",
        "http://u:s3cret@:99999",
        "u:s3cret@host/dicom-web",
        "http://a b/c",
        "pacs.lab/dicom-web",
        "",
    ],
)
def test_what_is_no_base_url_is_refused_without_repeating_secrets(typed):
    with pytest.raises(ValueError, match=r".+") as caught:
        split_base(typed)
    assert "s3cret" not in str(caught.value)


BASE = "https://pacs.lab/dicom-web"
DOCUMENT = f"{BASE}/studies/1/series/2/metadata"


@pytest.mark.parametrize(
    ("uri", "there"),
    [
        (f"{BASE}/studies/1/bulkdata/x", f"{BASE}/studies/1/bulkdata/x"),
        ("../../bulkdata/x", f"{BASE}/studies/1/bulkdata/x"),
        ("/dicom-web/bulk/x", f"{BASE}/bulk/x"),
        ("http://orthanc:8042/dicom-web/studies/1/bulk/x", f"{BASE}/studies/1/bulk/x"),
        ("http://inner/other/studies/1/bulk/x?a=b", f"{BASE}/studies/1/bulk/x?a=b"),
        ("http://pacs.lab/dicom-web/bulk/x", f"{BASE}/bulk/x"),
        ("https://store.example/some/where", "https://store.example/some/where"),
        ("https://pacs.lab.evil.example/x", "https://pacs.lab.evil.example/x"),
        ("https://u@pacs.lab/dicom-web/x", f"{BASE}/x"),
        ("//inner/dicom-web/x", f"{BASE}/x"),
        (" bulk/x ", f"{BASE}/studies/1/series/2/bulk/x"),
    ],
)
def test_bulk_data_is_looked_for_at_the_archive(uri, there):
    assert rebase(uri, BASE, DOCUMENT) == there


@pytest.mark.parametrize(
    "uri", ["file:///etc/passwd", "data:,x", "http://[::1", "http://a/\0", "ftp://a/studies/1/b"]
)
def test_bulk_data_that_is_not_to_be_fetched(uri):
    with pytest.raises(ProtocolError, match="BulkDataURI"):
        rebase(uri, BASE, DOCUMENT)


@given(st.text(max_size=40) | st.text("/.:?#[]@a%\\", max_size=20))
def test_any_bulk_data_uri_is_an_address_or_refused_by_us(uri):
    with contextlib.suppress(ProtocolError):
        assert rebase(uri, BASE, DOCUMENT).startswith(("http:", "https:"))


@given(st.text(max_size=40) | st.text("/.:?#[]@a%\\", max_size=20))
def test_any_base_url_is_taken_or_refused(typed):
    for text in (typed, "http://" + typed):
        with contextlib.suppress(ValueError):
            base = split_base(text)
            assert split_base(base) == base


def test_bulk_data_of_a_folder():
    base = "file:///data/slides"
    assert (
        rebase("http://localhost/studies/1/bulkdata/x", base, "") == f"{base}/studies/1/bulkdata/x"
    )
    document = f"{base}/studies/1/metadata"
    assert rebase("bulkdata/x", base, document) == f"{base}/studies/1/bulkdata/x"


TOKEN = "qoPiTk0PNBHPEGZ4zCRXzk"


@pytest.mark.parametrize(
    ("url", "there"),
    [
        (f"https://kheops.lab/api/link/{TOKEN}", "https://kheops.lab/api/link/hidden-eea01eb6"),
        (f"HTTPS://kheops.lab/api/LINK/{TOKEN}", "HTTPS://kheops.lab/api/LINK/hidden-eea01eb6"),
        (
            f"http://pacs.lab/{TOKEN}/dicom-web?limit=1",
            "http://pacs.lab/hidden-eea01eb6/dicom-web?limit=1",
        ),
        ("https://pacs.lab/token/short", "https://pacs.lab/token/hidden-f9b0078b"),
        ("https://pacs.lab/eyJhbGciOi.eyJzdWIi.c2ln/x", "https://pacs.lab/hidden-543c285b/x"),
    ],
)
def test_a_secret_in_a_path_is_not_shown(url, there):
    assert shown(url) == there
    assert hides_secret(there)


@pytest.mark.parametrize(
    "url",
    [
        "https://pacs.lab:8042/dicom-web/studies/1.2.840.10008.1.22222222222222/series/1.2",
        "https://healthcare.googleapis.com/v1/projects/my-1234567890/locations/eu/datasets/first",
        "https://dicom-medical-imaging.us-east-1.amazonaws.com/datastore/0123456789abcdef01234567",
        "https://link/token",
        "https://pacs.lab/link",
        "https://pacs.lab/link/studies/1.2",
        f"file:///home/reader/link/{TOKEN}",
        "",
    ],
)
def test_what_is_no_secret_is_shown(url):
    assert shown(url) == url
    assert not hides_secret(url)


@given(st.text("/.:?#[]@a%LiNnk1234567890\\", max_size=60))
def test_what_is_shown_is_shown_again_as_it_is(typed):
    for url in (typed, "http://" + typed, "http://h/link/" + typed):
        assert shown(shown(url)) == shown(url)
