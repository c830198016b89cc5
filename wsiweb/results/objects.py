"""The objects of a session on disk: whole, numbered without gaps, under names that stay.

An object is written under a hidden name and takes its number, and its place, when all of it is
there. What fails leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import filecmp
import hashlib
import mmap
import os
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from wsiweb.results.identity import Identity, random_uid, uid_for

if TYPE_CHECKING:
    import datetime
    from collections.abc import Generator, Mapping, Sequence
    from pathlib import Path

    from wsiweb.results.identity import Algorithm

__all__ = ["Draft", "Kind", "Maker", "Objects", "ResultObject", "Series", "settle"]

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
    channel : int or None
        Zero-based optical path of the slide; None for all of them.
    """

    study_uid: str
    source_series_uid: str
    name: str
    created: datetime.datetime
    algorithm: Algorithm | None
    creator: str
    deterministic: bool
    channel: int | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """What the series of a deterministic session follow from."""
        by = self.algorithm
        who = (
            ()
            if by is None
            else (by.name, by.version, by.source, repr(sorted(by.parameters.items())))
        )
        about = () if self.channel is None else (f"channel {self.channel}",)
        when = self.created.isoformat()
        return (self.source_series_uid, self.name, when, self.creator, *who, *about)


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
        self._lock = threading.Lock()
        self._turns: dict[Kind, threading.RLock] = {}  # for kinds whose objects share a series

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
            Whether they want a series of their own. Then others are not kept waiting meanwhile.

        Yields
        ------
        list of Draft
            To be written within the block; then they are moved to their places.

        Raises
        ------
        FileExistsError
            When a place is taken by another file, which stays as it is.
        """
        with contextlib.nullcontext() if apart else self._turn_of(kind):
            series = self._begun(kind, apart)
            lent = [self._draft(kind, series, series.count + 1 + place) for place in range(count)]
            try:
                yield lent
                made = [self._finished(kind, draft) for draft in lent]
                settle([(draft.path, one.path) for draft, one in zip(lent, made, strict=True)])
            except BaseException:
                self._forget(kind, series)
                raise
            finally:
                for draft in lent:
                    draft.path.unlink(missing_ok=True)
            with self._lock:
                # Only now, so that what failed leaves no gap in the numbers.
                series.count += count
                self._made += made

    def _turn_of(self, kind: Kind) -> threading.RLock:
        with self._lock:
            return self._turns.setdefault(kind, threading.RLock())

    def _begun(self, kind: Kind, apart: bool) -> Series:
        with self._lock:
            known = self._series.setdefault(kind, [])
            if known and not apart:
                return known[-1]
            maker = self.maker
            uid = uid_for(*maker.key, kind, str(len(known))) if maker.deterministic else None
            series = Series(uid or random_uid(), _NUMBERS[kind] + len(known), maker.created)
            known.append(series)
            return series

    def _forget(self, kind: Kind, series: Series) -> None:
        """Take a series back that nothing came of, so that the next one has its place."""
        with self._lock:
            if not series.count and self._series[kind][-1] is series:
                self._series[kind].pop()

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
        return Draft(self.folder / f".{kind}-{identity.instance_uid}.dcm.part", identity)

    def _finished(self, kind: Kind, draft: Draft) -> ResultObject:
        identity = draft.identity
        if self.maker.deterministic:
            identity = _stamped(draft)
        name = f"{kind}-{identity.instance_number}-{identity.instance_uid}.dcm"
        return ResultObject(
            path=draft.path.with_name(name),
            kind=kind,
            study_uid=self.maker.study_uid,
            series_uid=identity.series_uid,
            instance_uid=identity.instance_uid,
            instance_number=identity.instance_number,
            size=draft.path.stat().st_size,
        )


def settle(moves: Sequence[tuple[Path, Path]]) -> None:
    """Give files their names, all of them or none; none takes the place of another file.

    Parameters
    ----------
    moves : sequence of (Path, Path)
        Of each file the name that it has, and the one that it gets, in the same folder. Where a
        file with the same content has that name already, it is kept.

    Raises
    ------
    FileExistsError
        When another file has one of the names.
    """
    settled: list[Path] = []
    try:
        for part, target in moves:
            if _settled(part, target):
                settled.append(target)
    except BaseException:
        for target in settled:
            target.unlink(missing_ok=True)
        raise
    finally:
        for part, _ in moves:
            part.unlink(missing_ok=True)


def _settled(part: Path, target: Path) -> bool:
    """Name a file; whether it is new there."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    try:
        target.hardlink_to(part)  # unlike renaming, it replaces nothing
    except FileExistsError:
        return _refused(part, target)
    except OSError:  # a file system without links
        if target.exists():
            return _refused(part, target)
        part.rename(target)
    return True


def _refused(part: Path, target: Path) -> bool:
    if not filecmp.cmp(part, target, shallow=False):
        raise FileExistsError(
            f"{target} is there already and is another file; give another folder."
        ) from None
    return False


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
