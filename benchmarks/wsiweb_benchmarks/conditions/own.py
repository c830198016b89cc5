"""A server of the user's own, at a URL; not among the registered conditions."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import wsiweb
from wsiweb_benchmarks import plan
from wsiweb_benchmarks.conditions import Served
from wsiweb_benchmarks.model import LevelInfo, SlideInfo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wsiweb.pixels.pyramid import Level

__all__ = ["Own", "described"]

_SYNTAXES = {"jpeg": "1.2.840.10008.1.2.4.50", "native": "1.2.840.10008.1.2.1"}


class Own:
    """Whatever answers there.

    Parameters
    ----------
    url : str
        Base URL of the DICOMweb service.
    headers : dict of str to str
        Credentials.
    """

    name = "own"
    server = "own"
    delay = 0.0
    time_limit = plan.TIME_LIMIT
    best = {"frames_per_request": 64, "connections": 4}  # noqa: RUF012 - as of the protocol

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url = url.rstrip("/")
        self.about = f"The server at {self.url}."
        self._headers = headers

    @contextlib.contextmanager
    def serve(self, slide: SlideInfo, work: Path) -> Iterator[Served]:
        """Take the server as it is."""
        del slide, work
        yield Served(url=self.url, headers=self._headers)


def described(
    url: str, auth: Any, ca: str | None, study: str | None, series: str | None
) -> SlideInfo:
    """Look at a slide on a server; the first of all when none is named.

    Raises
    ------
    RuntimeError
        When there is no slide.
    WsiwebError
        When the server does not answer, or the slide cannot be read.
    """
    with wsiweb.connect(url, auth=auth, ca=ca) as archive:
        if study is None:
            wanted = {} if series is None else {"series_uid": series}
            found = archive.slides(limit=1, **wanted)
            if not found:
                raise RuntimeError(f"There is no such slide in {archive.url}.")
            slide = archive.open_slide(found[0])
        else:
            slide = archive.open_slide(study, series)
        return SlideInfo(
            name=slide.container_id or slide.series_uid,
            description=f"{slide.size[0]:,} x {slide.size[1]:,} pixels, on the user's server.",
            study_uid=slide.study_uid,
            series_uid=slide.series_uid,
            levels=tuple(_level(slide, level) for level in slide.levels),
            tiling="TILED_SPARSE" if slide.levels[0].sparse else "TILED_FULL",
        )


def _level(slide: wsiweb.Slide, level: Level) -> LevelInfo:
    syntax = level.transfer_syntax
    if syntax is None and not level.sparse:
        # Few archives say how frames are stored; the frames themselves do.
        syntax = _SYNTAXES.get(slide.tile(level.index, 0, 0).codec.value)
    return LevelInfo(
        instance_uid=level.instance_uids[0],
        size=level.size,
        tile_size=level.tile_size,
        grid=level.grid,
        samples=level.samples,
        transfer_syntax=syntax or "",
        photometric=level.format.photometric,
    )
