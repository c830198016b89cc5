"""Slides with several optical paths, and slides in parts: headers of them, and files."""

from __future__ import annotations

import copy

import numpy as np
import pydicom
from pydicom.uid import ExplicitVRLittleEndian, generate_uid


def of_paths(headers, names, *, apart) -> list[pydicom.Dataset]:
    """The same slide by several optical paths: in instances of their own, or all in one."""
    found = []
    for header in headers:
        for group in [[name] for name in names] if apart else [names]:
            one = copy.deepcopy(header)
            one.SOPInstanceUID = generate_uid()
            one.OpticalPathSequence = [_path(header.OpticalPathSequence[0], name) for name in group]
            one.NumberOfOpticalPaths = len(group)
            one.NumberOfFrames = int(header.NumberOfFrames) * len(group)
            found.append(one)
    return found


def _path(path, name) -> pydicom.Dataset:
    path = copy.deepcopy(path)
    path.OpticalPathIdentifier = name
    path.OpticalPathDescription = f"as {name} sees it"
    # Whose device it is of: a part of a profile that changes no colour.
    profile = path.ICCProfile
    path.ICCProfile = profile[:48] + name.ljust(4)[:4].encode() + profile[52:]
    return path


def in_parts(headers, count=2) -> list[pydicom.Dataset]:
    """The same slide with each of its levels in parts, as far as these have frames."""
    found = []
    for header in headers:
        frames = np.array_split(np.arange(int(header.NumberOfFrames)), count)
        together, whole = generate_uid(), generate_uid()
        for number, own in enumerate(frames, start=1):
            if len(own):
                part = copy.deepcopy(header)
                part.SOPInstanceUID = generate_uid()
                part.ConcatenationUID = together
                part.SOPInstanceUIDOfConcatenationSource = whole
                part.InConcatenationNumber = number
                part.ConcatenationFrameOffsetNumber = int(own[0])
                part.NumberOfFrames = len(own)
                found.append(part)
    return found


def save(headers, folder) -> None:
    """Lay headers into a folder as files, with frames that nobody looks at."""
    folder.mkdir(exist_ok=True)
    for header in headers:
        one = pydicom.Dataset()
        one.update(header)
        one.file_meta = pydicom.dataset.FileMetaDataset()
        one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        one.PhotometricInterpretation = "RGB"
        frame = int(one.Rows) * int(one.Columns) * int(one.SamplesPerPixel)
        one.PixelData = bytes(frame * int(one.NumberOfFrames))
        one["PixelData"].VR = "OB"
        one.save_as(folder / f"{one.SOPInstanceUID}.dcm", enforce_file_format=True)
