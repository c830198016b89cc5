"""Masks that tell a shift by one pixel from none, and how they are read back."""

from __future__ import annotations

import highdicom as hd
import numpy as np


def labels(size, count=3, seed=0, dtype=np.uint8):
    """Labels, in patches and as single pixels: a shift by one pixel is seen."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, count + 1, (-(-size[1] // 13), -(-size[0] // 17)))
    mask = np.kron(coarse, np.ones((13, 17), int))[: size[1], : size[0]]
    noise = random.random(mask.shape) < 0.05
    mask[noise] = random.integers(0, count + 1, int(noise.sum()))
    mask[0, 0] = 1  # never empty
    return mask.astype(dtype)


def planes(size, count=3, seed=0):
    """Planes that overlap."""
    return np.random.default_rng(seed).random((size[1], size[0], count)) < 0.3


def picked(mask, factor, size):
    """The pixels under the centres of a coarser matrix; one factor, or across and down."""
    across, down = np.broadcast_to(factor, 2)
    rows, columns = (
        np.minimum(((np.arange(edge) + 0.5) * step).astype(int), whole - 1)
        for edge, whole, step in zip(size[::-1], mask.shape[:2], (down, across), strict=True)
    )
    return mask[np.ix_(rows, columns)]


def read(result, *, combined=True):
    seg = hd.seg.segread(result.path)
    return seg.get_total_pixel_matrix(combine_segments=combined)
