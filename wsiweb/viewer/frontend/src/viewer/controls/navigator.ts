/** The whole slide in small, with a frame around what is in view; a press or a drag goes there. */

import { isAbort, type Source } from "../../source/source.ts";
import { element } from "../dom.ts";
import type { Box, Size } from "../view.ts";

/** The longer side, in CSS pixels. */
const LONGER = 160;

export class Navigator {
  readonly element: HTMLElement;
  private readonly frame = element("div", { class: "wsiweb-navigator-frame" });
  private readonly scale: number;
  private readonly size: Size;
  private address: string | null = null;

  constructor(
    slide: Size,
    private readonly goto: (point: { x: number; y: number }) => void,
  ) {
    this.scale = LONGER / Math.max(slide.width, slide.height);
    this.size = { width: slide.width * this.scale, height: slide.height * this.scale };
    this.element = element(
      "div",
      { class: "wsiweb-navigator", role: "img", "aria-label": "Overview: where you are" },
      this.frame,
    );
    this.element.style.width = `${this.size.width}px`;
    this.element.style.height = `${this.size.height}px`;
    this.element.addEventListener("pointerdown", (event) => this.press(event));
    this.element.addEventListener("pointermove", (event) => this.drag(event));
  }

  /** Fetch the picture; without one the frame on empty ground still tells where one is. */
  async load(source: Source, signal: AbortSignal): Promise<void> {
    try {
      const blob = await source.image(`thumbnail/${2 * LONGER}`, signal);
      if (blob === null) return;
      this.address = URL.createObjectURL(blob);
      const picture = element("img", { src: this.address, alt: "", draggable: "false" });
      this.element.prepend(picture);
    } catch (error) {
      if (!isAbort(error)) console.debug("The overview could not be had:", error);
    }
  }

  update(seen: Box): void {
    const left = clamp(seen.x * this.scale, 0, this.size.width);
    const top = clamp(seen.y * this.scale, 0, this.size.height);
    const right = clamp((seen.x + seen.width) * this.scale, 0, this.size.width);
    const bottom = clamp((seen.y + seen.height) * this.scale, 0, this.size.height);
    const { style } = this.frame;
    style.transform = `translate(${left}px, ${top}px)`;
    style.width = `${Math.max(right - left, 4)}px`;
    style.height = `${Math.max(bottom - top, 4)}px`;
  }

  destroy(): void {
    if (this.address !== null) URL.revokeObjectURL(this.address);
  }

  private press(event: PointerEvent): void {
    this.element.setPointerCapture(event.pointerId);
    this.go(event);
  }

  private drag(event: PointerEvent): void {
    if (event.buttons !== 0 && this.element.hasPointerCapture(event.pointerId)) this.go(event);
  }

  private go(event: PointerEvent): void {
    event.preventDefault();
    const box = this.element.getBoundingClientRect();
    const x = (event.clientX - box.left) / this.scale;
    const y = (event.clientY - box.top) / this.scale;
    this.goto({ x, y });
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
