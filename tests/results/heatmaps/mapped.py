"""Heat maps as highdicom reads them."""

from __future__ import annotations

import highdicom
import numpy as np

__all__ = ["stored_numbers", "values_by_highdicom"]


def stored_numbers(dataset):
    image = highdicom.pm.ParametricMap.from_dataset(dataset)
    steps = ("real_world_transform", "modality_transform", "voi_transform", "icc_profile")
    return image.get_total_pixel_matrix(**{f"apply_{step}": False for step in steps})


def values_by_highdicom(dataset):
    image = highdicom.pm.ParametricMap.from_dataset(dataset)
    values = image.get_total_pixel_matrix(
        apply_real_world_transform=True,
        apply_icc_profile=False,  # of the palette, which highdicom would apply to the numbers
        dtype=np.float64,
    )
    nothing = dataset.get("PixelPaddingValue", dataset.get("FloatPixelPaddingValue"))
    values[stored_numbers(dataset) == nothing] = np.nan
    return values
