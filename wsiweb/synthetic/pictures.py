"""The small pictures of a slide: its label, and the whole glass seen from above."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from wsiweb.synthetic.headers import SLIDE_MM, corner

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wsiweb.synthetic.recipe import Recipe

__all__ = ["LABEL_MM", "OVERVIEW_SPACING", "label_picture", "overview_picture"]

LABEL_MM = 20.0
OVERVIEW_SPACING = 0.0625  # millimetres per pixel: 1200 x 400 for the whole glass
_LABEL = 480  # pixels
_PAPER = (250, 249, 242)
_INK = (28, 30, 38)
_GLASS = (236, 239, 238)


def label_picture(recipe: Recipe) -> NDArray[np.uint8]:
    """Draw the label as printed on paper: (rows, columns, 3), RGB."""
    picture = Image.new("RGB", (_LABEL, _LABEL), _PAPER)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((14, 14, _LABEL - 15, _LABEL - 15), outline=_INK, width=3)
    lines = (
        (recipe.container_id, 58),
        (recipe.accession_number, 44),
        (recipe.patient_name.replace("^", ", "), 34),
        (recipe.patient_id, 34),
        ("H&E", 58),
        ("SYNTHETIC", 30),
    )
    top = 36
    for text, size in lines:
        # Letters shrink until the line fits: a cut name would be another name.
        while size > 8 and draw.textlength(text, ImageFont.load_default(size)) > _LABEL - 64:
            size -= 2  # noqa: PLW2901
        draw.text((32, top), text, _INK, ImageFont.load_default(size))
        top += round(size * 1.25) + 12
    return np.asarray(picture)


def overview_picture(
    recipe: Recipe, tissue: NDArray[np.uint8], label: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Draw the whole glass, label to the left, tissue where its header says it is.

    Parameters
    ----------
    recipe : Recipe
    tissue, label : ndarray of uint8, shape (rows, columns, 3)
        RGB.
    """
    width, height = (round(side / OVERVIEW_SPACING) for side in reversed(SLIDE_MM))
    picture = Image.new("RGB", (width, height), _GLASS)
    side = round(LABEL_MM / OVERVIEW_SPACING)
    stuck = Image.fromarray(label).resize((side, side), Image.Resampling.LANCZOS)
    picture.paste(stuck, ((height - side) // 2, (height - side) // 2))
    per_pixel = recipe.mpp / 1000 / OVERVIEW_SPACING
    size = (max(round(recipe.width * per_pixel), 1), max(round(recipe.height * per_pixel), 1))
    size = (min(size[0], 2 * width), min(size[1], 2 * height))  # a slide larger than any glass
    small = Image.fromarray(tissue).resize(size, Image.Resampling.BOX)
    x, y = corner(recipe)
    place = (
        round((SLIDE_MM[1] - y) / OVERVIEW_SPACING),
        round((SLIDE_MM[0] - x) / OVERVIEW_SPACING),
    )
    # Glass is not quite white: multiply, so that the tissue has no white frame.
    tinted = np.asarray(small).astype(np.uint16) * np.array(_GLASS, np.uint16) // 255
    picture.paste(Image.fromarray(tinted.astype(np.uint8)), place)
    return np.asarray(picture)
