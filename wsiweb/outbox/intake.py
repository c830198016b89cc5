"""What may be stored: things of many kinds in, checked DICOM objects out.

Whatever is there to be looked at is looked at before anything is taken: a wrong thing among many
is refused while nothing has been written. Only what a generator will yield is checked as it comes.
"""

from __future__ import annotations

import copy
import io
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from wsiweb.errors import NotFound, OutboxError, ProtocolError
from wsiweb.outbox.rows import SkippedRow
from wsiweb.wire.media import TRANSFER_SYNTAXES
from wsiweb.wire.uris import is_uid

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "Found",
    "Taken",
    "Unfit",
    "examine",
    "examine_written",
    "nothing_to_store",
    "write_dataset",
]

_DIRECTORY = "1.2.840.10008.1.3.10"  # Media Storage Directory Storage: a DICOMDIR
_LARGEST_NATIVE = 0xFFFFFFFE  # bytes of pixel data whose length is stated (PS3.5 7.1.2)
_DEEPEST = 8  # lists in lists
_NAMED = 3  # faulty files that a message names
_KINDS = (
    "a session of results, a pydicom Dataset, a path of a file or a folder, or several of these"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """An object that may be stored.

    Attributes
    ----------
    origin : str
        Where it came from, for people.
    study_uid, series_uid, instance_uid, class_uid, transfer_syntax : str
        What it is.
    size, mtime : int
        Of the file, in bytes and nanoseconds; of a dataset the size at least, and 0.
    source : Path or Dataset
        Itself.
    """

    origin: str
    study_uid: str
    series_uid: str
    instance_uid: str
    class_uid: str
    transfer_syntax: str
    size: int
    mtime: int
    source: Path | Dataset


@dataclass(frozen=True, slots=True)
class Unfit:
    """A DICOM file of a folder that cannot be stored, and why; it is listed as failed."""

    path: str
    reason: str


Taken = Found | Unfit | SkippedRow
"""What came of a thing; `SkippedRow` for a file of a folder that is no DICOM object."""


def examine(*things: Any) -> Iterator[Taken]:
    """Check what is to be stored.

    Parameters
    ----------
    *things
        Sessions of results and what else has ``objects`` with a ``path`` each; such objects;
        pydicom Datasets; paths of files and of folders, which are searched at any depth; lists,
        tuples, sets and generators of these.

    Returns
    -------
    iterator of Found, Unfit or SkippedRow
        Files of a folder that are no DICOM objects are skipped; damaged ones are unfit. A damaged
        file that was named itself is refused.

    Raises
    ------
    ValueError
        For what is no such thing, or cannot be stored: no DICOM, invalid UIDs, cut off, pixel data
        that do not fit their header. While iterating for what generators yield, else at once.
    NotFound
        For a path where nothing is.
    OutboxError
        For a named file that cannot be read.
    """
    return chain.from_iterable([_prepared(thing, 0) for thing in things])


def _prepared(thing: Any, depth: int) -> Iterable[Taken]:
    """Return what a thing holds: a list of what is checked by now, or a generator."""
    if depth > _DEEPEST:
        raise ValueError(f"Lists in lists, {_DEEPEST} deep, are not searched: give {_KINDS}.")
    if _is_dataset(thing):
        return [_dataset(thing)]
    if isinstance(thing, str | os.PathLike):
        return _at_path(thing)
    if hasattr(thing, "objects") and isinstance(thing.objects, Iterable):
        return [_named(Path(one.path)) for one in thing.objects]
    if hasattr(thing, "path") and isinstance(thing.path, str | os.PathLike):
        return [_named(Path(thing.path))]
    if isinstance(thing, list | tuple | set | frozenset):
        return chain.from_iterable([_prepared(one, depth + 1) for one in thing])
    refused = isinstance(thing, bytes | bytearray | memoryview | Mapping | io.IOBase)
    if refused or hasattr(thing, "__array__") or not isinstance(thing, Iterable):
        raise ValueError(f"{_short(thing)} cannot be stored: give {_KINDS}.{_hint(thing)}")
    return _later(thing, depth)


def _later(things: Iterable[Any], depth: int) -> Iterator[Taken]:
    for thing in things:
        yield from _prepared(thing, depth + 1)


def _is_dataset(thing: Any) -> bool:
    import pydicom.dataset

    return isinstance(thing, pydicom.dataset.Dataset)


def _short(thing: Any) -> str:
    text = repr(thing) if isinstance(thing, int | float | None) else ""
    return text or f"An object of type {type(thing).__name__}"


def _hint(thing: Any) -> str:
    if hasattr(thing, "__array__"):
        return " Pixels become a DICOM object in a session: slide.results(...).add_mask."
    if isinstance(thing, bytes | bytearray | memoryview):
        return " Of the bytes of a file pydicom.dcmread(io.BytesIO(...)) makes a Dataset."
    return ""


# Files ------------------------------------------------------------------------------------------


def _at_path(given: str | os.PathLike[str]) -> list[Taken]:
    text = os.fspath(given)
    if not text.strip() or "\0" in text:
        raise ValueError(f"{given!r} is no path: give {_KINDS}.")
    if "://" in text:
        raise ValueError(f"{text} is an address: store takes {_KINDS}.")
    path = Path(text).expanduser()
    if path.is_dir():
        return list(_folder(path))
    return [_named(path)]


def _named(path: Path) -> Found:
    """Return the object in a file that was named: it has to be one."""
    taken = _file(path)
    if isinstance(taken, Found):
        return taken
    if not os.path.lexists(path):
        raise NotFound(f"There is no file or folder {os.fspath(path)!r} to be stored.")
    if not path.is_file():
        raise ValueError(f"{path} is neither a file nor a folder.")
    if not os.access(path, os.R_OK):
        raise OutboxError(f"{path} cannot be stored: {taken.reason}.")
    raise ValueError(f"{path} cannot be stored: {taken.reason}.")


def _folder(folder: Path) -> Iterator[Taken]:
    """Yield what is in a folder, at any depth; nothing is passed over without a word."""
    try:
        with os.scandir(folder) as entries:
            inside = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield Unfit(os.fspath(folder), f"the folder cannot be read ({error.strerror})")
        return
    for entry in inside:
        path = folder / entry.name
        if entry.name.startswith("."):
            yield SkippedRow(_text(path), "it is hidden")
        elif entry.is_dir(follow_symlinks=False):
            yield from _folder(path)
        elif entry.is_dir():  # so that there are no circles, and nothing is drawn in wholesale
            yield SkippedRow(_text(path), "it is a link to a folder")
        else:
            yield _file(path)


def _text(path: Path) -> str:
    """Return a path as text that a database takes; names of files need not be text."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _file(path: Path) -> Taken:
    name = _text(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))  # a pipe would wait
        with open(descriptor, "rb") as handle:  # noqa: PTH123 - of a descriptor
            state = os.fstat(descriptor)
            if not stat.S_ISREG(state.st_mode):
                return SkippedRow(name, "it is no regular file")
            taken = _look(handle, name, path.absolute())
    except OSError as error:
        return Unfit(name, f"it cannot be read ({error.strerror or error})")
    if isinstance(taken, Found):
        # Whole, for it is read in another folder, days later.
        whole = _text(path.absolute())
        return replace(taken, origin=whole, size=state.st_size, mtime=state.st_mtime_ns)
    return taken


def _look(handle: BinaryIO, origin: str, source: Path | Dataset) -> Taken:
    """Read a file; the one who calls knows its size."""
    from wsiweb.server.header import read_meta  # with the server's libraries, hence not above
    from wsiweb.server.scan import scan

    handle.seek(128)
    if handle.read(4) != b"DICM":
        return SkippedRow(origin, "it is not a DICOM file")
    try:
        handle.seek(0)
        if _DIRECTORY in read_meta(handle).get("00020002", {}).get("Value", ()):
            return SkippedRow(origin, "it is a directory of DICOM files (DICOMDIR)")
        scanned = scan(handle)
    except ProtocolError as error:
        return Unfit(origin, error.message)
    except OSError:
        raise
    except Exception as error:  # one odd file never stops a folder
        return Unfit(origin, f"reading it failed: {error!r}")
    # Pixels in a transfer syntax that is not known here, such as a video, are the archive's matter.
    if scanned.trouble and (not scanned.whole or scanned.transfer_syntax in TRANSFER_SYNTAXES):
        return Unfit(origin, scanned.trouble)
    if scanned.picture is None and _promises_pixels(scanned.summary):
        return Unfit(origin, "it describes pixels but has none: it may have been cut off")
    return Found(
        origin=origin,
        study_uid=scanned.study_uid,
        series_uid=scanned.series_uid,
        instance_uid=scanned.instance_uid,
        class_uid=scanned.class_uid,
        transfer_syntax=scanned.transfer_syntax,
        size=0,
        mtime=0,
        source=source,
    )


def _promises_pixels(summary: bytes) -> bool:
    """Tell whether a header is that of an image whose pixels are in the file."""
    header = msgspec.json.decode(summary)
    # Rows and BitsAllocated (PS3.3 C.7.6.3), and no PixelDataProviderURL.
    return "00280010" in header and "00280100" in header and "00287FE0" not in header


# Datasets ---------------------------------------------------------------------------------------


def _dataset(dataset: Dataset) -> Found:
    uids = {name: str(dataset.get(name) or "") for name in _UIDS}
    origin = f"Dataset {uids['SOPInstanceUID']}".strip()
    for name, uid in uids.items():
        if not is_uid(uid):
            is_now = f"its {name} is {uid!r}, which is no UID" if uid else f"it has no {name}"
            raise ValueError(f"{origin} cannot be stored: {is_now}.")
    pixels: Any = dataset["PixelData"] if "PixelData" in dataset else None  # noqa: SIM401
    size = len(pixels.value or b"") if pixels is not None else 0
    if pixels is not None and not pixels.is_undefined_length and size > _LARGEST_NATIVE:
        raise ValueError(
            f"{origin} cannot be stored: {size} bytes of pixels without compression are more than "
            f"the {_LARGEST_NATIVE} that a DICOM file can hold. Compress them, or split it."
        )
    return Found(
        origin=origin,
        study_uid=uids["StudyInstanceUID"],
        series_uid=uids["SeriesInstanceUID"],
        instance_uid=uids["SOPInstanceUID"],
        class_uid=uids["SOPClassUID"],
        transfer_syntax=_syntax(dataset, origin),
        size=size,
        mtime=0,
        source=dataset,
    )


_UIDS = ("SOPInstanceUID", "SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID")


def _syntax(dataset: Dataset, origin: str) -> str:
    """Return the transfer syntax to write a dataset in: its own, or what it was read in."""
    from pydicom import uid

    meta: Any = getattr(dataset, "file_meta", None)
    stated = str(meta.get("TransferSyntaxUID") or "") if meta is not None else ""
    compressed = "PixelData" in dataset and dataset["PixelData"].is_undefined_length
    if compressed and not stated:
        raise ValueError(
            f"{origin} cannot be stored: its pixels are compressed, but it does not say how. "
            "Set file_meta.TransferSyntaxUID."
        )
    if stated:
        known = TRANSFER_SYNTAXES.get(stated)
        if compressed and known is not None and known.codec.name == "NATIVE":
            raise ValueError(
                f"{origin} cannot be stored: its pixels are compressed, but its transfer syntax is "
                f"{known.name}."
            )
        return stated
    implicit, little = dataset.original_encoding
    if little is False:  # its pixels are bytes in that order
        return str(uid.ExplicitVRBigEndian)
    return str(uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian)


def write_dataset(found: Found, handle: BinaryIO) -> None:
    """Write a dataset as a DICOM file (PS3.10 7.1), without changing it.

    Parameters
    ----------
    found : Found
        With a Dataset as its source.
    handle : binary file
        Empty.

    Raises
    ------
    ValueError
        When pydicom cannot encode it.
    """
    import pydicom
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID

    dataset: Any = copy.copy(found.source)
    meta = getattr(dataset, "file_meta", None)
    dataset.file_meta = copy.copy(meta) if meta is not None else FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = UID(found.transfer_syntax)
    try:
        pydicom.dcmwrite(handle, dataset, enforce_file_format=True)
    except Exception as error:
        disk = _of_disk(error)
        if disk is not None:
            raise disk from error
        words = str(error).partition("\n")[0]
        raise ValueError(
            f"{found.origin} cannot be stored: pydicom cannot write it ({words})."
        ) from error


def _of_disk(error: BaseException | None) -> OSError | None:
    """Return what the system said, if it did: pydicom wraps that, and has OSErrors of its own."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error
        error = error.__cause__ or error.__context__
    return None


def examine_written(found: Found, handle: BinaryIO) -> Found:
    """Check the file that was made of a dataset; return what it says of itself.

    Raises
    ------
    ValueError
        When it could not be stored.
    """
    taken = _look(handle, found.origin, found.source)
    if not isinstance(taken, Found):
        raise ValueError(f"{found.origin} cannot be stored: {taken.reason}.")  # noqa: TRY004
    return taken


def nothing_to_store(left: list[Unfit | SkippedRow]) -> ValueError:
    """Return the refusal of things in which there is no object, but `left`."""
    if not left:
        return ValueError("There is nothing to store: no object was given.")
    named = "; ".join(f"{one.path}: {one.reason}" for one in left[:_NAMED])
    more = f"; and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
    return ValueError(f"There is nothing to store: {named}{more}.")
