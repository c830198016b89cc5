/** Gives up tiles on their way that nobody would see any more. */

import OpenSeadragon from "openseadragon";
import { PyramidTileSource } from "./tilesource.ts";

/**
 * How much of the screen, on each side, a tile may have left before it is given up: one that is
 * nearly there is worth waiting for, since people pan to and fro.
 */
const MARGIN = 0.25;

/** Abort each tile of an image that is hidden, has left the view, or is finer than is shown now. */
export function giveUpUnseen(image: OpenSeadragon.TiledImage, seen: OpenSeadragon.Rect): void {
  const source = image.source;
  if (!(source instanceof PyramidTileSource) || source.underway.size === 0) return;
  for (const job of [...source.underway]) {
    const { tile } = job;
    if (isWanted(image, tile, seen)) continue;
    job.abort();
    // OpenSeadragon takes an aborted tile for one that does not exist; it does.
    tile.exists = true;
  }
}

/** Whether a tile is one that OpenSeadragon would ask for now, or nearly. */
export function isWanted(
  image: OpenSeadragon.TiledImage,
  tile: OpenSeadragon.Tile,
  seen: OpenSeadragon.Rect,
): boolean {
  const { source } = image;
  if (!(source instanceof PyramidTileSource) || image.getOpacity() === 0) return false;
  return tile.level <= finestWanted(image, source) && meets(tile.bounds, image, seen);
}

/**
 * The finest level (counted from the coarsest) that the present zoom can show.
 *
 * One more than needed, since what OpenSeadragon asks for and is given up here it asks for again
 * in the next frame, without end. Like it we count pixels of the screen, not of CSS.
 */
function finestWanted(image: OpenSeadragon.TiledImage, source: PyramidTileSource): number {
  const zoom = image.viewportToImageZoom(image.viewer.viewport.getZoom(false));
  const shown = zoom * OpenSeadragon.pixelDensityRatio;
  const { minLevel, maxLevel } = source;
  for (let level = minLevel; level <= maxLevel; level++) {
    if (source.getLevelScale(level) >= shown * 0.999) return Math.min(level + 1, maxLevel);
  }
  return maxLevel;
}

function meets(
  tile: OpenSeadragon.Rect,
  image: OpenSeadragon.TiledImage,
  seen: OpenSeadragon.Rect,
): boolean {
  // Tiles are placed in units of their image's width, the view in units of the slide's.
  const place = image.getBoundsNoRotate(true);
  const x = place.x + tile.x * place.width;
  const y = place.y + tile.y * place.width;
  const dx = seen.width * MARGIN;
  const dy = seen.height * MARGIN;
  return (
    x < seen.x + seen.width + dx &&
    x + tile.width * place.width > seen.x - dx &&
    y < seen.y + seen.height + dy &&
    y + tile.height * place.width > seen.y - dy
  );
}
