from __future__ import annotations

import pydicom
import pytest

from wsiweb.results.loss import state_loss

NAMES = ("LossyImageCompression", "LossyImageCompressionMethod", "LossyImageCompressionRatio")
SYNTAX = "1.2.840.10008.1.2.4."


def stated(told, syntax=None, colours="RGB"):
    header = pydicom.Dataset()
    header.PhotometricInterpretation = colours
    for name, value in zip(NAMES, told, strict=True):
        if value is not None:
            setattr(header, name, value)
    state_loss(header, syntax)
    return tuple(header.get(name) for name in NAMES)


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ((None, None, None), (None, None, None)),
        (("00", None, None), ("00", None, None)),
        (("00", "", ""), ("00", None, None)),
        (("01", "ISO_10918_1", 7), ("01", "ISO_10918_1", 7)),
        ((None, "ISO_10918_1", 7), ("01", "ISO_10918_1", 7)),
        (("", None, 7), ("01", None, 7)),
        (("00", "ISO_10918_1", 7), ("01", "ISO_10918_1", 7)),  # a loss is never undone
        (("01", "", None), ("01", None, None)),
    ],
)
def test_a_loss_that_is_told_of_is_one(told, says):
    assert stated(told) == says


@pytest.mark.parametrize(
    ("syntax", "colours", "method"),
    [
        (SYNTAX + "50", "RGB", "ISO_10918_1"),
        (SYNTAX + "81", "RGB", "ISO_14495_1"),
        (SYNTAX + "91", "RGB", "ISO_15444_1"),
        (SYNTAX + "203", "RGB", "ISO_15444_15"),
        (SYNTAX + "70", "RGB", None),  # lossless: the loss was an earlier one
        ("1.2.840.10008.1.2.1", "RGB", None),
        (None, "YBR_FULL_422", "ISO_10918_1"),
        (None, "YBR_ICT", "ISO_15444_1"),
        (None, "RGB", None),
    ],
)
def test_the_method_follows_from_how_pixels_are_stored(syntax, colours, method):
    assert stated(("01", None, 7), syntax, colours) == ("01", method, 7)
    assert stated(("01", "ISO_13818_2", 7), syntax, colours)[1] == "ISO_13818_2"
