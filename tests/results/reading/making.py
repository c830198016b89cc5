"""Segmentations of made-up slides, by highdicom alone."""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import highdicom as hd
import imagecodecs
import numpy as np
import pydicom
from pydicom.encaps import encapsulate
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, generate_uid

import wsiweb
from wsiweb import loop, synthetic
from wsiweb.places import frames_at
from wsiweb.results.reading.segmentation import read_segmentations

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (613, 427)
FACTORS = (1, 2, 4)


@dataclass(frozen=True)
class Slide:
    """A made-up slide: its files, and its headers without pixels, the finest first."""

    paths: tuple[Path, ...]
    headers: tuple[pydicom.Dataset, ...]

    @property
    def study_uid(self) -> str:
        return str(self.headers[0].StudyInstanceUID)

    @property
    def series_uid(self) -> str:
        return str(self.headers[0].SeriesInstanceUID)

    def size(self, level: int) -> tuple[int, int]:
        header = self.headers[level]
        return int(header.TotalPixelMatrixColumns), int(header.TotalPixelMatrixRows)


def make_slide(folder, size=SIZE, factors=FACTORS, seed=5, **more) -> Slide:
    made = synthetic.write_slide(
        folder,
        *size,
        seed=seed,
        tile_size=128,
        levels=factors,
        label=False,
        overview=False,
        thumbnail=False,
        **more,
    )
    headers = tuple(pydicom.dcmread(path, stop_before_pixels=True) for path in made.levels)
    return Slide(made.levels, headers)


def blobs(size, count=1, seed=0) -> np.ndarray:
    """Labels 0 to `count` in blobs: shape (height, width), uint8; neighbours mostly differ."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    random = np.random.default_rng(seed)
    labels = np.zeros((height, width), np.uint8)
    for number in range(1, count + 1):
        for _ in range(6):
            centre = random.uniform(0, width), random.uniform(0, height)
            radius = random.uniform(0.05, 0.2) * max(size)
            labels[np.hypot(x - centre[0], y - centre[1]) < radius] = number
    # Single pixels tell a shift by one from none.
    noise = random.random((height, width)) < 0.03
    labels[noise] = random.integers(0, count + 1, int(noise.sum()))
    return labels


def layers(labels, count) -> np.ndarray:
    """Stack labels as hd wants overlapping segments: shape (1, height, width, count)."""
    return np.stack([labels == number for number in range(1, count + 1)], -1)[None].astype(np.uint8)


def describe(numbers, **more) -> list[hd.seg.SegmentDescription]:
    """Describe segments of these numbers, or as many from 1."""
    numbers = range(1, numbers + 1) if isinstance(numbers, int) else numbers
    return [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=f"Kind {number}",
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Neoplasm,
            algorithm_type="MANUAL",
            **more,
        )
        for number in numbers
    ]


def identity(number=1, series=None, description="made by hand") -> dict:
    return {
        "series_instance_uid": series or generate_uid(),
        "series_number": 7,
        "sop_instance_uid": generate_uid(),
        "instance_number": number,
        "manufacturer": "somebody",
        "manufacturer_model_name": "something",
        "software_versions": "1",
        "device_serial_number": "0",
        "series_description": description,
    }


def segmentation(source, pixels, kind="BINARY", count=1, **more) -> hd.seg.Segmentation:
    values = {
        "transfer_syntax_uid": ExplicitVRLittleEndian,
        "tile_pixel_array": True,
        **identity(),
        **more,
    }
    if values.get("dimension_organization_type") == "TILED_FULL":
        values["omit_empty_frames"] = False
    return hd.seg.Segmentation([source], pixels, kind, describe(count), **values)


def in_jpeg_2000(made) -> pydicom.Dataset:
    """Compress the frames of an object without loss; for highdicom one more package is needed."""
    bits = int(made.BitsAllocated)
    frames = [
        imagecodecs.jpeg2k_encode(frame, codecformat="J2K", reversible=True, bitspersample=bits)
        for frame in made.pixel_array.reshape(-1, made.Rows, made.Columns)
    ]
    made = copy.deepcopy(made)
    made.PixelData = encapsulate(frames)
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = JPEG2000Lossless
    return made


def turned(header, across, down) -> pydicom.Dataset:
    """Return a header whose matrix covers the same glass, but lies turned or mirrored upon it.

    `across` and `down` say which way its rows and columns run, in pixels of the matrix as it was:
    ``(0, 1)`` is down.
    """
    from wsiweb.pixels.instance import read_header
    from wsiweb.wire.dicomjson import Attributes

    model = header.to_json_dict(bulk_data_element_handler=lambda _: "x")
    geometry = read_header(Attributes.of(model), "VOLUME").geometry
    width, height = int(header.TotalPixelMatrixColumns), int(header.TotalPixelMatrixRows)
    # The corner of the matrix as it was at which rows and columns of the new one begin.
    steps = np.array([across, down])
    start = [0.0 if steps[:, axis].sum() > 0 else (width, height)[axis] for axis in (0, 1)]
    centre = np.array(start) + steps.sum(axis=0) / 2
    new = copy.deepcopy(header)
    axes = np.array([geometry.row_direction, geometry.column_direction])
    new.ImageOrientationSlide = [float(value) for step in steps for value in step @ axes]
    place(new, geometry.to_slide(centre))
    if steps[0][0] == 0:
        new.TotalPixelMatrixColumns, new.TotalPixelMatrixRows = height, width
    return new


def place(header, millimetres) -> None:
    origin = header.TotalPixelMatrixOriginSequence[0]
    origin.XOffsetInSlideCoordinateSystem = round(float(millimetres[0]), 10)
    origin.YOffsetInSlideCoordinateSystem = round(float(millimetres[1]), 10)


def folder_of(folder: Path, slide: Slide, *objects) -> Path:
    """Lay the files of a slide, and objects about it, into a folder."""
    folder.mkdir(exist_ok=True)
    for path in slide.paths:
        (folder / path.name).symlink_to(path)
    for one in objects:
        one.save_as(folder / f"{one.SOPInstanceUID}.dcm", enforce_file_format=True)
    return folder


def segmentations_at(archive, slide: Slide):
    """Open a slide; return its model and the segmentations that the archive has of it."""
    pyramid = archive.open_slide(slide.study_uid, slide.series_uid)._pyramid
    connect = functools.partial(frames_at, archive._place)
    return pyramid, loop.run(read_segmentations(pyramid, connect))


def connected(where, **more) -> wsiweb.Archive:
    return wsiweb.connect(where, **more)
