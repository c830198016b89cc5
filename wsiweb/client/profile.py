"""What an archive can do, as far as we have learnt it.

Capabilities are learnt from answers, never guessed from a vendor's name: versions and
proxies change them (Orthanc 1.10 and 1.13 want opposite batch sizes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsiweb.wire.media import Step

__all__ = ["ServerProfile"]


@dataclass
class ServerProfile:
    """Abilities of one archive; corrected at run time, on the library's event loop only.

    Attributes
    ----------
    accept : Step or None
        The step of the Accept ladder for frames (`wsiweb.wire.media.frame_accepts`) that the
        archive answers; None until the first frame came. It is tried first.
    most_frames : int
        Longest list of frames that may be tried; 1 for an archive that answers no lists. (Up to
        400 are in use with Google's.)
    longest_url : int
        Characters of a URL that are safe (Orthanc refuses somewhat above 8,000).
    """

    accept: Step | None = None
    most_frames: int = 400
    longest_url: int = 4000
