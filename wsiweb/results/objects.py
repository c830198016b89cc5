"""The objects of a session on disk: whole, numbered without gaps, under names that stay.

An object is written under a hidden name and takes its number, and its place, when all of it is
there. What fails leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from wsiweb.results.identity import Identity, random_uid, uid_for

if TYPE_CHECKING:
    import datetime
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from wsiweb.results.identity import Algorithm

__all__ = ["Draft", "Kind", "Objects", "ResultObject", "Series"]

Kind = Literal["segmentation", "annotations", "heatmap", "report", "image"]

_NUMBERS: dict[Kind, int] = {
    "segmentation": 101,
    "annotations": 201,
    "heatmap": 301,
    "report": 401,
    "image": 501,
}
_BLOCK = 2**20


@dataclass(frozen=True, kw_only=True)
class ResultObject:
    """One DICOM file of a session.

    Attributes
    ----------
    path : Path
        Where it is.
    kind : str
        ``"segmentation"``, ``"annotations"``, ``"heatmap"``, ``"report"`` or ``"image"``.
    study_uid, series_uid, instance_uid : str
        Its UIDs.
    instance_number : int
        Its number in the series, from 1.
    size : int
        Bytes.
    """

    path: Path
    kind: Kind
    study_uid: str
    series_uid: str
    instance_uid: str
    instance_number: int
    size: int


@dataclass(frozen=True, slots=True)
class Draft:
    """An object that is being written.

    Attributes
    ----------
    path : Path
        Where to write it.
    identity : Identity
        What it has to say of itself.
    """

    path: Path
    identity: Identity


@dataclass(slots=True)
class Series:
    """A series that objects are added to.

    Attributes
    ----------
    uid : str
        SeriesInstanceUID.
    number : int
        SeriesNumber.
    begun : datetime.datetime or None
        When; None where it is not known.
    count : int
        The highest InstanceNumber in it so far.
    """

    uid: str
    number: int
    begun: datetime.datetime | None
    count: int = 0


@dataclass(frozen=True, kw_only=True)
class Maker:
    """What all objects of a session have in common.

    Attributes
    ----------
    study_uid, source_series_uid : str
        Of the slide.
    name : str
        Of the result.
    created : datetime.datetime
        When it was made.
    algorithm, creator
        Who made it; see `Identity`.
    deterministic : bool
        Whether UIDs follow from contents.
    """

    study_uid: str
    source_series_uid: str
    name: str
    created: datetime.datetime
    algorithm: Algorithm | None
    creator: str
    deterministic: bool


class Objects:
    """What a session has made so far; from any thread.

    Parameters
    ----------
    folder : Path
        Where files are kept.
    maker : Maker
        What all of them say.
    existing : mapping of Kind to Series
        Series that are to be added to.
    """

    def __init__(self, folder: Path, maker: Maker, existing: Mapping[Kind, Series]) -> None:
        self.folder = folder
        self.maker = maker
        self._series: dict[Kind, list[Series]] = {key: [one] for key, one in existing.items()}
        self._made: list[ResultObject] = []
        self._lock = threading.RLock()

    @property
    def made(self) -> tuple[ResultObject, ...]:
        """All that is whole, in the order in which it was made."""
        return tuple(self._made)

    @contextlib.contextmanager
    def drafts(self, kind: Kind, count: int = 1, *, apart: bool = False) -> Generator[list[Draft]]:
        """Lend places for objects of one series that are kept together, or not at all.

        Parameters
        ----------
        kind : Kind
            Which series they belong to.
        count : int
            How many.
        apart : bool
            Whether they want a series of their own.

        Yields
        ------
        list of Draft
            To be written within the block; then they are moved to their places.
        """
        with self._lock:
            series = self._series_for(kind, apart)
            lent = [self._draft(kind, series, series.count + 1 + place) for place in range(count)]
            try:
                yield lent
                made = [self._finished(kind, draft) for draft in lent]
                for one, draft in zip(made, lent, strict=True):
                    draft.path.replace(one.path)
            finally:
                for draft in lent:
                    draft.path.unlink(missing_ok=True)
            # Only now, so that what failed leaves no gap in the numbers.
            series.count += count
            if series not in self._series.setdefault(kind, []):
                self._series[kind].append(series)
            self._made += made

    def _series_for(self, kind: Kind, apart: bool) -> Series:
        known = self._series.get(kind, [])
        fresh = [series for series in known if not series.count] if apart else known
        if fresh:
            return fresh[-1]
        maker = self.maker
        own = (maker.source_series_uid, maker.name, kind, str(len(known)))
        uid = uid_for(*own) if maker.deterministic else random_uid()
        return Series(uid, _NUMBERS[kind] + len(known), maker.created)

    def _draft(self, kind: Kind, series: Series, number: int) -> Draft:
        maker = self.maker
        identity = Identity(
            series_uid=series.uid,
            instance_uid=random_uid(),
            series_number=series.number,
            instance_number=number,
            name=maker.name,
            created=maker.created,
            series_created=min(series.begun or maker.created, maker.created, key=_moment),
            algorithm=maker.algorithm,
            creator=maker.creator,
        )
        self.folder.mkdir(parents=True, exist_ok=True)
        return Draft(self.folder / f".{kind}-{series.number}-{number}.dcm.part", identity)

    def _finished(self, kind: Kind, draft: Draft) -> ResultObject:
        identity = draft.identity
        if self.maker.deterministic:
            identity = _stamped(draft)
        name = draft.path.name.removeprefix(".").removesuffix(".part")
        return ResultObject(
            path=draft.path.with_name(name),
            kind=kind,
            study_uid=self.maker.study_uid,
            series_uid=identity.series_uid,
            instance_uid=identity.instance_uid,
            instance_number=identity.instance_number,
            size=draft.path.stat().st_size,
        )


def _moment(when: datetime.datetime) -> float:
    return when.timestamp()  # comparable, with a time zone or without


def _stamped(draft: Draft) -> Identity:
    """Give an object the UID that follows from its content.

    What it was written under is a random UID of the same length, which can be nothing else.
    """
    old = draft.identity.instance_uid.encode()
    with draft.path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        places: list[int] = []
        place = content.find(old)
        while place >= 0:
            places.append(place)
            content[place : place + len(old)] = bytes(len(old))
            place = content.find(old, place + len(old))
        digest = hashlib.sha256()
        for start in range(0, len(content), _BLOCK):
            digest.update(content[start : start + _BLOCK])
        uid = uid_for(draft.identity.series_uid, digest.hexdigest())
        for place in places:
            content[place : place + len(old)] = uid.encode()
        content.flush()
        os.fsync(file.fileno())
    return replace(draft.identity, instance_uid=uid)
