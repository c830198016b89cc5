/** Magnification and coordinates: of the pointer, or of the middle while there is none. */

import { element } from "../dom.ts";
import { magnification } from "../units.ts";
import type { View } from "../view.ts";

export class Readout {
  readonly element: HTMLElement;
  private readonly times = element("span", { class: "wsiweb-readout-times" });
  private readonly place = element("span", { class: "wsiweb-readout-place" });

  constructor(private readonly objective: number | null) {
    this.element = element("div", { class: "wsiweb-readout" }, this.times, this.place);
  }

  /** `point` is in pixels of level 0. */
  update(view: View, point: { x: number; y: number }): void {
    const times =
      this.objective === null
        ? `1 : ${view.downsample.toFixed(1)}`
        : magnification(this.objective, view.downsample);
    const place = `x ${Math.round(point.x)}  y ${Math.round(point.y)}`;
    if (this.times.textContent !== times) this.times.textContent = times;
    if (this.place.textContent !== place) this.place.textContent = place;
  }
}
