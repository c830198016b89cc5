from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from wsiweb import loop


async def _thread_name():
    return threading.current_thread().name


def test_everything_runs_in_one_thread_whoever_asks():
    names = []
    threads = [
        threading.Thread(target=lambda: names.append(loop.run(_thread_name()))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == ["wsiweb-loop"] * 8


def test_wait_works_in_any_event_loop_and_many_waits_overlap():
    async def nap():
        await asyncio.sleep(0.05)
        return 1

    async def main():
        return sum(await asyncio.gather(*(loop.wait(nap()) for _ in range(100))))

    began = time.perf_counter()
    assert asyncio.run(main()) == 100
    assert time.perf_counter() - began < 2


def test_errors_come_through_unchanged():
    async def fail():
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        loop.run(fail())


def test_a_blocking_call_on_the_loop_itself_is_refused_instead_of_hanging():
    async def inner():
        return 1

    async def outer():
        return loop.run(inner())

    with pytest.raises(RuntimeError, match="await"):
        loop.run(outer())


def test_a_cancelled_async_caller_leaves_nothing_running():
    ended = threading.Event()

    async def long():
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def main():
        task = asyncio.create_task(loop.wait(long()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert ended.wait(2)


def test_ctrl_c_ends_the_work_before_it_goes_on():
    script = textwrap.dedent("""
        import asyncio
        from wsiweb import loop
        async def long():
            print("started", flush=True)
            try:
                await asyncio.sleep(60)
            finally:
                await asyncio.sleep(0.1)
                print("tidied", flush=True)
        try:
            loop.run(long())
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    os.kill(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=10)
    assert out == "tidied\ninterrupted\n"
    assert process.returncode == 0


def _in_child(queue):
    queue.put(loop.run(_thread_name()))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_gets_a_loop_of_its_own():
    loop.run(_thread_name())
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue,))
    child.start()
    assert queue.get(timeout=10) == "wsiweb-loop"
    child.join(10)
    assert child.exitcode == 0
