"""CMU-1-Small-Region: the real slide that the field tests with, as DICOM instances."""

from __future__ import annotations

import os
from pathlib import Path

from wsiweb_benchmarks.slides import Absent

__all__ = ["SLIDES", "Cmu", "cmu_folder"]


class Cmu:
    """The slide as it is, where it is."""

    name = "cmu"

    def make(self, folder: Path, *, small: bool) -> tuple[Path, str]:
        """Find it; there is nothing to be made."""
        del folder, small
        about = (
            "CMU-1-Small-Region (OpenSlide's test data): 2220 x 2967 pixels, tiles of 240 pixels, "
            "JPEG stored as RGB."
        )
        return cmu_folder(), about


def cmu_folder() -> Path:
    """Return where the instances of the real slide are.

    Raises
    ------
    Absent
        When they are not on this machine.
    """
    root = Path(__file__).parents[3]
    data = Path(os.environ.get("WSIWEB_SLIDE_DATA", root.parent / "shared" / "data"))
    folder = data / "cmu-1-small-region"
    if not folder.is_dir():
        raise Absent(
            "the real slide is not here: set WSIWEB_SLIDE_DATA to a folder that holds "
            "cmu-1-small-region/ with its DICOM instances"
        )
    return folder


SLIDES = (Cmu(),)
