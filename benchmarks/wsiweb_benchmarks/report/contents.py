"""What stands in the report, in which order, and the words between the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsiweb_benchmarks.report import plots, promises, tables
from wsiweb_benchmarks.report.document import (
    Block,
    Cell,
    Code,
    Document,
    Heading,
    Items,
    Paragraph,
    Table,
)
from wsiweb_benchmarks.report.numbers import TIMES, figures
from wsiweb_benchmarks.report.results import Results
from wsiweb_benchmarks.report.verdict import LIMIT, judge, tally
from wsiweb_benchmarks.statistics import FEW

if TYPE_CHECKING:
    from wsiweb_benchmarks.model import Run

__all__ = ["EMPTY", "machine_rows", "report"]

EMPTY = (
    "This run holds no measurements: no row was measured, so there is nothing to report. "
    "Choose rows and ways that exist, and run it again."
)
_HOW = {
    "The reference": "is no library: it is the limit that can be had, the same bytes fetched by "
    "libcurl in lists over many connections and decoded by libjpeg-turbo in threads, told "
    "beforehand what a library has to find out. reference/transport is the same without decoding.",
    "A way": "is a library and how it is used: fast is the fastest way that its documentation "
    "shows, naive is what one writes first. Each measurement has a process of its own, with cold "
    "caches; a library is timed only after its pixels were compared with a direct decode.",
    "Numbers": "are medians with three significant figures. The spread behind ± is half the "
    f"interquartile range; with fewer than {FEW} repeats half of maximum - minimum, with a ring "
    "(°) behind it; a single measurement has none.",
    "Ratios": "are taken pair by pair: repeats are interleaved, so measurements of the same repeat "
    "met the same state of the machine, and the median of their ratios is shown. ~ before a ratio: "
    "no repeat was common to both, so it is the ratio of the medians.",
    "The verdict": "is computed: a row holds when the fast way of wsiweb takes at most "
    f"{figures(LIMIT)}{TIMES} the reference's time and less than every way of every other "
    "library. Rows that fall short come first.",
}


def report(run: Run) -> Document:
    """Return the report of a run."""
    results = Results(run)
    title = "Benchmarks"
    blocks: list[Block] = [*_head(run)]
    if not run.measurements:
        return Document(title, (Paragraph(EMPTY, "bad"), *blocks))
    blocks += [Heading(2, "How to read this"), Items(tuple(_HOW.items()))]
    blocks += _verdict(results)
    blocks += _plots(results)
    blocks += [
        Heading(2, "Seconds"),
        Paragraph(
            "Below each median: its spread, and times the reference. In bold: the fastest of all "
            "libraries. What failed is listed with its message further down."
        ),
        Items(tuple(run.operations.items())),
    ]
    for condition, slide in results.groups:
        blocks += _group(results, condition, slide)
    blocks += _transport(results)
    blocks += _learnt(results)
    blocks += _costs(results)
    blocks += _failures(results)
    blocks += _checks(results)
    blocks += [
        Heading(2, "How each library was used"),
        Items(tuple((way.key, way.how) for way in run.ways)),
    ]
    return Document(title, tuple(blocks))


def machine_rows(run: Run) -> list[tuple[str, str]]:
    """Return what a run was made on, one thing each: what it is, and which."""
    machine = run.machine
    return [
        ("Processor", f"{machine.processor}, {machine.cores} cores"),
        ("Memory", f"{figures(machine.memory / 1e9)} GB"),
        ("System", machine.system),
        ("Python", machine.python),
        *run.versions.items(),
    ]


def _head(run: Run) -> list[Block]:
    rows = [("Date", run.date), *machine_rows(run)]
    blocks: list[Block] = [
        Table(
            "What it was measured on, and with which versions.",
            ("", "this run"),
            tuple((Cell(name), Cell(value)) for name, value in rows),
            words=2,
        )
    ]
    if run.command:
        blocks += [Paragraph("What reproduces it:"), Code(run.command)]
    return blocks


def _verdict(results: Results) -> list[Block]:
    found = judge(results)
    short = any(one.faults for one in found)
    blocks: list[Block] = [
        Heading(2, "Verdict"),
        Paragraph(tally(found), "bad" if short else "strong"),
    ]
    if found:
        blocks.append(tables.verdicts(found, results))
    promised = promises.promises(results)
    if promised:
        blocks += [Heading(3, "Promises"), promises.table(promised)]
    return blocks


def _plots(results: Results) -> list[Block]:
    drawn = plots.draw(results)
    blocks: list[Block] = [Heading(2, "Plots")] if drawn else []
    for one in drawn:
        blocks += [Heading(3, one.title), one]
    return blocks


def _group(results: Results, condition: str, slide: str) -> list[Block]:
    said = [results.run.conditions.get(condition, "")]
    if slide in results.run.slides:
        said.append(f"Slide: {results.run.slides[slide].description}")
    return [
        Heading(3, results.place(condition, slide)),
        Paragraph(" ".join(filter(None, said)) or "Nothing is known of this condition."),
        tables.walls(results, condition, slide),
    ]


def _transport(results: Results) -> list[Block]:
    table = tables.transport(results)
    if table is None:
        return []
    return [
        Heading(2, "Library and transport"),
        Paragraph(
            "Time = transport + rest. The transport is what reference/transport takes: the bytes "
            "come from the server and are thrown away. The rest is what a library's fastest way "
            "takes beyond it, pair by pair: decoding, copying, and requests that came later or "
            "were more than needed. Below zero: it fetched less, or held it already."
        ),
        table,
    ]


def _learnt(results: Results) -> list[Block]:
    table = tables.learnt(results)
    if table is None:
        return []
    return [
        Heading(2, "What is learnt"),
        Paragraph(
            "How many frames to ask for in a request, and how many requests to have under way, is "
            "learnt while frames are read. Here are 1,000 random tiles after 500 others, with that "
            "and with every pair of fixed settings; all processes begin without knowledge."
        ),
        table,
    ]


def _costs(results: Results) -> list[Block]:
    blocks: list[Block] = [
        Heading(2, "Requests, processor, memory"),
        Paragraph(
            "Requests, connections and bytes are the server's count; a connection counts when a "
            "request comes on it. Memory is the peak of what is "
            "resident minus what was before the operation, the pixels that are returned included. "
            "First pixels: until the first array is in the caller's hands."
        ),
    ]
    return blocks + [tables.costs(results, *group) for group in results.groups]


def _failures(results: Results) -> list[Block]:
    table = tables.failures(results)
    said = Paragraph("Nothing failed.") if table is None else table
    return [Heading(2, "What failed"), said]


def _checks(results: Results) -> list[Block]:
    table = tables.checked(results)
    said = Paragraph("No pixels were compared in this run.") if table is None else table
    return [
        Heading(2, "What was checked"),
        Paragraph(
            "Pixels are compared with a direct decode of the stored frames. equal: every sample. "
            "within 1: lossy colour conversion rounds; the share of samples that differ is said. "
            "More than that is accepted only of thumbnails, which each library resamples in its "
            "own way. A way whose pixels are not right is not timed."
        ),
        said,
    ]
