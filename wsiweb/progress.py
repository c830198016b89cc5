"""A quiet line that says how far a long call is, where somebody sees it: a terminal or a notebook.

It appears when a call takes longer than a moment, and goes away at its end. Where output is no
terminal and no notebook (a file, a pipe, a test) there is nothing, and with the environment
variable ``WSIWEB_PROGRESS=off`` nowhere is anything. One line at a time: what a long call calls in
its turn, or another thread, does not draw over it, and nothing does while a bar of tqdm is up.

A library for this was rejected: it would be one more dependency for thirty lines, and none of them
waits before it says something.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO, TypeVar

from wsiweb.words import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["ProgressLine", "following", "wanted"]

T = TypeVar("T")

_MOMENT = 1.0  # seconds that a call may take without a word
_TICK = 0.25  # seconds between two drawings
_OFF = frozenset({"0", "off", "no", "false"})

_drawn = threading.Lock()  # held by the one line that is drawn


class _Surface(Protocol):
    """Where a line is drawn over itself."""

    def draw(self, line: str) -> None: ...
    def clear(self) -> None: ...


class ProgressLine:
    """How far a call is; a context manager.

    Parameters
    ----------
    doing : str
        What is done, such as ``"Writing the mask"``.
    total : int, optional
        How many steps it will be; None where that is not known.

    Examples
    --------
    >>> with ProgressLine("Counting", total=3) as progress:
    ...     for _ in range(3):
    ...         progress.step()
    """

    def __init__(self, doing: str, total: int | None = None) -> None:
        self._doing = doing
        self._total = total
        self._done = 0
        self._surface: _Surface | None = None
        self._began = time.monotonic()
        self._next = self._began + _MOMENT if wanted() else float("inf")

    def step(self, count: int = 1) -> None:
        """Say that so many steps more are done; cheap enough for every one of them."""
        self._done += count
        if time.monotonic() >= self._next:
            self._draw(self._counted())

    def say(self, words: Callable[[], str]) -> None:
        """Say how far it is in words, which are only asked for when they are drawn."""
        if time.monotonic() >= self._next:
            self._draw(words())

    def _counted(self) -> str:
        if self._total is None:
            return f"{self._done:,}"
        said = f"{self._done:,} of {self._total:,}"
        if 0 < self._done < self._total:
            elapsed = time.monotonic() - self._began
            said += f", {duration(elapsed / self._done * (self._total - self._done))} left"
        return said

    def _draw(self, words: str) -> None:
        now = time.monotonic()
        self._next = now + _TICK
        if self._surface is None:
            if _bar_is_up() or not _drawn.acquire(blocking=False):
                return
            self._surface = _surface()
        self._surface.draw(f"{self._doing}: {words}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._next = float("inf")
        if self._surface is not None:
            self._surface.clear()
            self._surface = None
            _drawn.release()


def following(things: Iterator[T], doing: str, total: int | None) -> Iterator[T]:
    """Return things as they are, and say how many of them have come.

    Parameters
    ----------
    things : iterator
        When the caller stops, it is closed.
    doing : str
        What is done.
    total : int or None
        How many there will be, if that is known.

    Examples
    --------
    >>> list(following(iter("abc"), "Spelling", 3))
    ['a', 'b', 'c']
    """
    return _followed(things, doing, total) if wanted() else things


def _followed(things: Iterator[T], doing: str, total: int | None) -> Iterator[T]:
    try:
        with ProgressLine(doing, total) as progress:
            for thing in things:
                progress.step()
                yield thing
    finally:
        close: Any = getattr(things, "close", None)
        if close is not None:
            close()


def wanted() -> bool:
    """Tell whether anybody sees a line, and nobody has turned them off."""
    if os.environ.get("WSIWEB_PROGRESS", "").strip().lower() in _OFF:
        return False
    return _kernel() is not None or _is_terminal(sys.stderr)


def _surface() -> _Surface:
    return _Terminal(sys.stderr) if _kernel() is None else _Notebook()


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
    except ValueError:  # a stream that was closed
        return False


def _kernel() -> Any:
    """Return the kernel of the notebook in which this runs; None elsewhere."""
    # Who has not imported IPython is in no notebook of it, and need not wait for it here.
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if hasattr(ipython, "get_ipython") else None
    return getattr(shell, "kernel", None)


def _bar_is_up() -> bool:
    bars: Any = getattr(getattr(sys.modules.get("tqdm"), "tqdm", None), "_instances", ())
    return len(bars) > 0


class _Terminal:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def draw(self, line: str) -> None:
        # A line that wraps could not be drawn over.
        line = line[: shutil.get_terminal_size().columns - 1]
        self._stream.write(f"\r\x1b[K{line}")
        self._stream.flush()

    def clear(self) -> None:
        self._stream.write("\r\x1b[K")
        self._stream.flush()


class _Notebook:
    """An output of the cell that is changed in place; at the end it is empty."""

    def __init__(self) -> None:
        self._handle: Any = None

    def draw(self, line: str) -> None:
        if self._handle is None:
            from IPython.display import display

            self._handle = display({"text/plain": line}, raw=True, display_id=True)
        else:
            self._handle.update({"text/plain": line}, raw=True)

    def clear(self) -> None:
        if self._handle is not None:
            self._handle.update({"text/plain": ""}, raw=True)
