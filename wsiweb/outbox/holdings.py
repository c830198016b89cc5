"""What an archive says that it holds: the only proof that something was stored.

Asked before objects are sent, so that nothing is sent twice or upon another object of its UID, and
again afterwards. A list of a series serves many objects; where it does not name one, that one is
asked for by its UID, since a list that grows while it is paged through may pass over some.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from wsiweb.errors import ArchiveError, NotFound
from wsiweb.wire.query import Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wsiweb.client.client import DicomwebClient
    from wsiweb.outbox.rows import ItemRow

__all__ = ["Holdings"]

_FEW = 4  # objects that are asked for one by one
_YOUNG = 10.0  # seconds for which a list is good enough to send what it does not name
_MUTE = frozenset({403, 405, 501})  # of an archive that lets one store, and not search


class Holdings:
    """What one archive lists; to be used on the library's event loop.

    Parameters
    ----------
    client : DicomwebClient
        The archive.
    """

    def __init__(self, client: DicomwebClient) -> None:
        self._client = client
        self._lists: dict[tuple[str, str], tuple[float, set[str]]] = {}

    async def among(self, items: Sequence[ItemRow], *, fresh: bool) -> set[str] | None:
        """Return which of some objects, all of one study, the archive lists.

        Parameters
        ----------
        items : sequence of ItemRow
            The objects.
        fresh : bool
            Whether to ask now; else what was listed within the last seconds will do.

        Returns
        -------
        set of str or None
            Their SOP Instance UIDs. None where the archive does not answer such questions: it
            lets one store and not search.

        Raises
        ------
        ArchiveError
            When it does not answer just now.
        """
        listed: set[str] = set()
        by_series: dict[str, list[str]] = {}
        for item in items:
            by_series.setdefault(item.series_uid, []).append(item.instance_uid)
        study = items[0].study_uid if items else ""
        try:
            for series, uids in by_series.items():
                listed |= await self._of_series(study, series, uids, fresh=fresh)
        except ArchiveError as error:
            if error.status not in _MUTE:
                raise
            return None
        return listed

    def add(self, items: Iterable[ItemRow]) -> None:
        """Note that objects are listed now, where their series was listed before."""
        for item in items:
            _, listed = self._lists.get((item.study_uid, item.series_uid), (0.0, set[str]()))
            listed.add(item.instance_uid)

    async def _of_series(
        self, study: str, series: str, uids: list[str], *, fresh: bool
    ) -> set[str]:
        asked, listed = self._lists.get((study, series), (float("-inf"), set[str]()))
        if not fresh and time.monotonic() - asked < _YOUNG:
            return listed & set(uids)
        if len(uids) > _FEW:
            listed = await self._listed(Query.build("instances", study=study, series=series))
            self._lists[study, series] = (time.monotonic(), listed)
        found = listed & set(uids) if len(uids) > _FEW else set[str]()
        missing = [uid for uid in uids if uid not in found]
        if found or len(uids) <= _FEW:  # of a series that is new to the archive, one list is enough
            found |= await self._one_by_one(study, series, missing)
        return found

    async def _one_by_one(self, study: str, series: str, uids: list[str]) -> set[str]:
        queries = [
            Query.build("instances", study=study, series=series, SOPInstanceUID=uid) for uid in uids
        ]
        found = await asyncio.gather(*map(self._listed, queries))
        # An archive that passes over the filter lists others, too.
        return {uid for uid, listed in zip(uids, found, strict=True) if uid in listed}

    async def _listed(self, query: Query) -> set[str]:
        try:
            pages = [page async for page in self._client.search_pages(query)]
        except NotFound:  # some say so of a study that they do not have
            return set()
        return {match.text("SOPInstanceUID").strip() for page in pages for match in page}
