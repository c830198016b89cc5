"""Storing by wsiweb beside curl, and beside the best grouping that a hand can find.

``python -m wsiweb_benchmarks.storing [--large 1000] [--small 10000]`` serves an empty folder, and

- sends one object of so many megabytes, in turns: with curl (one POST of a prepared body), and with
  ``archive.store(...).wait()``, of which the request alone is compared with curl, and the whole
  (copied to the outbox, hashed, synced, sent, proven) is shown beside it;
- sends so many small objects, in turns: with ``archive.store``, and in the best of ten groupings
  (10, 25, 50, 100 and 200 objects in a request, one request after the other and two at once), which
  has no outbox and no proof.

``--orthanc`` measures Orthanc, ``--url`` another archive. Memory is the peak of the sending
process, a fresh one each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from wsiweb_benchmarks import memory
from wsiweb_benchmarks.orthanc import running

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Figures", "large_object", "main", "small_objects"]

_MODULE = "wsiweb_benchmarks.storing"  # which is __main__ while it runs
_GROUPS = (10, 25, 50, 100, 200)
_TRIED = 10  # the part of the objects with which the best grouping is looked for, as 1 / n


class Figures(msgspec.Struct, frozen=True):
    """What one process took.

    Attributes
    ----------
    seconds : float
        From the call to its end; imports and connecting come before.
    sending : float
        Of that, the requests that store.
    peak : int
        Most bytes that were resident.
    """

    seconds: float
    sending: float
    peak: int


def large_object(folder: Path, megabytes: int, number: int = 0) -> Path:
    """Write an object of so many megabytes, all of them random; return its file."""
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, RawDataStorage, generate_uid

    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = RawDataStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=[str(folder), "study"])
    dataset.SeriesInstanceUID = generate_uid(entropy_srcs=[str(folder), "series"])
    dataset.PatientID = "large"
    dataset.add_new(0x00420011, "OB", os.urandom(2**20) * megabytes)  # EncapsulatedDocument
    path = folder / f"large-{number}.dcm"
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


def small_objects(folder: Path, count: int, first: int = 0) -> list[Path]:
    """Write so many objects of about a kilobyte, of one series; return their files.

    One is written by pydicom, and the others are it with a UID and a content of their own: 10,000
    through pydicom take longer than sending them.
    """
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, RawDataStorage, generate_uid

    folder.mkdir(parents=True, exist_ok=True)
    uid, content = _uid(), os.urandom(1000)
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = RawDataStorage
    dataset.SOPInstanceUID = uid
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.PatientID = "small"
    dataset.add_new(0x00420011, "OB", content)
    written = io.BytesIO()
    pydicom.dcmwrite(written, dataset, enforce_file_format=True)
    template = written.getvalue()
    paths: list[Path] = []
    for number in range(first, first + count):
        paths.append(folder / f"{number}.dcm")
        own = template.replace(uid.encode(), _uid().encode()).replace(content, os.urandom(1000))
        paths[-1].write_bytes(own)
    return paths


def _uid() -> str:
    """Return a new UID, always of the same length."""
    return f"2.25.1{uuid.uuid4().int % 10**37:037d}"


# Ways to send, each in a process of its own ------------------------------------------------------


def _with_wsiweb(url: str, paths: list[Path], box: Path) -> Figures:
    import wsiweb
    from wsiweb.client.client import DicomwebClient

    spent: list[float] = []
    inner = DicomwebClient.store

    async def timed(self: DicomwebClient, *args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        try:
            return await inner(self, *args, **kwargs)
        finally:
            spent.append(time.perf_counter() - began)

    DicomwebClient.store = timed  # type: ignore[method-assign] - to see what is compared with curl
    with wsiweb.connect(url, outbox=box) as archive:
        began = time.perf_counter()
        receipt = archive.store(paths).wait()
        seconds = time.perf_counter() - began
    if not receipt.ok:
        raise SystemExit(str(receipt))
    return Figures(seconds, sum(spent), memory.peak())


def _in_groups(url: str, paths: list[Path], size: int, at_once: int) -> Figures:
    import wsiweb
    from wsiweb import loop
    from wsiweb.client.stow import Sendable

    files = [Sendable(path, path.stat().st_size) for path in paths]
    groups = list(itertools.zip_longest(*[iter(files)] * size))

    with wsiweb.connect(url) as archive:
        client: Any = archive._client  # noqa: SLF001 - below what proves

        async def send_all() -> None:
            waiting = iter(groups)

            async def send() -> None:
                for group in waiting:
                    await client.store([one for one in group if one is not None])

            await asyncio.gather(*(send() for _ in range(at_once)))

        began = time.perf_counter()
        loop.run(send_all())
        seconds = time.perf_counter() - began
    return Figures(seconds, seconds, memory.peak())


def _with_curl(url: str, path: Path, body: Path) -> Figures:
    """POST one object with curl; its body lies ready in a file."""
    boundary = "curl-boundary"
    with body.open("wb") as out, path.open("rb") as content:
        out.write(f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode())
        shutil.copyfileobj(content, out, 2**20)
        out.write(f"\r\n--{boundary}--\r\n".encode())
    words = [
        *("curl", "-sS", "-f", "-o", os.devnull, "-w", "%{time_total}", "-X", "POST"),
        *("-H", f'Content-Type: multipart/related; type="application/dicom"; boundary={boundary}'),
        *("-H", "Accept: application/dicom+json", "-H", "Expect:"),
        *("-T", os.fspath(body), f"{url}/studies"),
    ]
    done = subprocess.run(words, check=True, capture_output=True, text=True)  # noqa: S603 - ours
    seconds = float(done.stdout)
    return Figures(seconds, seconds, 0)


def _in_a_process(way: str, *words: object) -> Figures:
    command = [sys.executable, "-m", _MODULE, "--way", way, *map(str, words)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603 - ours
    return msgspec.json.decode(done.stdout, type=Figures)


# Measuring ----------------------------------------------------------------------------------------


def measure_large(url: str, place: Path, megabytes: int, rounds: int) -> list[str]:
    """Send large objects in turns, and say what came of it."""
    ours: list[Figures] = []
    curls: list[Figures] = []
    for number in range(rounds):
        first = large_object(place, megabytes, 2 * number)
        curls.append(_with_curl(url, first, place / "body"))
        (place / "body").unlink()
        second = large_object(place, megabytes, 2 * number + 1)
        ours.append(_in_a_process("wsiweb", url, place / f"box-{number}", second))
    ratios = [theirs.seconds / mine.sending for mine, theirs in zip(ours, curls, strict=True)]
    middle, whole = statistics.median(ratios), statistics.median(one.seconds for one in ours)
    peak = max(one.peak for one in ours)
    return [
        f"One object of {megabytes} MB, {rounds} rounds in turns:",
        f"  curl                {_rate(megabytes, [one.seconds for one in curls])}",
        f"  wsiweb, the request {_rate(megabytes, [one.sending for one in ours])}",
        f"  throughput of the request beside curl's: {_listed(ratios)}, median {middle:.2f}",
        f"  copied, hashed, sent and proven: {whole:.2f} s; peak memory {peak / 1e6:.0f} MB",
    ]


def measure_small(url: str, place: Path, count: int, rounds: int) -> list[str]:
    """Find the best grouping with some of so many small objects, and send all in turns."""
    tried: dict[tuple[int, int], float] = {}
    for size, at_once in itertools.product(_GROUPS, (1, 2)):
        folder = place / f"tried-{size}-{at_once}"
        small_objects(folder, max(1, count // _TRIED))
        tried[size, at_once] = _in_a_process("groups", url, size, at_once, folder).seconds
    best = min(tried, key=tried.__getitem__)
    hands: list[Figures] = []
    ours: list[Figures] = []
    # Nothing is removed in between: some file systems are slow to make files after many have gone.
    for number in range(rounds):
        small_objects(place / f"hand-{number}", count)
        hands.append(_in_a_process("groups", url, *best, place / f"hand-{number}"))
        small_objects(place / f"ours-{number}", count)
        words = (url, place / f"box-small-{number}", place / f"ours-{number}")
        ours.append(_in_a_process("wsiweb", *words))
    ratios = [mine.seconds / hand.seconds for mine, hand in zip(ours, hands, strict=True)]
    peak = max(one.peak for one in ours)
    return [
        f"{max(1, count // _TRIED)} objects of about a kilobyte, to find the best grouping:",
        *(f"  by hand, {_way(*way):20} {seconds:7.2f} s" for way, seconds in tried.items()),
        f"{count} objects of about a kilobyte, {rounds} rounds in turns:",
        f"  by hand, {_way(*best):20} {_listed([one.seconds for one in hands])} s",
        f"  wsiweb {_listed([one.seconds for one in ours])} s, peak memory {peak / 1e6:.0f} MB",
        f"  {_listed(ratios)}, median {statistics.median(ratios):.2f} x the best by hand",
    ]


def _way(size: int, at_once: int) -> str:
    return f"{size} each, {at_once} at once"


def _rate(megabytes: int, seconds: list[float]) -> str:
    return f"{_listed(seconds)} s, {megabytes / statistics.median(seconds):.0f} MB/s"


def _listed(values: list[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


@click.command()
@click.option("--large", default=1000, help="Megabytes of the large object; 0 for none.")
@click.option("--small", default=10_000, help="Small objects; 0 for none.")
@click.option("--rounds", default=3, help="Of what is sent in turns.")
@click.option("--url", help="An archive; by default the embedded server over an empty folder.")
@click.option("--orthanc", is_flag=True, help="Of Orthanc, which is started for it.")
@click.option("--way", hidden=True)
@click.argument("words", nargs=-1)
def main(
    large: int,
    small: int,
    rounds: int,
    url: str | None,
    orthanc: bool,
    way: str | None,
    words: tuple[str, ...],
) -> None:
    """Measure storing."""
    if way is not None:
        click.echo(msgspec.json.encode(_sent(way, words)))
        return
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with _archive(place, url, orthanc=orthanc) as where:
            lines = measure_large(where, place, large, rounds) if large else []
            lines += measure_small(where, place, small, rounds) if small else []
    click.echo("\n".join(lines))


@contextlib.contextmanager
def _archive(place: Path, url: str | None, *, orthanc: bool) -> Iterator[str]:
    """Yield the URL of the archive that is measured."""
    from wsiweb.server import serve

    if url is not None:
        yield url
    elif orthanc:
        with running(place / "orthanc") as archive:
            yield archive.url
    else:
        (place / "held").mkdir()
        with serve(place / "held", stow=True, index=place / "index.sqlite") as server:
            yield server.url


def _sent(way: str, words: tuple[str, ...]) -> Figures:
    url, *rest = words
    if way == "wsiweb":
        box, *given = map(Path, rest)
        return _with_wsiweb(url, given, box)
    size, at_once, folder = rest
    paths = sorted(Path(folder).iterdir())
    return _in_groups(url, paths, int(size), int(at_once))


if __name__ == "__main__":
    main()
