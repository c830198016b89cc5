"""What dciodvfy says of our objects, without what it is known to be wrong about."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# What the checker calls an error and is none, with the reason.
FALSE_ALARMS = {
    r"Missing .*<PerFrameFunctionalGroupsSequence>": (
        "In TILED_FULL, frames have nothing of their own to say, and the sequence may be left out "
        "(PS3.3 C.7.6.16)."
    ),
    r"Missing .*<PlanePositionSlideSequence> Module=<PlanePositionSlideMacro>": (
        "In TILED_FULL, the place of a frame follows from its number (PS3.3 C.7.6.17.3)."
    ),
    r"Missing .*<PlanePositionSequence> Module=<PlanePositionMacro>": (
        "The patient coordinate system is not that of slides (PS3.3 A.75.5: if SLIDE is not used)."
    ),
    r"Missing .*<PlaneOrientationSequence> Module=<PlaneOrientationMacro>": (
        "As above: slides state ImageOrientationSlide (PS3.3 C.8.12.4)."
    ),
    r"condition unsatisfied .*PaletteColorLookupTable\w+> Module=<ImagePixelDescriptionMacro>": (
        "The palette is that of the Palette Color Lookup Table Module, whose conditions go before "
        "those of the Image Pixel Module (PS3.3 C.7.9)."
    ),
    r"Non-string attribute .* <M\w+ Stored Value Mapped?>": (
        "MinimumStoredValueMapped is a number (FD), and the checker compares it as a text."
    ),
}


def errors_in(path: Path) -> list[str]:
    """Return the errors of dciodvfy (Debian's dicom3tools) that are not listed above."""
    program = shutil.which("dciodvfy")
    if program is None:
        # Where nobody reads the reasons of skipped tests, a missing checker must not look green.
        missing = "dciodvfy is not here: on Debian, apt install dicom3tools"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)
    run = subprocess.run(
        [program, str(path)], capture_output=True, text=True, errors="replace", check=False
    )
    lines = (run.stdout + run.stderr).splitlines()
    found = [line for line in lines if line.startswith(("Error", "Abort"))]
    return [line for line in found if not any(re.search(one, line) for one in FALSE_ALARMS)]
