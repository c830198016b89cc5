"""What an answer of an archive means for each object that was sent. Pure.

An answer is a claim: where it says "stored", that is still to be proven; where it says anything
else, the archive is asked first what it holds (some refuse what they have stored), and only what it
does not hold is judged by its reason.

What the archive has a reason to refuse is tried a few times. What comes to nothing because the
archive is away, busy or full says nothing of the object: that is tried for a day.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wsiweb.errors import Busy, ProtocolError, TooLarge, Unreachable
from wsiweb.outbox.rows import Outcome
from wsiweb.wire.reasons import meaning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsiweb.errors import ArchiveError
    from wsiweb.outbox.rows import ItemRow
    from wsiweb.wire.receipts import Answer

__all__ = [
    "GIVE_UP",
    "REFUSALS",
    "Claim",
    "again",
    "broken_off",
    "claims",
    "is_of_the_objects",
    "later",
    "passes",
    "unproven",
    "wait_before",
]

REFUSALS = 8
"""Times that an archive may refuse an object before it is not sent again."""

GIVE_UP = 24 * 3600.0
"""Seconds for which an archive that cannot be reached, or is full, is tried again."""

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 600.0  # seconds
_MOST_TRIES = 10 + int(GIVE_UP / _LONGEST_WAIT)
_MENDABLE = frozenset({408, 425, 500, 502, 504})
_FULL = 507
_OF_THE_CONTENT = frozenset({400, 422})
_ANY_FAULT = 500
_UNMENTIONED = "the archive's answer does not mention it, and it does not list it"
_UNKNOWN = (
    "the archive's answer does not say whether it stored it, and it cannot be asked: it does not "
    "let you search. It was not sent again, lest it be stored twice"
)
_UNLISTED = "the archive said that it stored it, and does not list it"


@dataclass(frozen=True, slots=True)
class Claim:
    """What an answer says of one object.

    Attributes
    ----------
    item : ItemRow
        The object.
    stored : bool
        Whether the archive says that it stored it.
    code, comment, warnings
        What else it says; see `Outcome`.
    """

    item: ItemRow
    stored: bool
    code: int | None = None
    comment: str = ""
    warnings: tuple[str, ...] = ()

    def refused(self, now: float, *, asked: bool) -> Outcome:
        """Return what becomes of the object, which the archive is not known to hold.

        Parameters
        ----------
        now : float
            Seconds since 1970.
        asked : bool
            Whether the archive was asked for it. Where that cannot be, only what it refuses by
            name is sent again: some archives lose what they have when they get it twice.
        """
        if self.stored:
            return again(self.item, now, _UNLISTED, code=self.code, comment=self.comment)
        if self.code is None:
            if not asked:
                return _failed(self.item, _UNKNOWN, None, self.comment)
            return again(self.item, now, _UNMENTIONED, comment=self.comment)
        means = meaning(self.code)
        if means.then == "never" or (means.then == "look" and not asked):
            return _failed(self.item, means.words, self.code, self.comment)
        put_off = later if means.then == "later" else again
        return put_off(self.item, now, means.words, code=self.code, comment=self.comment)


def claims(items: Sequence[ItemRow], answer: Answer) -> list[Claim]:
    """Return what an answer says of each of the objects that were sent.

    Parameters
    ----------
    items : sequence of ItemRow
        What was sent.
    answer : Answer
        What came of it.
    """
    said = {verdict.instance_uid: verdict for verdict in answer.verdicts}
    if len(items) == len(said) == 1 and "" in said:  # it can be of no other
        said = {items[0].instance_uid: said[""]}
    found: list[Claim] = []
    for item in items:
        verdict = said.get(item.instance_uid)
        if verdict is None:
            found.append(Claim(item, stored=False, comment=answer.text))
            continue
        warnings: tuple[str, ...] = ()
        if verdict.warning:
            code = verdict.code
            words = "a warning without words" if code is None else meaning(code).words
            warnings = (f"{words} ({verdict.comment})" if verdict.comment else words,)
        found.append(Claim(item, verdict.stored, verdict.code, verdict.comment, warnings))
    return found


def again(
    item: ItemRow, now: float, reason: str, *, code: int | None = None, comment: str = ""
) -> Outcome:
    """Return that an object is to be tried again, or has failed: it was refused often enough.

    Parameters
    ----------
    item : ItemRow
        The object, as it was when it was claimed.
    now : float
        Seconds since 1970.
    reason : str
        Why it was refused.
    code, comment
        As in `Outcome`.
    """
    count = item.refusals + 1
    if count >= REFUSALS:
        return _failed(item, f"{reason} (after {count} attempts)", code, comment)
    return Outcome(
        item=item.id,
        state="queued",
        next_try=now + wait_before(count),
        code=code,
        reason=reason,
        comment=comment,
        refused=True,
    )


def later(
    item: ItemRow, now: float, reason: str, *, code: int | None = None, comment: str = ""
) -> Outcome:
    """Return that the archive has to recover before an object is tried again.

    That is waited for up to `GIVE_UP` in all. Parameters as of `again`.
    """
    if item.tries >= _MOST_TRIES:
        return _failed(item, f"{reason} (after {item.tries} attempts)", code, comment)
    return Outcome(
        item=item.id,
        state="queued",
        next_try=now + wait_before(item.tries),
        code=code,
        reason=reason,
        comment=comment,
    )


def passes(error: ArchiveError) -> bool:
    """Whether the reason for which a request failed may pass, and lies not in what was asked."""
    passing = isinstance(error, (Busy, Unreachable, ProtocolError))
    return passing or error.status in _MENDABLE or error.status == _FULL


def broken_off(item: ItemRow, error: ArchiveError, now: float) -> Outcome:
    """Return what becomes of an object when its whole request failed.

    What of it arrived is not known: before it is sent again, the archive is asked.

    Parameters
    ----------
    item : ItemRow
        The object.
    error : ArchiveError
        Why.
    now : float
        Seconds since 1970.
    """
    words = error.message
    if isinstance(error, (Busy, Unreachable)):
        # The sender lets the whole archive rest, longer and longer: no need for the object to wait.
        outcome = later(item, now, words, comment=error.body)
        return replace(outcome, next_try=min(outcome.next_try, now + _FIRST_WAIT))
    if error.status == _FULL:
        return later(item, now, words, comment=error.body)
    if passes(error):
        return again(item, now, words, comment=error.body)
    return _failed(item, words, None, error.body)


def unproven(claim: Claim, error: ArchiveError) -> Outcome:
    """Return what becomes of an object of which the archive will not say whether it holds it.

    Its copy is kept: when it is sent again, the archive is asked again before.
    """
    words = f"the archive said that it stored it; whether it did, it would not say: {error.message}"
    return _failed(claim.item, words, claim.code, error.body)


def is_of_the_objects(error: ArchiveError, items: Sequence[ItemRow]) -> bool:
    """Whether a request may have failed for one of its objects, and parts of it may not fail."""
    if isinstance(error, TooLarge) or error.status in _OF_THE_CONTENT:
        return True
    return error.status == _ANY_FAULT and all(item.refusals > 1 for item in items)


def _failed(item: ItemRow, reason: str, code: int | None, comment: str) -> Outcome:
    return Outcome(item=item.id, state="failed", code=code, reason=reason, comment=comment)


def wait_before(count: int) -> float:
    """Return the seconds before the next attempt after so many: doubling, with jitter."""
    longest = min(_FIRST_WAIT * 2.0 ** min(count - 1, 20), _LONGEST_WAIT)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
