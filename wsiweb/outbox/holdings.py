"""What an archive says that it holds: the only proof that something was stored.

Asked before objects are sent, so that nothing is sent twice or upon another object of its UID, and
again afterwards. Many objects are asked for together, by a list of their UIDs (PS3.4 C.2.2.2.2).
Not every archive takes one: some name nothing then, or a part, others everything. So what such a
list does not name is only believed where the archive has named all of one that was as long. Else
the list of the series serves; where that names some, the others are asked for one by one, since a
list that grows while it is paged through may pass over some.

Rejected: always the list of the series. Proving 10,000 objects of one series took longer than
sending them, for each of the proofs lists all that was stored before.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from wsiweb.errors import ArchiveError, Busy, NotFound, Unauthorized, Unreachable
from wsiweb.wire.query import Query

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from wsiweb.client.client import DicomwebClient
    from wsiweb.outbox.rows import ItemRow

__all__ = ["Holdings"]

_FEW = 4  # objects that are asked for one by one
_SINGLY = 100  # objects that are asked for so where a list names none of them
_LIST = 1300  # characters of UIDs in one question: IIS answers 404 to a query of more than 2048
_NEVER = float("-inf")
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
        self._named = 0  # UIDs of the longest list of them of which all were named
        self._refuses = False  # whether it was seen to make nothing of such lists

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
        asked, listed = self._lists.get((study, series), (_NEVER, set[str]()))
        if not fresh and time.monotonic() - asked < _YOUNG:
            return listed & set(uids)
        if len(uids) <= _FEW:
            return await self._one_by_one(study, series, uids)
        found, doubtful, refused = set[str](), uids, False
        if not self._refuses and (fresh or self._named):
            found, doubtful, refused = await self._by_lists(study, series, uids)
            if not doubtful:
                return found
        listed = await self._series_list(study, series)
        self._refuses |= refused  # since it does answer, it was the list that it refused
        found |= listed & set(uids)
        missing = [uid for uid in doubtful if uid not in found]
        # Of a series that is new to the archive, one list is enough.
        if found or (fresh and listed and len(missing) <= _SINGLY):
            found |= await self._one_by_one(study, series, missing)
        return found

    async def _by_lists(
        self, study: str, series: str, uids: list[str]
    ) -> tuple[set[str], list[str], bool]:
        """Ask by lists of UIDs, and note what is learnt of the archive.

        Returns
        -------
        found : set of str
            What is held.
        doubtful : list of str
            What is not named, where that means nothing.
        refused : bool
            Whether a list was not answered.
        """
        believed = self._named  # before: what is learnt below is learnt of these very objects
        lists = list(_lists(uids))
        answers = await asyncio.gather(*(self._named_of(study, series, one) for one in lists))
        found, doubtful = set[str](), list[str]()
        for one, answer in zip(lists, answers, strict=True):
            if answer is not None and not answer <= set(one):  # it passes over the filter
                self._refuses = True
            named = (answer or set[str]()) & set(one)
            if len(named) == len(one):
                self._named = max(self._named, len(one))
            found |= named
            if answer is None or self._refuses or len(one) > believed:
                doubtful += [uid for uid in one if uid not in named]
        return found, doubtful, None in answers

    async def _named_of(self, study: str, series: str, uids: list[str]) -> set[str] | None:
        """Return what is listed of some UIDs; None where the archive does not say so."""
        query = Query.build(
            "instances", study=study, series=series, SOPInstanceUID=uids, limit=len(uids)
        )  # all of them are on the first page then, and the second is not asked for
        try:
            return await self._matches(query)
        except (Busy, Unreachable, Unauthorized) as error:
            if error.status in _MUTE:
                return None
            raise
        except ArchiveError:  # some say so of a list; the list of the series will tell
            return None

    async def _series_list(self, study: str, series: str) -> set[str]:
        """List a series, and remember that, with what is proven meanwhile."""
        began = time.monotonic()
        self._lists.setdefault((study, series), (_NEVER, set()))  # which `add` fills
        listed = await self._listed(Query.build("instances", study=study, series=series))
        self._lists[study, series] = (began, listed | self._lists[study, series][1])
        return listed

    async def _one_by_one(self, study: str, series: str, uids: list[str]) -> set[str]:
        queries = [
            Query.build("instances", study=study, series=series, SOPInstanceUID=uid) for uid in uids
        ]
        found = await asyncio.gather(*map(self._listed, queries))
        # An archive that passes over the filter lists others, too.
        return {uid for uid, listed in zip(uids, found, strict=True) if uid in listed}

    async def _listed(self, query: Query) -> set[str]:
        try:
            return await self._matches(query)
        except NotFound:  # some say so of a study that they do not have
            return set()

    async def _matches(self, query: Query) -> set[str]:
        pages = [page async for page in self._client.search_pages(query)]
        return {match.text("SOPInstanceUID").strip() for page in pages for match in page}


def _lists(uids: list[str]) -> Iterator[list[str]]:
    """Yield lists of UIDs that fit into a URL."""
    some: list[str] = []
    for uid in uids:
        if sum(map(len, some)) + len(some) + len(uid) > _LIST:
            yield some
            some = []
        some.append(uid)
    yield some
