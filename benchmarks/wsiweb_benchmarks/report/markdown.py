"""Writes a document as Markdown, as MkDocs and code forges understand it."""

from __future__ import annotations

import re
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

if TYPE_CHECKING:
    from wsiweb_benchmarks.report.document import Document

__all__ = ["escape", "write"]

_SPECIAL = re.compile(r"([\\`*_{}\[\]|#])")
_BOLD = ("bad", "good", "ours", "strong")


def escape(text: str) -> str:
    r"""Return text that Markdown shows as it is, on one line, in a table too.

    Examples
    --------
    >>> print(escape("a|b <i> *c*"))
    a\|b &lt;i&gt; \*c\*
    """
    one_line = " ".join(text.split())
    safe = one_line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    safe = _SPECIAL.sub(r"\\\1", safe)
    # What is special in some dialects only is not to be escaped in the others.
    # Nor is what only looks like a link to be found by those who look for links.
    return safe.replace("~", "&#126;").replace("://", ":&#47;/").replace("](", "]&#40;")


def write(document: Document, figures: str) -> str:
    """Return a document as Markdown.

    Parameters
    ----------
    document : Document
    figures : str
        Where the figures are, relative to the page: ``"benchmarks"``.
    """
    parts = [f"# {escape(document.title)}"]
    parts += [_block(block, figures) for block in document.blocks]
    return "\n\n".join(parts) + "\n"


def _block(block: Block, figures: str) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {escape(text)}"
        case Paragraph(text, tone):
            return _strong(escape(_sentence(text)), tone)
        case Items(items):
            return "\n".join(f"- {_item(*item)}" for item in items)
        case Code(text):
            return f"```text\n{text}\n```"
        case Figure(name, _, _, alternative, caption):
            return f"![{escape(alternative)}]({figures}/{name}.svg)\n\n{escape(caption)}"
        case Table():
            return _table(block)


def _sentence(text: str) -> str:
    # A paragraph that begins like a list, a number or a heading would become one.
    return text.lstrip("-+ >")


def _item(name: str, text: str) -> str:
    return f"**{escape(name)}** {escape(text)}".rstrip() if name else escape(text)


def _table(table: Table) -> str:
    lines = [
        _line(escape(name) for name in table.head),
        _line(":--" if column < table.words else "--:" for column in range(len(table.head))),
        *(_line(map(_cell, row)) for row in table.rows),
    ]
    return f"{escape(table.caption)}\n\n" + "\n".join(lines)


def _line(cells) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    text = _strong(escape(cell.text), cell.tone)
    return f"{text}<br>{escape(cell.note)}" if cell.note else text


def _strong(text: str, tone: str) -> str:
    return f"**{text}**" if tone in _BOLD and text else text
