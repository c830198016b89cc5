"""Bulk data of an object's header: where the archive says they are, or out of the whole object."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsiweb.errors import ArchiveError, Busy, SlideError, Unauthorized, Unreachable
from wsiweb.loop import in_pool

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from wsiweb.client.client import DicomwebClient
    from wsiweb.results.reading.find import Stored
    from wsiweb.wire.dicomjson import Attributes

__all__ = ["BulkValues", "Steps"]

Steps = tuple[tuple[str, int], ...]
"""The way to an item: keyword of a sequence and zero-based number, from the outside in."""

_OF_THE_ARCHIVE = (Busy, Unauthorized, Unreachable)  # it would not send the whole object either


class BulkValues:
    """The binary values of one object; to be used on the library's event loop.

    Parameters
    ----------
    client : DicomwebClient
        The archive.
    stored : Stored
        The object.
    """

    def __init__(self, client: DicomwebClient, stored: Stored) -> None:
        self._client = client
        self._stored = stored
        self._whole: Dataset | None = None
        self._lock = asyncio.Lock()

    async def value(self, item: Attributes, keyword: str, steps: Steps) -> bytes | None:
        """Return a binary value.

        Parameters
        ----------
        item : Attributes
            The item that it stands in.
        keyword : str
            Its attribute.
        steps : Steps
            The way to the item.

        Returns
        -------
        bytes or None
            None when the object does not have the attribute.

        Raises
        ------
        ArchiveError
            When neither the value nor the object can be had.
        SlideError
            When the object is no DICOM.
        """
        bulk = item.bulk(keyword)
        if bulk is not None and bulk.inline is not None:
            return bulk.inline
        if bulk is not None and bulk.uri is not None:
            try:
                return await self._client.bulkdata(bulk.uri, document_url=self._stored.document_url)
            except ArchiveError as error:
                if isinstance(error, _OF_THE_ARCHIVE):
                    raise
        return await self._out_of_whole(keyword, steps)

    async def _out_of_whole(self, keyword: str, steps: Steps) -> bytes | None:
        async with self._lock:  # who comes second finds it there
            if self._whole is None:
                self._whole = await self._fetched()
        found: Any = self._whole
        for sequence, place in steps:
            items = found.get(sequence) or ()
            if place >= len(items):
                return None
            found = items[place]
        value = found.get(keyword)
        return None if value is None else bytes(value)

    async def _fetched(self) -> Dataset:
        """Fetch the object; it is kept, as all its values are wanted together."""
        one = self._stored
        with tempfile.TemporaryDirectory(prefix="wsiweb-") as folder:
            path = Path(folder) / "object.dcm"
            await self._client.instance(one.study_uid, one.series_uid, one.instance_uid, path)
            return await in_pool(_read, path, one.instance_uid)

    def forget(self) -> None:
        """Let go of the object."""
        self._whole = None


def _read(path: Path, uid: str) -> Dataset:
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        return pydicom.dcmread(path)
    except InvalidDicomError:
        raise SlideError(f"Instance {uid}: what the archive sends of it is no DICOM.") from None
