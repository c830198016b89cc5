/**
 * OpenSeadragon's canvas drawer, with tiles on whole pixels of the screen.
 *
 * As it is, it makes each tile a pixel larger to hide the seams between them, so that at one to
 * one no pixel of the slide is a pixel of the screen. Here both edges of a tile are rounded, to
 * where its neighbour's edge is rounded too: no seams, and at one to one the pixels as stored.
 */

import OpenSeadragon from "openseadragon";

/** What OpenSeadragon's own declarations leave out. */
interface DrawingBase {
  draw(images: OpenSeadragon.TiledImage[]): void;
}

const Base = OpenSeadragon.CanvasDrawer as unknown as new (
  options: OpenSeadragon.DrawerConstructorParameters,
) => OpenSeadragon.CanvasDrawer & DrawingBase;

export class WholePixelDrawer extends Base {
  minimumOverlapRequired(): boolean {
    return false;
  }

  override draw(images: OpenSeadragon.TiledImage[]): void {
    for (const image of images) {
      for (const { tile } of image.getTilesToDraw()) snap(tile);
    }
    super.draw(images);
  }
}

/** Move a tile's edges to the nearest pixels of the screen; done twice, it changes nothing. */
function snap(tile: OpenSeadragon.Tile): void {
  if (tile.position === null || tile.size === null) return;
  const [left, width] = snapped(tile.position.x, tile.size.x);
  const [top, height] = snapped(tile.position.y, tile.size.y);
  tile.position = new OpenSeadragon.Point(left, top);
  tile.size = new OpenSeadragon.Point(width, height);
}

/**
 * A view whose middle lies between two pixels has all edges at a half, give or take the last
 * digits: moved on by this, neighbours round alike.
 */
const OFF_HALF = 1e-3;

function snapped(start: number, length: number): [number, number] {
  const ratio = OpenSeadragon.pixelDensityRatio;
  const first = Math.round(start * ratio + OFF_HALF);
  const last = Math.round((start + length) * ratio + OFF_HALF);
  // A level far too coarse for the view may have tiles under a pixel: keep them drawable.
  return [first / ratio, Math.max(last - first, 1) / ratio];
}
