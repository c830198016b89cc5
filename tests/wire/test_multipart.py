from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsiweb.errors import ProtocolError
from wsiweb.wire import multipart
from wsiweb.wire.multipart import MultipartEvents, MultipartReader, Part, PartData

TYPE = 'multipart/related; type="image/jpeg"; boundary=b0undary'

BODIES = st.binary(max_size=300) | st.lists(
    # What looks like a delimiter, a line end or part of one.
    st.sampled_from(
        [
            b"\r",
            b"\n",
            b"\r\n",
            b"--",
            b"-",
            b"b0undary",
            b"b0",
            b"\r\n--b0undar",
            b"\r\n--b0undaryX",
        ]
    ),
    max_size=12,
).map(b"".join)


def _is_clean(body):
    """Whether a body does not itself hold a true delimiter (then no writer may use it)."""
    for end in (b"\r\n", b"\n", b"--", b" ", b"\t"):
        if b"\n--b0undary" + end in b"\n" + body:
            return False
    return not (b"\n" + body).endswith(b"\n--b0undary")


HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "content-location", "x-a"]),
    st.text("abc/;=* ", min_size=1).map(str.strip).filter(bool),
)
PARTS = st.lists(st.builds(Part, HEADERS, BODIES.filter(_is_clean)), max_size=5)


def _read(data, cuts=(), content_type=TYPE):
    reader = MultipartReader(content_type)
    parts = []
    begin = 0
    for end in [*sorted(cuts), len(data)]:
        parts += reader.feed(data[begin:end])
        begin = max(begin, end)
    return parts + reader.close()


@given(PARTS, st.data())
def test_what_is_written_is_read_however_it_is_cut(parts, data):
    body = b"".join(multipart.encode(parts, "b0undary"))
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=20))
    assert _read(body, cuts) == parts


@given(PARTS)
def test_byte_by_byte(parts):
    body = b"".join(multipart.encode(parts, "b0undary"))
    assert _read(body, range(len(body))) == parts


@given(PARTS.filter(bool), st.booleans(), st.binary(max_size=20))
def test_lf_only_with_preamble_and_epilogue(parts, length, epilogue):
    # In LF mode a body may not hold LF followed by the boundary; _is_clean sees to that.
    pieces = [b"preamble\n"]
    for part in parts:
        headers = {**part.headers, **({"content-length": str(len(part.body))} if length else {})}
        lines = "".join(f"{name}: {value}\n" for name, value in headers.items()).encode()
        pieces += [b"\n--b0undary\n", lines, b"\n", part.body]
    body = b"".join(pieces) + b"\n--b0undary--" + epilogue
    assert [part.body for part in _read(body)] == [part.body for part in parts]


@given(PARTS.filter(bool), st.data())
def test_every_truncation_is_an_error(parts, data):
    body = b"".join(multipart.encode(parts, "b0undary"))
    cut = data.draw(st.integers(0, len(body) - len(b"--\r\n") - 1))
    with pytest.raises(ProtocolError, match="cut off"):
        _read(body[:cut])


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=5))
def test_any_bytes_are_parts_or_an_error_of_ours(data, cuts):
    with contextlib.suppress(ProtocolError):
        _read(data, [cut for cut in cuts if cut <= len(data)])


@pytest.mark.parametrize(
    "header",
    [
        'multipart/related; type="image/jpeg"; boundary=b',
        'multipart/related; type="image/jpeg"; boundary="b"',
        "multipart/related; boundary = b ; type=image/jpeg",
        'Multipart/Related;BOUNDARY=b;type="a;b"',
        'multipart/related; type="image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.50"; boundary=b',
        "multipart/related; application/octet-stream; boundary=b",
        "multipart/related;; boundary=b;",
    ],
)
def test_boundaries_as_servers_write_them(header):
    (part,) = _read(b"--b\r\n\r\nx\r\n--b--", content_type=header)
    assert part.body == b"x"


def test_a_single_part_answer_is_one_part():
    (part,) = _read(b"\xff\xd8data", (2,), content_type="image/jpeg")
    assert part.body == b"\xff\xd8data"
    assert part.content_type == "image/jpeg"


def test_a_line_that_starts_like_the_boundary_is_data():
    data = b"--b0undary\r\n\r\none\r\n--b0undaryX\r\ntwo\r\n--b0undary--"
    assert _read(data)[0].body == b"one\r\n--b0undaryX\r\ntwo"


def test_content_length_is_respected():
    inner = b"x\r\n--b0undary\r\ny"
    data = b"--b0undary\r\nContent-Length: %d\r\n\r\n%s\r\n--b0undary--" % (len(inner), inner)
    assert _read(data)[0].body == inner


@pytest.mark.parametrize("wrong", [2, 4])
def test_a_wrong_content_length_is_an_error(wrong):
    data = b"--b0undary\r\nContent-Length: %d\r\n\r\nabc\r\n--b0undary--" % wrong
    with pytest.raises(ProtocolError, match="Content-Length"):
        _read(data)


def test_headers_are_kept():
    head = b"Content-Type: image/jp2\r\nContent-Location: /frames/3\r\n\r\n"
    data = b"--b0undary\r\n" + head + b"x\r\n--b0undary--"
    (part,) = _read(data)
    assert (part.content_type, part.location) == ("image/jp2", "/frames/3")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("multipart/related", "boundary"),
        ("multipart/related; boundary=", "boundary"),
        (";", "type"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(header, words):
    with pytest.raises(ProtocolError, match=words):
        MultipartReader(header)


def test_endless_preamble_and_headers_are_refused():
    with pytest.raises(ProtocolError, match="begin"):
        _read(b"x" * 100_000)
    with pytest.raises(ProtocolError, match="no end"):
        _read(b"--b0undary\r\na: " + b"x" * 100_000)


def test_a_part_beyond_the_limit_is_refused():
    reader = MultipartReader(TYPE, max_part=1000)
    with pytest.raises(ProtocolError, match="longer than"):
        reader.feed(b"--b0undary\r\n\r\n" + b"x" * 2000)


def test_a_huge_part_passes_through_without_being_held():
    events = MultipartEvents("b0undary")
    list(events.feed(b"--b0undary\r\n\r\n"))
    chunk = b"\r\n--b0undar" * 1000
    total = 0
    for _ in range(2000):
        total += sum(len(one.data) for one in events.feed(chunk) if isinstance(one, PartData))
        assert len(events._buffer) < 100
    assert total > 19_000_000


def test_time_grows_with_size_not_with_its_square():
    def seconds(chunks):
        reader = MultipartReader(TYPE)
        reader.feed(b"--b0undary\r\n\r\n")
        began = time.perf_counter()
        for _ in range(chunks):
            reader.feed(b"\r" * 64)
        return time.perf_counter() - began

    seconds(100)
    assert seconds(40_000) < 40 * max(seconds(4_000), 0.001)
