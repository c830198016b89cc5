"""Slides of all sizes, scales and orientations, for property tests of what is made about them."""

from __future__ import annotations

import highdicom
import numpy as np
from hypothesis import strategies as st
from results.about import ORIENTATIONS
from results.masks.sized import sized

__all__ = ["place_on", "slides"]

# Of level 0, across and down, in mm: of the slide that all are made of, and not square ones.
SPACINGS = [None, (0.00025, 0.0005), (0.0005, 0.0004), (0.0002527, 0.000252)]
FACTORS = [(1,), (1, 2), (1, 4, 16), (1, 3), (1, 2.5, 7.9856)]


def slides(most: int = 300, *, square: bool = False):
    """Slides of which there are only headers: turned, mirrored, of odd sizes and odd scales.

    Unless it is wanted, their pixels need not be square.
    """
    edges = st.integers(1, most)
    return st.builds(
        sized,
        st.tuples(edges, edges),
        st.sampled_from(FACTORS),
        st.sampled_from(list(ORIENTATIONS.values())),
        rounded=st.sampled_from([np.ceil, np.floor]),
        spacing=st.sampled_from(SPACINGS[:1] if square else SPACINGS),
    )


def place_on(header):
    """Where points of a matrix are on the glass, by highdicom: pixels from its corner to mm."""
    return highdicom.spatial.ImageToReferenceTransformer.for_image(
        header, for_total_pixel_matrix=True
    )
