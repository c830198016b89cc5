"""Bytes of stored instances, read from the user's files; and the walk that finds the files."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from wsiweb.errors import NotFound
from wsiweb.server.offsets import NativeFrames
from wsiweb.wire.media import TRANSFER_SYNTAXES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wsiweb.server.index import Instance
    from wsiweb.server.inflating import Inflated
    from wsiweb.server.offsets import FrameTable, Piece

__all__ = ["Changed", "InstanceFile", "check_frames", "frames_at_once", "is_current", "walk"]

_AT_ONCE = 4 * 2**20  # bytes; more would keep other requests waiting
_NOWAIT: int = getattr(os, "RWF_NOWAIT", 0)  # Linux: read only what is in the page cache


class Changed(NotFound):
    """The file of an instance is gone, or is not the one that was indexed."""


def check_frames(instance: Instance, numbers: Sequence[int]) -> FrameTable:
    """Return the frame table of an instance that has all these frames.

    Raises
    ------
    ValueError
        For a number that the instance does not have.
    NotFound
        When the object has no frames, or they cannot be told apart.
    """
    table = instance.frames
    if table is None:
        why = f": {instance.trouble}" if instance.trouble else ""
        raise NotFound(f"Instance {instance.uid} has no frames{why}.")
    for number in numbers:
        if not 1 <= number <= table.count:
            raise ValueError(
                f"There is no frame {number}: instance {instance.uid} has 1 to {table.count}."
            )
    return table


class InstanceFile:
    """The file of an instance, open for reading, for one thread at a time.

    Parameters
    ----------
    instance : Instance
        Its row in the index.
    inflated : Inflated
        What is kept of deflated datasets.

    Raises
    ------
    Changed
        When it is not the file that was indexed; when reading, too.
    """

    def __init__(self, instance: Instance, inflated: Inflated) -> None:
        self.instance = instance
        self._inflated = inflated
        self._dataset: BinaryIO | None = None
        try:
            self._handle = open(instance.path, "rb", buffering=0)  # noqa: PTH123, SIM115 - see close
        except OSError as error:
            raise self._lost() from error
        if not _unchanged(self._handle.fileno(), instance):
            self._handle.close()
            raise self._lost()

    def close(self) -> None:
        """Close the file."""
        self._handle.close()

    def _lost(self) -> Changed:
        return Changed(f"The file of instance {self.instance.uid} has gone or changed.")

    def _read(self, source: BinaryIO, piece: Piece) -> bytes:
        source.seek(piece[0])
        data = source.read(piece[1])
        if len(data) != piece[1]:
            raise self._lost()
        return data

    def value(self, piece: Piece) -> bytes:
        """Return the bytes at an offset of the dataset, inflated where it is stored deflated."""
        if not _deflated(self.instance):
            return self._read(self._handle, piece)
        if self._dataset is None:
            self._dataset = self._inflated.dataset(self.instance, self._handle)
        return self._read(self._dataset, piece)

    def frame(self, number: int) -> bytes:
        """Return a frame, by its one-based number, as stored, its fragments joined.

        Raises
        ------
        ValueError, NotFound
            As `check_frames`.
        """
        table = check_frames(self.instance, (number,))
        data = b"".join([self.value(piece) for piece in table.pieces(number)])
        if isinstance(table, NativeFrames) and table.packed:
            return _moved(data, table.shift(number), table.bits)
        return data

    def whole(self, step: int = 2**20) -> Iterator[bytes]:
        """Yield the file in pieces of at most `step` bytes, exactly as it is."""
        for at in range(0, self.instance.size, step):
            yield self._read(self._handle, (at, min(step, self.instance.size - at)))


def frames_at_once(instance: Instance, numbers: Sequence[int]) -> list[bytearray] | None:
    """Return a few frames if that takes no waiting: their bytes are in the page cache.

    A thread costs a hundred microseconds to ask, this five: tiles that are looked at are mostly
    warm. Opening the file is the one call here that can wait, on a network file system.

    Parameters
    ----------
    instance : Instance
        Where the frames are.
    numbers : sequence of int
        One-based.

    Returns
    -------
    list of bytearray or None
        The frames as stored; None when `InstanceFile.frame` has to be asked, in a thread.
    """
    table = instance.frames
    if not _NOWAIT or table is None or table.packed or _deflated(instance):
        return None
    if not all(1 <= number <= table.count for number in numbers):
        return None
    pieces = [table.pieces(number) for number in numbers]
    if any(len(each) != 1 for each in pieces) or sum(each[0][1] for each in pieces) > _AT_ONCE:
        return None
    try:
        descriptor = os.open(instance.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not _unchanged(descriptor, instance):
            return None
        return [_warm(descriptor, *each[0]) for each in pieces]
    except OSError:  # EAGAIN: not in the cache; or a file system that cannot tell
        return None
    finally:
        os.close(descriptor)


def _warm(descriptor: int, offset: int, length: int) -> bytearray:
    buffer = bytearray(length)
    if os.preadv(descriptor, [buffer], offset, _NOWAIT) != length:
        raise BlockingIOError
    return buffer


def is_current(instance: Instance) -> bool:
    """Tell whether the file of an instance is the one that was indexed."""
    try:
        return _unchanged(instance.path, instance)
    except OSError:
        return False


def _unchanged(file: int | str, instance: Instance) -> bool:
    state = os.stat(file)  # noqa: PTH116 - of a descriptor, too
    return state.st_size == instance.size and state.st_mtime_ns == instance.mtime


def _deflated(instance: Instance) -> bool:
    syntax = TRANSFER_SYNTAXES.get(instance.transfer_syntax)
    return syntax is not None and syntax.deflated


def _moved(data: bytes, shift: int, bits: int) -> bytes:
    """Return packed pixels so that they begin with a byte (PS3.5 8.2: lowest bit first)."""
    pixels = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    return np.packbits(pixels[shift : shift + bits], bitorder="little").tobytes()


def walk(folder: str) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Yield the path of each file below a folder, relative to it, with size and time.

    Regular files at any depth, except hidden ones. A symbolic link to a file is followed, wherever
    it leads, for that is how people gather slides without copying them; a link to a folder is not,
    so that there are no circles and nothing outside is drawn in wholesale.
    """
    top = os.fsencode(folder)
    pending = [b""]
    while pending:
        inner = pending.pop()
        try:
            entries = os.scandir(os.path.join(top, inner))  # noqa: PTH118 - bytes: names need not be text
        except OSError:
            continue  # removed in the meantime, or not ours to read
        with entries:
            for entry in entries:
                if entry.name.startswith(b"."):
                    continue
                path = inner + entry.name
                try:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(path + b"/")
                        continue
                    state = entry.stat()
                except OSError:
                    continue  # a dangling link
                if stat.S_ISREG(state.st_mode):
                    yield path, (state.st_size, state.st_mtime_ns)
