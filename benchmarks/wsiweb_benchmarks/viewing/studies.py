"""A thousand studies, made cheaply: one small slide, again and again under other names."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from pathlib import Path

from wsiweb import synthetic

__all__ = ["SLIDES", "made_studies"]

SLIDES = 4  # of each study, as a specimen has them
_SIZE = (768, 512)  # pixels of a slide: thumbnails take no notice of what lies below
_EDITION = "3"  # to be raised when the studies become others


def made_studies(work: Path, count: int) -> Path:
    """Return a folder with so many studies of `SLIDES` slides, made on first use.

    Parameters
    ----------
    work : Path
        Where such folders are kept between runs.
    count : int
        Studies; of as many patients.
    """
    folder = work / "studies" / f"{count}-{_EDITION}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        patterns = _patterns(part / "pattern")
        for number in range(count):
            _write(patterns, part / f"{number:05}", number)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


# What is put in place of these has the same length: so files are copied, not encoded anew.
_STUDY, _SERIES, _INSTANCE = (f"2.25.{digit * 35}" for digit in "123")
_PATIENT, _NAME, _ACCESSION, _DATE = "LIST-88888", "Listed^88888", "L88888", "18880808"


def _patterns(folder: Path) -> dict[str, bytes]:
    """Return the files of a slide by their names; the folder goes again."""
    import pydicom

    synthetic.write_slide(folder, *_SIZE, levels=(1,), label=False, overview=False, seed=5)
    found: dict[str, bytes] = {}
    for path in sorted(folder.glob("*.dcm")):
        dataset = pydicom.dcmread(path)
        dataset.PatientID, dataset.PatientName = _PATIENT, _NAME
        dataset.AccessionNumber = dataset.ContainerIdentifier = _ACCESSION
        dataset.StudyDate = _DATE
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = _STUDY, _SERIES
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = _INSTANCE
        dataset.save_as(path, enforce_file_format=True)
        found[dataset.ImageType[2].lower()] = path.read_bytes()
    shutil.rmtree(folder)
    return found


def _write(patterns: dict[str, bytes], folder: Path, number: int) -> None:
    folder.mkdir()
    of_study = {
        _PATIENT: f"LIST-{number:05}",
        _NAME: f"Listed^{number:05}",
        _ACCESSION: f"L{number:05}",
        _DATE: f"{2000 + number % 26}{1 + number % 12:02}{1 + number % 28:02}",
        _STUDY: _uid(),
    }
    for slide in range(SLIDES):
        of_slide = {**of_study, _SERIES: _uid()}
        for name, pattern in patterns.items():
            data = pattern
            for mark, words in {**of_slide, _INSTANCE: _uid()}.items():
                data = data.replace(mark.encode(), words.encode())
            (folder / f"{slide}-{name}.dcm").write_bytes(data)


def _uid() -> str:
    """Return a UID of 40 characters (PS3.5 B.2), as long as those whose place it takes."""
    return f"2.25.{10**34 + uuid.uuid4().int % (9 * 10**34)}"
