/**
 * One part that is shapes: drawn crisply while few are in view, as tiles while they are many.
 *
 * The feed is asked for the shapes around the view once it rests; when it says that there are
 * too many, its coverage tiles are shown instead.
 */

import { isAbort, type Source } from "../../source/source.ts";
import { type Box, common, grown, holds, type Size } from "../view.ts";
import { shapesOf } from "./decode.ts";
import type { Part } from "./layers.ts";
import { type Paths, pathsOf } from "./paths.ts";

/** How far around the view is asked for, as a share of it: panning a little asks nothing. */
const AROUND = 0.5;

export class ShapesPart {
  /** What is to be drawn; null while coverage tiles are shown. */
  paths: Paths | null = null;
  /** Whether there are too many shapes in view to draw them here. */
  crowded = false;
  private known: Box | null = null;
  private crowd: Box | null = null;
  /** What is to be seen now, and what was asked for and is on its way. */
  private wanted: Box | null = null;
  private coming: Box | null = null;
  private asking: AbortController | null = null;

  constructor(
    readonly part: Part,
    private readonly source: Source,
    private readonly slide: Size,
    private readonly changed: () => void,
  ) {}

  /** Learn what is to be drawn for a view; `most` shapes can be. */
  async see(seen: Box, most: number): Promise<void> {
    const whole = { x: 0, y: 0, ...{ width: this.slide.width, height: this.slide.height } };
    const few = this.part.description.count !== null && this.part.description.count <= most;
    const view = few ? whole : common(seen, whole);
    if (view === null || (this.known !== null && holds(this.known, view))) return;
    this.wanted = view;
    // Each tile that arrives is a frame, and each frame leads here.
    if (this.coming !== null && holds(this.coming, view)) return;
    this.asking?.abort();
    const asking = new AbortController();
    this.asking = asking;
    const around = common(grown(view, AROUND), whole) ?? view;
    try {
      if (!(await this.ask(around, most, asking.signal))) {
        // The view may have moved meanwhile, within what was on its way.
        await this.ask(this.wanted, most, asking.signal);
      }
      this.changed();
    } catch (error) {
      if (!isAbort(error)) throw error;
    } finally {
      if (this.asking === asking) this.coming = null;
    }
  }

  destroy(): void {
    this.asking?.abort();
  }

  /** Whether the shapes of a box could be had; they, or that they are too many, are noted. */
  private async ask(box: Box, most: number, signal: AbortSignal): Promise<boolean> {
    if (this.crowd !== null && holds(box, this.crowd)) {
      this.crowded = true;
      this.known = null;
      return false;
    }
    this.coming = box;
    const place = [box.x, box.y, box.width, box.height].map((value) => value.toFixed(1)).join(",");
    const bytes = await this.source.bytes(`${this.part.path}/shapes/${place}?most=${most}`, signal);
    const shapes = shapesOf(bytes);
    this.crowded = shapes === null;
    this.known = shapes === null ? null : box;
    if (shapes === null) {
      this.crowd = box;
      return false;
    }
    this.paths = pathsOf(shapes, { x: box.x, y: box.y });
    return true;
  }
}
