/** One layer in the panel: switched, faded, cut at a threshold; its parts switched one by one. */

import { element } from "../dom.ts";
import { COLOUR_MAPS, type ColourMapName } from "../layers/colours.ts";
import type { Layer, Layers, Part } from "../layers/layers.ts";
import { plain } from "../units.ts";
import { Legend, unitOf } from "./legend.ts";
import { slider } from "./slider.ts";

const KINDS = {
  segmentation: "Segmentation",
  annotations: "Annotations",
  heatmap: "Heat map",
  report: "Report",
} as const;

/** With more parts than this the list is folded at first. */
const MANY = 8;

export class LayerCard {
  readonly element: HTMLElement;
  private readonly box: HTMLInputElement;
  private readonly parts: readonly { part: Part; box: HTMLInputElement; row: HTMLElement }[];
  private readonly legend: Legend | null;

  constructor(
    private readonly layers: Layers,
    private readonly layer: Layer,
  ) {
    const { title, kind } = layer.description;
    const name = title === "" ? KINDS[kind] : title;
    this.box = checkbox((on) => layers.show(layer, on));
    this.parts = layer.parts.map((part) => this.row(part));
    this.legend = layer.map === null ? null : new Legend(layer);
    this.element = element(
      "div", // no landmark: layers may have the same name
      {
        class: "wsiweb-layer",
        role: "group",
        "aria-label": name,
        "data-layer": layer.description.id,
      },
      element(
        "label",
        { class: "wsiweb-check wsiweb-layer-head" },
        this.box,
        element("span", { class: "wsiweb-layer-title" }, name),
        element("span", { class: "wsiweb-quiet" }, madeBy(layer)),
      ),
      ...this.body(name),
    );
    this.box.disabled = layer.description.problem !== "";
    this.update();
  }

  update(): void {
    this.box.checked = this.layer.visible;
    this.element.classList.toggle("wsiweb-off", !this.layer.shown);
    for (const { part, box, row } of this.parts) {
      box.checked = part.visible;
      row.classList.toggle("wsiweb-off", !part.visible);
    }
    this.legend?.update();
  }

  private body(name: string): HTMLElement[] {
    const { problem } = this.layer.description;
    if (problem !== "") return [element("p", { class: "wsiweb-problem" }, problem)];
    return [
      this.partList(name),
      element("div", { class: "wsiweb-layer-set" }, ...this.settings(name)),
    ];
  }

  private row(part: Part): { part: Part; box: HTMLInputElement; row: HTMLElement } {
    const { name, count } = part.description;
    const box = checkbox((on) => this.layers.show(part, on));
    const label = element(
      "label",
      { class: "wsiweb-check" },
      box,
      element("span", { class: "wsiweb-part-name" }, name),
    );
    const counted = count === null ? null : count.toLocaleString("en");
    const row = element(
      "li",
      { class: "wsiweb-part", "data-part": part.description.id },
      this.layer.map === null ? this.swatch(part) : null,
      label,
      counted === null ? null : element("span", { class: "wsiweb-count" }, counted),
    );
    return { part, box, row };
  }

  private swatch(part: Part): HTMLElement {
    const input = element("input", {
      type: "color",
      class: "wsiweb-swatch",
      value: part.colour,
      "aria-label": `Colour of ${part.description.name}`,
    });
    input.addEventListener("input", () => this.layers.colour(part, input.value));
    return input;
  }

  private partList(name: string): HTMLElement {
    const list = element("ul", { class: "wsiweb-parts" }, ...this.parts.map(({ row }) => row));
    if (this.parts.length <= MANY) return list;
    const summary = element("summary", {}, `${this.parts.length} parts of ${name}`);
    return element("details", { class: "wsiweb-fold" }, summary, list);
  }

  private settings(name: string): HTMLElement[] {
    const { layer, layers } = this;
    const made = [
      slider({
        name: "Opacity",
        of: name,
        value: layer.opacity,
        words: (share) => `${Math.round(share * 100)} %`,
        change: (share) => layers.fade(layer, share),
      }),
    ];
    if (layer.graded) made.push(this.threshold(name));
    if (this.legend !== null) made.push(this.mapChoice(name), this.legend.element);
    return made;
  }

  private threshold(name: string): HTMLElement {
    const { layer, layers } = this;
    const [low, high] = layer.range;
    return slider({
      name: "Threshold",
      of: name,
      value: layer.threshold,
      words: (share) =>
        share === 0 ? "all" : `≥ ${plain(low + share * (high - low))} ${unitOf(layer)}`.trim(),
      change: (share) => layers.cut(layer, share),
    });
  }

  private mapChoice(name: string): HTMLElement {
    const choices = COLOUR_MAPS.map((map) =>
      element("option", { value: map, selected: map === this.layer.map }, map),
    );
    const select = element("select", { "aria-label": `Colours of ${name}` }, ...choices);
    select.addEventListener("change", () =>
      this.layers.remap(this.layer, select.value as ColourMapName),
    );
    return element("div", { class: "wsiweb-slider" }, element("span", {}, "Colours"), select);
  }
}

function checkbox(change: (on: boolean) => void): HTMLInputElement {
  const box = element("input", { type: "checkbox" });
  box.addEventListener("change", () => change(box.checked));
  return box;
}

/** What kind of thing it is, by whom, and when, as far as it says. */
function madeBy(layer: Layer): string {
  const { kind, title, creator, created } = layer.description;
  const day = created.slice(0, "2026-12-31".length);
  const words = [title === "" ? "" : KINDS[kind], creator, day];
  return words.filter((word) => word !== "").join(" · ");
}
