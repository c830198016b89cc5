"""What a terminal shows while something is under way: a line, or a table, drawn over itself."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, TextIO

import click

from wsiweb.errors import OutboxError, StoreError
from wsiweb.words import printable

if TYPE_CHECKING:
    from wsiweb.outbox.jobs import Job, Jobs

__all__ = ["Drawing", "follow"]

_TICK = 0.3  # seconds between two drawings
_TICK_OF_LOGS = 5.0  # what hinders for less is not worth a line


class Drawing:
    """Lines of a terminal that are drawn anew again and again; nothing where there is none.

    Parameters
    ----------
    stream : text file
        Where to draw.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._height = 0

    @property
    def seen(self) -> bool:
        """Whether anybody looks: a terminal that can go back, and no file or pipe."""
        return self._stream.isatty()

    def show(self, text: str) -> None:
        """Draw a text over the one before."""
        if not self.seen:
            return
        size = shutil.get_terminal_size()
        # A line that wraps, or more of them than there is room, could not be drawn over.
        lines = [line[: size.columns - 1] for line in text.splitlines()]
        if len(lines) >= size.lines:
            lines = [*lines[: size.lines - 2], "..."]
        self.clear()
        self._stream.write("\n".join(lines))
        self._stream.flush()
        self._height = len(lines)

    def clear(self) -> None:
        """Take away what was drawn."""
        if self._height:
            up = f"\x1b[{self._height - 1}A" if self._height > 1 else ""
            self._stream.write(f"\r{up}\x1b[J")
            self._stream.flush()
            self._height = 0


def follow(jobs: Jobs, job: Job) -> None:
    """Wait until a job is finished; a terminal is shown how far it is, a log what hinders it.

    Raises
    ------
    OutboxError
        When it was paused, or cleared, meanwhile.
    """
    drawing = Drawing(sys.stderr)
    trouble = ""
    try:
        while True:
            try:
                job.wait(_TICK if drawing.seen else _TICK_OF_LOGS)
            except TimeoutError:
                for line in jobs.table(job.id).lines:
                    drawing.show(line.summary)
                    if not drawing.seen and line.trouble not in {"", trouble}:
                        trouble = line.trouble
                        click.echo(f"Not sent yet: {printable(trouble)}", err=True)
            except StoreError:
                return  # what is not stored stands in the report
            except OutboxError:
                if job.state != "paused":
                    raise
                raise click.ClickException(
                    f"The job is paused. It goes on with: wsiweb jobs resume {job.id}"
                ) from None
            else:
                return
    finally:
        drawing.clear()
