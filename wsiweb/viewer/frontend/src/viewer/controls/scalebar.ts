/** The scale bar: a round length of about a hundred pixels, in µm or mm. */

import { element } from "../dom.ts";
import { length, plain, roundLength } from "../units.ts";
import type { View } from "../view.ts";

/** The bar is no longer than this, in CSS pixels. */
const LONGEST = 140;

export class ScaleBar {
  readonly element: HTMLElement;
  private readonly bar = element("div", { class: "wsiweb-scale-line" });
  private readonly text = element("div", { class: "wsiweb-scale-text" });

  /** `mpp` is the width of a pixel of level 0; null counts in pixels instead. */
  constructor(private readonly mpp: number | null) {
    this.element = element("div", { class: "wsiweb-scale", role: "img" }, this.text, this.bar);
  }

  update(view: View): void {
    const unit = (this.mpp ?? 1) * view.downsample;
    const shown = roundLength(LONGEST * unit);
    const text = this.mpp === null ? `${plain(shown)} px` : length(shown);
    const width = `${(shown / unit).toFixed(1)}px`;
    if (this.bar.style.width !== width) this.bar.style.width = width;
    if (this.text.textContent === text) return;
    this.text.textContent = text;
    this.element.setAttribute("aria-label", `Scale bar: ${text}`);
  }
}
