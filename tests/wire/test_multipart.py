from __future__ import annotations

import contextlib
import email
import itertools
import re
import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wsiweb.errors import ProtocolError
from wsiweb.wire import multipart
from wsiweb.wire.multipart import (
    MultipartEvents,
    MultipartReader,
    Part,
    PartBegin,
    PartData,
    PartEnd,
)

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
            b"\r\n--b0undary--X",
            b"\r\n--b0undary-- -",
        ]
    ),
    max_size=12,
).map(b"".join)


def _is_clean(body):
    """Whether a body does not itself hold a true delimiter (then no writer may use it)."""
    return re.search(rb"(^|\n)--b0undary(--)?[ \t]*(\r?\n|\r?$)", body) is None


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


@given(PARTS.filter(bool), st.booleans(), st.just(b"") | st.binary(max_size=20).map(b"\n".__add__))
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
    # Data may begin like the closing delimiter, and are one if they are cut right there.
    assume(not any(b"--b0undary--" in part.body for part in parts))
    body = b"".join(multipart.encode(parts, "b0undary"))
    cut = data.draw(st.integers(0, len(body) - len(b"--\r\n") - 1))
    with pytest.raises(ProtocolError, match="cut off"):
        _read(body[:cut])


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=5))
def test_any_bytes_are_parts_or_an_error_of_ours(data, cuts):
    begun = b"--b0undary\r\n\r\n" + data
    for body in (data, begun, begun + b"\r\n--b0undary--"):
        with contextlib.suppress(ProtocolError):
            parts = _read(body, [cut for cut in cuts if cut <= len(body)])
            assert all(part.body in body for part in parts)
            assert sum(len(part.body) for part in parts) <= len(data)
            assert bool(parts) == (body is not data)  # random bytes hold no delimiter


SOUP = st.lists(
    st.sampled_from(
        [b"--b0undary", b"--b0undary--", b"--b0undary--x", b"--b0undary-- ",
         b"\r\n", b"\n", b"\r", b" ", b"-", b"A: b", b":",
         b"Content-Length: 3", b"Content-Length: 0", b"abc", b"--b0", b"\x85", b"\r\n\r\n", b"\n\n"]
    ),
    max_size=25,
).map(b"".join)  # fmt: skip


def _outcome(data, cuts):
    try:
        return _read(data, cuts)
    except ProtocolError:
        return "refused"


@settings(max_examples=400)
@given(SOUP, st.data())
def test_fed_in_any_chunks_is_as_fed_whole_even_when_it_is_broken(data, draw):
    data = b"--b0undary\r\n" + data
    cuts = draw.draw(st.lists(st.integers(0, len(data)), max_size=20))
    assert _outcome(data, cuts) == _outcome(data, ()) == _outcome(data, range(len(data)))


@given(PARTS, st.data())
def test_events_are_the_same_parts(parts, draw):
    body = b"".join(multipart.encode(parts, "b0undary"))
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(body)), max_size=20)))
    reader = MultipartEvents("b0undary")
    seen = []
    for begin, end in itertools.pairwise([0, *cuts, len(body)]):
        for event in reader.feed(body[begin:end]):
            match event:
                case PartBegin(headers):
                    seen.append([headers, b"", False])
                case PartData(data):
                    assert data
                    seen[-1][1] += data
                case PartEnd():
                    seen[-1][2] = True
    assert reader.close() == []
    assert seen == [[part.headers, part.body, True] for part in parts]


PLAIN = BODIES.filter(lambda body: b"--b0undary" not in body)  # theirs takes CR for a line end


@given(st.lists(PLAIN, min_size=1, max_size=5))
def test_the_standard_library_reads_what_is_written(bodies):
    headers = {"Content-Type": "image/jpeg", "Content-Transfer-Encoding": "binary"}
    body = b"".join(multipart.encode([Part(headers, one) for one in bodies], "b0undary"))
    head = f"Content-Type: {multipart.content_type('image/jpeg', 'b0undary')}\r\n\r\n".encode()
    theirs = email.message_from_bytes(head + body).get_payload()
    assert [one.get_payload(decode=True) for one in theirs] == bodies


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
        "multipart/related; boundary=b",
        "multipart/mixed; boundary=b",
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


@pytest.mark.parametrize(
    "line", [b"--b0undary--xyz", b"--b0undary-- -", b"--b0undary---", b"--b0undary--\r"]
)
@pytest.mark.parametrize("end", [b"", b"\r\n", b" \t\r\n", b"\n", b" ", b"\r"])
def test_a_line_that_starts_like_the_closing_delimiter_is_data(line, end):
    body = b"one\r\n" + line + b"x\r\ntwo"
    data = b"--b0undary\r\n\r\n" + body + b"\r\n--b0undary\r\n\r\nthree\r\n--b0undary--" + end
    for cuts in ((), range(len(data))):
        assert [part.body for part in _read(data, cuts)] == [body, b"three"]


def test_the_last_part_is_certain_at_the_latest_when_the_body_ends():
    reader = MultipartReader(TYPE)
    assert reader.feed(b"--b0undary\r\n\r\none\r\n--b0undary--") == []
    assert [part.body for part in reader.close()] == [b"one"]
    events = MultipartEvents("b0undary")
    before = list(events.feed(b"--b0undary\r\n\r\none\r\n--b0undary--"))
    assert before == [PartBegin({}), PartData(b"one")]
    assert events.close() == [PartEnd()]


def test_a_closing_delimiter_that_goes_on_closes_nothing():
    with pytest.raises(ProtocolError, match="cut off"):
        _read(b"--b0undary\r\n\r\none\r\n--b0undary--xyz")


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


def test_folded_headers_and_odd_characters_in_them():
    headers = b"Content-Type: image/jp2;\r\n\t x=1\r\nX-A: a\x85\x0bb\r\n"
    (part,) = _read(b"--b0undary\r\n" + headers + b"\r\nx\r\n--b0undary--")
    assert part.headers == {"content-type": "image/jp2; x=1", "x-a": "a\x85\x0bb"}


@pytest.mark.parametrize("cuts", [(), range(80)])
def test_mixed_line_ends_in_headers(cuts):
    data = b"--b0undary\r\nA: b\nC: d\n\nx\n\r\ny\r\n--b0undary--"
    (part,) = _read(data, [cut for cut in cuts if cut <= len(data)])
    assert part == Part({"a": "b", "c": "d"}, b"x\n\r\ny")


def test_a_part_without_headers_or_body():
    assert _read(b"--b0undary\r\n\r\n\r\n--b0undary\r\n\r\n--b0undary--") == [Part({}, b"")] * 2
    assert _read(b"--b0undary--") == []


def test_spaces_after_a_delimiter():
    assert _read(b"--b0undary \t\r\n\r\nx\r\n--b0undary  \r\n\r\ny\r\n--b0undary--") == [
        Part({}, b"x"),
        Part({}, b"y"),
    ]


def test_parts_come_as_soon_as_they_are_whole():
    reader = MultipartReader(TYPE)
    assert reader.feed(b"--b0undary\r\n\r\none\r\n--b0undar") == []
    assert [part.body for part in reader.feed(b"y\r\n")] == [b"one"]
    assert reader.feed(b"\r\ntwo") == []
    with pytest.raises(ProtocolError, match="cut off"):
        reader.close()


def test_a_header_with_a_line_end_is_not_written():
    for headers in ({"a": "b\r\nc: d"}, {"a\n": "b"}):
        with pytest.raises(ValueError, match="line end"):
            multipart.part_head("b", headers)


def test_boundaries_differ():
    assert len({multipart.new_boundary() for _ in range(100)}) == 100


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


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 65_600])
def test_a_long_preamble_is_judged_alike_however_it_is_cut(size):
    data = b"x" * (size - 1) + b"\n--b0undary\r\n\r\nx\r\n--b0undary--"
    assert _outcome(data, ()) == _outcome(data, range(0, len(data), 777))


def test_a_part_beyond_the_limit_is_refused():
    reader = MultipartReader(TYPE, max_part=1000)
    with pytest.raises(ProtocolError, match="longer than"):
        reader.feed(b"--b0undary\r\n\r\n" + b"x" * 2000)


def test_a_single_part_answer_beyond_the_limit_is_refused():
    reader = MultipartReader("image/jpeg", max_part=1000)
    with pytest.raises(ProtocolError, match="longer than"):
        reader.feed(b"x" * 2000)


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
        began = time.thread_time()
        for _ in range(chunks):
            reader.feed(b"\r" * 64)
        return time.thread_time() - began

    seconds(100)
    assert seconds(40_000) < 40 * max(seconds(4_000), 0.001)


@pytest.mark.parametrize("start", [b"", b"--b0undary\r\nA: "])
def test_odd_beginnings_byte_by_byte_take_no_long_time(start):
    reader = MultipartReader(TYPE)
    reader.feed(start)
    began = time.thread_time()
    for _ in range(6_000):
        reader.feed(b"\n--b0undar")
    assert time.thread_time() - began < 2


def test_a_long_list_of_frames_in_one_chunk_takes_time_by_its_size_alone():
    def seconds(count):
        body = b"".join(multipart.encode([Part({}, bytes(200))] * count, "b0undary"))
        began = time.thread_time()
        assert len(_read(body)) == count
        return time.thread_time() - began

    seconds(100)
    assert seconds(40_000) < 60 * max(seconds(2_000), 0.001)
