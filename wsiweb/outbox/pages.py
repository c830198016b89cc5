"""HTML for tables of jobs and objects: escaped, without scripts, light and dark. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Cell", "fragment", "page", "table"]

# Cells are named with their table: JupyterLab's own rules for tables would win otherwise.
# No colour of paper or ink: a fragment takes those of the notebook around it. The red is read on
# white as on black.
_TABLE_STYLE = """
.wsiweb { border-collapse: collapse; font-variant-numeric: tabular-nums; }
table.wsiweb th, table.wsiweb td { padding: .35em 1.2em .35em 0; text-align: left;
  vertical-align: top;
  border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
.wsiweb th { font-weight: 600; }
.wsiweb small { display: block; opacity: .75; overflow-wrap: anywhere; }
.wsiweb .bad { color: #d9463b; font-weight: 600; }
.wsiweb .name { overflow-wrap: anywhere; min-width: 12em; }
.wsiweb img { display: block; max-width: 72px; max-height: 72px; margin: 0; }
.wsiweb .number { text-align: right; white-space: nowrap; }
"""
_PAGE_STYLE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 64rem;
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem; }
p { margin: .25rem 0; overflow-wrap: anywhere; }
.wsiweb { width: 100%; font-size: .9rem; }
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a cell.

    Parameters
    ----------
    text : str
        As it is; it is escaped here.
    notes : tuple of str
        Smaller lines below.
    style : {"", "bad", "name", "number"}
        How it looks.
    picture : str
        Address of one that stands before the text; mostly one that holds it (``data:``).
    """

    text: str
    notes: tuple[str, ...] = ()
    style: str = ""
    picture: str = ""


def table(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """Return a table of at least one row; its style stands before it, see `page`, `fragment`."""
    head = "".join(
        f'<th scope="col"{_class(cell, only="number")}>{escape(one)}</th>'
        for one, cell in zip(headings, rows[0], strict=True)
    )
    body = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return (
        f'<table class="wsiweb">\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )


def _class(cell: Cell, only: str = "") -> str:
    return f' class="{cell.style}"' if cell.style and only in {"", cell.style} else ""


def _cell(cell: Cell) -> str:
    notes = "".join(f"<small>{escape(note)}</small>" for note in cell.notes)
    picture = f'<img src="{escape(cell.picture)}" alt="">' if cell.picture else ""
    return f"<td{_class(cell)}>{picture}{escape(cell.text)}{notes}</td>"


def fragment(body: str) -> str:
    """Return what a notebook shows: HTML with the style that it needs."""
    return f"<style>{_TABLE_STYLE}</style>\n{body}"


def page(title: str, lines: Sequence[str], sections: Iterable[tuple[str, str]]) -> str:
    """Return a whole page.

    Parameters
    ----------
    title : str
        Its heading.
    lines : sequence of str
        What stands below that, a paragraph each.
    sections : iterable of (str, str)
        Headings as text, and what stands below them as HTML.
    """
    said = "\n".join(f"<p>{escape(line)}</p>" for line in lines)
    body = "\n".join(f"<h2>{escape(heading)}</h2>\n{html}" for heading, html in sections)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_PAGE_STYLE}{_TABLE_STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
{said}
{body}
</body>
</html>
"""
