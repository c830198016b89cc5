"""Made-up slides whose frames are encoded in all the ways that DICOM knows."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pydicom
from pydicom.encaps import encapsulate

from wsiweb import synthetic
from wsiweb.writing.encoders import jpeg_ls

__all__ = ["CODINGS", "recoded_slide"]


def _rle(frame):
    from pydicom.pixels.encoders import RLELosslessEncoder

    return RLELosslessEncoder.encode(
        frame.tobytes(),
        rows=frame.shape[0],
        columns=frame.shape[1],
        samples_per_pixel=frame.shape[2] if frame.ndim == 3 else 1,
        bits_allocated=8,
        bits_stored=8,
        photometric_interpretation="RGB",
        pixel_representation=0,
        planar_configuration=0,
        number_of_frames=1,
    )


_STAND_IN = "1.2.840.10008.1.2.4.201"  # for a UID of the same length that pydicom does not know

# Transfer syntax, and how a frame of 8 bits is encoded without loss.
CODINGS = {
    "JPEG 2000": (
        "1.2.840.10008.1.2.4.90",
        lambda frame: imagecodecs.jpeg2k_encode(frame, level=0, codecformat="J2K", reversible=True),
    ),
    "HTJ2K": (
        "1.2.840.10008.1.2.4.201",
        lambda frame: imagecodecs.htj2k_encode(frame, reversible=True),
    ),
    "JPEG XL": (
        "1.2.840.10008.1.2.4.110",
        lambda frame: imagecodecs.jpegxl_encode(frame, lossless=True, effort=1),
    ),
    "JPEG-LS": ("1.2.840.10008.1.2.4.80", jpeg_ls),
    "lossless JPEG": (
        "1.2.840.10008.1.2.4.70",
        lambda frame: imagecodecs.jpeg8_encode(
            frame, lossless=True, colorspace="RGB", outcolorspace="RGB"
        ),
    ),
    "RLE": ("1.2.840.10008.1.2.5", _rle),
}


def recoded_slide(folder, coding, photometric="RGB"):
    """Write a slide of bare pixels, and encode the frames of its levels."""
    syntax, encode = CODINGS[coding]
    made = synthetic.write_slide(
        folder,
        300,
        200,
        seed=11,
        tile_size=128,
        transfer_syntax="1.2.840.10008.1.2.1",
        photometric=photometric,
        label=False,
        overview=False,
        thumbnail=False,
    )
    for path in made.levels:
        dataset = pydicom.dcmread(path)
        frames = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns, 3)
        if photometric != "RGB":
            frames = frames[..., 0]
        dataset.PixelData = encapsulate(
            [bytes(encode(np.ascontiguousarray(one))) for one in frames]
        )
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = _STAND_IN if coding == "JPEG XL" else syntax
        if coding == "RLE":
            dataset.PlanarConfiguration = 0
        dataset.save_as(path, enforce_file_format=True)
        if coding == "JPEG XL":
            path.write_bytes(path.read_bytes().replace(_STAND_IN.encode(), syntax.encode(), 1))
    return made
