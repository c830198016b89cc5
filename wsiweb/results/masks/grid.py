"""The tiles that a matrix is cut into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsiweb.arguments import whole as whole_pair

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Block", "Grid"]


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle of whole tiles, or what of them lies on the slide.

    Attributes
    ----------
    location : tuple of int
        Its first pixel (x, y), zero-based.
    size : tuple of int
        Width and height in pixels.
    """

    location: tuple[int, int]
    size: tuple[int, int]

    def __str__(self) -> str:
        return f"the {self.size[0]} x {self.size[1]} pixels at {self.location}"


@dataclass(frozen=True, slots=True)
class Grid:
    """A matrix cut into tiles.

    Attributes
    ----------
    size : tuple of int
        Width and height of the matrix in pixels.
    tile : tuple of int
        Width and height of a tile.
    """

    size: tuple[int, int]
    tile: tuple[int, int]

    @property
    def columns(self) -> int:
        """Tiles across."""
        return -(-self.size[0] // self.tile[0])

    @property
    def rows(self) -> int:
        """Tiles down."""
        return -(-self.size[1] // self.tile[1])

    def block(self, column: int, row: int) -> Block:
        """Return what of a tile lies in the matrix.

        Raises
        ------
        IndexError
            For a place that the grid does not have.
        ValueError
            For one that is not two whole numbers.
        """
        column, row = whole_pair((column, row), "A tile's place")
        if not (0 <= column < self.columns and 0 <= row < self.rows):
            raise IndexError(
                f"There is no tile at column {column}, row {row}: {self.size[0]} x {self.size[1]} "
                f"pixels in tiles of {self.tile[0]} x {self.tile[1]} have columns 0 to "
                f"{self.columns - 1} and rows 0 to {self.rows - 1}."
            )
        x, y = column * self.tile[0], row * self.tile[1]
        width, height = min(self.tile[0], self.size[0] - x), min(self.tile[1], self.size[1] - y)
        return Block((x, y), (width, height))

    def aligned(self, location: tuple[int, int], size: tuple[int, int]) -> Block:
        """Return a region that is made of whole tiles.

        Parameters
        ----------
        location : tuple of int
            Its first pixel (x, y), zero-based.
        size : tuple of int
            Width and height in pixels; it may end where the matrix does.

        Raises
        ------
        IndexError
            For a region that reaches beyond the matrix.
        ValueError
            For one that cuts through tiles, is empty, or begins at no whole numbers.
        """
        x, y = whole_pair(location, "location")
        width, height = whole_pair(size, "size")
        if width < 1 or height < 1:
            raise ValueError(f"A region of {width} x {height} pixels has none.")
        if x < 0 or y < 0 or x + width > self.size[0] or y + height > self.size[1]:
            raise IndexError(
                f"{width} x {height} pixels at {(x, y)} reach beyond the matrix, which has "
                f"{self.size[0]} x {self.size[1]}."
            )
        for start, length, tile, whole in zip(
            (x, y), (width, height), self.tile, self.size, strict=True
        ):
            end = start + length
            if start % tile or (end % tile and end != whole):
                raise ValueError(
                    f"{width} x {height} pixels at {(x, y)} cut through tiles of {self.tile[0]} x "
                    f"{self.tile[1]}: a region begins at the border of a tile and ends at one, or "
                    "where the matrix does. Choose tile_size to fit your regions."
                )
        return Block((x, y), (width, height))

    def places(self, block: Block) -> Iterator[tuple[int, int]]:
        """Yield column and row of the tiles that a block has a part in, row by row."""
        columns, rows = (
            range(start // tile, -(-(start + length) // tile))
            for start, length, tile in zip(block.location, block.size, self.tile, strict=True)
        )
        for row in rows:
            for column in columns:
                yield column, row
