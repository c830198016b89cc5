"""Whether an archive answers, said in words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from wsiweb.browse.sources import in_words
from wsiweb.errors import WsiwebError

if TYPE_CHECKING:
    from wsiweb.browse.shapes import Verified
    from wsiweb.browse.sources import Source

__all__ = ["verify"]


async def verify(source: Source) -> Verified:
    """Ask an archive for one study."""
    began = time.perf_counter()
    try:
        archive = await source.archive()
        found = [one async for one in archive.studies(limit=1)]
    except (WsiwebError, ValueError, OSError) as error:
        ok, words = False, in_words(error)
    else:
        ok, words = True, "It answers." if found else "It answers, and holds no study."
    return {"ok": ok, "words": words, "seconds": round(time.perf_counter() - began, 3)}
