/** The colour bar of a heat map, with its range, its unit and where the threshold cuts. */

import { element } from "../dom.ts";
import { lowestShown, mapped } from "../layers/colours.ts";
import type { Layer } from "../layers/layers.ts";
import { plain } from "../units.ts";

const STEPS = 64;

export class Legend {
  readonly element: HTMLElement;
  private readonly bar = element("canvas", { class: "wsiweb-legend-bar", role: "img" });
  private drawn = "";

  constructor(private readonly layer: Layer) {
    const [low, high] = layer.range;
    const unit = unitOf(layer);
    this.bar.width = STEPS;
    this.bar.height = 1;
    this.element = element(
      "div",
      { class: "wsiweb-legend" },
      this.bar,
      element(
        "div",
        { class: "wsiweb-legend-ends", "aria-hidden": "true" },
        element("span", {}, plain(low)),
        element("span", {}, unit),
        element("span", {}, plain(high)),
      ),
    );
    this.bar.setAttribute(
      "aria-label",
      `Colours from ${plain(low)} to ${plain(high)} ${unit}`.trim(),
    );
    this.update();
  }

  update(): void {
    const { map, threshold } = this.layer;
    const key = `${map} ${threshold}`;
    const context = this.bar.getContext("2d");
    if (key === this.drawn || map === null || context === null) return;
    this.drawn = key;
    context.clearRect(0, 0, STEPS, 1);
    for (let step = 0; step < STEPS; step++) {
      const share = step / (STEPS - 1);
      if (Math.round(share * 255) < lowestShown(threshold)) continue;
      context.fillStyle = `rgb(${mapped(map, share).join(" ")})`;
      context.fillRect(step, 0, 1, 1);
    }
  }
}

/** A unit as people read it; UCUM's "1" (no unit) is left out. */
export function unitOf(layer: Layer): string {
  const unit = layer.description.raster?.unit ?? "";
  return unit === "1" || unit === "no units" ? "" : unit;
}
