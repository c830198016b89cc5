/**
 * What lies over a slide, as a model: layers and their parts, and how each is shown.
 *
 * It knows nothing of pixels or of buttons; `raster.ts` and `shapes.ts` show it, the panel
 * changes it, and both learn of changes by `changed`.
 */

import type { LayerDescription, PartDescription } from "../manifest.ts";
import { Signal } from "../signal.ts";
import type { ColourMapName, Look } from "./colours.ts";

/** What became different: what is to be seen at all, how strongly, or in which colours. */
export type Change = "added" | "visible" | "opacity" | "look";

export class Part {
  visible = true;
  colour: string;

  constructor(
    readonly layer: Layer,
    readonly description: PartDescription,
  ) {
    this.colour = description.color;
  }

  get shown(): boolean {
    return this.visible && this.layer.shown;
  }

  /** The path under which the feed has this part. */
  get path(): string {
    return ["layers", this.layer.description.id, this.description.id]
      .map(encodeURIComponent)
      .join("/");
  }

  get look(): Look {
    const { map, threshold, description } = this.layer;
    const fractional = description.raster?.fractional ?? false;
    return { colour: this.colour, map, threshold, fractional };
  }
}

export class Layer {
  readonly parts: readonly Part[];
  visible = true;
  opacity: number;
  /** As a share (0 to 1) of the range of its values. */
  threshold = 0;
  map: ColourMapName | null;

  constructor(
    private readonly all: Layers,
    readonly description: LayerDescription,
  ) {
    this.parts = description.parts.map((part) => new Part(this, part));
    this.opacity = description.raster === null ? 0.9 : 0.5;
    this.map = description.kind === "heatmap" ? "viridis" : null;
  }

  get shown(): boolean {
    return this.visible && this.all.visible;
  }

  /** Whether its values are more than yes and no, so that a threshold means something. */
  get graded(): boolean {
    return this.description.raster?.fractional === true || this.map !== null;
  }

  /** What the values 0 and 255 of its tiles stand for. */
  get range(): readonly [number, number] {
    return this.description.raster?.range ?? [0, 1];
  }
}

export class Layers {
  /** Whether any layer is shown: the key `o`. */
  visible: boolean;
  /** Whether the feed has said all of them. */
  complete = false;
  readonly changed = new Signal<Change>();
  private list: Layer[] = [];

  constructor(visible: boolean) {
    this.visible = visible;
  }

  get all(): readonly Layer[] {
    return this.list;
  }

  get parts(): readonly Part[] {
    return this.list.flatMap((layer) => layer.parts);
  }

  /** The layer with an id; undefined where there is none. */
  find(id: string): Layer | undefined {
    return this.list.find((layer) => layer.description.id === id);
  }

  /**
   * Take in what the feed describes; layers that are here already keep how they are shown. What
   * could not be read before may be here now.
   */
  take(descriptions: readonly LayerDescription[], complete: boolean): void {
    this.list = this.list.filter(({ description }) => description.problem === "");
    const unknown = descriptions.filter(({ id }) => this.find(id) === undefined);
    this.list = [...this.list, ...unknown.map((each) => new Layer(this, each))];
    this.complete = complete;
    this.changed.send("added");
  }

  show(what: Layers | Layer | Part, visible: boolean): void {
    what.visible = visible;
    this.changed.send("visible");
  }

  fade(layer: Layer, opacity: number): void {
    layer.opacity = opacity;
    this.changed.send("opacity");
  }

  cut(layer: Layer, threshold: number): void {
    layer.threshold = threshold;
    this.changed.send("look");
  }

  colour(part: Part, colour: string): void {
    part.colour = colour;
    this.changed.send("look");
  }

  remap(layer: Layer, map: ColourMapName): void {
    layer.map = map;
    this.changed.send("look");
  }
}
