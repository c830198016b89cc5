"""The demonstration: a slide made, served, read back through a socket, and shown.

What ``wsiweb demo`` does is the library's main job from end to end, so this file is also its
shortest worked example.
"""

from __future__ import annotations

import datetime
import os
import shlex
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wsiweb import pictures, synthetic
from wsiweb.archive import connect
from wsiweb.browse import run
from wsiweb.browse.pages import HOW_TO_BUILD, Pages
from wsiweb.errors import NotFound
from wsiweb.results import Finding, shapes_of
from wsiweb.server import serve
from wsiweb.tracing import trace
from wsiweb.words import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsiweb.archive import Archive
    from wsiweb.results import ResultSession
    from wsiweb.slide import Slide

    Say = Callable[[str], None]

__all__ = ["demonstrate", "slide_folder"]

_REGION = 1024
_NAMES = ("demo tissue", "demo tumour", "demo nuclei", "demo report")  # of what is found
_WHEN = datetime.datetime(2026, 3, 4, tzinfo=datetime.UTC)  # the same objects in each run
_COARSE = 2500  # pixels of the longest side, for finding tissue
_PATCH = 256
_CELLS = 5000
_CORNERS = 12  # of an outline


def slide_folder(home: Path, size: int, progress: Callable[[int, int], None] | None = None) -> Path:
    """Return a folder with a made-up slide, made now unless an earlier run left it there.

    Parameters
    ----------
    home : Path
        Folder of the demonstration.
    size : int
        Width and height of the slide in pixels.
    progress : callable, optional
        Told tiles done and tiles in all.
    """
    folder = home / f"slide-{size}"
    if not folder.is_dir():
        # Made under another name and renamed: a run that was interrupted leaves no half slide.
        unfinished = home / f".slide-{size}-unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        synthetic.write_slide(unfinished, size, size, progress=progress)
        unfinished.rename(folder)
    return folder


def demonstrate(
    folder: Path,
    home: Path,
    say: Say,
    *,
    results: bool,
    show: Callable[[str], None] | None,
) -> None:
    """Serve a folder on loopback, read its first slide through the socket, and show it.

    Parameters
    ----------
    folder : Path
        DICOM files.
    home : Path
        Where ``thumbnail.png`` and ``region.png`` are written.
    say : callable
        Told each line of the report.
    results : bool
        Whether results about the slide are made and stored in the folder, unless they are there.
    show : callable, optional
        Given the address of the page, to open it in a browser; the page is then served until
        Ctrl-C. Without it, the page is begun and ended.

    Raises
    ------
    WsiwebError
        When the folder holds no slide that can be read.
    """
    with (
        tempfile.TemporaryDirectory() as outbox,
        serve(folder, stow=results) as server,
        connect(server.url, outbox=outbox) as archive,
    ):
        say(f"Served on {server.url} (this machine only).")
        with _opened(archive, say) as slide:
            corner = _pictures(slide, home, say)
            if results:
                _store_results(archive, slide, say)
        say(f"\nLook at {home / 'thumbnail.png'} and {home / 'region.png'}. What to try next:")
        command, where = shlex.quote(_command()), shlex.quote(str(folder))
        at = ",".join(map(str, corner))
        say(f"  {command} browse {where}")
        say(f"  {command} info {where}")
        say(f"  {command} region {where} --at {at} --size 800,600 -o closer.png")
        say(f"  {command} serve {where}")
        say("and in Python, with the address that it prints:")
        say("  wsiweb.connect(ADDRESS).slides()[0].open().read_region((0, 0), 0, (1024, 1024))")
        _show(server.url, folder, say, show)


def _command() -> str:
    """Return how to call this program from here: it may live in an environment of its own."""
    found = shutil.which("wsiweb")
    if found is not None or Path(sys.argv[0]).name != "wsiweb":
        return "wsiweb"
    return os.path.relpath(sys.argv[0])


# Reading ----------------------------------------------------------------------------------------


def _opened(archive: Archive, say: Say) -> Slide:
    with trace() as cost:
        began = time.perf_counter()
        slides = archive.slides()
        if not slides:
            raise NotFound("There is no slide in this folder.")
        slide = archive.open_slide(slides[0])
        took = time.perf_counter() - began
    say(f"Found {len(slides)} slide(s) and opened the first in {took:.2f} s: {slide!r}")
    say(f"    {cost.requests} requests, {cost.bytes_received:,} bytes")
    return slide


def _pictures(slide: Slide, home: Path, say: Say) -> tuple[int, int]:
    """Write the pictures, and return the corner of the region."""
    width, height = slide.size
    side = min(_REGION, width, height)
    corner = ((width - side) // 2, (height - side) // 2)
    jobs = {
        "thumbnail.png": lambda: slide.thumbnail(512),
        "region.png": lambda: slide.read_region(corner, 0, (side, side)),
        "region.png again": lambda: slide.read_region(corner, 0, (side, side)),
    }
    for name, read in jobs.items():
        with trace() as cost:
            began = time.perf_counter()
            pixels = read()
            took = time.perf_counter() - began
        if not name.endswith("again"):
            pictures.save_picture(pixels, home / name)
        say(
            f"{name}: {pixels.shape[1]} x {pixels.shape[0]} px in {took * 1000:.0f} ms; "
            f"{cost.requests} requests, {cost.bytes_received:,} bytes, "
            f"{cost.frames_fetched} frames fetched, {cost.cache_hits} from the cache"
        )
    return corner


# Results ----------------------------------------------------------------------------------------


def _store_results(archive: Archive, slide: Slide, say: Say) -> None:
    """Find tissue, make the rest up, and store all of it, unless an earlier run has done so."""
    if slide.segmentations(_NAMES[0]):
        say("Results about it are there already, of an earlier run.")
        return
    began = time.perf_counter()
    level = next((one for one in slide.levels if max(one.size) <= _COARSE), slide.levels[-1])
    pixels = slide.read_region((0, 0), level.index, level.size)
    tissue = np.ptp(pixels, axis=2) > 25  # glass is grey, and stained tissue is not
    likely = _likely(slide, tissue, level.downsample)
    sessions = [_begun(slide, name) for name in _NAMES]
    mask, tumour, nuclei, report = sessions
    mask.add_mask(tissue, segments="Tissue")
    tumour.add_heatmap(likely, patch=_PATCH, quantity="DCM:Probability")
    tumour.add_heatmap(
        np.nan_to_num(likely),
        patch=_PATCH,
        quantity="DCM:Probability",
        segment="Neoplasm",
        encoding="fractional",
    )
    if tissue.any():
        nuclei.add_annotations(_cells(tissue, level.downsample), label="nuclei", type="Nucleus")
    box = _box(tissue) * level.downsample
    report.add_report([Finding(region=box, type="Tissue", label="all tissue")])
    job = archive.store(*sessions, title="results of the demonstration")
    job.wait()
    took = time.perf_counter() - began
    say(
        "Found tissue, made nuclei and a heat map up, and stored "
        f"{count(job.progress.done, 'object')} about it in {took:.1f} s."
    )


def _begun(slide: Slide, name: str) -> ResultSession:
    made_by = ("wsiweb demo", "1")
    return slide.results(name, algorithm=made_by, created=_WHEN, deterministic=True)


def _box(tissue: np.ndarray) -> np.ndarray:
    """Return the corners around all tissue, and the first one again."""
    rows, columns = np.nonzero(tissue if tissue.any() else ~tissue)
    low, high = (columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)
    return np.array([low, (high[0], low[1]), high, (low[0], high[1]), low])


def _likely(slide: Slide, tissue: np.ndarray, downsample: float) -> np.ndarray:
    """Return a made-up probability for each patch: highest in the middle; NaN beside tissue."""
    columns, rows = (-(-side // _PATCH) for side in slide.size)
    x, y = np.arange(columns), np.arange(rows)[:, None]
    # How much of each patch is tissue: sums over its pixels in the mask.
    starts = [(np.arange(count) * _PATCH / downsample).astype(int) for count in (rows, columns)]
    sums = np.add.reduceat(tissue.astype(int), starts[0], axis=0)
    sums = np.add.reduceat(sums, starts[1], axis=1)
    is_tissue = sums > 0.25 * (_PATCH / downsample) ** 2
    apart = (x / columns - 0.55) ** 2 + (y / rows - 0.45) ** 2
    return np.where(is_tissue, np.exp(-apart / 0.05), np.nan)


def _cells(tissue: np.ndarray, downsample: float) -> object:
    """Return made-up outlines of nuclei, strewn over the tissue."""
    dice = np.random.default_rng(4)
    rows, columns = np.nonzero(tissue)
    chosen = dice.choice(len(rows), min(_CELLS, len(rows)), replace=False)
    middles = np.stack([columns[chosen], rows[chosen]], axis=1) + dice.random((len(chosen), 2))
    turns = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    radii = dice.uniform(7, 14, (len(chosen), 1)) * dice.uniform(0.8, 1.2, (1, _CORNERS))
    circles = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    outlines = middles[:, None, :] * downsample + radii[:, :, None] * circles
    sizes = np.pi * radii.mean(axis=1) ** 2
    return shapes_of(
        outlines.reshape(-1, 2).astype("float32"),
        kind="polygon",
        index=np.arange(len(chosen)) * _CORNERS,
        classes=["Neoplasm" if one < 0.3 else "Nucleus" for one in dice.random(len(chosen))],
        measurements={"area in pixels": sizes},
    )


# Showing ----------------------------------------------------------------------------------------


def _show(url: str, folder: Path, say: Say, show: Callable[[str], None] | None) -> None:
    """Begin the page; serve it until Ctrl-C where somebody looks."""
    if not Pages().built:
        say(f"\n{HOW_TO_BUILD}")
        return
    if show is None:
        with run.serve([url]) as page:
            say(f"\nThe page was at {page.url}, and ends with this command. To look at it:")
            say(f"  {shlex.quote(_command())} browse {shlex.quote(str(folder))}")
        return

    def ready(address: str, once: str) -> None:
        say(f"\nThe page is at {address}   (Ctrl-C ends)")
        show(once)

    run.run_forever([url], on_ready=ready)
