"""One object from an archive into a file: whole, and the one that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsiweb.errors import ArchiveError, Busy, ProtocolError, Unauthorized, Unreachable
from wsiweb.loop import in_pool
from wsiweb.transfers.shelf import understood, words_of

if TYPE_CHECKING:
    from pathlib import Path

    from wsiweb.client.client import DicomwebClient
    from wsiweb.outbox.rows import ItemRow

__all__ = ["AT_ONCE", "Fetcher", "NotFetched"]

AT_ONCE = 4
"""Objects that are fetched at the same time."""

_TRIES = 3  # of an answer that comes whole and is not what was asked for
_GONE = 3  # objects in a row that an archive does not answer for: then it is left alone


class NotFetched(Exception):
    """An object could not be had; the message says why."""


class Fetcher:
    """Fetches objects from one archive; to be used on the library's event loop.

    Parameters
    ----------
    client : DicomwebClient
        The archive.
    """

    def __init__(self, client: DicomwebClient) -> None:
        self._client = client
        self._unanswered = 0

    async def fetch(self, item: ItemRow, path: Path) -> None:
        """Fetch an object as the archive stores it, and check that it is the one.

        Parameters
        ----------
        item : ItemRow
            Which.
        path : Path
            The file; it is not there afterwards if the object could not be had.

        Raises
        ------
        NotFetched
            When it could not be had.
        ArchiveError
            When the archive gives no answers any more, or lets nobody in: there is no sense in
            asking for others.
        """
        for left in reversed(range(_TRIES)):
            await self._save(item, path)
            try:
                await in_pool(_check, item, path)
            except (ProtocolError, OSError) as error:
                path.unlink(missing_ok=True)  # noqa: ASYNC240 - a moment
                if not left:
                    raise NotFetched(words_of(error)) from error
            else:
                return

    async def _save(self, item: ItemRow, path: Path) -> None:
        try:
            await self._client.instance(item.study_uid, item.series_uid, item.instance_uid, path)
        except Unauthorized:
            raise
        except (Busy, Unreachable) as error:
            self._unanswered += 1
            if self._unanswered >= _GONE:
                raise
            raise NotFetched(str(error)) from error
        except ArchiveError as error:
            raise NotFetched(str(error)) from error
        except OSError as error:
            raise NotFetched(words_of(error)) from error
        self._unanswered = 0


def _check(item: ItemRow, path: Path) -> None:
    scanned = understood(path)
    if (scanned.study_uid, scanned.series_uid, scanned.instance_uid) != (
        item.study_uid,
        item.series_uid,
        item.instance_uid,
    ):
        raise ProtocolError(
            f"Object {item.instance_uid} was asked for, and {scanned.instance_uid} came (series "
            f"{scanned.series_uid}, study {scanned.study_uid})."
        )
