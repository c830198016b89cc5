/** An exact pyramid for OpenSeadragon, whose tiles come from a `Source` and can be given up. */

import OpenSeadragon from "openseadragon";
import type { Source } from "../source/source.ts";
import type { Level } from "./manifest.ts";
import { cropOf, gridOf, placeOf, tileAt } from "./pyramid.ts";
import type { Size } from "./view.ts";
import { wordsOf } from "./words.ts";

export interface Pyramid {
  /** Finest first. */
  readonly levels: readonly Level[];
  /** The ground that each level covers, in pixels of the slide's level 0. */
  readonly ground: Size;
  /** The path of a tile; `level` 0 is the finest. */
  path(level: number, column: number, row: number): string;
  /** Whether tiles let show through what is under them. */
  readonly transparent: boolean;
}

interface Bounded {
  x: number;
  y: number;
}

export class PyramidTileSource extends OpenSeadragon.TileSource {
  /** What is on its way now; `requests.ts` gives up those that have left the view. */
  readonly underway = new Set<OpenSeadragon.ImageJob>();

  constructor(
    private readonly tiles: Source,
    readonly pyramid: Pyramid,
  ) {
    super({
      width: pyramid.ground.width,
      height: pyramid.ground.height,
      minLevel: 0,
      maxLevel: pyramid.levels.length - 1,
    });
  }

  /** OpenSeadragon counts from the coarsest level. */
  private level(level: number): Level {
    const found = this.pyramid.levels[this.finestFirst(level)];
    if (found === undefined) throw new RangeError(`There is no level ${level} in this pyramid.`);
    return found;
  }

  private finestFirst(level: number): number {
    return this.pyramid.levels.length - 1 - level;
  }

  override getLevelScale(level: number): number {
    return this.level(level).width / this.pyramid.ground.width;
  }

  override getTileWidth(level: number): number {
    return this.level(level).tileWidth;
  }

  override getTileHeight(level: number): number {
    return this.level(level).tileHeight;
  }

  override getNumTiles(level: number): OpenSeadragon.Point {
    const { columns, rows } = gridOf(this.level(level));
    return new OpenSeadragon.Point(columns, rows);
  }

  /** OpenSeadragon's unit is the width of the image, for heights too. */
  override getTileAtPoint(level: number, point: Bounded): OpenSeadragon.Tile {
    const { column, row } = tileAt(this.level(level), point.x, point.y * this.aspectRatio);
    // Typed as a Tile by OpenSeadragon, which makes and reads a Point.
    return new OpenSeadragon.Point(column, row) as unknown as OpenSeadragon.Tile;
  }

  override getTileBounds(
    level: number,
    column: number,
    row: number,
    isSource?: boolean,
  ): OpenSeadragon.Rect {
    const box = (isSource === true ? cropOf : placeOf)(this.level(level), column, row);
    const tall = isSource === true ? 1 : 1 / this.aspectRatio;
    return new OpenSeadragon.Rect(box.x, box.y * tall, box.width, box.height * tall);
  }

  /** The key of the cache: unique in one viewer, whose layers all have paths of their own. */
  override getTileUrl(level: number, column: number, row: number): string {
    return this.pyramid.path(this.finestFirst(level), column, row);
  }

  override hasTransparency(): boolean {
    return this.pyramid.transparent;
  }

  override downloadTileStart(job: OpenSeadragon.ImageJob): void {
    const stop = new AbortController();
    job.userData = stop;
    this.underway.add(job);
    this.download(job, stop.signal)
      .catch((error: unknown) => {
        // What was given up has been ended by `downloadTileAbort`'s caller.
        if (!stop.signal.aborted) job.fail(wordsOf(error), null as unknown as XMLHttpRequest);
      })
      .finally(() => this.underway.delete(job));
  }

  override downloadTileAbort(job: OpenSeadragon.ImageJob): void {
    this.underway.delete(job);
    (job.userData as AbortController).abort();
  }

  /** End what is under way for a tile that OpenSeadragon waits for no longer. */
  letGo(tile: OpenSeadragon.Tile): void {
    for (const job of [...this.underway]) if (job.tile === tile) this.downloadTileAbort(job);
  }

  /**
   * Fetch and decode. Decoding is done here, not by OpenSeadragon, whose worker is made from a
   * blob that a strict content security policy forbids, and whose canvases are kept out of the
   * graphics processor.
   */
  private async download(job: OpenSeadragon.ImageJob, signal: AbortSignal): Promise<void> {
    const blob = await this.tiles.image(job.src, signal);
    const context = blob === null ? this.nothing() : await this.decoded(blob);
    if (signal.aborted) return;
    job.finish(context, null as unknown as XMLHttpRequest, "context2d");
  }

  private async decoded(blob: Blob): Promise<CanvasRenderingContext2D> {
    // The colours are those of the file: what is to be converted has been, by the feed.
    const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
    const context = canvasOf(bitmap.width, bitmap.height, this.pyramid.transparent);
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
    return context;
  }

  /** A tile that a sparse pyramid does not have: empty glass, or nothing on top of the slide. */
  private nothing(): CanvasRenderingContext2D {
    const context = canvasOf(1, 1, this.pyramid.transparent);
    if (!this.pyramid.transparent) {
      context.fillStyle = "#fff";
      context.fillRect(0, 0, 1, 1);
    }
    return context;
  }
}

/** A canvas for one tile; tiles that are recoloured are read back often. */
function canvasOf(width: number, height: number, readBack: boolean): CanvasRenderingContext2D {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { alpha: readBack, willReadFrequently: readBack });
  if (context === null) throw new Error("This browser gives no more canvases for tiles.");
  return context;
}
