"""What an archive says that it has of a study: the list of what is to be fetched.

An object that a list passes over would be lost without a word. So the number that the archive
states of each series is checked, and where its lists of instances fall short, or it has none, its
metadata are asked, which name every instance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from wsiweb.errors import ArchiveError, Busy, NotFound, ProtocolError, Unauthorized, Unreachable
from wsiweb.wire.query import Query
from wsiweb.wire.uris import is_uid, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsiweb.client.client import DicomwebClient
    from wsiweb.wire.dicomjson import Attributes

__all__ = ["NOT_COMPARED", "Listed", "contents"]

NOT_COMPARED = (
    "it was not compared: only what is listed of it is known to be the same (class, rows, columns, "
    "frames)"
)
"""Warning about an object that is taken to be there already, and was not looked at."""

_COUNT = "NumberOfSeriesRelatedInstances"
_SHAPE = ("Rows", "Columns", "NumberOfFrames", "BitsAllocated")


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as an archive lists it.

    Attributes
    ----------
    study_uid, series_uid, instance_uid, class_uid : str
        What it is; the class is empty where that is not stated.
    shape : tuple of int or None
        Rows, columns, frames and bits; None where not stated.
    """

    study_uid: str
    series_uid: str
    instance_uid: str
    class_uid: str
    shape: tuple[int | None, ...]

    @classmethod
    def of(cls, attributes: Attributes, study: str, series: str) -> Self:
        """Read a match of a search, or a header, of a series."""
        return cls(
            study,
            series,
            attributes.text("SOPInstanceUID").strip(),
            attributes.text("SOPClassUID").strip(),
            tuple(_number(attributes, name) for name in _SHAPE),
        )

    def agrees(self, other: Listed) -> bool:
        """Tell whether nothing that is stated of both of two objects tells them apart.

        Examples
        --------
        >>> one = Listed("1.2", "1.3", "1.4", "", (512, 512, None, 8))
        >>> one.agrees(Listed("1.2", "1.3", "1.4", "1.5", (512, 512, 7, 8)))
        True
        >>> one.agrees(Listed("1.2", "1.3", "1.4", "1.5", (256, 512, 7, 8)))
        False
        """
        mine = (self.study_uid, self.series_uid, self.instance_uid, self.class_uid, *self.shape)
        its = (other.study_uid, other.series_uid, other.instance_uid, other.class_uid, *other.shape)
        return all(
            a == b or a in (None, "") or b in (None, "") for a, b in zip(mine, its, strict=True)
        )


def _number(attributes: Attributes, keyword: str) -> int | None:
    try:
        return attributes.integer(keyword)
    except ProtocolError:  # an odd value tells nothing
        return None


async def contents(client: DicomwebClient, study: str, series: str | None = None) -> list[Listed]:
    """List the objects of a study, or of a series of it.

    Parameters
    ----------
    client : DicomwebClient
        The archive.
    study, series : str
        UIDs.

    Returns
    -------
    list of Listed
        At least one.

    Raises
    ------
    NotFound
        When the archive has no such study or series.
    ProtocolError
        When it names fewer objects than it says that it has.
    ArchiveError
        When it does not answer.
    """
    counts = await _series(client, study, series)
    found: list[Listed] = []
    for uid, count in counts.items():
        found += await _of_series(client, study, uid, count)
    if not found:
        which = f"study {study}" if series is None else f"series {series} in study {study}"
        raise NotFound(f"The archive {shown(client.base_url)} has no {which}.")
    return found


async def _series(client: DicomwebClient, study: str, series: str | None) -> dict[str, int]:
    """Return the series of a study, or the one, with as many objects as each is said to have."""
    query = Query.build("series", study=study, SeriesInstanceUID=series, fields=(_COUNT,))
    try:
        matches = [match async for page in client.search_pages(query) for match in page]
    except NotFound:  # some say so of a study that they do not have
        return {}
    counts: dict[str, int] = {}
    for match in matches:
        uid = match.text("SeriesInstanceUID").strip()
        theirs = match.text("StudyInstanceUID").strip()
        # Some pass over what they were asked for, and list other series as well.
        if is_uid(uid) and series in (None, uid) and theirs in ("", study):
            counts[uid] = _number(match, _COUNT) or 0
    return counts


async def _of_series(client: DicomwebClient, study: str, series: str, count: int) -> list[Listed]:
    query = Query.build("instances", study=study, series=series)
    found: list[Listed] = []
    try:
        async for page in client.search_pages(query):
            found += _read(page, study, series)
    except (Busy, Unauthorized, Unreachable):
        raise
    except ArchiveError:
        found = []  # some have no such search
    if not found or len(found) < count:
        headers = _read(await client.metadata(study, series), study, series)
        found = max(found, headers, key=len)
    if len(found) < count:
        raise ProtocolError(
            f"The archive {shown(client.base_url)} says that series {series} has {count} objects, "
            f"and names {len(found)} of them. Nothing was begun: some would be left out."
        )
    return found


def _read(matches: Iterable[Attributes], study: str, series: str) -> list[Listed]:
    found: dict[str, Listed] = {}
    for match in matches:
        other = match.text("SeriesInstanceUID").strip()
        one = Listed.of(match, study, series)
        if is_uid(one.instance_uid) and other in ("", series):
            found[one.instance_uid] = one
    return list(found.values())
