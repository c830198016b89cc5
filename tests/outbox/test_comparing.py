"""The same object is told from another, however an archive wrote it down."""

from __future__ import annotations

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from server.making import JPEG, dicom, element, encapsulated

from wsiweb.outbox import comparing
from wsiweb.outbox.comparing import difference

PIXELS = bytes(range(16))


@pytest.fixture
def sent(tmp_path):
    """An object with texts, numbers, a sequence, private attributes and pixels."""
    path = tmp_path / "sent.dcm"
    path.write_bytes(dicom("1.9.1", shape=(4, 4), pixels=element(0x7FE00010, "OW", PIXELS)))
    dataset = pydicom.dcmread(path)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = "Größe^Ä"
    dataset.add_new(0x00280106, "US", 3)  # US or SS, says the dictionary
    dataset.add_new(0x00090010, "LO", "WSIWEB")
    dataset.add_new(0x00091001, "US", 7)
    item = Dataset()
    item.CodeValue, item.CodeMeaning = "1", "a meaning"
    dataset.ContainerTypeCodeSequence = [item]
    dataset.save_as(path)
    return path


@pytest.fixture
def held(sent, tmp_path):
    """Return what writes the object as an archive might, changed by a function."""

    def write(change=lambda dataset: None, syntax=ExplicitVRLittleEndian):
        path = tmp_path / "held.dcm"
        dataset = pydicom.dcmread(sent)
        _ = str(dataset)  # read, so that it is encoded anew
        change(dataset)
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(path)
        return path

    return write


def test_the_same_bytes_are_the_same(sent, held):
    assert difference(sent, sent) == ""
    assert difference(sent, held()) == ""


def test_the_header_of_the_file_is_no_part_of_the_object(sent, held):
    def mark(dataset):
        dataset.preamble = b"II*\0" + bytes(124)
        dataset.file_meta.ImplementationVersionName = "ARCHIVE"
        dataset.file_meta.SourceApplicationEntityTitle = "PACS"

    path = held(mark)
    assert path.read_bytes() != sent.read_bytes()
    assert difference(sent, path) == ""


def test_padding_at_the_end_of_a_file_is_no_part_of_the_object(sent):
    sent.write_bytes(_without_pixels(sent))
    padding = element(0xFFFCFFFC, "OB", bytes(100))
    path = sent.with_name("padded.dcm")
    path.write_bytes(sent.read_bytes() + padding)
    assert difference(sent, path) == ""


def _without_pixels(path):
    return path.read_bytes().partition(element(0x7FE00010, "OW", PIXELS))[0]


def test_lengths_of_sequences_may_be_undefined(sent, held):
    def undefine(dataset):
        dataset["ContainerTypeCodeSequence"].is_undefined_length = True
        dataset.ContainerTypeCodeSequence[0].is_undefined_length_sequence_item = True

    path = held(undefine)
    assert path.stat().st_size > sent.stat().st_size
    assert difference(sent, path) == ""


def test_values_may_be_written_without_their_vr(sent, held):
    path = held(syntax=ImplicitVRLittleEndian)
    assert difference(sent, path) == ""
    assert difference(path, sent) == ""


def _rename(dataset):
    dataset.PatientName = "Another"


def _forget(dataset):
    del dataset.PatientName


def _add(dataset):
    dataset.ImageComments = "new"


def _private(dataset):
    dataset[0x00091001].value = 8


def _deep(dataset):
    dataset.ContainerTypeCodeSequence[0].CodeMeaning = "another meaning"


def _one_more(dataset):
    dataset.ContainerTypeCodeSequence.append(Dataset())


def _pixel(dataset):
    dataset.PixelData = PIXELS[:-1] + b"\xff"


def _shorter(dataset):
    dataset.PixelData = PIXELS[:-2]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (_rename, "PatientName"),
        (_forget, "PatientName"),
        (_add, "ImageComments"),
        (_private, "(0009,1001)"),
        (_deep, "ContainerTypeCodeSequence"),
        (_one_more, "ContainerTypeCodeSequence"),
        (_pixel, "PixelData"),
        (_shorter, "PixelData"),
    ],
)
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_what_differs_is_named(sent, held, change, names, syntax):
    path = held(change, syntax)
    assert difference(sent, path) == names
    assert difference(path, sent) == names


def test_of_many_differences_some_are_named(sent, held):
    def change(dataset):
        for keyword in ("PatientID", "StudyID", "Manufacturer", "SeriesDescription", "StudyDate"):
            setattr(dataset, keyword, "20260101")
        dataset.PixelData = bytes(16)
        dataset.PatientName = "Another"

    said = difference(sent, held(change))
    assert said == "StudyDate, Manufacturer, SeriesDescription, PatientName, PatientID and 2 others"


@pytest.mark.parametrize("at", [0, 2**12, 2**12 - 1, 10_000 - 1])
def test_pixels_are_compared_to_their_end_piece_by_piece(tmp_path, monkeypatch, at):
    monkeypatch.setattr(comparing, "_PIECE", 2**12)
    one, other = tmp_path / "one.dcm", tmp_path / "other.dcm"
    pixels = bytearray(10_000)
    one.write_bytes(dicom("1.9.1", pixels=element(0x7FE00010, "OW", bytes(pixels))))
    pixels[at] = 1
    other.write_bytes(dicom("1.9.1", pixels=element(0x7FE00010, "OW", bytes(pixels))))
    assert difference(one, other) == "PixelData"


@pytest.mark.parametrize("syntax", [ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_another_transfer_syntax_is_another_object(sent, syntax):
    path = sent.with_name("other.dcm")
    dataset = pydicom.dcmread(sent)
    dataset.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(path, dataset, implicit_vr=False, little_endian=syntax.is_little_endian)
    said = difference(sent, path)
    assert f"the transfer syntax ({ExplicitVRLittleEndian}, held as {syntax})" in said


def test_encapsulated_pixels_are_compared_by_their_bytes(tmp_path):
    paths = [tmp_path / f"{number}.dcm" for number in range(3)]
    jpegs = [[b"\xff\xd8one"], [b"\xff\xd8one"], [b"\xff\xd8two"]]
    for path, fragments in zip(paths, jpegs, strict=True):
        path.write_bytes(dicom("1.9.1", syntax=JPEG, pixels=encapsulated(fragments)))
    assert difference(paths[0], paths[1]) == ""
    assert difference(paths[0], paths[2]) == "PixelData"


@pytest.mark.parametrize("content", [b"", b"no DICOM at all", bytes(128) + b"DICM\2\0"])
def test_what_is_no_dicom_is_another_object(sent, content):
    broken = sent.with_name("broken.dcm")
    broken.write_bytes(content)
    assert difference(sent, broken) != ""
    assert difference(broken, sent) != ""


@pytest.mark.parametrize("lost", [1, 17, 40, 300])
def test_what_is_cut_off_is_another_object(sent, lost):
    cut = sent.with_name("cut.dcm")
    cut.write_bytes(sent.read_bytes()[:-lost])
    assert difference(sent, cut) != ""


@pytest.mark.filterwarnings("ignore:Invalid value")
@pytest.mark.parametrize("frames", ["two", "1.5"])
def test_a_value_that_nobody_can_read_is_compared_by_its_bytes(tmp_path, frames):
    sound, broken = tmp_path / "sound.dcm", tmp_path / "broken.dcm"
    sound.write_bytes(dicom("1.9.1"))
    broken.write_bytes(dicom("1.9.1", x00280008=element(0x00280008, "IS", frames)))
    assert difference(broken, sound) == "NumberOfFrames"
    again = tmp_path / "again.dcm"
    again.write_bytes(broken.read_bytes().replace(bytes(128), bytes(127) + b"\1"))
    assert difference(broken, again) == ""


def test_a_file_that_is_gone_is_an_error_and_no_difference(sent):
    with pytest.raises(FileNotFoundError):
        difference(sent, sent.with_name("gone.dcm"))
