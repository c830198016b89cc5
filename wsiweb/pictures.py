"""Arrays to picture files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["check_target", "save_bytes", "save_picture"]


def save_picture(array: np.ndarray, path: Path) -> None:
    """Write an array as a picture; the file's ending chooses the format (PNG, JPEG, TIFF).

    Parameters
    ----------
    array : numpy.ndarray
        Shape (rows, columns, 1 or 3), uint8 or, with one sample, uint16.
    path : Path
        Written whole or not at all.

    Raises
    ------
    ValueError
        For an ending or a kind of array that no picture format here takes.
    """
    from PIL import Image

    check_target(path)
    image: Image.Image
    if array.dtype == np.uint8 and array.shape[2] in {1, 3}:
        image = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
    elif array.dtype == np.uint16 and array.shape[2] == 1:
        image = Image.fromarray(array[:, :, 0])
    else:
        raise ValueError(
            f"No picture is made of {array.shape[2]} samples of {array.dtype}; read the region in "
            "Python and choose a range."
        )
    if 0 in array.shape:
        raise ValueError("A region without pixels makes no picture.")
    kind = Image.registered_extensions()[path.suffix.lower()]
    with _whole_file(path) as temporary:
        try:
            image.save(temporary, format=kind)
        except OSError as error:  # Pillow's way to say "cannot write this mode as JPEG"
            raise ValueError(f"{path.name!r} cannot be written: {error}") from error


def check_target(path: Path) -> None:
    """Check that a picture can be written there, before anything is done to make it.

    Raises
    ------
    ValueError
        When the file's ending is that of no picture format.
    OSError
        When its folder does not exist, or cannot be written to.
    """
    from PIL import Image

    if path.suffix.lower() not in Image.registered_extensions():
        raise ValueError(f"{path.name!r} does not end in .png, .jpg or another picture format.")
    _temporary_beside(path).unlink()


def save_bytes(data: bytes, path: Path) -> None:
    """Write bytes as a file, whole or not at all."""
    with _whole_file(path) as temporary:
        temporary.write_bytes(data)


class _whole_file:  # noqa: N801 - reads as a statement
    """A temporary path beside the target that takes its place when the block succeeds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._temporary = _temporary_beside(path)

    def __enter__(self) -> Path:
        return self._temporary

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            mask = os.umask(0)
            os.umask(mask)
            self._temporary.chmod(0o666 & ~mask)  # mkstemp makes files that only the owner reads
            self._temporary.replace(self._path)
        else:
            self._temporary.unlink(missing_ok=True)


def _temporary_beside(path: Path) -> Path:
    """Make an empty file beside the target; an error names the target, which the user knows."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    os.close(handle)
    return Path(name)
