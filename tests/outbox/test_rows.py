from __future__ import annotations

import math

import pytest

from wsiweb.outbox.rows import Outcome, job_state


@pytest.mark.parametrize(
    ("counts", "paused", "state"),
    [
        ({"queued": 2}, False, "queued"),
        ({"queued": 2}, True, "paused"),
        ({"queued": 2, "sending": 1}, True, "sending"),
        ({"queued": 1, "failed": 1, "stored": 1}, False, "queued"),
        ({"stored": 2, "held": 1}, False, "stored"),
        ({"held": 1}, True, "stored"),
        ({"stored": 1, "failed": 1}, False, "partial"),
        ({"held": 1, "cancelled": 1}, False, "partial"),
        ({"failed": 1, "cancelled": 1}, False, "failed"),
        ({"cancelled": 2}, False, "cancelled"),
        ({}, False, "stored"),
    ],
)
def test_the_state_of_a_job_follows_from_its_items(counts, paused, state):
    assert job_state(counts, paused=paused) == state


@pytest.mark.parametrize("state", ["sending", "cancelled", "done"])
def test_what_was_sent_does_not_become_anything(state):
    with pytest.raises(ValueError, match="stored, held, failed, queued"):
        Outcome(item=1, state=state)


@pytest.mark.parametrize("time", [math.nan, math.inf])
def test_a_time_that_never_comes_is_refused(time):
    with pytest.raises(ValueError, match="next_try"):
        Outcome(item=1, state="queued", next_try=time)
