from __future__ import annotations

import datetime
import email.utils
import time

import pytest

from wsiweb import loop
from wsiweb.client.retries import retrying, seconds_asked
from wsiweb.errors import ArchiveError, Busy, NotFound, ProtocolError, Unreachable
from wsiweb.settings import Settings


def _attempts(*outcomes):
    """Return an attempt that fails in turn, then succeeds, and the list of calls made."""
    calls = []

    async def attempt():
        calls.append(None)
        outcome = outcomes[len(calls) - 1] if len(calls) <= len(outcomes) else "done"
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return attempt, calls


@pytest.mark.parametrize(
    ("errors", "calls"),
    [
        ([Unreachable("x")] * 2, 3),
        ([Busy("x", status=503)], 2),
        ([ArchiveError("x", status=502), ArchiveError("x", status=504)], 3),
        ([ProtocolError("x")], 2),
        ([ArchiveError("x", status=500)], 2),
    ],
)
def test_passing_failures_are_tried_again(errors, calls):
    attempt, made = _attempts(*errors)
    assert loop.run(retrying(attempt, Settings())) == "done"
    assert len(made) == calls


@pytest.mark.parametrize(
    ("error", "calls"),
    [(NotFound("x", status=404), 1), (ArchiveError("x", status=400), 1), (ProtocolError("x"), 2)],
)
def test_lasting_failures_are_not(error, calls):
    attempt, made = _attempts(*[error] * 9)
    with pytest.raises(type(error)):
        loop.run(retrying(attempt, Settings()))
    assert len(made) == calls


def test_retries_end():
    attempt, made = _attempts(*[Unreachable("x")] * 9)
    with pytest.raises(Unreachable):
        loop.run(retrying(attempt, Settings(retries=2)))
    assert len(made) == 3


def test_retry_after_is_obeyed():
    busy = Busy("x", status=429)
    busy.retry_after = 0.4
    attempt, _ = _attempts(busy)
    began = time.perf_counter()
    loop.run(retrying(attempt, Settings()))
    assert time.perf_counter() - began >= 0.4


def test_a_wait_beyond_patience_is_an_error_at_once():
    busy = Busy("x", status=503)
    busy.retry_after = 3600
    attempt, made = _attempts(busy)
    with pytest.raises(Busy):
        loop.run(retrying(attempt, Settings(patience=1)))
    assert len(made) == 1


def test_retry_after_as_date():
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=30)
    assert 25 < seconds_asked(email.utils.format_datetime(soon, usegmt=True)) <= 30
    assert seconds_asked("Thu, 01 Jan 1970 00:00:00 GMT") == 0
    assert seconds_asked("later") is None
    assert seconds_asked(None) is None
