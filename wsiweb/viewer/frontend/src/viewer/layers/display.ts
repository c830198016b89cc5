/** Keeps what is on the stage as the model of the layers says. */

import { isAbort, type Source } from "../../source/source.ts";
import type { Manifest } from "../manifest.ts";
import { settledFor } from "../signal.ts";
import type { Stage } from "../stage.ts";
import { wordsOf } from "../words.ts";
import type { Change, Layers, Part } from "./layers.ts";
import { coverageOf, Painter, RasterPart, rasterOf } from "./raster.ts";
import { ShapesPart } from "./shapes.ts";
import { type Drawing, Vectors } from "./vectors.ts";

/** So many shapes in view are drawn as shapes; more as tiles. All parts together. */
const MOST = 3000;
/** A part gets to draw at least so many, however many parts there are. */
const LEAST = 200;
/** Rest (ms) of the view after which shapes are asked for. */
const REST = 120;
/** The rank of the first layer: above all images of the slide. */
const FIRST = 1000;

interface Shown {
  readonly part: Part;
  /** The part's own tiles; or, for shapes, their coverage. */
  readonly raster: RasterPart | null;
  readonly shapes: ShapesPart | null;
}

export class LayerDisplay {
  private readonly painter: Painter;
  private readonly vectors: Vectors;
  private readonly shown = new Map<Part, Shown>();
  private readonly look = settledFor(REST, () => this.ask());
  private readonly stop: readonly (() => void)[];

  constructor(
    private readonly stage: Stage,
    private readonly slide: Manifest,
    private readonly source: Source,
    private readonly layers: Layers,
    private readonly failed: (words: string) => void,
  ) {
    this.painter = new Painter(stage);
    this.vectors = new Vectors(stage);
    this.stop = [
      layers.changed.on((change) => this.update(change)),
      stage.frame.on((view) => {
        this.vectors.frame(view);
        this.look();
      }),
    ];
    this.update("added");
  }

  destroy(): void {
    for (const stop of this.stop) stop();
    this.look.cancel();
    this.vectors.destroy();
    for (const { raster, shapes } of this.shown.values()) {
      raster?.destroy();
      shapes?.destroy();
    }
  }

  private update(change: Change): void {
    if (change === "added") this.addParts();
    for (const { part, raster, shapes } of this.shown.values()) {
      raster?.update(part.shown && (shapes === null || shapes.crowded));
    }
    this.vectors.show(this.drawings());
    if (change === "added" || change === "visible") this.look();
  }

  private addParts(): void {
    this.layers.parts.forEach((part, index) => {
      if (!this.shown.has(part)) this.shown.set(part, this.made(part, FIRST + index));
    });
  }

  private made(part: Part, rank: number): Shown {
    const isShapes = part.layer.description.shapes;
    const tiles = isShapes ? coverageOf(part, this.slide) : rasterOf(part);
    const raster =
      tiles && new RasterPart(this.stage, this.painter, part, tiles.pyramid, tiles.box, rank);
    const shapes = isShapes
      ? new ShapesPart(part, this.source, this.slide, () => this.update("look"))
      : null;
    return { part, raster, shapes };
  }

  private drawings(): Drawing[] {
    const found: Drawing[] = [];
    for (const { part, shapes } of this.shown.values()) {
      if (shapes === null || shapes.paths === null || shapes.crowded || !part.shown) continue;
      found.push({ part, paths: shapes.paths });
    }
    return found;
  }

  private ask(): void {
    const parts = [...this.shown.values()].filter(({ part, shapes }) => shapes && part.shown);
    const most = Math.max(Math.floor(MOST / Math.max(parts.length, 1)), LEAST);
    for (const { part, shapes } of parts) {
      shapes?.see(this.stage.seen, most).catch((error: unknown) => {
        if (!isAbort(error)) this.failed(`${part.description.name}: ${wordsOf(error)}`);
      });
    }
  }
}
