"""Storing by wsiweb beside curl, and beside the best grouping that a hand can find.

``python -m wsiweb_benchmarks.storing [--large 1000] [--small 10000]`` serves an empty folder, and

- sends one object of so many megabytes, in turns: with curl (one POST of a prepared body), and with
  ``archive.store(...).wait()``, of which the request alone is compared with curl, and the whole
  (copied to the outbox, hashed, synced, sent, proven) is shown beside it;
- sends so many small objects with ``archive.store``, and with requests of 10, 25, 50, 100 and 200
  objects each, one after the other and two at once, without an outbox or proof: the best of those
  is what the grouping is compared with.

``--url`` measures another archive. Memory is the peak of the sending process, a fresh one each
time.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import msgspec

from wsiweb_benchmarks import memory

__all__ = ["Figures", "large_object", "main", "small_objects"]

_MODULE = "wsiweb_benchmarks.storing"  # which is __main__ while it runs
_GROUPS = (10, 25, 50, 100, 200)


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
    """Write so many objects of about a kilobyte, of one series; return their files."""
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, RawDataStorage, generate_uid

    folder.mkdir(parents=True, exist_ok=True)
    study, series = generate_uid(), generate_uid()
    paths: list[Path] = []
    for number in range(first, first + count):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = RawDataStorage
        dataset.SOPInstanceUID = generate_uid()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.PatientID, dataset.InstanceNumber = "small", number
        dataset.add_new(0x00420011, "OB", os.urandom(1000))
        paths.append(folder / f"{number}.dcm")
        pydicom.dcmwrite(paths[-1], dataset, enforce_file_format=True)
    return paths


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


def measure_small(url: str, place: Path, count: int) -> list[str]:
    """Send many small objects in each way, and say what came of it."""
    times: dict[str, float] = {}
    for number, (size, at_once) in enumerate(itertools.product(_GROUPS, (1, 2))):
        folder = place / f"by-hand-{number}"
        small_objects(folder, count)
        found = _in_a_process("groups", url, size, at_once, folder)
        times[f"{size} each, {at_once} at once"] = found.seconds
        shutil.rmtree(folder)
    small_objects(place / "small", count)
    ours = _in_a_process("wsiweb", url, place / "box-small", place / "small")
    best = min(times, key=times.__getitem__)
    peak = ours.peak / 1e6
    return [
        f"{count} objects of about a kilobyte:",
        *(f"  by hand, {way:20} {seconds:7.2f} s" for way, seconds in times.items()),
        f"  wsiweb                        {ours.seconds:7.2f} s, peak memory {peak:.0f} MB",
        f"  {ours.seconds / times[best]:.2f} x the best by hand ({best})",
    ]


def _rate(megabytes: int, seconds: list[float]) -> str:
    return f"{_listed(seconds)} s, {megabytes / statistics.median(seconds):.0f} MB/s"


def _listed(values: list[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


@click.command()
@click.option("--large", default=1000, help="Megabytes of the large object; 0 for none.")
@click.option("--small", default=10_000, help="Small objects; 0 for none.")
@click.option("--rounds", default=3, help="Of the large object.")
@click.option("--url", help="An archive; by default the embedded server over an empty folder.")
@click.option("--way", hidden=True)
@click.argument("words", nargs=-1)
def main(
    large: int, small: int, rounds: int, url: str | None, way: str | None, words: tuple[str, ...]
) -> None:
    """Measure storing."""
    if way is not None:
        click.echo(msgspec.json.encode(_sent(way, words)))
        return
    from wsiweb.server import serve

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "held").mkdir()
        with serve(place / "held", stow=True, index=place / "index.sqlite") as server:
            where = url or server.url
            lines = measure_large(where, place, large, rounds) if large else []
            lines += measure_small(where, place, small) if small else []
    click.echo("\n".join(lines))


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
