"""UIDs that follow from what a file holds, so that a repeated run makes the same objects."""

from __future__ import annotations

import hashlib
import mmap
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from wsiweb.results.identity import uid_for

if TYPE_CHECKING:
    from pathlib import Path

    from wsiweb.results.identity import Identity

__all__ = ["stamped"]

_BLOCK = 2**20


def stamped(path: Path, identity: Identity) -> Identity:
    """Give an object the UID that follows from its content and its series.

    Parameters
    ----------
    path : Path
        The object; it is changed.
    identity : Identity
        What it was written with. Its UID is a random one of the same length, so that these bytes
        can be nothing else.

    Returns
    -------
    Identity
        With the UID that it has now.
    """
    old = identity.instance_uid.encode()
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        places: list[int] = []
        place = content.find(old)
        while place >= 0:
            places.append(place)
            content[place : place + len(old)] = bytes(len(old))
            place = content.find(old, place + len(old))
        digest = hashlib.sha256()
        for start in range(0, len(content), _BLOCK):
            digest.update(content[start : start + _BLOCK])
        uid = uid_for(identity.series_uid, digest.hexdigest())
        for place in places:
            content[place : place + len(old)] = uid.encode()
        content.flush()
        os.fsync(file.fileno())
    return replace(identity, instance_uid=uid)
