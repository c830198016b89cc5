"""Markdown shows what was meant, whatever the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsiweb_benchmarks.report.document import (
    Cell,
    Code,
    Document,
    Figure,
    Heading,
    Items,
    Paragraph,
    Table,
)
from wsiweb_benchmarks.report.markdown import escape, write

printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)


@given(printable, printable)
def test_texts_come_out_as_they_went_in(first, second):
    markdown = pytest.importorskip("markdown")
    from html.parser import HTMLParser

    cells = []

    class Cells(HTMLParser):
        def handle_starttag(self, tag, attributes):
            if tag in ("td", "th"):
                cells.append("")

        def handle_data(self, data):
            if cells:
                cells[-1] += data

    row = (Cell(first, tone="bad"), Cell(second))
    text = write(Document("x", (Table("y", ("a", "b"), (row,)),)), "figures")
    Cells().feed(markdown.markdown(text, extensions=["tables"]))
    found = [" ".join(cell.split()) for cell in cells]
    assert found[:2] == ["a", "b"]
    assert found[2:] == [" ".join(first.split()), " ".join(second.split())]


def test_every_block():
    text = write(
        Document(
            "Title",
            (
                Heading(2, "Part"),
                Paragraph("- not a list"),
                Paragraph("Said.", "strong"),
                Items((("a_b", "first"), ("", "second"))),
                Code("run *this*"),
                Table("Shown", ("", "n"), ((Cell("x", "below"), Cell("1")),)),
                Figure("f", "F", "<svg/>", "what is seen", "said"),
            ),
        ),
        "pictures",
    )
    assert text == (
        "# Title\n\n## Part\n\nnot a list\n\n**Said.**\n\n- **a\\_b** first\n- second\n\n"
        "```text\nrun *this*\n```\n\nShown\n\n|  | n |\n| :-- | --: |\n| x<br>below | 1 |\n\n"
        "![what is seen](pictures/f.svg)\n\nsaid\n"
    )


def test_lines_and_bars_do_not_break_a_table():
    assert escape("a\nb | c\td") == "a b \\| c d"


def test_nothing_looks_like_a_link():
    assert "](" not in escape("[a](b)")
    assert "://" not in escape("see https://example.org")
