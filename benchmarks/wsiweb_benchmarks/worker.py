"""One measurement in a process of its own: a `Job` on stdin, what came of it on stdout.

What comes out is a `Measurement`, or a `Check` when pixels were to be compared.
"""

from __future__ import annotations

import gc
import os
import resource
import sys
import time
from typing import TYPE_CHECKING

import msgspec

from wsiweb_benchmarks import link, memory
from wsiweb_benchmarks.adapters import NotOffered, adapter_of
from wsiweb_benchmarks.model import Check, Job, Measurement
from wsiweb_benchmarks.operations import operation_of

if TYPE_CHECKING:
    import numpy as np

    from wsiweb_benchmarks.adapters import Adapter
    from wsiweb_benchmarks.operations import Operation

__all__ = ["check", "done", "measure"]

_LONGEST = 400  # characters of a message


def done(job: Job) -> Measurement | Check:
    """Do a job; an error of the library becomes a result with its message."""
    try:
        return check(job) if job.check else measure(job)
    except ImportError as error:
        message = f"cannot be imported: {error}"
    except NotOffered as error:
        message = f"not offered: {error}"
    except Exception as error:  # whatever a library raises is its row's message
        message = f"{type(error).__name__}: {error}"
    message = " ".join(message.split())[:_LONGEST]
    if job.check:
        return Check(right=False, message=message)
    return Measurement(row=job.row, way=job.way, repeat=0, error=message)


def check(job: Job) -> Check:
    """Compare what a library returns with the direct decode."""
    from wsiweb_benchmarks.judge import Comparison, Judge

    operation, adapter = _begun(job)
    truth = iter(())
    if operation.opened:  # else there are no pixels
        truth = operation.truth(Judge(job.source), job.parameters)
    comparison = Comparison(truth, exact=operation.exact)
    operation.run(adapter, job.parameters, comparison.take)
    adapter.close()
    return comparison.result()


def measure(job: Job) -> Measurement:
    """Take the time, and everything else."""
    operation, adapter = _begun(job)
    gc.collect()
    if job.control:
        link.reset(job.control)
    base = memory.reset_peak()
    first = 0.0

    def take(array: np.ndarray) -> None:
        nonlocal first
        del array
        if not first:
            first = time.perf_counter()

    cpu = _cpu()
    start = time.perf_counter()
    operation.run(adapter, job.parameters, take)
    end = time.perf_counter()
    cpu = _cpu() - cpu
    peak = memory.peak()
    counts = link.counts(job.control) if job.control else None
    adapter.close()
    return Measurement(
        row=job.row,
        way=job.way,
        repeat=0,
        wall=end - start,
        cpu=cpu,
        first=(first or end) - start,
        server_cpu=-1.0 if counts is None else counts.cpu,
        requests=-1 if counts is None else counts.requests,
        connections=-1 if counts is None else counts.connections,
        bytes_sent=-1 if counts is None else counts.bytes_sent,
        peak_memory=peak,
        base_memory=base,
    )


def _begun(job: Job) -> tuple[Operation, Adapter]:
    """Do all that comes before the operation."""
    operation = operation_of(job.row.operation)
    adapter = adapter_of(job.way)(job.source)
    if operation.opened:
        adapter.open()
        operation.prepare(adapter, job.parameters)
    return operation, adapter


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _main() -> None:
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    # A library that prints must not spoil the result.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with answer:
        answer.write(msgspec.json.encode(done(job)))


if __name__ == "__main__":
    _main()
    # Threads that a library left behind, or slow destructors, are not waited for.
    sys.stderr.flush()
    os._exit(0)
