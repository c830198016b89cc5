"""Colours: told apart by those who do not see red and green, too (Okabe and Ito, 2008).

Each has a value of its own, so that the HTML report can exchange it for one that suits a dark
page.
"""

from __future__ import annotations

__all__ = ["LIBRARIES", "VARIABLES", "colour", "of_library"]

# By name: on light paper, on dark paper.
VARIABLES = {
    "paper": ("#ffffff", "#15181c"),
    "ink": ("#1b1f24", "#e6e8eb"),
    "soft": ("#5c6570", "#9aa4af"),
    "line": ("#dfe3e8", "#2c323a"),
    "shade": ("#f4f6f8", "#1d2127"),
    "good": ("#00694a", "#4fd1a5"),
    "bad": ("#a63a00", "#ff9a5c"),
    "ours": ("#c2410c", "#ff8a4c"),
    "ours-pale": ("#f2b597", "#8a4a2a"),
    "peer": ("#7d8792", "#8b95a1"),
    "peer-pale": ("#c3cad2", "#4a525c"),
    "reference": ("#22262b", "#f0f2f4"),
    "blue": ("#0072b2", "#56b4e9"),
    "green": ("#009e73", "#2fd3a4"),
    "purple": ("#b5548c", "#e39ac5"),
    "gold": ("#a67c00", "#f0c84b"),
    "sky": ("#3d9bd1", "#8fd0f5"),
}

# The libraries of the benchmark; others get a colour in turn.
LIBRARIES = {
    "reference": "reference",
    "wsiweb": "ours",
    "ez-wsi-dicomweb": "blue",
    "wsidicom": "green",
    "dicomslide": "purple",
    "dicomweb-client": "gold",
    "large-image-source-dicom": "sky",
}
_SPARE = ("blue", "green", "purple", "gold", "sky")


def colour(name: str) -> str:
    """Return a colour by its name in `VARIABLES`, as it is on light paper."""
    return VARIABLES[name][0]


def of_library(library: str, place: int = 0) -> str:
    """Return a library's colour; that of an unknown one is chosen by its place."""
    return colour(LIBRARIES.get(library, _SPARE[place % len(_SPARE)]))
