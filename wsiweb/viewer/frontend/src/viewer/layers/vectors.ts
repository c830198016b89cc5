/**
 * The canvas over the slide on which shapes are drawn.
 *
 * A thousand outlines take about 20 ms, too long for each frame of a movement. So what was drawn
 * last is moved along as a picture, and drawn anew, crisply, once the view rests.
 */

import { settledFor } from "../signal.ts";
import type { Stage } from "../stage.ts";
import { type Box, boxOf, grown, holds, type View } from "../view.ts";
import type { Part } from "./layers.ts";
import type { Paths } from "./paths.ts";

export interface Drawing {
  readonly part: Part;
  readonly paths: Paths;
}

/** Up to so many shapes are drawn in each frame. */
const QUICK = 300;
/** How much is drawn around the view, as a share of it, to be moved into view as a picture. */
const AROUND = 0.25;
/** Rest (ms) after which shapes are drawn anew. */
const REST = 90;
/** While moving beyond what was drawn, draw anew no sooner than this (ms). */
const SELDOM = 250;

const LINE = 1.75;
const DOT = 7;

interface Snapshot {
  readonly canvas: HTMLCanvasElement;
  readonly box: Box;
  readonly at: number;
}

export class Vectors {
  readonly canvas = document.createElement("canvas");
  private readonly picture = document.createElement("canvas");
  private snapshot: Snapshot | null = null;
  private drawings: readonly Drawing[] = [];
  private readonly rest = settledFor(REST, () => this.redraw());
  private clean = true;

  constructor(private readonly stage: Stage) {
    this.canvas.className = "wsiweb-vectors";
    this.canvas.setAttribute("aria-hidden", "true");
    stage.osd.canvas.append(this.canvas);
  }

  /** Draw these from now on. */
  show(drawings: readonly Drawing[]): void {
    this.drawings = drawings;
    this.redraw();
  }

  /** Draw all anew, as after a change of colour. */
  redraw(): void {
    this.snapshot = null;
    this.frame(this.stage.view);
  }

  frame(view: View): void {
    if (this.drawings.length === 0 && this.clean) return;
    const context = this.ready(this.canvas, this.stage.screen.width, this.stage.screen.height);
    this.clean = this.drawings.length === 0;
    if (this.clean) return;
    const box = boxOf(view, this.stage.screen);
    const count = this.drawings.reduce((sum, { paths }) => sum + paths.count, 0);
    if (count <= QUICK) return this.draw(context, box, 1 / view.downsample);
    const snapshot = this.snapshotFor(box, view);
    const scale = devicePixelRatio / view.downsample;
    context.drawImage(
      snapshot.canvas,
      (snapshot.box.x - box.x) * scale,
      (snapshot.box.y - box.y) * scale,
      snapshot.box.width * scale,
      snapshot.box.height * scale,
    );
  }

  destroy(): void {
    this.rest.cancel();
    this.canvas.remove();
  }

  /** The picture of what is around a view, drawn anew where the one at hand will not do. */
  private snapshotFor(box: Box, view: View): Snapshot {
    const old = this.snapshot;
    if (old !== null) {
      const fits = holds(old.box, box) || performance.now() - old.at < SELDOM;
      if (fits && this.stage.moving()) {
        this.rest();
        return old;
      }
      if (holds(old.box, box) && sharp(old, view)) return old;
    }
    const around = grown(box, AROUND);
    const scale = 1 / view.downsample;
    const context = this.ready(this.picture, around.width * scale, around.height * scale);
    this.draw(context, around, scale);
    this.snapshot = { canvas: this.picture, box: around, at: performance.now() };
    return this.snapshot;
  }

  /** A canvas of a size in CSS pixels, cleared. */
  private ready(
    canvas: HTMLCanvasElement,
    width: number,
    height: number,
  ): CanvasRenderingContext2D {
    const wide = Math.round(width * devicePixelRatio);
    const high = Math.round(height * devicePixelRatio);
    if (canvas.width !== wide || canvas.height !== high) {
      canvas.width = wide;
      canvas.height = high;
    }
    const context = canvas.getContext("2d");
    if (context === null) throw new Error("This browser gives no canvas for shapes.");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, wide, high);
    return context;
  }

  /** Draw a box of the slide; `scale` is CSS pixels for a pixel of level 0. */
  private draw(context: CanvasRenderingContext2D, box: Box, scale: number): void {
    const real = scale * devicePixelRatio;
    context.lineJoin = "round";
    context.lineCap = "round";
    for (const { part, paths } of this.drawings) {
      const { x, y } = paths.origin;
      context.setTransform(real, 0, 0, real, (x - box.x) * real, (y - box.y) * real);
      context.strokeStyle = part.colour;
      context.fillStyle = part.colour;
      context.globalAlpha = part.layer.opacity * 0.15;
      context.fill(paths.areas);
      context.globalAlpha = part.layer.opacity;
      context.lineWidth = LINE / scale;
      context.stroke(paths.lines);
      context.lineWidth = DOT / scale;
      context.stroke(paths.dots);
    }
    context.globalAlpha = 1;
  }
}

/** Whether a picture was drawn at the scale of a view. */
function sharp(snapshot: Snapshot, view: View): boolean {
  const drawn = snapshot.box.width / (snapshot.canvas.width / devicePixelRatio);
  return Math.abs(drawn / view.downsample - 1) < 0.002;
}
