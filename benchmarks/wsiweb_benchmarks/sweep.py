"""What the best fixed settings are under a condition, and how near to them learning comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsiweb_benchmarks import link, plan, slides
from wsiweb_benchmarks.conditions import condition_of
from wsiweb_benchmarks.model import Check, Job, Row, Source, Swept
from wsiweb_benchmarks.operations import operation_of
from wsiweb_benchmarks.runner import Options, in_process, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsiweb_benchmarks.conditions import Condition

__all__ = ["CONNECTIONS", "FRAMES_PER_REQUEST", "LEARNT", "sweep", "sweep_all", "table"]

FRAMES_PER_REQUEST = (1, 4, 16, 64, 256, 1000)
CONNECTIONS = (1, 2, 4, 8)
LEARNT = (0, 0)
"""Stands for no settings at all: what the library chooses by itself."""


_LONG = 4 * plan.LONG  # seconds of all repeats: what has taken longer is not repeated


def sweep_all(
    rows: Sequence[Row], options: Options, say: Callable[[str], None]
) -> tuple[Swept, ...]:
    """Sweep our fast way through rows, each under its condition; Ctrl-C keeps the rows before.

    A row whose slide or server is missing is left out.
    """
    found: list[Swept] = []
    try:
        for row in rows:
            say(f"settings: {row.condition}, {row.slide}")
            try:
                found += sweep(
                    condition_of(row.condition),
                    row,
                    "wsiweb/fast",
                    options,
                    say,
                    frames_per_request=plan.SWEPT_FRAMES,
                    connections=plan.SWEPT_CONNECTIONS,
                )
            except (slides.Absent, RuntimeError) as error:
                say(f"left out: {error}")
    except KeyboardInterrupt:
        say("interrupted: what was measured until now is kept")
    return tuple(found)


def sweep(
    condition: Condition,
    row: Row,
    way: str,
    options: Options,
    say: Callable[[str], None],
    *,
    frames_per_request: Sequence[int] = FRAMES_PER_REQUEST,
    connections: Sequence[int] = CONNECTIONS,
) -> list[Swept]:
    """Time one way with every pair of settings, and with none; repeats are interleaved."""
    slide = slides.made(row.slide, options.work, small=options.small)
    parameters = operation_of(row.operation).draw(slide)
    pairs = [(length, count) for length in frames_per_request for count in connections]
    if not way.startswith("reference/"):  # which has nothing of its own to choose
        pairs.insert(0, LEARNT)
    walls: dict[tuple[int, int], list[float]] = {pair: [] for pair in pairs}
    errors: dict[tuple[int, int], str] = {}
    with condition.serve(slide, options.work) as served:
        for repeat in range(options.repeats):
            say(f"repeat {repeat + 1} of {options.repeats}")
            turn = repeat % len(pairs)
            for pair in (*pairs[turn:], *pairs[:turn]):
                settings = dict(zip(("frames_per_request", "connections"), pair, strict=True))
                source = Source(
                    url=served.url,
                    slide=slide,
                    settings={} if pair == LEARNT else settings,
                    headers=served.headers,
                )
                if pair in errors or sum(walls[pair]) > _LONG:
                    continue
                if served.control:
                    link.begin(served.control, served.terms)
                job = Job(row=row, way=way, source=source, parameters=parameters)
                done = in_process(job, min(options.time_limit, condition.time_limit))
                error = done.message if isinstance(done, Check) else done.error
                if isinstance(done, Check) or error:
                    errors[pair] = error
                    settle(served, error)
                else:
                    walls[pair].append(done.wall)
    return [
        Swept(
            row=row,
            way=way,
            frames_per_request=pair[0],
            connections=pair[1],
            walls=tuple(walls[pair]),
            error=errors.get(pair, ""),
        )
        for pair in pairs
    ]


def table(swept: Sequence[Swept]) -> str:
    """Lay the medians out for a terminal, each beside the best fixed setting."""
    fixed = [one for one in swept if not one.learnt]
    best = min(fixed, key=lambda one: one.wall)
    lines = ["frames  connections   seconds  of the best"]
    for one in swept:
        names = ("learnt", "learnt") if one.learnt else (one.frames_per_request, one.connections)
        took = f"{one.wall:9.3f}  {one.wall / best.wall:8.2f} x" if one.walls else one.error
        lines.append(f"{names[0]:>6}  {names[1]:>11}  {took}{'  <- best' if one is best else ''}")
    return "\n".join(lines)
