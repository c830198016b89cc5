"""Bytes of one file in another: by the kernel, which may share the blocks, else piece by piece."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["copy_bytes"]

_BLOCK = 2**20
_NO_COPYING = {
    errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EPERM,
    errno.EBADF, errno.ETXTBSY,
}  # fmt: skip


def copy_bytes(
    original: BinaryIO,
    copy: BinaryIO,
    size: int,
    told: Callable[[int], None] = lambda _: None,
    *,
    step: int = 2**30,
) -> None:
    """Copy all of a file.

    Parameters
    ----------
    original, copy : binary file
        Unbuffered, at their beginnings; the copy is empty.
    size : int
        Bytes that the file is thought to have; what is beyond them is copied, too.
    told : callable
        Told now and then how many bytes have been copied.
    step : int
        Most bytes that are copied before that is told.

    Raises
    ------
    OSError
        When the disk refuses.
    """
    copied = _copy_inside(original, copy, size, told, step)
    original.seek(copied)
    copy.seek(copied)
    while block := original.read(_BLOCK):
        rest = memoryview(block)
        while rest:  # a disk that is nearly full takes a part of it, and refuses the next
            rest = rest[copy.write(rest) :]
        copied += len(block)
        told(copied)


def _copy_inside(
    original: BinaryIO, copy: BinaryIO, size: int, told: Callable[[int], None], step: int
) -> int:
    """Copy within the kernel; return how much of it was copied."""
    copied = 0
    if not hasattr(os, "copy_file_range"):
        return copied
    try:
        while copied < size:
            count = os.copy_file_range(original.fileno(), copy.fileno(), min(size - copied, step))
            if not count:
                break
            copied += count
            told(copied)
    except OSError as error:
        if error.errno not in _NO_COPYING:
            raise
    return copied
