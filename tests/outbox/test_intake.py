"""What is taken for an object, and what is refused in words before anything is written."""

from __future__ import annotations

import io
import os
import socket
from types import SimpleNamespace

import numpy as np
import pydicom
import pytest
from outbox.boxes import add, files, in_spool
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from server.making import JPEG, dicom, element, encapsulated, preamble

from wsiweb.errors import NotFound
from wsiweb.outbox import Found, Outbox, SkippedRow, Unfit, examine

DEFLATED = "1.2.840.10008.1.2.1.99"
MPEG = "1.2.840.10008.1.2.4.102"


@pytest.fixture
def sources(tmp_path):
    return files(tmp_path / "src", 3)


def dataset(uid="1.5.1", **more) -> Dataset:
    made = Dataset()
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.22"
    made.SOPInstanceUID = uid
    made.StudyInstanceUID = "1.2.3"
    made.SeriesInstanceUID = "1.2.4"
    made.PatientName = "Müller^Jörg"
    made.SpecificCharacterSet = "ISO_IR 192"
    for name, value in more.items():
        setattr(made, name, value)
    return made


def uids(*things):
    return [one.instance_uid for one in examine(*things) if isinstance(one, Found)]


# Kinds of things --------------------------------------------------------------------------------


def test_paths_sessions_objects_datasets_and_lists_of_them(sources):
    one, two, three = sources
    result = SimpleNamespace(path=two)
    session = SimpleNamespace(objects=(result, SimpleNamespace(path=str(three))))
    assert uids(str(one)) == uids(one) == ["1.9.1"]
    assert uids(session) == ["1.9.2", "1.9.3"]
    assert uids(result) == ["1.9.2"]
    assert uids(dataset()) == ["1.5.1"]
    assert uids([one, (session, [dataset()])], {two}) == [
        "1.9.1", "1.9.2", "1.9.3", "1.5.1", "1.9.2",
    ]  # fmt: skip
    assert uids(one.parent) == ["1.9.1", "1.9.2", "1.9.3"]


def test_a_real_session_is_one(made_folder):
    # What a session of results has: a folder full of objects, and their paths.
    paths = sorted(made_folder.glob("*.dcm"))
    session = SimpleNamespace(objects=tuple(SimpleNamespace(path=path) for path in paths))
    found = list(examine(session))
    assert [one.instance_uid for one in found] == [
        pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in paths
    ]
    assert [one.size for one in found] == [path.stat().st_size for path in paths]


def test_a_generator_is_asked_only_when_its_turn_comes(sources):
    asked = []

    def later():
        for path in sources:
            asked.append(path)
            yield path

    found = examine(later(), [dataset()], (one for one in [sources[0], dataset("1.5.2")]))
    assert asked == []
    assert next(found).instance_uid == "1.9.1"
    assert asked == sources[:1]
    assert [one.instance_uid for one in found] == ["1.9.2", "1.9.3", "1.5.1", "1.9.1", "1.5.2"]


def test_what_is_there_is_checked_before_what_a_generator_yields(sources):
    asked = []

    def later():
        asked.append(True)
        yield sources[0]

    with pytest.raises(ValueError, match="is no path"):
        examine(later(), [sources[1], ""])
    assert asked == []


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (None, "None cannot be stored: give a session"),
        (5, "5 cannot be stored"),
        (b"DICM", "type bytes cannot be stored.*dcmread"),
        ({"path": 1}, "type dict cannot be stored"),
        (np.zeros((4, 4)), "type ndarray cannot be stored.*add_mask"),
        (io.BytesIO(), "type BytesIO cannot be stored"),
        (object(), "type object cannot be stored"),
        ("", "is no path"),
        ("a\0b", "is no path"),
        ("https://pacs.lab/dicom-web", "is an address"),
        (Dataset(), "it has no SOPInstanceUID"),
        (dataset(StudyInstanceUID=""), "Dataset 1.5.1 cannot be stored: it has no StudyInst"),
    ],
)
def test_other_things_are_refused_in_words(thing, words):
    with pytest.raises(ValueError, match=words):
        examine(thing)
    with pytest.raises(ValueError, match=words):
        list(examine(one for one in [thing]))


def test_lists_in_lists_end_somewhere(sources):
    deep = [sources[0]]
    deep.append(deep)
    with pytest.raises(ValueError, match="Lists in lists"):
        examine(deep)


def test_invalid_uids_are_refused():
    wrong = dataset()
    wrong["SOPInstanceUID"]._value = pydicom.uid.UID("1.2.x", validation_mode=0)
    with pytest.raises(ValueError, match=r"SOPInstanceUID is '1.2.x', which is no UID"):
        examine(wrong)


# Files and folders ------------------------------------------------------------------------------


def test_a_path_where_nothing_is(tmp_path):
    with pytest.raises(NotFound, match="no file or folder"):
        examine(tmp_path / "none.dcm")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"text", "not a DICOM file"),
        (b"", "not a DICOM file"),
        (dicom("1.1")[:-2], "the file ends at byte"),
        (dicom("1.1")[:-10], "the file ends at byte"),
        (dicom("1.1")[:-16], "describes pixels but has none"),
        (dicom("1.1", pixels=element(0x7FE00010, "OW", b"\0\0")), "do not fit"),
        (dicom("x"), "SOPInstanceUID is 'x'"),
        (dicom("1.1", study=""), "no StudyInstanceUID"),
        (dicom("1.1", syntax=JPEG, pixels=encapsulated([b"\xff\xd8"]), frames=2), "1 fragments"),
        (dicom("1.1", syntax=JPEG, pixels=encapsulated([b"\xff\xd8"]))[:-8], "before the end"),
        (dicom("1.1")[:150], "."),
    ],
)
def test_a_named_file_has_to_be_a_whole_object(tmp_path, content, words):
    path = tmp_path / "one.dcm"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"one.dcm cannot be stored: .*{words}"):
        examine(path)


def test_a_video_is_the_matter_of_the_archive(tmp_path):
    path = tmp_path / "video.dcm"
    path.write_bytes(dicom("1.1", syntax=MPEG, pixels=encapsulated([bytes(100)]), frames=25))
    assert uids(path) == ["1.1"]
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(ValueError, match="ends at byte"):
        examine(path)


def test_a_folder_tells_of_each_file(tmp_path):
    folder = tmp_path / "mixed"
    (good,) = files(folder / "below" / "deep", 1)
    (folder / "notes.txt").write_text("hello")
    (folder / "cut.dcm").write_bytes(dicom("1.7")[:-4])
    (folder / ".hidden").write_bytes(dicom("1.8"))
    (folder / "linked").symlink_to(good)
    (folder / "circle").symlink_to(folder)
    (folder / "nowhere").symlink_to(tmp_path / "none")
    meta = element(0x00020002, "UI", "1.2.840.10008.1.3.10")
    meta += element(0x00020010, "UI", "1.2.840.10008.1.2.1")
    head = bytes(128) + b"DICM" + element(0x00020000, "UL", len(meta).to_bytes(4, "little"))
    (folder / "DICOMDIR").write_bytes(head + meta)
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(folder / "socket"))
        taken = list(examine(folder))
    assert sorted(one.origin for one in taken if isinstance(one, Found)) == sorted(
        [str(good), str(folder / "linked")]
    )
    told = {
        os.path.relpath(one.path, folder): (type(one), one.reason)
        for one in taken
        if not isinstance(one, Found)
    }
    assert {name: reason for name, (kind, reason) in told.items() if kind is SkippedRow} == {
        "notes.txt": "it is not a DICOM file",
        ".hidden": "it is hidden",
        "circle": "it is a link to a folder",
        "DICOMDIR": "it is a directory of DICOM files (DICOMDIR)",
        "pipe": "it is no regular file",
    }
    unfit = {name: reason for name, (kind, reason) in told.items() if kind is Unfit}
    assert set(unfit) == {"cut.dcm", "nowhere", "socket"}
    assert "ends at byte" in unfit["cut.dcm"]


def test_a_job_of_a_folder_lists_what_was_left_out(tmp_path):
    folder = tmp_path / "mixed"
    files(folder, 2)
    (folder / "notes.txt").write_text("hello")
    (folder / "cut.dcm").write_bytes(dicom("1.7")[:-4])
    box = Outbox(tmp_path / "box")
    job = add(box, [folder])
    assert box.job(job).counts["queued"] == 2
    assert box.job(job).skipped == 1
    assert box.skipped(job) == [SkippedRow(str(folder / "notes.txt"), "it is not a DICOM file")]
    (failed,) = box.items(job, ["failed"])
    assert failed.origin == str(folder / "cut.dcm")
    assert "ends at byte" in failed.reason
    assert not failed.kept
    assert box.retry(job) == 2  # the one without a copy stays failed
    assert box.job(job).counts["failed"] == 1
    box.close()


@pytest.mark.parametrize("content", [None, b"text", dicom("1.7")[:-4]])
def test_a_folder_without_an_object_is_refused(tmp_path, content):
    folder = tmp_path / "empty"
    folder.mkdir()
    if content is not None:
        (folder / "one").write_bytes(content)
    box = Outbox(tmp_path / "box")
    with pytest.raises(ValueError, match=r"nothing to store: .*(no object|one: )"):
        add(box, [folder])
    assert (box.jobs(), in_spool(box.folder)) == ([], {})
    box.close()


def test_names_need_not_be_text(tmp_path):
    folder = tmp_path / "odd"
    folder.mkdir()
    with open(os.fsencode(folder) + b"/\xff.dcm", "wb") as file:  # noqa: PTH123
        file.write(dicom("1.1"))
    with open(os.fsencode(folder) + b"/\xfe.txt", "wb") as file:  # noqa: PTH123
        file.write(b"text")
    box = Outbox(tmp_path / "box")
    job = box.add(examine(folder), title="odd \udcff")
    assert box.items(job)[0].origin.endswith("\\xff.dcm")
    assert box.skipped(job)[0].path.endswith("\\xfe.txt")
    assert box.job(job).title == "odd \\udcff"
    box.close()


# Datasets ---------------------------------------------------------------------------------------


def spooled(tmp_path, given) -> bytes:
    box = Outbox(tmp_path / "box")
    job = box.add(examine(given), title="dataset")
    (item,) = box.items(job)
    box.close()
    data = item.path.read_bytes()
    assert item.size == len(data)
    assert item.instance_uid == given.SOPInstanceUID
    return data


def native() -> Dataset:
    return dataset(
        Rows=2, Columns=2, BitsAllocated=16, BitsStored=16, HighBit=15, PixelRepresentation=0,
        SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2",
        PixelData=bytes(range(8)),
    )  # fmt: skip


def test_a_dataset_without_file_meta_becomes_a_file_and_stays_as_it_is(tmp_path):
    given = native()
    data = spooled(tmp_path, given)
    read = pydicom.dcmread(io.BytesIO(data))
    assert read.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert read.file_meta.MediaStorageSOPInstanceUID == "1.5.1"
    assert Dataset(read) == given
    assert not hasattr(given, "file_meta")


def test_wherever_a_file_is_cut_it_is_refused(tmp_path):
    given = dataset()
    inner = Dataset()
    inner.ValueType = "CONTAINER"
    inner.ContentSequence = [dataset("1.5.2"), dataset("1.5.3")]
    given.ContentSequence = [inner, inner]
    for one in (given, inner):
        one["ContentSequence"].is_undefined_length = True
    data = spooled(tmp_path, given)
    start = data.index(b"CONTAINER")
    path = tmp_path / "cut.dcm"
    for end in range(start, len(data)):
        path.write_bytes(data[:end])
        with pytest.raises(ValueError, match="cannot be stored"):
            examine(path)
    path.write_bytes(data + bytes(3))
    assert uids(path) == ["1.5.1"]


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", DEFLATED])
def test_a_dataset_with_file_meta_is_written_as_that_says(tmp_path, syntax):
    given = native()
    given.file_meta = pydicom.dataset.FileMetaDataset()
    given.file_meta.TransferSyntaxUID = syntax
    data = spooled(tmp_path, given)
    read = pydicom.dcmread(io.BytesIO(data))
    assert read.file_meta.TransferSyntaxUID == syntax
    assert Dataset(read) == Dataset(given)
    assert set(given.file_meta.keys()) == {0x00020010}


@pytest.mark.parametrize("big", [False, True])
def test_a_dataset_that_lost_its_file_meta_keeps_the_order_of_its_bytes(tmp_path, big):
    syntax = "1.2.840.10008.1.2.2" if big else "1.2.840.10008.1.2"
    first = native()
    first.file_meta = pydicom.dataset.FileMetaDataset()
    first.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, first, enforce_file_format=True)
    buffer.seek(0)
    given = pydicom.dcmread(buffer)
    del given.file_meta
    read = pydicom.dcmread(io.BytesIO(spooled(tmp_path, given)))
    assert read.file_meta.TransferSyntaxUID == syntax
    assert read.PixelData == first.PixelData


def test_compressed_pixels_have_to_say_how(tmp_path):
    given = native()
    given.BitsAllocated = given.BitsStored = 8
    given.PixelData = encapsulate([b"\xff\xd8\xff\xd9"])
    given["PixelData"].is_undefined_length = True
    with pytest.raises(ValueError, match="does not say how"):
        examine(given)
    given.file_meta = pydicom.dataset.FileMetaDataset()
    given.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    with pytest.raises(ValueError, match="but its transfer syntax is Explicit VR"):
        examine(given)
    given.file_meta.TransferSyntaxUID = JPEG
    assert b"\xff\xd8\xff\xd9" in spooled(tmp_path, given)


def test_more_pixels_than_a_length_can_tell_are_refused_before_they_are_written():
    class Large(bytes):
        def __len__(self):
            return 2**32

    given = native()
    given["PixelData"]._value = Large()
    with pytest.raises(ValueError, match="4294967296 bytes of pixels without compression"):
        examine(given)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("Rows", 200, "do not fit the 8 bytes"), ("BitsStored", object(), "pydicom cannot write it")],
)
def test_what_cannot_be_written_whole_leaves_nothing(tmp_path, sources, name, value, words):
    given = native()
    given[name]._value = value
    box = Outbox(tmp_path / "box")
    with pytest.raises(ValueError, match=f"Dataset 1.5.1 cannot be stored: .*{words}"):
        add(box, [sources[0], given, sources[1]])
    assert (box.jobs(), in_spool(box.folder)) == ([], {})
    assert list((box.folder / "spool").iterdir()) == []
    box.close()


def test_the_preamble_alone_is_no_object(tmp_path):
    path = tmp_path / "bare.dcm"
    path.write_bytes(preamble())
    with pytest.raises(ValueError, match="no StudyInstanceUID"):
        examine(path)
