"""The colours that results are in when nobody says otherwise: sRGB."""

from __future__ import annotations

import struct
from functools import cache

__all__ = ["srgb_profile"]

_DEVICE_CLASS = slice(12, 16)
_DATE = slice(24, 36)
_DIGEST = slice(84, 100)


@cache
def srgb_profile() -> bytes:
    """Return an ICC profile of sRGB, the same at all times.

    Of the class "input device", which is what DICOM wants (PS3.3 C.11.15.1.1): the tags of a
    display's profile of matrix and curves are those of an input device's.
    """
    from PIL import ImageCms

    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # The library writes the present time, and a digest of it: both would differ in every run.
    profile[_DATE] = struct.pack(">6H", 2024, 1, 1, 0, 0, 0)
    profile[_DIGEST] = bytes(16)
    profile[_DEVICE_CLASS] = b"scnr"
    return bytes(profile) + b"\0" * (len(profile) % 2)
