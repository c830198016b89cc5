/** Asks again for tiles that could not be had: archives stumble, and get up. */

import type OpenSeadragon from "openseadragon";

/** How long (ms) after each failure a tile is asked for again; the last holds from then on. */
const PAUSES = [2_000, 8_000, 30_000, 60_000] as const;

type Timer = ReturnType<typeof setTimeout>;

export class Retries {
  /** Tiles that failed and will be asked for again, and whose they are. */
  readonly waiting = new Map<OpenSeadragon.Tile, OpenSeadragon.TiledImage>();
  private readonly failures = new WeakMap<OpenSeadragon.Tile, number>();
  private readonly timers = new Map<OpenSeadragon.Tile, Timer>();

  /** `look` makes OpenSeadragon look again at what is in view and missing. */
  constructor(private readonly look: () => void) {}

  failed(tile: OpenSeadragon.Tile, image: OpenSeadragon.TiledImage): void {
    const before = this.failures.get(tile) ?? 0;
    this.failures.set(tile, before + 1);
    const pause = PAUSES[Math.min(before, PAUSES.length - 1)];
    clearTimeout(this.timers.get(tile));
    this.waiting.set(tile, image);
    const again = (): void => {
      this.drop(tile);
      // OpenSeadragon takes a tile that failed for one that does not exist.
      tile.exists = true;
      this.look();
    };
    this.timers.set(tile, setTimeout(again, pause));
  }

  /** An image is gone: its tiles are wanted no more. */
  forget(image: OpenSeadragon.TiledImage): void {
    for (const [tile, its] of [...this.waiting]) if (its === image) this.drop(tile);
  }

  destroy(): void {
    for (const tile of [...this.waiting.keys()]) this.drop(tile);
  }

  private drop(tile: OpenSeadragon.Tile): void {
    clearTimeout(this.timers.get(tile));
    this.timers.delete(tile);
    this.waiting.delete(tile);
  }
}
