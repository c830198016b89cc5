"""What was found, as Markdown: medians, ratios taken round by round, and what they stand on."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from wsiweb_benchmarks.statistics import FEW, ratio, summarise
from wsiweb_benchmarks.viewing import chromium, panning, peer, studies
from wsiweb_benchmarks.viewing.listing import THUMBNAILS
from wsiweb_benchmarks.viewing.rounds import FAR, NEAR, PEER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from wsiweb_benchmarks.model import Machine
    from wsiweb_benchmarks.viewing.rounds import Measured, Plan

__all__ = ["document"]

_NAME = f"dicom-microscopy-viewer {peer.VERSIONS['dicom-microscopy-viewer']}"
_COLUMNS = {NEAR: "wsiweb", FAR: "wsiweb, delay on both hops", PEER: _NAME}
_HEAD = "| | wsiweb | wsiweb, delay on both hops"


def document(plan: Plan, found: Measured, machine: Machine, no_peer: str = "") -> str:
    """Return the report.

    Parameters
    ----------
    plan : Plan
    found : Measured
    machine : Machine
    no_peer : str
        Why the peer is not in it.
    """
    parts = [
        _viewed(plan, found),
        _listed(plan, found) if found.listed else [],
        _about(plan, found, machine),
    ]
    lines = ["# Looking at slides in the browser", ""]
    if no_peer:
        lines += [f"Without the peer: {no_peer}", ""]
    lines += [line for part in parts for line in part]
    if found.errors:
        lines += ["", "What failed:", "", *(f"- {error}" for error in found.errors)]
    return "\n".join(lines) + "\n"


def _viewed(plan: Plan, found: Measured) -> Iterator[str]:
    who = [name for name in _COLUMNS if name in found.viewed]
    with_peer = PEER in who
    yield f"A slide of {_size(found)} pixels, {1000 * plan.delay:.0f} ms away:"
    yield ""
    yield f"{_HEAD} |{f' {_NAME} | the peer takes |' if with_peer else ''}"
    yield "| --- | --- | --- |" + (" --- | --- |" if with_peer else "")
    rows: list[tuple[str, Callable[[Any], float], str]] = [
        ("first view complete (s)", lambda one: one.first, ".2f"),
        ("its last tile arrived (s)", lambda one: one.arrived, ".2f"),
        ("again, in the same browser (s)", lambda one: one.again, ".2f"),
        ("tiles of the first view", lambda one: one.tiles, ".0f"),
        ("panning: frames per second, median", lambda one: one.pan.fps, ".0f"),
        ("panning: frames per second, overall", lambda one: one.pan.overall, ".0f"),
        ("panning: longest frame (ms)", lambda one: 1000 * one.pan.longest, ".0f"),
        ("panning: time below 30 frames per second (%)", lambda one: 100 * one.pan.slow, ".0f"),
        ("panning: tiles that arrived", lambda one: one.pan.tiles, ".0f"),
    ]
    for words, value, form in rows:
        values = {name: _values(found.viewed[name], value) for name in who}
        cells = [_cell(values[name], form) for name in who]
        times = _times(values) if with_peer and "(s)" in words else ""
        yield f"| {words} | " + " | ".join(cells) + (f" | {times} |" if with_peer else " |")
    yield ""


def _listed(plan: Plan, found: Measured) -> Iterator[str]:
    of = f"{plan.studies:,} studies of {studies.SLIDES} slides"
    yield f"A list of {of}, {1000 * plan.delay:.0f} ms away:"
    yield ""
    yield f"{_HEAD} |"
    yield "| --- | --- | --- |"
    few = min(THUMBNAILS, plan.studies * studies.SLIDES)
    rows: list[tuple[str, Callable[[Any], float]]] = [
        ("first rows (s)", lambda one: one.rows),
        (f"first {few} thumbnails (s)", lambda one: one.thumbnails),
        ("all studies known (s)", lambda one: one.whole),
    ]
    for suffix in ("", " again"):
        for words, value in rows:
            cells = [
                _cell(_values(found.listed[who + suffix], value), ".2f") for who in (NEAR, FAR)
            ]
            when = ", by an app that has listed them before" if suffix else ""
            yield f"| {words}{when} | " + " | ".join(cells) + " |"
    yield ""


_ABOUT = """\
{machine.processor}, {machine.cores} cores, {machine.system}; {machine.python}; Chromium {browser},
headless, {screen} pixels, without a graphics processor: a canvas and WebGL are drawn by the
processor. WebGL, which the peer needs, loses more by that than a canvas does: read its frames per
second with that in mind.

The slide: {slide}

The delay of {delay} comes before each answer of the DICOMweb server: between it and the browser for
the peer, between it and `wsiweb browse` for wsiweb, which people run on their own machine. "Delay
on both hops" has another {delay} between `wsiweb browse` and the browser, for its pages too: the
worst case. The first request of a connection waits twice.

The page of the peer comes from the DICOMweb server itself, without delay, so that none of its
requests needs leave (CORS) first; it follows the library's README. Its viewer is as large as ours,
and shows colours as stored, as ours does by itself: without that, it would convert each tile by the
ICC profile. Where a slide has a THUMBNAIL instance, it shows that instead of tiles where it can.

"Complete" is the first picture on the screen from which on the middle of the viewer (half its
width, four fifths of its height: all tiles reach into it) looks as it does in the end, by
Chromium's own recording of the screen, from the start of the navigation. The app is fresh, and
nothing was asked of it before; the browser has nothing cached, but runs already.

Panning: {strokes} strokes of the mouse over new ground at 1:1, {speed} pixels a second by the
clock. Frames are those of `requestAnimationFrame`, at most 60 a second, while the mouse moves.

Medians of {rounds} rounds in turns, ± half their spread between the quartiles (of fewer than {few}
rounds, between the extremes); ratios are taken round by round. Browser, servers and app share the
cores of one machine.
"""


def _about(plan: Plan, found: Measured, machine: Machine) -> Iterator[str]:
    text = _ABOUT.format(
        machine=machine,
        browser=found.browser,
        screen=" x ".join(map(str, chromium.SCREEN)),
        slide=found.slide.description,
        delay=f"{1000 * plan.delay:.0f} ms",
        strokes=plan.strokes,
        speed=panning.SPEED,
        rounds=plan.rounds,
        few=FEW,
    )
    yield "What this stands on:"
    yield ""
    for paragraph in text.split("\n\n"):
        yield from wrap(paragraph, 98, initial_indent="- ", subsequent_indent="  ")


def _size(found: Measured) -> str:
    width, height = found.slide.levels[0].size
    return f"{width:,} x {height:,}"


def _values(of: list[Any], value: Callable[[Any], float]) -> dict[int, float]:
    return {number: value(one) for number, one in enumerate(of) if one is not None}


def _cell(values: Mapping[int, float], form: str) -> str:
    summary = summarise(values.values())
    if summary is None:
        return "failed"
    spread = f" ± {summary.spread:{form}}" if summary.count > 1 else ""
    return f"{summary.median:{form}}{spread}"


def _times(values: Mapping[str, Mapping[int, float]]) -> str:
    found = ratio(values[PEER], values[NEAR])
    return "" if found is None else f"{found.value.median:.1f} x as long"
