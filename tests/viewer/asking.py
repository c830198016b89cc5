"""What tests of the viewer ask, and how they look at what comes: with Pillow, as browsers decode.

Pillow and browsers both have libjpeg tell what the samples of a JPEG are.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import struct

import numpy as np
from PIL import Image

__all__ = ["arrays", "ask", "pixels", "region", "told"]


def ask(feed, path):
    """A resource, awaited in an event loop that is not the library's."""
    return asyncio.run(feed.get(path))


def told(feed, path):
    """The values of a resource that is JSON."""
    found = ask(feed, path)
    assert found.media_type == "application/json"
    return json.loads(found.data)


def pixels(resource, mode="RGB"):
    """The pixels of a picture, shape (height, width) or (height, width, samples)."""
    with Image.open(io.BytesIO(resource.data)) as image:
        assert image.get_format_mimetype() == resource.media_type
        return np.asarray(image if mode is None else image.convert(mode))


def region(slide, level, column, row):
    """What `read_region` gives for a tile, and how much of it is in the image."""
    image = slide.levels[level]
    width, height = image.tile_size
    corner = column * width * image.downsample, row * height * image.downsample
    return slide.read_region(tuple(map(round, corner)), level, (width, height)), image.crop(
        column, row
    )


def arrays(data):
    """Flat shapes, as the front end takes them apart: kind, and the points of each."""
    count, kind = struct.unpack_from("<IB", data)
    offsets = np.frombuffer(data, "<u4", count + 1, 8)
    points = np.frombuffer(data, "<f4", offset=12 + 4 * count).reshape(-1, 2)
    assert len(points) == offsets[-1]
    return kind, [points[a:b] for a, b in itertools.pairwise(offsets)]
