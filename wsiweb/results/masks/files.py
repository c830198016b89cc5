"""Masks in files: .npy, zarr and pictures, as arrays that are read when they are sliced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["opened"]

_PICTURES = frozenset({".png", ".tif", ".tiff", ".bmp"})
_ZARR = ("zarr.json", ".zarray", ".zgroup")  # what says that a folder is zarr's


def opened(path: Path) -> Any:
    """Return the array that a file holds.

    Parameters
    ----------
    path : Path
        Of a .npy or picture file, or of a folder that is a zarr array.

    Returns
    -------
    array_like
        It has a shape and a dtype, and perhaps chunks, and is sliced as numpy's arrays are. Of a
        picture all is in memory.

    Raises
    ------
    FileNotFoundError
        For a path to nothing.
    ValueError
        For any other file, and one that is damaged, which may show when it is sliced.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is no mask at {path}.")
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _Npy(path)
    if path.is_dir() and (suffix == ".zarr" or any((path / name).exists() for name in _ZARR)):
        return _zarr(path)
    if suffix in _PICTURES:
        return _picture(path)
    raise ValueError(
        f"The file of a mask is a .npy, .zarr, .png or .tif; {path.name} is none of these."
    )


def _zarr(path: Path) -> Any:
    import zarr

    try:
        return _Zarr(path, zarr.open_array(path, mode="r"))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"{path} holds no zarr array ({error}). If it is a group, give the path of an array in "
            f"it, such as {path / 'name'}, or the array itself."
        ) from error


def _picture(path: Path) -> NDArray[Any]:
    from PIL import Image

    try:
        with Image.open(path) as picture:
            if picture.mode not in {"1", "L", "P", "F"} and not picture.mode.startswith("I"):
                raise ValueError(
                    f"{path.name} is a picture in colour ({picture.mode}); a mask has one number "
                    "for each pixel."
                )
            return np.asarray(picture)
    except (OSError, Image.DecompressionBombError) as error:
        raise ValueError(
            f"{path.name} cannot be read as a picture: {error} Keep a large mask as .npy or .zarr."
        ) from error


class _Zarr:
    """A zarr array of a file: what is damaged in it, and how, each of its codecs says otherwise."""

    def __init__(self, path: Path, array: Any) -> None:
        self._path = path
        self._array = array
        self.shape, self.dtype, self.chunks = array.shape, array.dtype, array.chunks

    def __getitem__(self, key: Any) -> NDArray[Any]:
        try:
            return np.asarray(self._array[key])
        except Exception as error:
            raise ValueError(f"{self._path} cannot be read, it is damaged: {error}") from error


class _Npy:
    """A .npy file that is mapped anew for each read: what was read leaves memory with the map."""

    def __init__(self, path: Path) -> None:
        self._path = path
        mapped = self._mapped()
        self.shape, self.dtype = mapped.shape, mapped.dtype

    def __getitem__(self, key: Any) -> NDArray[Any]:
        return np.array(self._mapped()[key])

    def _mapped(self) -> NDArray[Any]:
        try:
            # The header is looked at first: of other files numpy says that they are pickled.
            with self._path.open("rb") as file:
                np.lib.format.read_magic(file)
            return np.load(self._path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(f"{self._path} cannot be read as an array: {error}") from error
