"""What commands print: JSON for programs, tables for people."""

from __future__ import annotations

import json
from typing import Any

import click

__all__ = ["print_json", "print_rows", "print_table"]


def print_rows(rows: list[dict[str, Any]], columns: dict[str, str], *, as_json: bool) -> None:
    """Print what was found, for programs or for people."""
    if as_json:
        print_json(rows)
    else:
        print_table(rows, columns)


def print_json(value: Any) -> None:
    """Print a value for programs."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(rows: list[dict[str, Any]], columns: dict[str, str]) -> None:
    """Print rows under headings; control characters from DICOM values never reach the terminal."""
    table = [list(columns.values())]
    table += [[_printable(row.get(name)) for name in columns] for row in rows]
    widths = [max(len(line[at]) for line in table) for at in range(len(columns))]
    for line in table:
        click.echo(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )


def _printable(value: Any) -> str:
    if value is None:
        return ""
    text = "\\".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return "".join(one if one.isprintable() else "?" for one in text)
