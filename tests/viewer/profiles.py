"""Slides whose colours are not those of a screen."""

from __future__ import annotations

import pydicom
from PIL import ImageCms

from wsiweb import synthetic


def other_profile() -> bytes:
    """Return a profile that is far from sRGB: red and blue are exchanged in it."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


def write_coloured(folder, width: int, height: int) -> None:
    """Write a slide with that profile."""
    profile = other_profile()
    for path in synthetic.write_slide(folder, width, height, seed=3).paths:
        dataset = pydicom.dcmread(path)
        dataset.OpticalPathSequence[0].ICCProfile = profile + b"\0" * (len(profile) % 2)
        dataset.save_as(path)
