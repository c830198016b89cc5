"""One private event loop in one thread, and one pool of threads for work that burns CPU.

All I/O of the library runs here, so that one connection pool and one cache serve scripts,
notebooks and web applications alike, and each transaction is written once, as a coroutine.
There are two doors: `run` blocks a thread, `wait` is awaited in the caller's own event loop.

A loop per call (`asyncio.run`) was rejected: it fails inside Jupyter and opens a new
connection every time. Decoding goes to the pool, because the codecs release the GIL.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, TypeVarTuple, cast

from wsiweb.errors import WsiwebError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = [
    "bare",
    "call",
    "close_at_exit",
    "ended",
    "in_pool",
    "pool",
    "renew_after_fork",
    "result",
    "run",
    "start",
    "submit",
    "threads",
    "wait",
]

T = TypeVar("T")
Given = TypeVarTuple("Given")

_MOST_THREADS = 12
_GRACE = 5.0  # seconds that a cancelled task gets to put its things away


class _Engine:
    """The loop, its thread and the pool; one per process."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.pool = concurrent.futures.ThreadPoolExecutor(
            max_workers=threads(), thread_name_prefix="wsiweb-pool"
        )
        # Made now, while something is waited for anyway, and not when the first frames have come:
        # a thread takes longer to start than a frame to decode.
        gate = threading.Barrier(threads())
        for _ in range(threads()):
            self.pool.submit(gate.wait, _GRACE)
        self.thread = threading.Thread(target=self._main, name="wsiweb-loop", daemon=True)
        self.thread.start()

    def _main(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def stop(self) -> None:
        """Cancel what still runs, then end the thread and the pool."""
        if not self.thread.is_alive():
            return

        async def cancel_all() -> None:
            await asyncio.gather(*(one.close() for one in list(_open)), return_exceptions=True)
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        with contextlib.suppress(TimeoutError, concurrent.futures.CancelledError):
            asyncio.run_coroutine_threadsafe(cancel_all(), self.loop).result(_GRACE)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(_GRACE)
        if not self.thread.is_alive():
            self.loop.close()
        self.pool.shutdown(wait=False, cancel_futures=True)


class _Closable(Protocol):
    async def close(self) -> None: ...


_lock = threading.Lock()
_engine: _Engine | None = None
_open: weakref.WeakSet[_Closable] = weakref.WeakSet()
_ended = False


def close_at_exit(thing: _Closable) -> None:
    """Have ``await thing.close()`` called before the loop ends; it is not kept alive by this."""
    _open.add(thing)


def ended() -> bool:
    """Tell whether the interpreter is ending and the loop has been stopped."""
    return _ended


def _running() -> _Engine:
    global _engine  # noqa: PLW0603 - one engine per process is what this module is
    with _lock:
        if _engine is None:
            _engine = _Engine()
        return _engine


class _Survivor(Protocol):
    def renew(self) -> None: ...


_survivors: weakref.WeakSet[_Survivor] = weakref.WeakSet()


def renew_after_fork(survivor: _Survivor) -> None:
    """Have ``survivor.renew()`` called in every child process that a fork makes.

    Data loaders fork with open slides in hand. The parent's loop, sockets and requests under way
    are of no use in the child, and a lock may be held there by a thread that does not exist.
    The thing is not kept alive by this.
    """
    _survivors.add(survivor)


def _start_anew_after_fork() -> None:
    """Threads do not survive a fork: the child starts an engine of its own when it needs one."""
    global _engine, _lock  # noqa: PLW0603 - the lock may have been held by a thread now gone
    _engine = None
    _lock = threading.Lock()
    for survivor in list(_survivors):
        survivor.renew()


@atexit.register
def _stop() -> None:
    global _ended  # noqa: PLW0603 - see above
    _ended = True
    if _engine is not None:
        _engine.stop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_anew_after_fork)


def pool() -> concurrent.futures.ThreadPoolExecutor:
    """Return the pool for work that releases the GIL; see `threads`."""
    return _running().pool


def threads() -> int:
    """Return how many threads the pool has: one per core that this process may use, to a bound.

    A tenth of what they do needs the GIL, so that more than some ten would wait for each other.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 2
    return min(_MOST_THREADS, max(2, cores))


def submit(work: Callable[[*Given], T], *given: *Given) -> concurrent.futures.Future[T]:
    """Start work in the pool.

    When a script ends, Python closes all pools before it waits for the script's own threads; work
    for those is then done here and now.
    """
    try:
        return pool().submit(work, *given)
    except RuntimeError:
        done: concurrent.futures.Future[T] = concurrent.futures.Future()
        try:
            done.set_result(work(*given))
        except Exception as error:
            done.set_exception(error)
        return done


def result(future: concurrent.futures.Future[T]) -> T:
    """Wait for what was started.

    An error of ours comes without the frames that it went through on the loop. They would keep
    all that the failed call had in hand, whole regions, and in circles (frame, future, error,
    traceback, frame) until the garbage collector comes by; its words say what happened.
    """
    try:
        return future.result()
    except WsiwebError as error:
        raise bare(error)  # noqa: B904 - it is the same error
    finally:
        del future


def bare(error: BaseException) -> BaseException:
    """Return an error of ours without its traceback, and any other as it is; see `result`."""
    return error.with_traceback(None) if isinstance(error, WsiwebError) else error


async def in_pool(work: Callable[[*Given], T], *given: *Given) -> T:
    """Do work in the pool and await its result, on the library's loop."""
    return await asyncio.wrap_future(submit(work, *given))


def start(coroutine: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
    """Start a coroutine on the library's loop, without waiting for it.

    Cancelling the returned future cancels the coroutine.
    """
    return asyncio.run_coroutine_threadsafe(coroutine, _running().loop)


def call(work: Callable[[*Given], object], *given: *Given) -> None:
    """Have something done on the library's loop soon, without waiting for it.

    Nothing is done any more once the loop has been stopped, at the end of the interpreter.
    """
    with contextlib.suppress(RuntimeError):
        _running().loop.call_soon_threadsafe(work, *given)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the library's loop and block until it is done.

    When the wait is interrupted (Ctrl-C), the coroutine is cancelled and given time to put
    its things away before the interrupt goes on its way: nothing is left running.

    Raises
    ------
    RuntimeError
        When called on the library's own loop, where it would wait for itself for ever.

    Examples
    --------
    >>> async def answer():
    ...     return 42
    >>> run(answer())
    42
    """
    engine = _running()
    if threading.current_thread() is engine.thread:
        coroutine.close()
        raise RuntimeError("A blocking call was made on wsiweb's own event loop; await instead.")
    settled = threading.Event()
    begun: list[asyncio.Task[T]] = []

    async def supervised() -> T:
        begun.append(cast("asyncio.Task[T]", asyncio.current_task()))
        try:
            return await coroutine
        finally:
            begun.clear()  # a task that knows itself would stay until the garbage collector comes
            settled.set()

    def cancel() -> None:
        for task in begun:
            task.cancel()

    future: concurrent.futures.Future[T] | None = None
    try:
        future = asyncio.run_coroutine_threadsafe(supervised(), engine.loop)
        return result(future)
    except BaseException:
        # An interrupt may come at any moment, even before there is a future to be cancelled.
        if future is None or not future.done():
            engine.loop.call_soon_threadsafe(cancel)
            settled.wait(_GRACE)
        raise
    finally:
        del future  # see result()


async def wait(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await, in any event loop, a coroutine that runs on the library's loop.

    When the awaiting task is cancelled, so is the coroutine.
    """
    engine = _running()
    if asyncio.get_running_loop() is engine.loop:
        return await coroutine
    try:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, engine.loop))
    except WsiwebError as error:
        raise error.with_traceback(None)  # noqa: B904 - as in result()
