"""The report: what a run says, in Markdown and HTML, with plots, and its JSON beside it.

`document` holds a report as values; `contents` and `compare` compose one from `tables` and
`plots`, which ask `results`; `markdown` and `html` write it out.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from wsiweb_benchmarks.report import html, markdown
from wsiweb_benchmarks.report.compare import comparison
from wsiweb_benchmarks.report.contents import report
from wsiweb_benchmarks.report.terminal import summary

if TYPE_CHECKING:
    from wsiweb_benchmarks.model import Run
    from wsiweb_benchmarks.report.document import Document

__all__ = ["compare", "summary", "write"]


def write(run: Run, folder: Path | str) -> list[Path]:
    """Write the report of a run; files that are there already are replaced.

    Parameters
    ----------
    run : Run
        One without measurements gives a report that says so.
    folder : Path or str
        Made when it is not there. ``docs`` makes the page of the documentation.

    Returns
    -------
    list of Path
        ``benchmarks.md``, ``benchmarks.html`` (which needs none of the others),
        ``benchmarks.json`` (the run), and the drawings that the first of them shows.

    Raises
    ------
    ModuleNotFoundError
        When matplotlib is not installed; says what to install. Nothing is written then.
    """
    page, whole, *drawn = _written(report(run), Path(folder), "benchmarks")
    raw = Path(folder) / "benchmarks.json"
    raw.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")
    return [page, whole, raw, *drawn]


def compare(older: Run, newer: Run, folder: Path | str) -> list[Path]:
    """Write what changed from one run to another.

    Parameters
    ----------
    older, newer : Run
    folder : Path or str
        Made when it is not there.

    Returns
    -------
    list of Path
        ``comparison.md`` and ``comparison.html``.
    """
    return _written(comparison(older, newer), Path(folder), "comparison")


def _written(document: Document, folder: Path, name: str) -> list[Path]:
    page, whole, figures = folder / f"{name}.md", folder / f"{name}.html", folder / name
    folder.mkdir(parents=True, exist_ok=True)
    page.write_text(markdown.write(document, name), encoding="utf-8")
    whole.write_text(html.write(document), encoding="utf-8")
    drawn = []
    for figure in document.figures:
        figures.mkdir(exist_ok=True)
        drawn.append(figures / f"{figure.name}.svg")
        drawn[-1].write_text(figure.svg, encoding="utf-8")
    return [page, whole, *drawn]
