"""Runs of the benchmark that nobody has run: plausible, and the same each time."""

from __future__ import annotations

import random

from wsiweb_benchmarks.model import Check, LevelInfo, Machine, Measurement, Row, Run, SlideInfo, Way

# Seconds without delay, and round trips that are waited for one after the other.
WAYS = {
    "reference/fast": (1.0, 1),
    "reference/transport": (0.6, 1),
    "wsiweb/fast": (1.1, 1),
    "wsiweb/naive": (1.2, 1),
    "ez-wsi-dicomweb/fast": (1.9, 1.5),
    "ez-wsi-dicomweb/naive": (6.0, 300),
    "wsidicom/fast": (2.4, 4),
    "wsidicom/naive": (3.5, 120),
    "dicomslide/fast": (9.0, 8),
    "dicomslide/naive": (11.0, 40),
    "dicomweb-client/fast": (1.4, 2),
    "dicomweb-client/naive": (4.5, 250),
    "large-image-source-dicom/fast": (6.5, 260),
    "large-image-source-dicom/naive": (7.0, 260),
}
WORK = {  # seconds of the reference, requests as a share of the round trips above
    "open": (0.004, 0.02),
    "thumbnail-512": (0.012, 0.02),
    "region-1024": (0.011, 0.1),
    "region-4096": (0.055, 1.0),
    "random-tiles": (0.16, 3.0),
    "level-6144": (0.11, 2.0),
    "loop-row": (0.03, 0.3),
    "loop-grid": (0.06, 0.9),
    "region-again": (0.008, 0.05),
}
ABOUT = {
    "open": "Open the slide: whatever a library asks for before the first tile.",
    "thumbnail-512": "The whole slide with its longest side 512 pixels.",
    "region-1024": "A region of 1024 x 1024 pixels of level 0, unaligned.",
    "region-4096": "A region of 4096 x 4096 pixels of level 0, unaligned.",
    "random-tiles": "1,000 tiles of level 0, drawn at random, each once, known beforehand.",
    "level-6144": "A whole level, that of 6144 x 6144 pixels.",
    "loop-row": "A plain for loop over a row of 96 tiles of level 0.",
    "loop-grid": "A plain for loop over 16 x 16 tiles of level 0, row by row.",
    "region-again": "A region of 1024 x 1024 pixels that the same process has just read.",
}
DELAYS = ("delay-0", "delay-20", "delay-50", "delay-100")
MACHINE = Machine(
    processor="A processor", cores=2, memory=25_276_514_304, system="Linux 6", python="CPython 3.11"
)


def slide(name="mosaic"):
    level = LevelInfo(
        instance_uid="1.2.3",
        size=(24576, 24576),
        tile_size=(256, 256),
        grid=(96, 96),
        samples=3,
        transfer_syntax="1.2.840.10008.1.2.4.50",
        photometric="YBR_FULL_422",
    )
    about = f"{name.capitalize()} of JPEG tiles."
    return SlideInfo(
        name=name, description=about, study_uid="1.2", series_uid="1.2.3", levels=(level,)
    )


def measurement(operation, condition, way, repeat, wall, slide="mosaic", **more):
    row = Row(operation=operation, condition=condition, slide=slide)
    more = {"first": wall / 2, "cpu": wall * 0.8, **more}
    return Measurement(row=row, way=way, repeat=repeat, wall=wall, **more)


def failure(operation, condition, way, error, slide="mosaic"):
    row = Row(operation=operation, condition=condition, slide=slide)
    return Measurement(row=row, way=way, repeat=0, error=error)


def made_run(measurements=(), **fields):
    """A run of these measurements; what it needs to say of them is made up."""
    measurements = tuple(measurements)
    keys = dict.fromkeys(one.way for one in measurements)
    known = {
        "date": "2024-05-06T07:08:09+00:00",
        "machine": MACHINE,
        "versions": {key.partition("/")[0]: "1.0" for key in keys},
        "conditions": {one.row.condition: "A server." for one in measurements},
        "operations": {
            one.row.operation: ABOUT[one.row.operation]
            for one in measurements
            if one.row.operation in ABOUT
        },
        "slides": {one.row.slide: slide(one.row.slide) for one in measurements},
        "ways": tuple(
            Way(library=key.partition("/")[0], name=key.partition("/")[2], how="Calls are made.")
            for key in keys
        ),
        "checks": {},
        "command": "python -m wsiweb_benchmarks run --out run.json",
    }
    return Run(measurements=measurements, **{**known, **fields})


def plausible_run(
    operations=tuple(WORK), conditions=DELAYS, ways=tuple(WAYS), seed=0, slower=None, **fields
):
    """A run as the real one might be: ways that fail, ways that are too slow to be tried."""
    chance = random.Random(seed)
    found, checks = [], {}
    for condition in conditions:
        delay = int(condition.partition("-")[2]) / 1000 if condition in DELAYS else 0.02
        for operation in operations:
            seconds, share = WORK[operation]
            for way in ways:
                factor, trips = WAYS[way]
                trips = max(1, trips * share)
                if operation == "open" and way.startswith("large-image"):
                    found.append(failure(operation, condition, way, "TileSourceError: <no>|port"))
                    continue
                wall = seconds * factor + delay * trips
                if wall > 24:
                    found.append(failure(operation, condition, way, "not run: it would take long"))
                    continue
                checks[f"{operation}|{condition}|mosaic|{way}"] = Check(
                    right=True, largest=int(way.startswith("wsidicom")), differing=0.01
                )
                wall *= (slower or {}).get(way, 1.0)
                for repeat in range(5 if way.startswith(("reference", "wsiweb")) else 3):
                    noisy = wall * chance.uniform(0.95, 1.2)
                    found.append(
                        measurement(
                            operation,
                            condition,
                            way,
                            repeat,
                            noisy,
                            requests=round(trips),
                            connections=min(16, round(trips)),
                            bytes_sent=round(seconds * 120e6),
                            server_cpu=noisy / 4,
                            base_memory=80_000_000,
                            peak_memory=round(80e6 + seconds * factor * 1.1e9),
                        )
                    )
    return made_run(found, checks=checks, **fields)
