"""Slides of any size of which there are only headers, for tests that write about them."""

from __future__ import annotations

import copy
import functools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pydicom
from results.about import source_of

from wsiweb import synthetic

if TYPE_CHECKING:
    from wsiweb.results.source import Source


@functools.cache
def _header() -> pydicom.Dataset:
    with tempfile.TemporaryDirectory() as folder:
        made = synthetic.write_slide(
            Path(folder), 64, 48, seed=3, tile_size=32, label=False, overview=False, thumbnail=False
        )
        return pydicom.dcmread(made.levels[0], stop_before_pixels=True)


def sized_headers(size, factors=(1,), orientation=None, *, rounded=np.ceil, spacing=None) -> list:
    """Headers of a slide: its size, levels, how it lies on the glass, its scale (x, y) in mm."""
    headers = []
    for number, factor in enumerate(factors):
        header = copy.deepcopy(_header())
        header.SOPInstanceUID = f"{header.SOPInstanceUID[:50]}.{number}"
        header.InstanceNumber = number + 1
        columns, rows = (max(1, int(rounded(edge / factor))) for edge in size)
        header.TotalPixelMatrixColumns, header.TotalPixelMatrixRows = columns, rows
        tile = int(header.Columns)
        header.NumberOfFrames = -(-columns // tile) * -(-rows // tile)
        header.ImageType = ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED" if number else "NONE"]
        measures = header.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        steps = measures.PixelSpacing if spacing is None else spacing[::-1]  # rows first
        measures.PixelSpacing = [float(step) * factor for step in steps]
        if orientation is not None:
            header.ImageOrientationSlide = list(orientation)
        headers.append(header)
    return headers


def sized(size, factors=(1,), orientation=None, *, rounded=np.ceil, spacing=None) -> Source:
    """The slide that such headers describe."""
    return source_of(sized_headers(size, factors, orientation, rounded=rounded, spacing=spacing))
