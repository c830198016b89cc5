/**
 * Layers that come as tiles: masks, heat maps, and the coverage of many annotations.
 *
 * Each part is an image of its own on the stage, and gray. It gets its colours as its tiles are
 * made ready, anew whenever they change, from what has been downloaded.
 */

import type OpenSeadragon from "openseadragon";
import type { Manifest } from "../manifest.ts";
import type { Stage } from "../stage.ts";
import type { Pyramid } from "../tilesource.ts";
import type { Box } from "../view.ts";
import { type Look, recolour, tableOf } from "./colours.ts";
import type { Part } from "./layers.ts";

/** Colours the tiles of all layers of a stage. */
export class Painter {
  private readonly tables = new Map<OpenSeadragon.TiledImage, Uint32Array>();

  constructor(stage: Stage) {
    stage.osd.addHandler("tile-invalidated", (event) => this.paint(event));
  }

  /** Give an image other colours. */
  async use(image: OpenSeadragon.TiledImage, table: Uint32Array, repaint: boolean): Promise<void> {
    this.tables.set(image, table);
    if (repaint) await image.requestInvalidate(true);
  }

  forget(image: OpenSeadragon.TiledImage): void {
    this.tables.delete(image);
  }

  private async paint(event: OpenSeadragon.TileInvalidatedEvent): Promise<void> {
    const image = event.tiledImage;
    if (image === null || !this.tables.has(image)) return;
    const context = (await event.getData("context2d")) as CanvasRenderingContext2D;
    // Asked for only now: the colours may have changed while the tile was copied.
    const table = this.tables.get(image);
    if (table === undefined) return;
    const { width, height } = context.canvas;
    const data = context.getImageData(0, 0, width, height);
    recolour(new Uint32Array(data.data.buffer), table);
    context.putImageData(data, 0, 0);
    await event.setData(context, "context2d");
  }
}

/** One part as tiles. */
export class RasterPart {
  private image: OpenSeadragon.TiledImage | null = null;
  private asked = false;
  private painted = "";
  private painting = false;
  private gone = false;

  /** `rank` says what it lies over; `pyramid` and `box` what it is and where. */
  constructor(
    private readonly stage: Stage,
    private readonly painter: Painter,
    private readonly part: Part,
    private readonly pyramid: Pyramid,
    private readonly box: Box,
    private readonly rank: number,
  ) {}

  /** Show the part as the model says; `shown` false keeps what was downloaded, unseen. */
  update(shown: boolean): void {
    if (this.gone) return;
    if (this.image === null) {
      if (shown && !this.asked) void this.add();
      return;
    }
    this.image.setOpacity(shown ? this.part.layer.opacity : 0);
    if (shown) void this.repaint();
  }

  destroy(): void {
    this.gone = true;
    if (this.image === null) return;
    this.painter.forget(this.image);
    this.stage.remove(this.image);
  }

  private async add(): Promise<void> {
    this.asked = true;
    const { opacity } = this.part.layer;
    const place = { box: this.box, rank: this.rank, opacity, coarseFirst: false };
    const image = await this.stage.add(this.pyramid, place);
    this.image = image;
    if (this.gone) return this.destroy();
    this.painted = keyOf(this.part.look);
    await this.painter.use(image, tableOf(this.part.look), false);
    // It may have been hidden, or coloured otherwise, while it was put there.
    image.setOpacity(this.part.shown ? this.part.layer.opacity : 0);
  }

  /** Colour anew where that is due; a slider that runs ahead is caught up with, not queued. */
  private async repaint(): Promise<void> {
    if (this.painting || this.image === null) return;
    this.painting = true;
    try {
      while (!this.gone && this.painted !== keyOf(this.part.look)) {
        this.painted = keyOf(this.part.look);
        await this.painter.use(this.image, tableOf(this.part.look), true);
      }
    } finally {
      this.painting = false;
    }
  }
}

function keyOf(look: Look): string {
  return `${look.colour} ${look.map} ${look.threshold} ${look.fractional}`;
}

/** The tiles of a segment or a map; null where the layer has none. */
export function rasterOf(part: Part): { pyramid: Pyramid; box: Box } | null {
  const { raster } = part.layer.description;
  if (raster === null) return null;
  const [x, y, width, height] = raster.place;
  const pyramid: Pyramid = {
    levels: raster.levels,
    ground: { width, height },
    transparent: true,
    path: (level, column, row) => `${part.path}/${level}/${column}/${row}`,
  };
  return { pyramid, box: { x, y, width, height } };
}

/** The tiles on which a group of shapes is drawn, where they are too many to be drawn here. */
export function coverageOf(part: Part, slide: Manifest): { pyramid: Pyramid; box: Box } {
  const pyramid: Pyramid = {
    levels: slide.levels,
    ground: slide,
    transparent: true,
    path: (level, column, row) => `${part.path}/coverage/${level}/${column}/${row}`,
  };
  return { pyramid, box: { x: 0, y: 0, width: slide.width, height: slide.height } };
}
