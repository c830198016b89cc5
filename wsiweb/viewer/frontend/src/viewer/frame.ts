/** The frame of a viewer: its elements, theme and panel, without the slide. */

import { element } from "./dom.ts";
import type { Theme } from "./options.ts";
import { wordsOf } from "./words.ts";

/** Wider than this (CSS pixels) the panel stands beside the slide; else it is a sheet over it. */
const WIDE = 640;

export class Frame {
  readonly root = element("div", {
    class: "wsiweb-viewer",
    role: "group",
    // JupyterLab's keys (d d deletes a cell) are not meant while one looks at a slide.
    "data-lm-suppress-shortcuts": "true",
  });
  /** What holds the slide and what lies on it. */
  readonly ground = element("div", { class: "wsiweb-ground" });
  readonly slide = element("div", { class: "wsiweb-slide" });

  constructor(parent: HTMLElement, theme: Theme) {
    this.ground.append(this.slide);
    this.root.append(this.ground);
    if (theme !== "auto") this.root.dataset["wsiwebTheme"] = theme;
    parent.append(this.root);
  }

  get wide(): boolean {
    return this.root.clientWidth > WIDE;
  }

  setTheme(theme: Theme): void {
    if (theme === "auto") delete this.root.dataset["wsiwebTheme"];
    else this.root.dataset["wsiwebTheme"] = theme;
  }

  /** Resolves once the frame has a size: OpenSeadragon cannot begin in a hidden tab or cell. */
  sized(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const observer = new ResizeObserver(() => {
        if (this.slide.clientWidth === 0 || this.slide.clientHeight === 0) return;
        observer.disconnect();
        resolve();
      });
      observer.observe(this.slide);
      signal.addEventListener("abort", () => observer.disconnect());
    });
  }

  /** Say in the middle why there is no slide to see. */
  fail(error: unknown): void {
    this.root.removeAttribute("aria-busy");
    const words = `This slide could not be opened: ${wordsOf(error)}`;
    this.ground.append(element("p", { class: "wsiweb-failure", role: "alert" }, words));
  }

  async fullscreen(): Promise<void> {
    if (document.fullscreenElement === this.root) await document.exitFullscreen();
    else await this.root.requestFullscreen();
  }
}
