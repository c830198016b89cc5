"""The objects of a session on disk: whole, numbered without gaps, under names that stay.

An object is written under a hidden name and takes its number, and its place, when all of it is
there. What fails leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wsiweb.results.identity import Identity, random_uid, uid_for
from wsiweb.results.settling import settle
from wsiweb.results.stamping import stamped
from wsiweb.results.temporary import temporary_folder

if TYPE_CHECKING:
    import datetime
    from collections.abc import Generator, Iterator, Mapping
    from pathlib import Path

    from wsiweb.results.identity import Algorithm

__all__ = ["Draft", "Drafts", "Kind", "Maker", "Objects", "ResultObject", "Series"]

Kind = Literal["segmentation", "annotations", "heatmap", "report", "image"]

_NUMBERS: dict[Kind, int] = {
    "segmentation": 101,
    "annotations": 201,
    "heatmap": 301,
    "report": 401,
    "image": 501,
}


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


@dataclass(slots=True, eq=False)
class Drafts:
    """Drafts of one series, to be gone through, and what they have become.

    Attributes
    ----------
    kind : Kind
        Of all of them.
    series : Series
        Which they belong to.
    lent : list of Draft
        To be written.
    made : tuple of ResultObject
        What was written, in the same order; none before the end of the block that drafts were lent
        to. (The last that a session made may be another thread's.)
    """

    kind: Kind
    series: Series
    lent: list[Draft]
    made: tuple[ResultObject, ...] = ()

    def __iter__(self) -> Iterator[Draft]:
        return iter(self.lent)

    def __getitem__(self, number: int) -> Draft:
        return self.lent[number]


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


class _Register:
    """The series of a session, their numbers, and what is whole; from any thread."""

    def __init__(self, folder: Path | None, maker: Maker, existing: Mapping[Kind, Series]) -> None:
        # Gone with the last who writes there: a writer may outlive its session.
        self.folder = temporary_folder(self, "results") if folder is None else folder
        self.maker = maker
        self.made: list[ResultObject] = []
        self._series: dict[Kind, list[Series]] = {key: [one] for key, one in existing.items()}
        self._lock = threading.Lock()
        self._turns: dict[Kind, threading.RLock] = {}  # for kinds whose objects share a series

    def turn_of(self, kind: Kind) -> threading.RLock:
        with self._lock:
            return self._turns.setdefault(kind, threading.RLock())

    def begun(self, kind: Kind, apart: bool) -> Series:
        with self._lock:
            known = self._series.setdefault(kind, [])
            if known and not apart:
                return known[-1]
            maker = self.maker
            uid = uid_for(*maker.key, kind, str(len(known))) if maker.deterministic else None
            series = Series(uid or random_uid(), _NUMBERS[kind] + len(known), maker.created)
            known.append(series)
            return series

    def forget(self, kind: Kind, series: Series) -> None:
        """Take a series back that nothing came of, so that the next one has its place."""
        with self._lock:
            known = self._series[kind]
            if not series.count and known and known[-1] is series:
                known.pop()

    def draft(self, kind: Kind, series: Series, number: int) -> Draft:
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

    def finished(self, kind: Kind, draft: Draft) -> ResultObject:
        identity = draft.identity
        if self.maker.deterministic:
            identity = stamped(draft.path, identity)
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

    def keep(self, lots: list[Drafts]) -> None:
        """Move objects to their places, all or none of them; then they have their numbers."""
        settle(
            [
                (draft.path, one.path)
                for lot in lots
                for draft, one in zip(lot.lent, lot.made, strict=True)
            ]
        )
        with self._lock:
            # Only now, so that what failed leaves no gap in the numbers.
            for lot in lots:
                lot.series.count += len(lot.made)
                self.made += lot.made


class Objects:
    """What a session has made so far; from any thread.

    Parameters
    ----------
    folder : Path or None
        Where files are kept; None for a temporary folder.
    maker : Maker
        What all of them say.
    existing : mapping of Kind to Series
        Series that are to be added to.
    """

    def __init__(self, folder: Path | None, maker: Maker, existing: Mapping[Kind, Series]) -> None:
        self._register = _Register(folder, maker, existing)

    @property
    def folder(self) -> Path:
        """Where files are kept."""
        return self._register.folder

    @property
    def maker(self) -> Maker:
        """What all of them say."""
        return self._register.maker

    @property
    def made(self) -> tuple[ResultObject, ...]:
        """All that is whole, in the order in which it was made."""
        return tuple(self._register.made)

    @contextlib.contextmanager
    def drafts(self, kind: Kind, count: int = 1, *, apart: bool = False) -> Generator[Drafts]:
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
        Drafts
            To be written within the block; then they are moved to their places, and `made` says
            what they are.

        Raises
        ------
        FileExistsError
            When a place is taken by another file, which stays as it is.
        """
        with self.together() as joint, joint.drafts(kind, count, apart=apart) as lent:
            yield lent

    @contextlib.contextmanager
    def together(self) -> Generator[Objects]:
        """Keep objects of several series together, or none of them.

        Yields
        ------
        Objects
            To be used instead of this one within the block, and by one thread. What it has made is
            written, and gets its place and its number at the end of the block.

        Raises
        ------
        FileExistsError
            When a place is taken by another file, which stays as it is.
        """
        joint = _Joint(self._register)
        with joint.turns:
            try:
                yield joint
                self._register.keep(joint.lots)
            except BaseException:
                joint.give_up(joint.lots)
                raise


class _Joint(Objects):
    """Lends drafts of any kind, which settle when all of them are written: not by itself."""

    def __init__(self, register: _Register) -> None:
        super().__init__(register.folder, register.maker, {})
        self._register = register
        self.lots: list[Drafts] = []
        self.turns = contextlib.ExitStack()

    @property
    def made(self) -> tuple[ResultObject, ...]:
        """All that is written within the block."""
        return tuple(one for lot in self.lots for one in lot.made)

    @contextlib.contextmanager
    def drafts(self, kind: Kind, count: int = 1, *, apart: bool = False) -> Generator[Drafts]:
        whole = self._register
        if not apart:
            self.turns.enter_context(whole.turn_of(kind))
        series = whole.begun(kind, apart)
        before = sum(len(lot.lent) for lot in self.lots if lot.series is series)
        first = series.count + before + 1
        lot = Drafts(kind, series, [])
        self.lots.append(lot)
        try:
            lot.lent += [whole.draft(kind, series, first + place) for place in range(count)]
            yield lot
            lot.made = tuple(whole.finished(kind, draft) for draft in lot.lent)
        except BaseException:
            self.give_up([lot])
            raise

    @contextlib.contextmanager
    def together(self) -> Generator[Objects]:
        yield self

    def give_up(self, lots: list[Drafts]) -> None:
        """Remove what was written for lots, and forget series that nothing came of."""
        self.lots = [one for one in self.lots if one not in lots]
        for lot in reversed(lots):
            for draft in lot.lent:
                draft.path.unlink(missing_ok=True)
            if not any(one.series is lot.series for one in self.lots):
                self._register.forget(lot.kind, lot.series)


def _moment(when: datetime.datetime) -> float:
    return when.timestamp()  # comparable, with a time zone or without
