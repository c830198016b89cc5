"""Annotation objects with their bulk data, which never are in memory a second time.

highdicom makes an object of one small annotation for each group. In its place stand marks, and
where these are in the file, the coordinates of a million annotations are put in, block by block.
"""

from __future__ import annotations

import io
import os
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

__all__ = ["Bulk", "write_object"]

_MARK = 16  # bytes: as random as a UUID, and a multiple of every unit
_MOST = 2**32 - 2  # bytes of one value (PS3.5 7.1.1)


@dataclass(frozen=True, eq=False)
class Bulk:
    """One value that is written in blocks.

    Attributes
    ----------
    what : str
        In words, said in errors.
    size : int
        Bytes.
    blocks : callable
        Returns an iterator of arrays that make up the value, little endian.
    mark : bytes
        What stands in its place.

    Raises
    ------
    ValueError
        For a value that no element can hold.
    """

    what: str
    size: int
    blocks: Callable[[], Iterator[NDArray[Any]]]
    mark: bytes = field(default_factory=lambda: os.urandom(_MARK))

    def __post_init__(self) -> None:
        if self.size > _MOST:
            raise ValueError(
                f"{self.what} are {self.size / 2**30:.1f} GiB, and a DICOM element holds 4 GiB: "
                "write them as several objects, such as one for each part of the slide."
            )

    @classmethod
    def of(cls, what: str, values: NDArray[Any]) -> Bulk:
        """Return the bulk data that are an array."""
        return cls(what, values.nbytes, lambda: iter((values,)))


def write_object(path: Path, dataset: Dataset, bulks: list[Bulk]) -> None:
    """Write a DICOM file, with bulk data where the dataset has their marks.

    Parameters
    ----------
    path : Path
        The file.
    dataset : Dataset
        With file meta information, explicit VR little endian. Its sequences are given undefined
        length, as the bulk data in them change it.
    bulks : list of Bulk
        Each has its mark in the dataset, as the value of an element with a length of 32 bits.
    """
    _leave_lengths_open(dataset)
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    frame = buffer.getvalue()
    places = {frame.index(bulk.mark): bulk for bulk in bulks}
    done = 0
    with path.open("wb") as file:
        for place, bulk in sorted(places.items()):
            file.write(frame[done : place - 4])
            file.write(struct.pack("<I", bulk.size))
            begin = file.tell()
            for block in bulk.blocks():
                file.write(np.ascontiguousarray(block).data)
            if file.tell() - begin != bulk.size:  # a bug of ours, and the file would be no DICOM
                raise ValueError(f"{bulk.what}: {file.tell() - begin} bytes, not {bulk.size}.")
            done = place + _MARK
        file.write(frame[done:])


def _leave_lengths_open(dataset: Dataset) -> None:
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
                _leave_lengths_open(item)
