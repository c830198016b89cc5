/** What the pointer does besides moving the slide: clicks and rests that ask what is there. */

import type OpenSeadragon from "openseadragon";
import { settledFor } from "./signal.ts";
import type { Stage } from "./stage.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface PointerActs {
  /** A click that was no double click and no drag, in pixels of level 0. */
  click(point: Point): void;
  /** The pointer rests, at a place in pixels of level 0. */
  rest(point: Point): void;
  /**
   * The pointer moves, to a place in CSS pixels of the slide's element: the slide may move under
   * it. null once it has left the slide.
   */
  move(point: Point | null): void;
}

/** Rest (ms) of the pointer that counts as a question. */
const REST = 450;

/** After a click, a second one within this (ms) makes it a double click: OpenSeadragon's number. */
const DOUBLE = 300;

/** Listen on the stage; what is returned ends it. */
export function watchPointer(stage: Stage, acts: PointerActs): () => void {
  const { canvas } = stage.osd;
  let last: Point | null = null;
  let clicked: Point = { x: 0, y: 0 };
  const rested = settledFor(REST, () => last !== null && acts.rest(stage.toSlide(last.x, last.y)));
  const single = settledFor(DOUBLE, () => acts.click(clicked));
  const move = (event: PointerEvent): void => {
    const box = canvas.getBoundingClientRect();
    last = { x: event.clientX - box.left, y: event.clientY - box.top };
    acts.move(last);
    if (event.pointerType === "mouse" && event.buttons === 0) rested();
    else rested.cancel();
  };
  const leave = (): void => {
    last = null;
    rested.cancel();
    acts.move(null);
  };
  const click = (event: OpenSeadragon.CanvasClickEvent): void => {
    rested.cancel();
    if (!event.quick) return;
    clicked = stage.toSlide(event.position.x, event.position.y);
    single();
  };
  canvas.addEventListener("pointermove", move);
  canvas.addEventListener("pointerleave", leave);
  stage.osd.addHandler("canvas-click", click);
  stage.osd.addHandler("canvas-double-click", () => single.cancel());
  return () => {
    rested.cancel();
    single.cancel();
    canvas.removeEventListener("pointermove", move);
    canvas.removeEventListener("pointerleave", leave);
  };
}

/** Let the wheel scroll the page, not the slide, until the viewer has the focus. */
export function wheelOnlyFocused(stage: Stage, root: HTMLElement): void {
  stage.osd.addHandler("canvas-scroll", (event) => {
    if (root.contains(document.activeElement) || document.fullscreenElement === root) return;
    event.preventDefaultAction = true;
    event.preventDefault = false;
  });
}
