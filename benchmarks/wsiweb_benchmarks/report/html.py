"""Writes a document as one HTML file that needs nothing else: no script, no font, no picture."""

from __future__ import annotations

import re
from html import escape as _escape
from typing import TYPE_CHECKING

from wsiweb_benchmarks.report.document import (
    Block,
    Cell,
    Code,
    Figure,
    Heading,
    Items,
    Paragraph,
    Table,
)
from wsiweb_benchmarks.report.palette import VARIABLES

if TYPE_CHECKING:
    from wsiweb_benchmarks.report.document import Document

__all__ = ["write"]

_STYLE = """
:root { color-scheme: light dark; %(light)s }
@media (prefers-color-scheme: dark) { :root { %(dark)s } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.25rem 6rem; max-width: 76rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1, h2, h3 { line-height: 1.2; text-wrap: balance; }
h2 { margin-top: 3.5rem; padding-bottom: .35rem; border-bottom: 1px solid var(--line); }
h3 { margin-top: 2.25rem; }
p, li { max-width: 46rem; }
nav ul { columns: 15rem; padding-left: 1.1rem; }
a { color: var(--ours); }
pre { overflow-x: auto; padding: .8rem 1rem; border-radius: .4rem; background: var(--shade); }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { caption-side: top; text-align: left; padding: .4rem 0; color: var(--soft); }
th, td { padding: .35rem .7rem; text-align: right; vertical-align: top;
  border-bottom: 1px solid var(--line); white-space: nowrap; }
.words { text-align: left; white-space: normal; min-width: 7rem; overflow-wrap: break-word; }
thead th { color: var(--soft); font-weight: 600; }
tbody th { font-weight: 500; }
tbody th.words { white-space: nowrap; }
th:first-child, thead td:first-child { position: sticky; left: 0; background: var(--paper); }
tbody tr:hover > * { background: var(--shade); }
small { display: block; color: var(--soft); font-weight: 400; max-width: 34rem; }
td.words small { white-space: normal; }
.good { color: var(--good); font-weight: 650; }
.bad { color: var(--bad); font-weight: 650; }
.ours { color: var(--ours); font-weight: 650; }
.muted { color: var(--soft); }
.strong { font-weight: 650; }
p.bad, p.strong { font-size: 1.15rem; }
figure { margin: 2rem 0; }
figure svg { display: block; width: 100%%; max-width: 54rem; height: auto; }
figcaption { color: var(--soft); font-size: .875rem; max-width: 46rem; }
@media print { body { max-width: none; } .wide { overflow: visible; } }
"""


def write(document: Document) -> str:
    """Return a document as a whole HTML page."""
    light, dark = (
        " ".join(f"--{name}: {pair[at]};" for name, pair in VARIABLES.items()) for at in (0, 1)
    )
    body = "\n".join(_block(block, at) for at, block in enumerate(document.blocks))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_text(document.title)}</title>
<style>{_STYLE % {"light": light, "dark": dark}}</style>
</head>
<body>
<header><h1>{_text(document.title)}</h1></header>
{_contents(document)}<main>
{body}
</main>
</body>
</html>
"""


def _text(text: str) -> str:
    return _escape(text, quote=True)


def _contents(document: Document) -> str:
    links = [
        f'<li><a href="#part-{at}">{_text(block.text)}</a></li>'
        for at, block in enumerate(document.blocks)
        if isinstance(block, Heading) and block.level == 2
    ]
    if not links:
        return ""
    return f'<nav aria-label="Contents"><ul>{"".join(links)}</ul></nav>\n'


def _block(block: Block, place: int) -> str:
    match block:
        case Heading(level, text):
            return f'<h{level} id="part-{place}">{_text(text)}</h{level}>'
        case Paragraph(text, tone):
            return f"<p{_class(tone)}>{_text(text)}</p>"
        case Items(items):
            return f"<ul>{''.join(f'<li>{_item(*item)}</li>' for item in items)}</ul>"
        case Code(text):
            return f"<pre><code>{_text(text)}</code></pre>"
        case Figure():
            return _figure(block)
        case Table():
            return _table(block)


def _item(name: str, text: str) -> str:
    return f"<strong>{_text(name)}</strong> {_text(text)}" if name else _text(text)


def _class(*names: str) -> str:
    together = " ".join(filter(None, names))
    return f' class="{together}"' if together else ""


def _table(table: Table) -> str:
    caption = _text(table.caption)
    kinds = ["words" if column < table.words else "" for column in range(len(table.head))]
    head = "".join(
        f'<th scope="col"{_class(kind)}>{_text(name)}</th>' if name else f"<td{_class(kind)}></td>"
        for name, kind in zip(table.head, kinds, strict=True)
    )
    rows = "\n".join(
        "<tr>"
        + "".join(
            _cell(cell, kind, heads=column == 0)
            for column, (cell, kind) in enumerate(zip(row, kinds, strict=True))
        )
        + "</tr>"
        for row in table.rows
    )
    # It can be wider than the window: then it scrolls by itself, by keyboard too.
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{caption}">\n'
        f"<table><caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _cell(cell: Cell, kind: str, *, heads: bool) -> str:
    note = f"<small>{_text(cell.note)}</small>" if cell.note else ""
    tag, scope = ("th", ' scope="row"') if heads else ("td", "")
    text = f"<span{_class(cell.tone)}>{_text(cell.text)}</span>" if cell.tone else _text(cell.text)
    return f"<{tag}{scope}{_class(kind)}>{text}{note}</{tag}>"


def _figure(figure: Figure) -> str:
    svg = figure.svg[figure.svg.index("<svg") :]
    # Names inside a drawing are its own; several of them share this page.
    svg = re.sub(r'\bid="', f'id="{figure.name}-', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{figure.name}-", svg)
    svg = re.sub(r"<title>.*?</title>", "", svg, count=1, flags=re.DOTALL)
    label = _text(figure.alternative)
    svg = svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
    for name, (light, _) in VARIABLES.items():
        svg = svg.replace(light, f"var(--{name})")
    return f"<figure>{svg}<figcaption>{_text(figure.caption)}</figcaption></figure>"
