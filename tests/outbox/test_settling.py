"""From answers to claims, and from claims to what becomes of objects."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outbox.boxes import row

from wsiweb.errors import (
    ArchiveError,
    Busy,
    NotFound,
    ProtocolError,
    Unauthorized,
    Unreachable,
)
from wsiweb.outbox.rows import LONGEST_WAIT
from wsiweb.outbox.settling import (
    GIVE_UP,
    REFUSALS,
    Claim,
    again,
    broken_off,
    claims,
    later,
    wait_before,
)
from wsiweb.wire.receipts import Answer, Verdict

NOW = 1_800_000_000.0
ITEM = row()


def answer(*verdicts, status=200, text=""):
    return Answer(status=status, verdicts=verdicts, silent=not verdicts, text=text)


def verdict(uid="1.9.1", *, stored=True, **more):
    return Verdict(instance_uid=uid, stored=stored, **more)


# What an answer says ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "stored", "code", "comment", "warnings"),
    [
        ([verdict()], True, None, "", ()),
        ([verdict(comment="welcome")], True, None, "welcome", ()),
        ([verdict(stored=False, code=0xA700, comment="full")], False, 0xA700, "full", ()),
        ([verdict(stored=False)], False, None, "", ()),
        ([], False, None, "what it says", ()),
        ([verdict("1.9.2")], False, None, "what it says", ()),
        # An answer that contradicts itself is not believed.
        ([verdict(), verdict(stored=False, code=0x0110)], False, 0x0110, "", ()),
        # Who failed without a name can only be the one that was sent.
        ([verdict("", stored=False, code=0xC000)], False, 0xC000, "", ()),
        (
            [verdict(code=0xB000, warning=True)],
            True,
            0xB000,
            "",
            ("stored, with some values changed by the archive",),
        ),
        (
            [verdict(code=0xB006, comment="no birthdays", warning=True)],
            True,
            0xB006,
            "no birthdays",
            ("stored, without some attributes that the archive left out (no birthdays)",),
        ),
        ([verdict(warning=True)], True, None, "", ("a warning without words",)),
    ],
)
def test_an_answer_is_a_claim(said, stored, code, comment, warnings):
    (claim,) = claims([ITEM], answer(*said, text="what it says"))
    assert claim == Claim(ITEM, stored, code, comment, warnings)


def test_each_object_has_the_claim_of_its_uid():
    items = [row(f"1.9.{number}", id=number) for number in range(4)]
    said = [
        verdict("1.9.2", stored=False, code=0xA900),
        verdict("1.9.0"),
        verdict("9.9.9"),
        verdict("", stored=False, code=0xC000),  # of whom, nobody knows
    ]
    found = claims(items, answer(*said))
    assert [claim.item.id for claim in found] == [0, 1, 2, 3]
    assert [claim.stored for claim in found] == [True, False, False, False]
    assert [claim.code for claim in found] == [None, None, 0xA900, None]


# What becomes of what the archive does not hold -------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "state", "refused", "words"),
    [
        (Claim(ITEM, stored=True), "queued", True, "said that it stored it, and does not list it"),
        (Claim(ITEM, stored=False), "queued", True, "does not mention it"),
        (Claim(ITEM, stored=False, code=0x0110), "queued", True, "could not process it"),
        (Claim(ITEM, stored=False, code=0x0111), "queued", True, "is there already"),
        (Claim(ITEM, stored=False, code=0xA700), "queued", False, "out of space"),
        (Claim(ITEM, stored=False, code=0x0213), "queued", False, "short of resources"),
        (Claim(ITEM, stored=False, code=0x0122), "failed", False, "SOP class"),
        (Claim(ITEM, stored=False, code=0xC122), "failed", False, "transfer syntax"),
        (Claim(ITEM, stored=False, code=0xA901), "failed", False, "another study"),
        (Claim(ITEM, stored=False, code=0xC123), "failed", False, "cannot understand it"),
        (Claim(ITEM, stored=False, code=0x7777), "queued", True, "a reason of its own, 30583"),
        # It said stored, with a warning, and lists nothing: the warning is not the reason.
        (Claim(ITEM, stored=True, code=0xB000), "queued", True, "does not list it"),
    ],
)
def test_what_is_refused(claim, state, refused, words):
    outcome = claim.refused(NOW, asked=True)
    assert outcome.item == ITEM.id
    assert (outcome.state, outcome.refused) == (state, refused)
    assert words in outcome.reason
    assert outcome.code == claim.code
    assert outcome.proof == ""
    assert (outcome.next_try > NOW) == (state == "queued")


@pytest.mark.parametrize(
    ("claim", "state", "words"),
    [
        (Claim(ITEM, stored=False), "failed", "not sent again, lest it be stored twice"),
        (Claim(ITEM, stored=False, code=0x0111), "failed", "is there already"),
        (Claim(ITEM, stored=False, code=0xA700), "queued", "out of space"),
        (Claim(ITEM, stored=False, code=0xC122), "failed", "transfer syntax"),
    ],
)
def test_what_cannot_be_asked_for_is_sent_again_if_it_was_refused_by_name(claim, state, words):
    outcome = claim.refused(NOW, asked=False)
    assert outcome.state == state
    assert words in outcome.reason


def test_the_archives_own_words_are_kept():
    outcome = Claim(ITEM, stored=False, code=0xA700, comment="disk full").refused(NOW, asked=True)
    assert (outcome.code, outcome.comment) == (0xA700, "disk full")
    failed = Claim(ITEM, stored=False, code=0xC122, comment="no JPEG").refused(NOW, asked=True)
    assert (failed.code, failed.comment) == (0xC122, "no JPEG")


# When there is no answer ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "state", "refused"),
    [
        (Unreachable("It does not answer."), "queued", False),
        (Busy("It is busy.", status=503), "queued", False),
        (Busy("It is busy.", status=429), "queued", False),
        (ArchiveError("Full.", status=507), "queued", False),
        (ArchiveError("Time-out.", status=408), "queued", True),
        (ArchiveError("Too early.", status=425), "queued", True),
        (ArchiveError("It failed.", status=500), "queued", True),
        (ArchiveError("Bad gateway.", status=502), "queued", True),
        (ArchiveError("Gateway time-out.", status=504), "queued", True),
        (ProtocolError("Half an answer."), "queued", True),
        (Unauthorized("Who are you?", status=401), "failed", False),
        (Unauthorized("Not you.", status=403), "failed", False),
        (NotFound("No STOW here.", status=404), "failed", False),
        (ArchiveError("Bad request.", status=400), "failed", False),
        (ArchiveError("What media type?", status=415), "failed", False),
        (ArchiveError("Not implemented.", status=501), "failed", False),
    ],
)
def test_what_is_broken_off(error, state, refused):
    outcome = broken_off(ITEM, error, NOW)
    assert (outcome.item, outcome.state, outcome.refused) == (ITEM.id, state, refused)
    assert outcome.reason == error.message
    assert outcome.proof == ""


def test_what_an_archive_says_when_it_breaks_off_is_kept():
    error = ArchiveError("It refused.", status=400, body="no such thing")
    assert broken_off(ITEM, error, NOW).comment == "no such thing"


@given(st.integers(1, 100), st.sampled_from([Unreachable("away"), Busy("busy", status=503)]))
def test_while_an_archive_is_away_no_object_waits_by_itself(tries, error):
    """The sender lets the whole archive rest; what waits is due as soon as it is back."""
    outcome = broken_off(row(tries=tries), error, NOW)
    assert NOW < outcome.next_try <= NOW + 0.5


# How often, and how long ------------------------------------------------------------------------


def test_refused_often_enough_is_failed():
    reasons = []
    now = row()
    while True:
        outcome = again(now, NOW, "it says no", code=0x0110, comment="no")
        reasons.append(outcome.reason)
        assert (outcome.code, outcome.comment) == (0x0110, "no")
        if outcome.state == "failed":
            break
        now = dataclasses.replace(now, refusals=now.refusals + outcome.refused)
    assert len(reasons) == REFUSALS
    assert reasons[-1] == f"it says no (after {REFUSALS} attempts)"


def test_an_archive_that_is_away_uses_up_no_refusals():
    now = row(tries=100, refusals=REFUSALS - 1)
    assert later(now, NOW, "away").state == "queued"
    assert again(now, NOW, "it says no").state == "failed"


def test_an_archive_that_has_to_recover_is_waited_for_about_a_day():
    seconds, tries = 0.0, 1
    while (outcome := later(row(tries=tries), NOW, "full")).state == "queued":
        seconds += outcome.next_try - NOW
        tries += 1
    assert GIVE_UP / 2 < seconds < GIVE_UP * 1.1
    assert outcome.reason == f"full (after {tries} attempts)"


@given(st.integers(1, 10**9))
def test_waits_are_short_enough_to_tell_them_from_a_clock_that_was_set_back(count):
    assert 0 < wait_before(count) <= 600 < LONGEST_WAIT


@given(st.integers(1, 10))
def test_waits_double_with_jitter(count):
    longest = 0.5 * 2 ** (count - 1)
    assert longest / 2 <= wait_before(count) <= longest
    assert longest <= wait_before(count + 1)


def test_those_who_failed_together_do_not_come_again_together():
    assert len({wait_before(5) for _ in range(20)}) > 10
