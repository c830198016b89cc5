from __future__ import annotations

import os
import sqlite3
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from server.making import EXPLICIT, dicom, element, encapsulated, preamble

from wsiweb.errors import NotFound
from wsiweb.server import inflating
from wsiweb.server.files import frames_at_once
from wsiweb.server.index import default_index_path
from wsiweb.server.store import Store

_STUDY, _SERIES = "1.2.3", "1.2.3.4"


def grey(*values: int) -> bytes:
    """Native pixel data, four pixels of each value."""
    return element(0x7FE00010, "OW", b"".join(bytes([value] * 4) for value in values))


def frames(store, uid, *numbers):
    return list(store.frames(store.instance(_STUDY, _SERIES, uid), numbers))


def uids(store):
    store.refresh(force=True)
    return [
        uid
        for group in store.index.groups()
        for _, uid in store.index.keys(group.study, group.series)
    ]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "slides"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a.dcm").write_bytes(dicom("1.1", frames=3, pixels=grey(1, 2, 3)))
    (folder / "deep" / "er" / "no ending").write_bytes(dicom("1.2"))
    (folder / "notes.txt").write_text("no DICOM")
    (folder / "cut.dcm").write_bytes(dicom("1.3")[:300])
    (folder / ".hidden.dcm").write_bytes(dicom("1.4"))
    return folder


@pytest.fixture
def store(folder, tmp_path):
    store = Store(folder, index=tmp_path / "index.sqlite", rescan=0)
    yield store
    store.close()


def test_files_are_found_and_the_others_named_with_the_reason(store):
    assert uids(store) == ["1.1", "1.2"]
    reasons = {one.path: one.reason for one in store.skipped()}
    assert reasons.keys() == {"notes.txt", "cut.dcm"}
    assert "not a DICOM file" in reasons["notes.txt"]
    assert "the file ends" in reasons["cut.dcm"] or "has no" in reasons["cut.dcm"]


def test_frames_come_in_the_order_asked(store):
    assert frames(store, "1.1", 3, 1, 3) == [b"\3" * 4, b"\1" * 4, b"\3" * 4]
    instance = store.instance(_STUDY, _SERIES, "1.1")
    if hasattr(os, "RWF_NOWAIT"):
        assert frames_at_once(instance, (2, 2)) == [b"\2" * 4] * 2
    for number in (0, 4, -1):
        with pytest.raises(ValueError, match="has 1 to 3"):
            frames(store, "1.1", 1, number)


@pytest.mark.parametrize(("study", "series"), [("1.2.3", "9"), ("9", "1.2.3.4")])
def test_an_instance_is_found_only_where_it_belongs(store, study, series):
    with pytest.raises(NotFound):
        store.instance(study, series, "1.1")


def test_new_changed_and_removed_files_are_noticed(store, folder):
    assert uids(store) == ["1.1", "1.2"]
    (folder / "new.dcm").write_bytes(dicom("1.5"))
    (folder / "a.dcm").write_bytes(dicom("1.1", frames=2, pixels=grey(8, 9)))
    (folder / "deep" / "er" / "no ending").unlink()
    assert uids(store) == ["1.1", "1.5"]
    assert frames(store, "1.1", 1, 2) == [b"\x08" * 4, b"\x09" * 4]


def test_a_file_that_changes_under_a_known_instance_is_read_anew(store, folder):
    before = store.instance(_STUDY, _SERIES, "1.1")
    (folder / "a.dcm").write_bytes(
        dicom("1.1", pixels=grey(7), x00100020=element(0x00100020, "LO", "P"))
    )
    assert frames_at_once(before, (1,)) is None
    assert list(store.frames(before, (1,))) == [b"\7" * 4]
    (folder / "a.dcm").unlink()
    with pytest.raises(NotFound):
        list(store.frames(before, (1,)))


def test_a_copy_stands_back_until_the_first_is_gone(store, folder):
    (folder / "z.dcm").write_bytes((folder / "a.dcm").read_bytes())
    assert uids(store) == ["1.1", "1.2"]
    assert "the same SOP Instance UID as a.dcm" in [one.reason for one in store.skipped()]
    (folder / "a.dcm").unlink()
    assert uids(store) == ["1.1", "1.2"]
    assert frames(store, "1.1", 1) == [b"\1" * 4]


def test_links_to_files_are_followed_and_links_to_folders_are_not(store, folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.dcm").write_bytes(dicom("1.6"))
    (outside / "y.dcm").write_bytes(dicom("1.7"))
    (folder / "linked.dcm").symlink_to(outside / "x.dcm")
    (folder / "linked").symlink_to(outside)
    (folder / "circle").symlink_to(folder)
    (folder / "dangling.dcm").symlink_to(outside / "none.dcm")
    os.mkfifo(folder / "pipe.dcm")
    assert uids(store) == ["1.1", "1.2", "1.6"]


def test_the_folder_is_never_written_to(folder, tmp_path):
    def state():
        return {
            path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
            for path in sorted(folder.rglob("*"))
        }

    before = state()
    store = Store(folder)  # the index where it is by default
    assert uids(store) == ["1.1", "1.2"]
    frames(store, "1.1", 1)
    store.close()
    assert state() == before
    where = default_index_path(folder)
    assert where.is_file()
    assert where.parent.stat().st_mode & 0o077 == 0  # names of patients are in it


def test_no_folder_is_an_error_at_once_and_a_lost_one_keeps_its_index(folder, store):
    with pytest.raises(NotFound, match="There is no folder"):
        Store(folder / "none")
    assert uids(store) == ["1.1", "1.2"]
    folder.rename(folder.with_name("unmounted"))
    with pytest.raises(NotFound, match="has gone"):
        store.refresh(force=True)
    folder.with_name("unmounted").rename(folder)
    assert uids(store) == ["1.1", "1.2"]


def test_a_damaged_index_is_made_anew(folder, tmp_path):
    path = tmp_path / "damaged.sqlite"
    path.write_bytes(b"no database " * 1000)
    store = Store(folder, index=path)
    assert uids(store) == ["1.1", "1.2"]
    store.close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    assert uids(Store(folder, index=path)) == ["1.1", "1.2"]


def test_an_index_that_cannot_be_written_is_kept_in_memory(folder, tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    store = Store(folder, index=blocked / "index.sqlite")
    assert uids(store) == ["1.1", "1.2"]
    store.close()


def test_two_stores_share_an_index(folder, tmp_path):
    first, second = (Store(folder, index=tmp_path / "one.sqlite", rescan=0) for _ in range(2))
    assert uids(first) == uids(second) == ["1.1", "1.2"]
    (folder / "new.dcm").write_bytes(dicom("1.5"))
    assert uids(second) == uids(first) == ["1.1", "1.2", "1.5"]
    first.close()
    second.close()


def test_a_store_that_was_closed_opens_again_and_one_that_is_dropped_closes(folder, tmp_path):
    def open_files():
        return [
            link
            for entry in Path("/proc/self/fd").iterdir()
            if (link := _target(entry)).startswith(str(tmp_path))
        ]

    store = Store(folder, index=tmp_path / "index.sqlite")
    assert uids(store) == ["1.1", "1.2"]
    assert open_files()
    store.close()
    store.close()
    assert not open_files()
    assert uids(store) == ["1.1", "1.2"]
    del store
    assert not open_files()


def _target(entry):
    try:
        return os.readlink(entry)  # noqa: PTH115
    except OSError:
        return ""


def test_frames_in_fragments_and_frames_of_single_bits(store, folder):
    pieces = [b"\xff\xd8ab", b"cd", b"\xff\xd8ef"]
    (folder / "fragments.dcm").write_bytes(
        dicom("1.8", syntax="1.2.840.10008.1.2.4.50", frames=2, pixels=encapsulated(pieces))
    )
    bits = element(0x7FE00010, "OW", bytes([0b1010_1011, 0b0000_0010]))
    (folder / "bits.dcm").write_bytes(dicom("1.9", frames=3, shape=(1, 3), bits=1, pixels=bits))
    assert frames(store, "1.8", 2, 1) == [b"\xff\xd8ef", b"\xff\xd8abcd"]
    assert frames(store, "1.9", 1, 2, 3) == [bytes([0b011]), bytes([0b101]), bytes([0b010])]


def test_a_deflated_instance(store, folder):
    plain = dicom(
        "1.10", frames=2, pixels=grey(5, 6), x00282000=element(0x00282000, "OB", b"icc" * 500)
    )
    start = plain.index(b"\x08\x00\x16\x00")
    packer = zlib.compressobj(wbits=-15)
    head = dicom("1.10", syntax="1.2.840.10008.1.2.1.99")
    (folder / "deflated.dcm").write_bytes(
        head[: head.index(b"\x08\x00\x16\x00")] + packer.compress(plain[start:]) + packer.flush()
    )
    assert frames(store, "1.10", 2, 1) == [b"\6" * 4, b"\5" * 4]
    assert store.bulk(store.instance(_STUDY, _SERIES, "1.10"), "00282000") == b"icc" * 500


def test_a_deflated_instance_is_inflated_once_for_many_frames(store, folder, monkeypatch):
    test_a_deflated_instance(store, folder)
    times = []
    body_of = inflating.body_of

    def counting(handle, syntax):
        times.append(handle)
        return body_of(handle, syntax)

    monkeypatch.setattr(inflating, "body_of", counting)
    for _ in range(5):
        assert frames(store, "1.10", 2, 1) == [b"\6" * 4, b"\5" * 4]
    assert times == []
    monkeypatch.setattr(inflating, "_MOST_KEPT", 10)  # larger ones are not kept
    again = Store(folder, index=folder.parent / "index.sqlite", rescan=0)
    for _ in range(2):
        assert frames(again, "1.10", 2) == [b"\6" * 4]
    assert len(times) == 2
    again.close()


def test_bulk_data_of_a_big_endian_instance_are_turned_round(store, folder):
    def big(tag, vr, value):
        head = struct.pack(">HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
        long = vr in {"OW", "OB"}
        return head + struct.pack(">xxI" if long else ">H", len(value)) + value

    numbers = np.arange(1000)
    texts = {
        0x00080016: "1.2.840.10008.5.1.4.1.1.7", 0x00080018: "1.20",
        0x0020000D: _STUDY, 0x0020000E: _SERIES,
    }  # fmt: skip
    dataset = b"".join(
        big(tag, "UI", text.encode() + b"\0" * (len(text) % 2)) for tag, text in texts.items()
    )
    dataset += big(0x00281201, "OW", numbers.astype(">u2").tobytes())
    dataset += big(0x00282000, "OB", bytes(range(250)) * 8)
    (folder / "big.dcm").write_bytes(preamble("1.2.840.10008.1.2.2") + dataset)
    instance = store.instance(_STUDY, _SERIES, "1.20")
    assert store.bulk(instance, "00281201") == numbers.astype("<u2").tobytes()
    assert store.bulk(instance, "00282000") == bytes(range(250)) * 8


def test_pixels_that_cannot_be_told_apart_leave_the_header_readable(store, folder):
    odd = encapsulated([b"\0\0", b"\1\1", b"\2\2"])
    (folder / "odd.dcm").write_bytes(
        dicom("1.11", syntax="1.2.840.10008.1.2.4.50", frames=2, pixels=odd)
    )
    instance = store.instance(_STUDY, _SERIES, "1.11")
    assert b"1.11" in store.index.header(instance.key)
    with pytest.raises(NotFound, match="3 fragments for 2 frames"):
        frames(store, "1.11", 1)


def test_ten_thousand_instances_reopen_in_about_a_second(tmp_path):
    folder = tmp_path / "many"
    count = 10_000
    for part in range(100):
        home = folder / f"study {part}"
        home.mkdir(parents=True)
        for number in range(count // 100):
            data = dicom(
                f"1.{part}.{number}", study=f"1.2.{part}", series=f"1.2.{part}.{number % 4}"
            )
            (home / f"{number}.dcm").write_bytes(data)
    store = Store(folder, index=tmp_path / "many.sqlite")
    store.refresh()
    store.close()

    again = Store(folder, index=tmp_path / "many.sqlite")
    began = time.perf_counter()
    again.refresh()
    took = time.perf_counter() - began
    assert sum(group.count for group in again.index.groups()) == count
    assert again.index.instance("1.99.7").transfer_syntax == EXPLICIT
    again.close()
    assert took < 1.5
