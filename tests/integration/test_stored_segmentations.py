"""Segmentations that highdicom wrote, stored in a real archive and read back.

Orthanc 1.10 refuses frames of single bits that are not whole bytes; then the whole object is read.
"""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless, RLELossless
from results.reading.making import (
    blobs,
    folder_of,
    identity,
    layers,
    make_slide,
    segmentation,
    segmentations_at,
)

import wsiweb

SIZE = (613, 427)
KINDS = {
    "whole bytes": ("BINARY", {"tile_size": (64, 64)}),
    "odd bits": ("BINARY", {"tile_size": (101, 103)}),
    "odd bits, all tiles": (
        "BINARY",
        {"tile_size": (101, 103), "dimension_organization_type": "TILED_FULL"},
    ),
    "labels": ("LABELMAP", {"transfer_syntax_uid": JPEGLSLossless}),
    "labels, bare": ("LABELMAP", {"transfer_syntax_uid": ExplicitVRLittleEndian}),
    "fractions": ("FRACTIONAL", {"transfer_syntax_uid": RLELossless}),
}


@pytest.fixture(scope="module")
def masks():
    stack = layers(blobs(SIZE, 2), 2)
    overlapping = stack.copy()
    overlapping[..., 1] |= blobs(SIZE, seed=3)
    return {"BINARY": overlapping, "LABELMAP": stack, "FRACTIONAL": overlapping}


@pytest.fixture(scope="module")
def read_back(orthanc, tmp_path_factory, masks):
    """All kinds, in Orthanc: by the names they were given."""
    slide = make_slide(tmp_path_factory.mktemp("slide"))
    objects = [
        segmentation(
            slide.headers[0],
            masks[kind].copy(),  # highdicom scales fractions in place
            kind,
            2,
            **{**identity(description=name), **more},
        )
        for name, (kind, more) in KINDS.items()
    ]
    orthanc.upload(folder_of(tmp_path_factory.mktemp("all"), slide, *objects))
    auth = (orthanc.user, orthanc.password)
    with wsiweb.connect(orthanc.url, auth=auth) as archive:
        _, found = segmentations_at(archive, slide)
        yield {one.name: one for one in found}


@pytest.mark.parametrize("name", KINDS)
def test_what_was_stored_is_read(read_back, masks, name):
    kind, _ = KINDS[name]
    each = masks[kind][0]
    ours = read_back[name]
    for number in (1, 2):
        whole = ours.read_region((0, 0), 0, SIZE, number)
        np.testing.assert_array_equal(whole, each[:, :, number - 1])
    if kind != "FRACTIONAL":
        labels = (each * np.array([1, 2])).max(axis=2)
        np.testing.assert_array_equal(
            ours.read_region((40, 50), 0, (300, 200)), labels[50:250, 40:340]
        )


def test_the_second_read_asks_for_nothing(read_back):
    for ours in read_back.values():
        ours.read_region((0, 0), 0, SIZE, 1)
        with wsiweb.trace() as cost:
            ours.read_region((0, 0), 0, SIZE, 1)
        assert cost.requests == 0


def test_objects_are_saved_as_they_were_stored(read_back, tmp_path):
    import pydicom

    (path,) = read_back["odd bits"].save(tmp_path)
    saved = pydicom.dcmread(path)
    assert saved.SOPInstanceUID == path.stem
    assert saved.NumberOfFrames == saved.pixel_array.shape[0]
