"""Goes through the rows: checks every way's pixels, then takes times, interleaved."""

from __future__ import annotations

import contextlib
import datetime
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import msgspec

from wsiweb_benchmarks import conditions, link, plan, slides
from wsiweb_benchmarks.conditions import own
from wsiweb_benchmarks.environment import machine, missing, versions, ways
from wsiweb_benchmarks.model import Check, Job, Measurement, Row, Run, SlideInfo, Source, Way
from wsiweb_benchmarks.operations import operation_of, operations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from wsiweb_benchmarks.conditions import Condition, Served

__all__ = ["OWN", "Options", "Runner", "in_process", "medians", "run", "run_own", "settle"]

OWN = ("open", "thumbnail-512", "region-1024", "random-tiles-100", "loop-row")
"""What is measured on a server of the user's own."""

_ENDED = "ended after"
_SETTLING = 5.0  # seconds: a real server goes on with requests whose client was ended
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
UNCHECKED = ("reference/transport",)  # returns no pixels


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a benchmark is run.

    Attributes
    ----------
    work : Path
        Where slides, indexes and databases are kept between runs.
    repeats : int
        Of wsiweb and the reference; others have at most `plan.PEERS`.
    small : bool
        Tiny slides, for tests.
    time_limit : float
        Seconds after which a job is ended.
    command : str
        What reproduces the run.
    """

    work: Path
    repeats: int = plan.REPEATS
    small: bool = False
    time_limit: float = plan.TIME_LIMIT
    command: str = ""


def run(
    rows: Sequence[Row],
    chosen: Callable[[str], bool],
    options: Options,
    say: Callable[[str], None] = lambda _: None,
) -> Run:
    """Measure rows.

    Parameters
    ----------
    rows : sequence of Row
        Those of the same condition and slide are measured one after the other.
    chosen : callable
        Whether a way (`Way.key`) takes part.
    options : Options
    say : callable
        Told the progress.

    Returns
    -------
    Run
        What was measured; when interrupted, what was measured until then.

    Raises
    ------
    LookupError
        For an operation, a condition or a slide that there is not.
    """
    runner = Runner([way for way in ways() if chosen(way.key)], options, say)
    for row in rows:
        operation_of(row.operation)
        conditions.condition_of(row.condition)
    interrupted = False
    try:
        for condition, slide, names in _grouped(rows):
            say(f"{condition}, {slide}")
            runner.measure(conditions.condition_of(condition), slide, names)
    except KeyboardInterrupt:
        say("interrupted: what was measured until now is kept")
        interrupted = True
    return msgspec.structs.replace(runner.result(), interrupted=interrupted)


def run_own(
    url: str,
    *,
    auth: Any = None,
    headers: dict[str, str] | None = None,
    ca: str | None = None,
    study: str | None = None,
    series: str | None = None,
    operations: Sequence[str] = (),
    repeats: int = 3,
    say: Callable[[str], None] = lambda _: None,
) -> Run:
    """Measure a server of the user's own, with wsiweb and whatever else is installed.

    Parameters
    ----------
    url : str
        Base URL of the DICOMweb service.
    auth, ca : optional
        As of `wsiweb.connect`; `ca` is a file.
    headers : dict of str to str, optional
        The same credentials as headers, for the other libraries.
    study, series : str, optional
        UIDs of the slide; the first one there is by default.
    operations : sequence of str
        Some of `OWN`, or any other; all of `OWN` by default.
    repeats : int
        Of each way, unless it is slow.
    say : callable
        Told the progress.

    Raises
    ------
    LookupError
        For an operation that there is not.
    RuntimeError
        When there is no slide.
    WsiwebError
        When the server does not answer, or the slide cannot be read.
    """
    for name in operations:
        operation_of(name)
    installed = [way for way in ways() if way.key not in missing()]
    slide = own.described(url, auth, ca, study, series)
    say(f"{url}: {slide.name}, {slide.description}")
    command = f"wsiweb bench {url} --study {slide.study_uid} --series {slide.series_uid}"
    options = Options(work=Path(), repeats=repeats, command=command)
    condition = own.Own(url, headers or {})
    runner = Runner(installed, options, say)
    rows = [
        Row(operation=name, condition=condition.name, slide=slide.name)
        for name in operations or OWN
    ]
    # All the libraries' ways of being told of a CA; they are inherited by the processes.
    trusted = {name: ca for name in _CA_VARIABLES if ca is not None}
    with _environment(trusted), condition.serve(slide, options.work) as served:
        runner.measure_served(condition, served, slide, rows)
    return runner.result()


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Runner:
    """One run on its way.

    Parameters
    ----------
    ways : sequence of Way
    options : Options
    say : callable
        Told the progress.
    """

    def __init__(self, ways: Sequence[Way], options: Options, say: Callable[[str], None]) -> None:
        self._ways = ways
        self._options = options
        self._say = say
        self._slides: dict[str, SlideInfo] = {}
        self._conditions: dict[str, str] = {}
        self._checks: dict[str, Check] = {}
        self._known: dict[tuple[str, ...], Check] = {}
        self._measurements: list[Measurement] = []

    def measure(self, condition: Condition, slide: str, operations: Sequence[str]) -> None:
        """Measure all operations on a slide under a condition, served once for all of them."""
        rows = [Row(operation=name, condition=condition.name, slide=slide) for name in operations]
        self._conditions[condition.name] = condition.about
        try:
            info = slides.made(slide, self._options.work, small=self._options.small)
            self._slides[slide] = info
            with condition.serve(info, self._options.work) as served:
                self.measure_served(condition, served, info, rows)
        except (slides.Absent, RuntimeError) as error:
            # The server or the slide is missing: every row says so.
            done = {one.row for one in self._measurements}
            for row in rows:
                if row not in done:
                    self._measurements += [_failed(row, way.key, str(error)) for way in self._ways]

    def measure_served(
        self, condition: Condition, served: Served, slide: SlideInfo, rows: Sequence[Row]
    ) -> None:
        """Measure rows where the slide is being served already."""
        self._slides[slide.name] = slide
        self._conditions[condition.name] = condition.about
        for row in rows:
            jobs = [
                self._job(condition, served, slide, row, way)
                for way in self._ways
                if not self._options.small or plan.tried_small(way.key, row)
            ]
            ready = [job for job in jobs if self._may_run(condition, served, job)]
            self._repeat(ready, served, min(self._options.time_limit, condition.time_limit))

    def _job(
        self, condition: Condition, served: Served, slide: SlideInfo, row: Row, way: Way
    ) -> Job:
        settings = condition.best if way.library == "reference" else {}
        return Job(
            row=row,
            way=way.key,
            source=Source(url=served.url, slide=slide, settings=settings, headers=served.headers),
            parameters=operation_of(row.operation).draw(slide),
            control=served.control,
        )

    # Checks ---------------------------------------------------------------------------------

    def _may_run(self, condition: Condition, served: Served, job: Job) -> bool:
        """Foretell the time and check the pixels; a way that may not run gets its message."""
        row = job.row
        expected = self._expected(condition, job)
        if expected > plan.PATIENCE:
            self._note(_failed(row, job.way, f"not run: it would take some {expected:.0f} s"))
            return False
        if operation_of(row.operation).opened and job.way not in UNCHECKED:
            key = (condition.server, row.slide, job.way, row.operation)
            if key not in self._known:
                self._known[key] = self._too_slow(key) or self._check(condition, served, job)
            check = self._known[key]
            self._checks[f"{row.operation}|{row.condition}|{row.slide}|{job.way}"] = check
            if not check.right:
                self._note(_failed(row, job.way, check.message))
                return False
        return True

    def _too_slow(self, key: tuple[str, ...]) -> Check | None:
        """Return the check that took too long of the same way on the same server, if one did."""
        ended = (
            check
            for known, check in self._known.items()
            if known[:3] == key[:3] and check.message.startswith(_ENDED)
        )
        return next(ended, None)

    def _check(self, condition: Condition, served: Served, job: Job) -> Check:
        if served.control:  # pixels do not depend on how long one waits for them
            link.begin(served.control, link.Terms())
        limit = min(self._options.time_limit, condition.time_limit)
        done = in_process(msgspec.structs.replace(job, check=True), limit)
        if not isinstance(done, Check):
            done = Check(right=False, message=done.error)
        settle(served, done.message)
        return done

    def _expected(self, condition: Condition, job: Job) -> float:
        """Foretell seconds from what the way took before: at other delays, for other tiles."""
        mine = [one for one in self._measurements if one.way == job.way and not one.error]
        walls: dict[float, list[float]] = {}
        requests = 0
        for one in mine:
            known = conditions.conditions().get(one.row.condition)
            same = (one.row.operation, one.row.slide) == (job.row.operation, job.row.slide)
            if same and known is not None and known.name.startswith("delay-"):
                walls.setdefault(known.delay, []).append(one.wall)
                requests = one.requests
        if len(walls) >= 2:
            near, far = min(walls), max(walls)
            slope = (median(walls[far]) - median(walls[near])) / (far - near)
            return median(walls[near]) + slope * (condition.delay - near)
        if not job.way.endswith("/naive") or job.way.startswith(plan.OURS):
            return 0.0
        if walls:
            return requests * condition.delay
        return self._by_tile(job, mine)

    def _by_tile(self, job: Job, mine: Sequence[Measurement]) -> float:
        """Foretell seconds from what a tile took in another operation on the same server."""
        tiles = _tiles(job)
        took = [
            one.wall / tiles_then
            for one in mine
            if (one.row.condition, one.row.slide) == (job.row.condition, job.row.slide)
            and (tiles_then := _tiles(msgspec.structs.replace(job, row=one.row))) > 0
        ]
        return tiles * median(took) if took else 0.0

    # Times ----------------------------------------------------------------------------------

    def _repeat(self, jobs: Sequence[Job], served: Served, time_limit: float) -> None:
        """Take times: the first of every way, then the second of every way, and so on."""
        spent = {job.way: 0.0 for job in jobs}
        for repeat in range(self._options.repeats):
            turn = repeat % len(jobs) if jobs else 0
            for job in (*jobs[turn:], *jobs[:turn]):
                if repeat >= plan.repeats_of(job.way, self._options.repeats):
                    continue
                if spent[job.way] > plan.LONG:
                    continue
                if served.control:
                    link.begin(served.control, served.terms)
                done = in_process(job, time_limit)
                if isinstance(done, Check):
                    done = _failed(job.row, job.way, done.message)
                self._note(msgspec.structs.replace(done, repeat=repeat))
                settle(served, done.error)
                spent[job.way] = float("inf") if done.error else spent[job.way] + done.wall

    def _note(self, done: Measurement) -> None:
        self._measurements.append(done)
        row = done.row
        came = done.error or f"{done.wall:8.3f} s"
        self._say(f"  {row.operation:14} {row.condition:12} {done.way:26} {came}")

    def result(self) -> Run:
        """Return everything that was found out."""
        return Run(
            date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            machine=machine(),
            versions=versions(),
            conditions=self._conditions,
            operations={
                name: one.about
                for name, one in operations().items()
                if any(done.row.operation == name for done in self._measurements)
            },
            slides={  # without paths, which are nobody else's business
                name: msgspec.structs.replace(slide, folder="")
                for name, slide in self._slides.items()
            },
            ways=tuple(self._ways),
            checks=self._checks,
            measurements=tuple(self._measurements),
            command=self._options.command,
        )


def in_process(job: Job, time_limit: float) -> Measurement | Check:
    """Do a job in a process of its own, which is ended when it takes longer than it may.

    The process has an empty cache folder: what a library remembers of a server between processes
    would make its second repeat another thing than its first.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="wsiweb-benchmarks-") as cache:
            done = subprocess.run(
                [sys.executable, "-m", "wsiweb_benchmarks.worker"],
                input=msgspec.json.encode(job),
                capture_output=True,
                timeout=time_limit,
                check=False,
                env={**os.environ, "XDG_CACHE_HOME": cache},
            )
    except subprocess.TimeoutExpired:
        message = f"{_ENDED} {time_limit:.0f} s"
    else:
        if done.returncode == 0 and done.stdout:
            return msgspec.json.decode(done.stdout, type=Check if job.check else Measurement)
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        message = f"the process ended with status {done.returncode}: {' '.join(last)}"
    if job.check:
        return Check(right=False, message=message)
    return _failed(job.row, job.way, message)


def medians(run: Run) -> list[dict[str, str]]:
    """Return a line for each operation and way: its median seconds, and of the reference's."""
    walls: dict[tuple[str, str], list[float]] = {}
    errors: dict[tuple[str, str], str] = {}
    for one in run.measurements:
        key = one.row.operation, one.way
        walls.setdefault(key, []).extend([] if one.error else [one.wall])
        errors[key] = one.error or errors.get(key, "")
    lines: list[dict[str, str]] = []
    for (operation, way), seconds in walls.items():
        limit = walls.get((operation, "reference/fast"))
        line = {"operation": operation, "way": way, "message": errors[operation, way]}
        if seconds:
            line["seconds"] = f"{median(seconds):.3f}"
        if seconds and limit:
            line["of_reference"] = f"{median(seconds) / median(limit):.2f} x"
        lines.append(line)
    return lines


def _failed(row: Row, way: str, message: str) -> Measurement:
    return Measurement(row=row, way=way, repeat=0, error=message)


def settle(served: Served, message: str) -> None:
    """Give a real server time to end the work of a client that was ended."""
    if message.startswith(_ENDED) and not served.control:
        time.sleep(_SETTLING)


def _tiles(job: Job) -> int:
    """Count the tiles that an operation needs; 0 where that is not known beforehand."""
    slide = job.source.slide
    asked = operation_of(job.row.operation).draw(slide)
    if "tiles" in asked:
        return len(asked["tiles"])
    if "extent" in asked:
        return math.prod(asked["extent"])
    if "location" in asked:
        tile = slide.levels[asked["level"]].tile_size
        return math.prod(-(-size // side) for size, side in zip(asked["size"], tile, strict=True))
    return 0


def _grouped(rows: Iterable[Row]) -> list[tuple[str, str, list[str]]]:
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        groups.setdefault((row.condition, row.slide), []).append(row.operation)
    return [(condition, slide, names) for (condition, slide), names in groups.items()]
