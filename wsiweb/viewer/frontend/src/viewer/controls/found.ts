/** What is at a point: asked of the visible layers, said in a card beside it. */

import { isAbort, type Source } from "../../source/source.ts";
import { element, iconButton } from "../dom.ts";
import type { Layers, Part } from "../layers/layers.ts";
import type { Stage } from "../stage.ts";
import { plain } from "../units.ts";
import { wordsOf } from "../words.ts";
import { icon } from "./icons.ts";

interface Measurement {
  readonly name: string;
  readonly value: number | string;
  readonly unit: string;
}

interface Thing {
  readonly index?: number | null;
  readonly name: string;
  readonly value?: number | string | null;
  readonly unit?: string;
  readonly measurements?: readonly Measurement[];
}

interface Found {
  readonly part: Part;
  readonly things: readonly Thing[];
  /** Why it could not be had; empty where it could. */
  readonly problem: string;
}

/** How near (CSS pixels) to a line a click counts. */
const NEAR = 5;
/** A card says so many things of each part. */
const MOST = 4;

export class FoundCard {
  readonly element = element("div", { class: "wsiweb-found", role: "status", hidden: true });
  /** The question under way, and whether it is that of a resting pointer. */
  private asking: AbortController | null = null;
  private askedQuietly = false;
  private at: { x: number; y: number } | null = null;
  private said: readonly Found[] = [];

  constructor(
    private readonly stage: Stage,
    private readonly source: Source,
    private readonly layers: Layers,
  ) {}

  get open(): boolean {
    return !this.element.hidden;
  }

  /**
   * Ask what is at a point of level 0; `quiet` (a pointer at rest) shows nothing for nothing.
   * False where there is nothing to say.
   */
  async show(point: { x: number; y: number }, quiet: boolean): Promise<boolean> {
    if (quiet && this.asking !== null && !this.askedQuietly) return true; // a click goes first
    this.giveUp();
    const asking = new AbortController();
    this.asking = asking;
    this.askedQuietly = quiet;
    const parts = this.layers.parts.filter((part) => part.shown);
    const found = await Promise.all(parts.map((part) => this.ask(part, point, asking.signal)));
    if (asking.signal.aborted) return true;
    this.asking = null;
    const there = found.filter(
      ({ part, things, problem }) =>
        part.shown && (things.length > 0 || (problem !== "" && !quiet)),
    );
    if (there.length === 0) {
      if (!quiet) this.hide();
      return false;
    }
    this.at = point;
    this.element.classList.toggle("wsiweb-found-quiet", quiet);
    this.say(there);
    return true;
  }

  /** Say no more of parts that are shown no more. */
  keepShown(): void {
    if (!this.open) return;
    const there = this.said.filter(({ part }) => part.shown);
    if (there.length === 0) this.hide();
    else if (there.length < this.said.length) this.say(there);
  }

  /** Give up what a resting pointer asked, and hide what it had brought up. */
  moved(): void {
    if (this.askedQuietly) this.giveUp();
    if (this.element.classList.contains("wsiweb-found-quiet")) this.hide();
  }

  hide(): void {
    this.giveUp();
    if (this.element.matches(":focus-within")) this.stage.osd.canvas.focus({ preventScroll: true });
    this.element.hidden = true;
    this.at = null;
    this.said = [];
  }

  /** Stay beside the point as the slide moves. */
  follow(): void {
    if (this.at === null) return;
    const { view, screen } = this.stage;
    const x = (this.at.x - view.x) / view.downsample + screen.width / 2;
    const y = (this.at.y - view.y) / view.downsample + screen.height / 2;
    const left = Math.min(x + 14, screen.width - this.element.offsetWidth - 8);
    const top = Math.min(y + 14, screen.height - this.element.offsetHeight - 8);
    this.element.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
    this.element.style.visibility =
      x < 0 || y < 0 || x > screen.width || y > screen.height ? "hidden" : "";
  }

  private giveUp(): void {
    this.asking?.abort();
    this.asking = null;
  }

  private say(there: readonly Found[]): void {
    this.said = there;
    this.element.replaceChildren(
      iconButton("Close", icon("close"), () => this.hide()),
      ...there.map(sectionOf),
    );
    this.element.hidden = false;
    this.follow();
  }

  private async ask(
    part: Part,
    point: { x: number; y: number },
    signal: AbortSignal,
  ): Promise<Found> {
    const within = (NEAR * this.stage.view.downsample).toFixed(1);
    const path = `${part.path}/at/${point.x.toFixed(1)},${point.y.toFixed(1)}?within=${within}`;
    try {
      const things = await this.source.json<readonly Thing[]>(path, signal);
      return { part, things, problem: "" };
    } catch (error) {
      const problem = isAbort(error) ? "" : `What is here could not be had: ${wordsOf(error)}`;
      return { part, things: [], problem };
    }
  }
}

function sectionOf({ part, things, problem }: Found): HTMLElement {
  const shown = things.slice(0, MOST).map((thing) => linesOf(part, thing));
  const rest = things.length - shown.length;
  const dot = element("span", { class: "wsiweb-dot", "aria-hidden": "true" });
  if (part.layer.map === null) dot.style.background = part.colour;
  return element(
    "section",
    {},
    element("h4", {}, part.layer.map === null ? dot : null, part.description.name),
    element("p", { class: "wsiweb-quiet" }, part.layer.description.title),
    problem === "" ? null : element("p", {}, problem),
    ...shown,
    rest > 0 ? element("p", { class: "wsiweb-quiet" }, `and ${rest} more`) : null,
  );
}

function linesOf(part: Part, thing: Thing): HTMLElement {
  const list = element("dl", { class: "wsiweb-facts" });
  const named = thing.name !== "" && thing.name !== part.description.name;
  const counted = part.layer.description.shapes && typeof thing.index === "number";
  const title = [named ? thing.name : "", counted ? `no. ${(thing.index ?? 0) + 1}` : ""];
  const words = title.filter((word) => word !== "").join(" ");
  if (words !== "") list.append(element("dt", {}, "Item"), element("dd", {}, words));
  if (thing.value !== undefined && thing.value !== null) {
    list.append(
      element("dt", {}, "Value"),
      element("dd", {}, valueOf(thing.value, thing.unit ?? "")),
    );
  }
  for (const { name, value, unit } of thing.measurements ?? []) {
    list.append(element("dt", {}, name), element("dd", {}, valueOf(value, unit)));
  }
  return list;
}

function valueOf(value: number | string, unit: string): string {
  const number = typeof value === "number" ? plain(value) : value;
  return unit === "1" ? number : `${number} ${unit}`.trim();
}
