"""The outbox: what is to be stored in an archive, kept safe on this machine until it is."""

from __future__ import annotations

from wsiweb.outbox.intake import Found, Unfit, examine
from wsiweb.outbox.outbox import Outbox
from wsiweb.outbox.rows import (
    ItemRow,
    ItemState,
    JobRow,
    JobState,
    Outcome,
    Planned,
    Progress,
    SkippedRow,
)

__all__ = [
    "Found",
    "ItemRow",
    "ItemState",
    "JobRow",
    "JobState",
    "Outbox",
    "Outcome",
    "Planned",
    "Progress",
    "SkippedRow",
    "Unfit",
    "examine",
]
