"""The HTML file: whole, escaped, and drawings that share a page without a quarrel."""

from __future__ import annotations

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
from wsiweb_benchmarks.report.html import write

SVG = (
    '<?xml version="1.0"?>\n<!DOCTYPE svg>\n<svg xmlns="http://www.w3.org/2000/svg">'
    '<g id="a" clip-path="url(#b)" style="fill: #ffffff"/><clipPath id="b"/></svg>\n'
)


def test_drawings_are_named_apart_and_take_the_colours_of_the_page():
    figures = tuple(Figure(name, "T", SVG, "seen & heard", "said") for name in ("one", "two"))
    text = write(Document("x", figures))
    for name in ("one", "two"):
        assert f'id="{name}-a" clip-path="url(#{name}-b)" style="fill: var(--paper)"' in text
    assert text.count('<svg role="img" aria-label="seen &amp; heard"') == 2
    assert "<?xml" not in text
    assert text.count("<!") == 1


def test_every_block_is_escaped():
    bad = "<b>&\"'"
    table = Table(bad, ("", bad), ((Cell(bad, bad, "bad"), Cell(bad)),))
    blocks = (Heading(2, bad), Paragraph(bad), Items(((bad, bad),)), Code(bad), table)
    text = write(Document(bad, blocks))
    assert "<b>" not in text
    assert text.count("&lt;b&gt;&amp;") == 14


def test_a_table_says_what_its_heads_are_the_heads_of():
    text = write(Document("x", (Table("Shown", ("", "n, s"), ((Cell("x"), Cell("1")),)),)))
    assert '<th scope="col">n, s</th>' in text
    assert '<th scope="row" class="words">x</th><td>1</td>' in text
    assert "<caption>Shown</caption>" in text
    assert '<td class="words"></td>' in text  # a head without words is no head
