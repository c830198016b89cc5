/**
 * The arithmetic of an exact pyramid: levels of any size, cut into tiles of any size.
 *
 * Real pyramids are no powers of two (2967 rows, then 1484), so nothing here halves: each level
 * covers the same ground and says its own size. Pure; what OpenSeadragon calls level is turned
 * round in `tilesource.ts`.
 */

import type { Level } from "./manifest.ts";
import type { Box } from "./view.ts";

/** How many tiles a level has. */
export function gridOf(level: Level): { columns: number; rows: number } {
  return {
    columns: Math.ceil(level.width / level.tileWidth),
    rows: Math.ceil(level.height / level.tileHeight),
  };
}

/** The part of a tile that lies on the slide: DICOM pads the tiles at the right and below. */
export function cropOf(level: Level, column: number, row: number): Box {
  return {
    x: 0,
    y: 0,
    width: Math.min(level.tileWidth, level.width - column * level.tileWidth),
    height: Math.min(level.tileHeight, level.height - row * level.tileHeight),
  };
}

/** Where a tile lies, as shares (0 to 1) of the whole level's width and height. */
export function placeOf(level: Level, column: number, row: number): Box {
  const crop = cropOf(level, column, row);
  return {
    x: (column * level.tileWidth) / level.width,
    y: (row * level.tileHeight) / level.height,
    width: crop.width / level.width,
    height: crop.height / level.height,
  };
}

/** The tile at a point that is given as shares of the whole level's width and height. */
export function tileAt(level: Level, x: number, y: number): { column: number; row: number } {
  const { columns, rows } = gridOf(level);
  const column = Math.floor((x * level.width) / level.tileWidth);
  const row = Math.floor((y * level.height) / level.tileHeight);
  return {
    column: Math.min(Math.max(column, 0), columns - 1),
    row: Math.min(Math.max(row, 0), rows - 1),
  };
}
