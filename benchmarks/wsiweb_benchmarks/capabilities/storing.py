"""What a library tells its caller about objects that it stored, beside what the archive holds.

Each case is an archive: the embedded server with faults of real ones (``wsiweb serve --fault``), or
Orthanc. A library is given twelve objects, in the way of its documentation, and what it then says
of them is compared with what lies in the archive, object by object and value by value.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wsiweb_benchmarks import orthanc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pydicom import Dataset

__all__ = ["CASES", "LIBRARIES", "Case", "Told", "probe", "verdict"]

COUNT = 12
SIZE = 100_000  # bytes of each: twelve are more than dicomweb-client sends without chunks
PATIENCE = 120.0  # seconds for a library that waits


@dataclass(frozen=True)
class Case:
    """An archive, and what it held before.

    Attributes
    ----------
    name : str
        What happens, in words.
    server : str
        Whose doing that is.
    faults : tuple of str
        Of the embedded server; "orthanc" alone is Orthanc itself.
    before : {"nothing", "the same", "one other"}
        What the archive holds under these UIDs: all of the objects, or another one under the UID
        of the fifth.
    """

    name: str
    server: str
    faults: tuple[str, ...] = ()
    before: str = "nothing"


CASES = (
    Case("nothing goes wrong", "the embedded server"),
    Case("nothing goes wrong", "Orthanc", ("orthanc",)),
    Case("503 once", "any, overloaded", ("busy:on=store,times=1,retry_after=0",)),
    Case(
        "503 once, before an archive that takes an empty body for none",
        "Orthanc behind a proxy",
        ("busy:on=store,times=1,retry_after=0", "orthanc-1.10"),
    ),
    Case("500 once", "any", ("failing:on=store,times=1",)),
    Case("the connection drops in the body, once", "any", ("dropped:on=store,times=1,taken=3000",)),
    Case("stored, and the connection drops, once", "any", ("crash-after-store:times=1",)),
    Case("the answer is cut off, once", "any", ("truncated:on=store,times=1",)),
    Case("200 and nothing is stored, once", "Orthanc, for some bodies", ("forgetful:times=1",)),
    Case("200 without a word, nothing stored, once", "any", ("forgetful:times=1,named=no",)),
    Case("413 above 500 kB", "a proxy", ("too-large:most=500000",)),
    Case("409 although stored", "dcm4chee-arc 4773", ("liar-409",)),
    Case("an answer in XML", "Google", ("xml",)),
    Case("JSON with a charset in its type", "static-wado", ("charset",)),
    Case("an answer without Content-Type", "Orthanc, errors", ("no-content-type:on=store",)),
    Case("the answer is the text: success", "DCM.js", ("text-answer",)),
    Case("an empty answer", "any", ("silent",)),
    Case("the same objects are there", "Orthanc", ("orthanc",), "the same"),
    Case(
        "the same objects are there: refused",
        "Azure",
        ("duplicate:code=45070,equal=yes",),
        "the same",
    ),
    Case("another object under one UID stays, 200", "Orthanc", ("orthanc",), "one other"),
    Case(
        "another object under one UID: refused",
        "Google",
        ("duplicate:code=272,equal=no",),
        "one other",
    ),
)


@dataclass(frozen=True)
class Told:
    """What a caller knows when a library is done.

    Attributes
    ----------
    stored, failed : frozenset of str
        UIDs of objects that were named as such.
    raised : str
        The exception's name; empty when the call returned, by which it says that all went well
        but for what is named as failed.
    """

    stored: frozenset[str]
    failed: frozenset[str]
    raised: str = ""


def _by_wsiweb(url: str, paths: Sequence[Path], home: Path) -> Told:
    import wsiweb

    with wsiweb.connect(url, outbox=home) as archive:
        try:
            receipt, raised = archive.store(paths).wait(PATIENCE), ""
        except wsiweb.StoreError as error:
            receipt, raised = error.receipt, type(error).__name__
    good = {one.instance_uid for one in receipt.items if one.state in {"stored", "already there"}}
    bad = {one.instance_uid for one in receipt.items if one.state == "failed"}
    return Told(frozenset(good), frozenset(bad), raised)


def _by_dicomweb_client(url: str, paths: Sequence[Path], home: Path) -> Told:
    del home  # it keeps nothing
    import pydicom
    from dicomweb_client.api import DICOMwebClient

    client = DICOMwebClient(url)
    try:
        answer = client.store_instances([pydicom.dcmread(path) for path in paths])
    except Exception as error:
        return Told(frozenset(), frozenset(), type(error).__name__)
    return Told(
        _named(answer, "ReferencedSOPSequence"),
        _named(answer, "FailedSOPSequence"),
    )


def _named(answer: Dataset, sequence: str) -> frozenset[str]:
    return frozenset(str(one.ReferencedSOPInstanceUID) for one in answer.get(sequence) or ())


LIBRARIES: dict[str, Callable[[str, Sequence[Path], Path], Told]] = {
    "wsiweb": _by_wsiweb,
    "dicomweb-client": _by_dicomweb_client,
}


def probe(library: str, case: Case) -> str:
    """Store with a library, and return the verdict; empty when the case cannot be run here.

    Parameters
    ----------
    library : str
        One of `LIBRARIES`.
    case : Case
        The archive.
    """
    if case.faults == ("orthanc",) and orthanc.installed() is None:
        return ""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        given = _objects(home / "given")
        with _archive(case, home, given) as (url, holds):
            told = LIBRARIES[library](url, sorted((home / "given").iterdir()), home / "outbox")
            return verdict(told, frozenset(given), holds())


def verdict(told: Told, given: frozenset[str], held: frozenset[str]) -> str:
    """Say in words how what a caller was told agrees with what the archive holds.

    Parameters
    ----------
    told : Told
        What the library said.
    given, held : frozenset of str
        UIDs of what was to be stored, and of what is there with the very same values.
    """
    kept = "all" if held == given else "none" if not held else f"{len(held)} of {len(given)}"
    if told.raised and not told.stored and not told.failed:
        if held == given:
            return f"false alarm: {told.raised}, all stored"
        return f"{told.raised}, {kept} stored" + ("" if not held else ", not said which")
    believed = told.stored if told.raised else given - told.failed
    if lost := believed - held:
        return f"**{len(lost)} of {len(given)} lost, said to be stored**"
    if denied := held - believed:
        return f"false alarm: {len(denied)} of {len(given)} said to have failed are stored"
    each = told.stored | told.failed == given
    if held == given:
        return "stored" if each else "stored, no word of each object"
    return f"{kept} stored, told which" if each else f"{kept} stored, told of those that failed"


def _objects(folder: Path, salt: str = "") -> dict[str, Dataset]:
    """Write the objects of a case, of one series; return them by UID."""
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, RawDataStorage, generate_uid

    folder.mkdir()
    made: dict[str, Dataset] = {}
    for number in range(COUNT):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = RawDataStorage
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=["wsiweb", str(number)])
        dataset.StudyInstanceUID = generate_uid(entropy_srcs=["wsiweb", "study"])
        dataset.SeriesInstanceUID = generate_uid(entropy_srcs=["wsiweb", "series"])
        dataset.PatientID, dataset.InstanceNumber = f"probe{salt}", number
        dataset.add_new(0x00420011, "OB", os.urandom(SIZE))
        pydicom.dcmwrite(folder / f"{number:02}.dcm", dataset, enforce_file_format=True)
        made[str(dataset.SOPInstanceUID)] = dataset
    return made


@contextlib.contextmanager
def _archive(
    case: Case, home: Path, given: dict[str, Dataset]
) -> Iterator[tuple[str, Callable[[], frozenset[str]]]]:
    """Run the archive of a case; yield its URL, and what tells what it holds of the objects."""
    before: list[Path] = []
    if case.before == "the same":
        before = sorted((home / "given").iterdir())
    elif case.before == "one other":
        _objects(home / "others")
        before = [home / "others" / "04.dcm"]

    def same(read: Callable[[str], Dataset | None]) -> frozenset[str]:
        return frozenset(uid for uid, dataset in given.items() if read(uid) == dataset)

    if case.faults == ("orthanc",):
        with orthanc.running(home / "orthanc") as server:
            for path in before:
                server.ask(urllib.request.Request(f"{server.root}/instances", path.read_bytes()))  # noqa: S310 - this machine's
            yield server.url, lambda: same(lambda uid: _from_orthanc(server, uid))
        return
    from wsiweb.server import serve

    folder = home / "held"
    folder.mkdir()
    if before:
        with serve(folder, stow=True) as server:
            told = _by_wsiweb(server.url, before, home / "before")
        assert len(told.stored) == len(before), told  # noqa: S101 - else the probe says nothing
    with serve(folder, stow=True, faults=case.faults) as server:
        yield server.url, lambda: same(lambda uid: _from_folder(folder, uid))


def _from_folder(folder: Path, uid: str) -> Dataset | None:
    import pydicom

    found = [pydicom.dcmread(path) for path in folder.rglob(f"{uid}.dcm")]
    return found[0] if found else None


def _from_orthanc(server: orthanc.Orthanc, uid: str) -> Dataset | None:
    import io

    import pydicom

    asked = urllib.request.Request(f"{server.root}/tools/lookup", uid.encode())  # noqa: S310
    found = json.loads(server.ask(asked))
    if not found:
        return None
    return pydicom.dcmread(io.BytesIO(server.get(f"{server.root}{found[0]['Path']}/file")))
