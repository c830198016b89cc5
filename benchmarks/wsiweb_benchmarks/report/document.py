"""A report as values: headings, paragraphs, tables, figures; `markdown` and `html` write it out.

All texts are plain: whoever writes a document out escapes what means something in its language.
"""

from __future__ import annotations

import msgspec

__all__ = ["Block", "Cell", "Code", "Document", "Figure", "Heading", "Items", "Paragraph", "Table"]


class Cell(msgspec.Struct, frozen=True):
    """What stands in one place of a table.

    Attributes
    ----------
    text : str
    note : str
        Said below it, smaller.
    tone : str
        ``""``, ``"good"``, ``"bad"``, ``"muted"``, or ``"ours"`` for the library that the report
        is about. Never the only sign of anything: the text says it too.
    """

    text: str
    note: str = ""
    tone: str = ""


class Heading(msgspec.Struct, frozen=True):
    """A heading; level 1 is the title."""

    level: int
    text: str


class Paragraph(msgspec.Struct, frozen=True):
    """Some sentences."""

    text: str
    tone: str = ""


class Items(msgspec.Struct, frozen=True):
    """A list of short texts, each with what it is about before it (or nothing)."""

    items: tuple[tuple[str, str], ...]


class Code(msgspec.Struct, frozen=True):
    """A command."""

    text: str


class Table(msgspec.Struct, frozen=True):
    """A table; its first column names the rows.

    Attributes
    ----------
    caption : str
        What it shows; for those who hear it read, too.
    head : tuple of str
        Names of the columns, with units.
    rows : tuple of tuple of Cell
        Each as long as `head`.
    words : int
        How many columns, from the left, hold words; the others hold numbers.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    words: int = 1


class Figure(msgspec.Struct, frozen=True):
    """A plot.

    Attributes
    ----------
    name : str
        Of its file, without suffix.
    title : str
        A few words.
    svg : str
        The drawing.
    alternative : str
        What is seen in it, for those who do not see it.
    caption : str
        One or two sentences.
    """

    name: str
    title: str
    svg: str
    alternative: str
    caption: str


Block = Heading | Paragraph | Items | Code | Table | Figure


class Document(msgspec.Struct, frozen=True):
    """A whole report."""

    title: str
    blocks: tuple[Block, ...]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures, in order."""
        return tuple(block for block in self.blocks if isinstance(block, Figure))
