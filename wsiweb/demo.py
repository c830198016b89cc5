"""The demonstration: a slide made, served, and read back through a socket.

What ``wsiweb demo`` does is the library's main job from end to end, so this file is also its
shortest worked example.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from wsiweb import pictures, synthetic
from wsiweb.archive import connect
from wsiweb.errors import NotFound
from wsiweb.server import serve
from wsiweb.tracing import trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsiweb.archive import Archive
    from wsiweb.slide import Slide

__all__ = ["read_through_socket", "slide_folder"]

_REGION = 1024


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


def read_through_socket(folder: Path, home: Path, say: Callable[[str], None]) -> None:
    """Serve a folder on loopback, read its first slide through the socket, write pictures.

    Parameters
    ----------
    folder : Path
        DICOM files.
    home : Path
        Where ``thumbnail.png`` and ``region.png`` are written.
    say : callable
        Told each line of the report.

    Raises
    ------
    WsiwebError
        When the folder holds no slide that can be read.
    """
    with serve(folder) as server, connect(server.url) as archive:
        say(f"Served on {server.url} (this machine only).")
        with _opened(archive, say) as slide:
            corner = _pictures(slide, home, say)
    say(f"\nLook at {home / 'thumbnail.png'} and {home / 'region.png'}. What to try next:")
    command, where = shlex.quote(_command()), shlex.quote(str(folder))
    at = ",".join(map(str, corner))
    say(f"  {command} info {where}")
    say(f"  {command} region {where} --at {at} --size 800,600 -o closer.png")
    say(f"  {command} serve {where}")
    say("and in Python, with the address that it prints:")
    say("  wsiweb.connect(ADDRESS).slides()[0].open().read_region((0, 0), 0, (1024, 1024))")


def _command() -> str:
    """Return how to call this program from here: it may live in an environment of its own."""
    found = shutil.which("wsiweb")
    if found is not None or Path(sys.argv[0]).name != "wsiweb":
        return "wsiweb"
    return os.path.relpath(sys.argv[0])


def _opened(archive: Archive, say: Callable[[str], None]) -> Slide:
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


def _pictures(slide: Slide, home: Path, say: Callable[[str], None]) -> tuple[int, int]:
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
