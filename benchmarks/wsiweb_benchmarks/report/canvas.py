"""What all plots share: style, panels beside each other, names of ways, and how one is saved."""

from __future__ import annotations

import io
import itertools
import math
from typing import TYPE_CHECKING, Any

from wsiweb_benchmarks.report.palette import colour
from wsiweb_benchmarks.report.results import OURS, REFERENCE, library_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "LINE",
    "MISSING",
    "STYLE",
    "bar_colour",
    "lay_out",
    "lines_of",
    "load",
    "name_ways",
    "save",
]

_WIDTH = 8.4  # inches; a page shows it at about 100 pixels an inch
_FONT = 8.5
LINE = 0.2  # inches: a bar with its label
MISSING = (
    "The plots of the report need matplotlib, which is not installed: pip install 'wsiweb[bench]'"
)
STYLE = {
    "svg.hashsalt": "wsiweb",
    "text.parse_math": False,  # names are names
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": _FONT,
    "axes.edgecolor": colour("line"),
    "axes.labelcolor": colour("soft"),
    "axes.titlecolor": colour("ink"),
    "axes.titlesize": _FONT + 0.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.facecolor": colour("paper"),
    "axes.axisbelow": True,
    "figure.facecolor": colour("paper"),
    "grid.color": colour("line"),
    "grid.linewidth": 0.7,
    "text.color": colour("ink"),
    "xtick.color": colour("soft"),
    "ytick.color": colour("soft"),
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
}


def load() -> Any:
    """Import matplotlib.

    Raises
    ------
    ModuleNotFoundError
        When it is not installed; says what to install.
    """
    try:
        import matplotlib as mpl
        from matplotlib import style
    except ImportError as error:
        raise ModuleNotFoundError(MISSING, name="matplotlib") from error
    del style  # it is to be had as an attribute now
    return mpl


def save(figure: Any) -> str:
    """Return a matplotlib figure as SVG, without a date and in fonts that every system has."""
    held = io.StringIO()
    figure.savefig(held, format="svg", metadata={"Date": None, "Creator": None})
    svg = held.getvalue().replace(
        "'DejaVu Sans'", "system-ui, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans'"
    )
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def lay_out(count: int, columns: int, height: float, left: float, gap: float = 0.22) -> Any:
    """Return a figure and `count` axes of `height` inches, `columns` beside each other."""
    from matplotlib.figure import Figure as Drawing

    lines = math.ceil(count / columns)
    top, below, right = 0.35, 0.5, 0.12  # inches
    whole = top + lines * (height + below)
    drawing = Drawing(figsize=(_WIDTH, whole))
    width = (_WIDTH - left - right - gap * (columns - 1)) / columns
    axes = []
    for at in range(count):
        x = left + (at % columns) * (width + gap)
        y = whole - top - (at // columns) * (height + below) - height
        axes.append(drawing.add_axes((x / _WIDTH, y / whole, width / _WIDTH, height / whole)))
    return drawing, axes


def bar_colour(way: str) -> str:
    """Return a strong colour for a fast way, a faint one for a naive one; wsiweb's stands out."""
    library = library_of(way)
    if library == REFERENCE:
        return colour("reference")
    kind = "ours" if library == OURS else "peer"
    return colour(f"{kind}-pale" if way.endswith("/naive") else kind)


def lines_of(ways: Sequence[str]) -> list[float]:
    """Return where each way stands; those of a library stand together."""
    places = [0.0]
    for before, way in itertools.pairwise(ways):
        places.append(places[-1] + (1 if library_of(before) == library_of(way) else 1.35))
    return places


def name_ways(axis: Any, ways: Sequence[str]) -> None:
    """Write the names of ways at the left of a panel."""
    axis.set_yticks(lines_of(ways), [way.replace("-source-dicom", "") for way in ways])
    for label, way in zip(axis.get_yticklabels(), ways, strict=True):
        if library_of(way) == OURS:
            label.set(color=colour("ours"), weight="bold")
        else:
            label.set(color=colour("ink"))
