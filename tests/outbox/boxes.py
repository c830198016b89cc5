"""Objects for an outbox, and what has to be true of one at every moment."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from server.making import dicom

from wsiweb.outbox import ItemRow, Outbox, Outcome, examine

OPEN = {"queued", "sending", "failed"}


def files(folder: Path, count: int, *, first: int = 1, study: str = "1.2.3", side: int = 4):
    """Write small DICOM files, each with another content."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(first, first + count):
        path = folder / f"{number}.dcm"
        path.write_bytes(dicom(f"1.9.{number}", study=study, shape=(side, side)))
        paths.append(path)
    return paths


def add(box: Outbox, paths, **more) -> str:
    return box.add(examine(list(paths)), title="test", **more)


def claim(box: Outbox, *, now: float | None = None, most_bytes: int = 2**30, most_items: int = 100):
    return box.claim(time.time() if now is None else now, most_bytes, most_items)


def outcome(item, state="stored", **more) -> Outcome:
    return Outcome(item=item.id, state=state, **more)


def in_spool(folder: Path) -> dict[str, bytes]:
    spool = folder / "spool"
    return {
        path.relative_to(spool).as_posix(): path.read_bytes()
        for path in spool.rglob("*")
        if path.is_file()
    }


def check(box: Outbox) -> None:
    """Check that jobs are whole and that nothing else is there."""
    expected = {}
    for job in box.jobs():
        items = box.items(job.id)
        assert [one.number for one in items] == list(range(1, len(items) + 1))
        assert job.counts == dict.fromkeys(job.counts, 0) | _counted(items)
        for one in items:
            if one.state in OPEN and one.kept:
                expected[f"{job.id}/{one.number}.dcm"] = (one.size, one.sha256)
    found = {
        name: (len(data), hashlib.sha256(data).hexdigest())
        for name, data in in_spool(box.folder).items()
    }
    assert found == expected
    assert box.used() == sum(size for size, _ in expected.values())


def _counted(items):
    states = [one.state for one in items]
    return {state: states.count(state) for state in states}


def row(instance="1.9.1", **changes) -> ItemRow:
    """Return an object that is being sent, of the study and the series of `files`."""
    values = {
        "id": 7,
        "job": "3f2a",
        "number": 1,
        "path": Path("/box/spool/3f2a/1.dcm"),
        "origin": "scan.dcm",
        "study_uid": "1.2.3",
        "series_uid": "1.2.3.4",
        "instance_uid": instance,
        "class_uid": "1.2",
        "transfer_syntax": "1.2.840.10008.1.2.1",
        "size": 1000,
        "mtime": 1,
        "sha256": "0" * 64,
        "state": "sending",
        "tries": 1,
        "refusals": 0,
        "next_try": 0.0,
        "code": None,
        "reason": "",
        "comment": "",
        "warnings": (),
        "proof": "",
        "settled": None,
    }
    return ItemRow(**{**values, **changes})
