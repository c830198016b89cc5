"""Slides of all sizes, scales and orientations, for property tests of what is made about them."""

from __future__ import annotations

import highdicom
import numpy as np
from hypothesis import strategies as st
from results.about import ORIENTATIONS
from results.masks.sized import sized

__all__ = ["place_on", "slides"]

FACTORS = [(1,), (1, 2), (1, 4, 16), (1, 3), (1, 2.5, 7.9856)]


def slides(most: int = 300):
    """Slides of which there are only headers: turned, mirrored, of odd sizes and odd scales."""
    edges = st.integers(1, most)
    return st.builds(
        sized,
        st.tuples(edges, edges),
        st.sampled_from(FACTORS),
        st.sampled_from(list(ORIENTATIONS.values())),
        rounded=st.sampled_from([np.ceil, np.floor]),
    )


def place_on(header):
    """Where points of a matrix are on the glass, by highdicom: pixels from its corner to mm."""
    return highdicom.spatial.ImageToReferenceTransformer.for_image(
        header, for_total_pixel_matrix=True
    )
