"""What an archive can do, as far as we have learnt it, and what is remembered of that.

Capabilities are learnt from answers, never guessed from a vendor's name: versions and
proxies change them (Orthanc 1.10 and 1.13 want opposite batch sizes).

How fast an archive answers is remembered for its base URL in the user's cache, so that the next
script begins at the right pace. It is a hint and nothing more: a file that cannot be read is
passed over, and what is wrong in it is unlearnt as it was learnt. The encoding that an archive
sends is not remembered: a passing fault would make every script to come read slowly.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from wsiweb.client.pace import Known
from wsiweb.wire.uris import is_loopback, shown

if TYPE_CHECKING:
    from wsiweb.wire.media import Step

__all__ = ["ServerProfile", "recall", "remember"]

_FRESH = 30 * 24 * 3600.0  # seconds for which it is worth remembering


@dataclass
class ServerProfile:
    """Abilities of one archive; corrected at run time, on the library's event loop only.

    Attributes
    ----------
    accept : Step or None
        The step of the Accept ladder for frames (`wsiweb.wire.media.frame_accepts`) that the
        archive answers; None until the first frame came. It is tried first.
    most_frames : int
        Longest list of frames that may be tried; 1 for an archive that answers no lists.
    longest_url : int
        Characters that a URL may have. (Orthanc refuses somewhat above 8,000; others from 8,190
        on, headers included, or 4,096.) Halved when a longer one is refused, and not kept: what
        was refused may have been something else.
    pace : Known
        How fast it was when it was last asked.
    """

    accept: Step | None = None
    most_frames: int = 1000
    longest_url: int = 6000
    pace: Known = field(default_factory=Known)


class _File(msgspec.Struct):
    """What is kept on disk of a profile."""

    url: str
    most_frames: int
    pace: Known


def recall(base_url: str, folder: Path | None = None) -> ServerProfile:
    """Return what is remembered of an archive; an empty profile when that is nothing.

    Parameters
    ----------
    base_url : str
        Address of the DICOMweb service. Nothing is remembered of this machine's own addresses:
        behind their ports is something else tomorrow.
    folder : Path, optional
        Where it is remembered; by default in the user's cache.
    """
    path = _path_of(base_url, folder)
    with contextlib.suppress(OSError, msgspec.MsgspecError, ValueError):
        if path is not None and time.time() - path.stat().st_mtime < _FRESH:
            file = msgspec.json.decode(path.read_bytes(), type=_File)
            if file.url == shown(base_url):
                profile = ServerProfile(pace=file.pace.sane())
                if file.most_frames == 1:
                    profile.most_frames = 1
                return profile
    return ServerProfile()


def remember(base_url: str, profile: ServerProfile, folder: Path | None = None) -> None:
    """Keep what was learnt of an archive; where that cannot be written, it is not kept."""
    path = _path_of(base_url, folder)
    if path is None or not profile.pace.lists:
        return
    content = msgspec.json.encode(_File(shown(base_url), profile.most_frames, profile.pace))
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two scripts may end at once: each writes a file of its own, and the later one stays.
        handle, draft = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            Path(draft).replace(path)
        except OSError:
            Path(draft).unlink(missing_ok=True)


def _path_of(base_url: str, folder: Path | None) -> Path | None:
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or is_loopback(parts.hostname or ""):
        return None
    if folder is None:
        import platformdirs

        folder = platformdirs.user_cache_path("wsiweb") / "archives"
    return folder / f"{hashlib.sha256(base_url.encode()).hexdigest()[:32]}.json"
