/** All layers in the panel, and the one switch for all of them. */

import { element } from "../dom.ts";
import type { Layer, Layers } from "../layers/layers.ts";
import { LayerCard } from "./layercard.ts";

export class LayerList {
  readonly element: HTMLElement;
  private readonly all = element("input", { type: "checkbox" });
  private readonly switch: HTMLElement;
  private readonly state = element("p", { class: "wsiweb-quiet", role: "status" });
  private readonly cards = new Map<Layer, LayerCard>();
  private readonly list = element("div", { class: "wsiweb-layers" });
  private problem: string | null = null;

  constructor(private readonly layers: Layers) {
    this.all.addEventListener("change", () => layers.show(layers, this.all.checked));
    this.switch = element("label", { class: "wsiweb-check" }, this.all, "Show layers");
    this.element = element("div", {}, this.switch, this.state, this.list);
    layers.changed.on(() => this.update());
    this.update();
  }

  /** Say why layers could not be had. */
  failed(words: string): void {
    this.problem = words;
    this.update();
  }

  private update(): void {
    for (const layer of this.layers.all) {
      if (this.cards.has(layer)) continue;
      const card = new LayerCard(this.layers, layer);
      this.cards.set(layer, card);
      this.list.append(card.element);
    }
    for (const card of this.cards.values()) card.update();
    this.all.checked = this.layers.visible;
    this.switch.hidden = this.cards.size === 0;
    this.state.textContent = this.words();
    this.state.hidden = this.state.textContent === "";
  }

  private words(): string {
    if (this.problem !== null) return `Layers could not be had: ${this.problem}`;
    if (!this.layers.complete) return "Looking for layers …";
    return this.cards.size === 0 ? "Nothing has been stored about this slide." : "";
  }
}
