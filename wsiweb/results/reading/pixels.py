"""The pixels of stored results: frame by frame, or out of the whole object.

Frames are fetched, decoded and held as those of slides are. But some archives refuse the frames of
some results, or get them wrong: Orthanc those of floating point numbers, and of single bits where
a frame is not whole bytes. Such an object is fetched whole, once, and read where it then lies: the
embedded server knows how.
"""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING, Any

from wsiweb import regions
from wsiweb.errors import ArchiveError, Busy, DecodeError, Unauthorized, Unreachable
from wsiweb.frames import Frames, Priority
from wsiweb.loop import in_pool
from wsiweb.results.temporary import temporary_folder
from wsiweb.wire.media import TRANSFER_SYNTAXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import numpy as np

    from wsiweb.pixels.image import TiledImage
    from wsiweb.settings import Settings

__all__ = ["Pixels"]

# What says nothing of an object: another way to it would fail like this one.
_OF_THE_ARCHIVE = (Busy, Unauthorized, Unreachable)
_SHARE = 4  # part of the memory for decoded frames that those of whole objects may take, too
_FRAMES_AT_ONCE = 64  # that are read from a file which is here


class Pixels:
    """The pixels of results in one archive; to be used on the library's event loop.

    Parameters
    ----------
    frames : Frames
        The frames of the archive, and what is held of them.
    """

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._here = _Here(frames.settings)
        self._fetching: dict[str, asyncio.Task[None]] = {}
        self._whole: set[str] = set()  # instances that are read from the object itself

    async def fill(
        self, canvas: regions.Canvas, *, priority: Priority = Priority.VISIBLE
    ) -> np.ndarray:
        """Fetch what a region needs, and return its pixels.

        Parameters
        ----------
        canvas : Canvas
            The region, of an image in the archive.
        priority : Priority
            How urgent it is.

        Returns
        -------
        numpy.ndarray
            Shape (height, width, samples).

        Raises
        ------
        ArchiveError
            When neither frames nor the object can be had.
        DecodeError
            When a frame is damaged.
        """
        image = canvas.image
        if self._whole.isdisjoint(image.instance_uids):
            try:
                return await regions.fill(self._frames, canvas, priority=priority)
            except (ArchiveError, DecodeError) as error:
                if not _may_be_whole(error, image):
                    raise
        await asyncio.gather(*(self._fetched(image, uid) for uid in image.instance_uids))
        return await regions.fill(self._here.frames(), canvas, priority=priority)

    def forget(self, instance_uids: Iterable[str]) -> None:
        """Let go of all that is held of these instances in memory; from any thread."""
        self._frames.forget(instance_uids)
        self._here.forget(instance_uids)

    async def _fetched(self, image: TiledImage, uid: str) -> None:
        """Wait until an object is here; the first who wants it has it fetched."""
        if uid in self._whole:
            return
        if uid not in self._fetching:
            fetch = self._fetch(image.study_uid, image.series_uid, uid)
            task = self._fetching[uid] = asyncio.create_task(fetch)
            task.add_done_callback(_seen)  # also when nobody waits for it any more
        # Who gives up must not end what others wait for.
        await asyncio.shield(self._fetching[uid])

    async def _fetch(self, study_uid: str, series_uid: str, uid: str) -> None:
        try:
            path = await in_pool(self._here.path_for, uid)
            await self._frames.client.instance(study_uid, series_uid, uid, path)
            await in_pool(self._here.look)
            self._whole.add(uid)
        finally:
            del self._fetching[uid]


def _seen(task: asyncio.Task[None]) -> None:
    """Take notice of how a task ended, so that asyncio does not warn that nobody did."""
    if not task.cancelled():
        task.exception()


def _may_be_whole(error: Exception, image: TiledImage) -> bool:
    """Whether the object itself may hold what its frames did not."""
    if isinstance(error, ArchiveError):
        return not isinstance(error, _OF_THE_ARCHIVE)
    # A damaged codestream is damaged in the object, too; bare pixels were cut out by the archive.
    stored = TRANSFER_SYNTAXES.get(image.transfer_syntax or "")
    bare = image.format.floating or image.format.bits_allocated == 1
    return bare and (stored is None or not stored.encapsulated)


class _Here:
    """Objects in a folder of our own, behind an embedded server; made when first needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = dataclasses.replace(
            settings,
            decoded_bytes=settings.decoded_bytes // _SHARE,
            encoded_bytes=0,  # the file is at hand
            frames_per_request=_FRAMES_AT_ONCE,
        )
        self._folder: Path | None = None
        self._store: Any = None
        self._opened: Frames | None = None

    def path_for(self, uid: str) -> Path:
        if self._folder is None:
            folder = temporary_folder(self, "objects")
            (folder / "objects").mkdir()
            self._folder = folder
        return self._folder / "objects" / f"{uid}.dcm"

    def look(self) -> None:
        """See that there is a new file."""
        self.frames()
        self._store.refresh(force=True)

    def frames(self) -> Frames:
        """Return the frames of all objects that are here."""
        if self._opened is None:
            from wsiweb.client.auth import as_auth
            from wsiweb.client.client import DicomwebClient
            from wsiweb.client.in_process import AsgiTransport

            assert self._folder is not None  # noqa: S101 - an object is there
            transport = AsgiTransport(self._start, (self._folder / "objects").as_uri())
            client = DicomwebClient(transport, as_auth(None), self._settings)
            self._opened = Frames(client, self._settings)
        return self._opened

    def _start(self) -> tuple[Any, Callable[[], None]]:
        from wsiweb.server import create_app

        assert self._folder is not None  # noqa: S101 - an object is there
        app = create_app(self._folder / "objects", index=self._folder / "index.sqlite")
        self._store = app.state.store
        return app, app.state.store.close

    def forget(self, instance_uids: Iterable[str]) -> None:
        if self._opened is not None:
            self._opened.forget(instance_uids)
