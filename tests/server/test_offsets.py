from __future__ import annotations

import io
import struct
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import generate_frames, get_frame
from server.making import encapsulated, item

from wsiweb.errors import ProtocolError
from wsiweb.server.offsets import (
    encapsulated_frames,
    native_frames,
    pack_table,
    unpack_table,
)

# Each frame: fragments of even length; the first begins as a JPEG does, later ones do not.
_rest = st.binary(max_size=20).map(lambda data: b"\0\0" + data + b"\0" * (len(data) % 2))
_frames = st.lists(
    st.tuples(st.just(b"\xff\xd8") | _rest.map(lambda data: b"\xff\xd8" + data))
    .map(list)
    .flatmap(lambda first: st.lists(_rest, max_size=3).map(lambda rest: first + rest)),
    min_size=1,
    max_size=12,
)


def starts(frames):
    position, found = 0, []
    for fragments in frames:
        found.append(position)
        position += sum(8 + len(fragment) for fragment in fragments)
    return found


def value(frames, basic=b""):
    """The pixel data element's value, without the element's own head."""
    return encapsulated([one for frame in frames for one in frame], basic)[12:]


def read(table, data):
    return [
        b"".join(data[offset : offset + length] for offset, length in table.pieces(number))
        for number in range(1, table.count + 1)
    ]


def judged(data, count, **more):
    return list(generate_frames(data, number_of_frames=count, **more))


def table_of(data, count, **more):
    table = encapsulated_frames(io.BytesIO(data), 0, count=count, **more)
    return unpack_table(pack_table(table))


@given(_frames)
def test_a_basic_offset_table_is_followed(frames):
    basic = struct.pack(f"<{len(frames)}I", *starts(frames))
    data = value(frames, basic)
    found = read(table_of(data, len(frames)), data)
    assert found == [b"".join(frame) for frame in frames] == judged(data, len(frames))


@given(_frames)
def test_without_a_table_the_images_beginnings_tell(frames):
    data = value(frames)
    assert read(table_of(data, len(frames)), data) == [b"".join(frame) for frame in frames]


@given(_frames, st.data())
def test_a_wrong_table_is_not_believed(frames, draw):
    right = starts(frames)
    wrong = draw.draw(
        st.lists(st.integers(0, 2**32 - 1), min_size=len(right), max_size=len(right)).filter(
            lambda given: given != right
        )
        | st.lists(st.integers(0, 2**32 - 1), max_size=14).filter(
            lambda given: len(given) != len(right)
        )
    )
    data = value(frames, struct.pack(f"<{len(wrong)}I", *wrong))
    found = read(table_of(data, len(frames)), data)
    single = all(len(frame) == 1 for frame in frames)
    fits = len(wrong) == len(right) and set(wrong) <= set(_fragment_starts(frames))
    if single or not fits:
        assert found == [b"".join(frame) for frame in frames]


def _fragment_starts(frames):
    return starts([[one] for frame in frames for one in frame])


@given(st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=12))
def test_an_extended_offset_table_gives_exact_lengths(frames):
    padded = [frame + b"\0" * (len(frame) % 2) for frame in frames]
    data = value([[frame] for frame in padded])
    extended = (
        struct.pack(f"<{len(frames)}Q", *starts([[frame] for frame in padded])),
        struct.pack(f"<{len(frames)}Q", *map(len, frames)),
    )
    found = read(table_of(data, len(frames), extended=extended), data)
    assert found == frames == judged(data, len(frames), extended_offsets=extended)
    for index, frame in enumerate(frames):
        assert get_frame(data, index, extended_offsets=extended) == frame


@given(
    st.lists(st.binary(min_size=2, max_size=9).map(lambda one: one * 2), min_size=1, max_size=9),
    st.lists(st.integers(0, 2**64 - 1), max_size=10),
    st.lists(st.integers(0, 2**64 - 1), max_size=10),
)
def test_a_wrong_extended_offset_table_is_not_believed(frames, offsets, lengths):
    right = starts([[frame] for frame in frames])
    data = value([[frame] for frame in frames])
    extended = tuple(struct.pack(f"<{len(one)}Q", *one) for one in (offsets, lengths))
    if offsets != right:
        assert read(table_of(data, len(frames), extended=extended), data) == frames


@pytest.mark.parametrize("lengths", [(1, 4), (4, 2), (5, 4), (4, 6), (4, 2**63), (4, 2**64 - 1)])
def test_lengths_that_do_not_fit_the_fragments_are_not_believed(lengths):
    frames = [b"abcd", b"efgh"]
    data = value([[frame] for frame in frames])
    extended = (
        struct.pack("<2Q", *starts([[frame] for frame in frames])),
        struct.pack("<2Q", *lengths),
    )
    assert read(table_of(data, 2, extended=extended), data) == frames


@given(st.binary(max_size=200), st.integers(-1, 5), st.binary(max_size=24), st.binary(max_size=24))
def test_anything_else_is_refused_in_our_words(data, count, offsets, lengths):
    try:
        table = encapsulated_frames(
            io.BytesIO(item(b"") + data), 0, count=count, extended=(offsets, lengths)
        )
    except ProtocolError as error:
        assert len(error.message.split()) > 4  # noqa: PT017 - either of two outcomes
        return
    assert table.count == count
    for number in range(1, count + 1):
        assert all(
            8 <= offset <= offset + length <= 8 + len(data)
            for offset, length in table.pieces(number)
        )


@given(_frames, st.integers(1, 300))
def test_a_file_that_ends_too_soon_is_noticed(frames, cut):
    data = value(frames, struct.pack(f"<{len(frames)}I", *starts(frames)))
    with pytest.raises(ProtocolError):
        encapsulated_frames(io.BytesIO(data[: max(0, len(data) - cut)]), 0, count=len(frames))


@given(st.integers(1, 40), st.integers(1, 9), st.integers(0, 50))
def test_native_frames_lie_end_to_end(size, count, offset):
    table = unpack_table(
        pack_table(native_frames(offset, size * count + 1, bits=size * 8, count=count))
    )
    assert [table.pieces(number) for number in range(1, count + 1)] == [
        ((offset + size * index, size),) for index in range(count)
    ]
    with pytest.raises(ProtocolError):
        native_frames(offset, size * count - 1, bits=size * 8, count=count)


@pytest.mark.parametrize(("bits", "count"), [(0, 1), (8, 0), (-8, 1), (8, 2**40)])
def test_native_frames_that_cannot_be(bits, count):
    with pytest.raises(ProtocolError):
        native_frames(0, 100, bits=bits, count=count)


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(1, 5), st.randoms())
def test_packed_frames_know_their_shift(pixels, count, random):
    bits = [random.randrange(2) for _ in range(pixels * count)]
    data = np.packbits(bits, bitorder="little").tobytes()
    table = native_frames(0, len(data), bits=pixels, count=count)
    for index in range(count):
        ((offset, length),) = table.pieces(index + 1)
        shift = 0 if not table.packed else table.shift(index + 1)
        found = np.unpackbits(
            np.frombuffer(data[offset : offset + length], np.uint8), bitorder="little"
        )
        assert found[shift : shift + pixels].tolist() == bits[index * pixels : (index + 1) * pixels]


def test_many_frames_are_found_quickly():
    count = 40_000
    data = value([[b"\xff\xd8\0\0"]] * count)
    began = time.thread_time()
    table = encapsulated_frames(io.BytesIO(data), 0, count=count)
    assert table.count == count
    assert time.thread_time() - began < 1
