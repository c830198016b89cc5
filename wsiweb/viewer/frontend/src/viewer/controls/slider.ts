/** A labelled slider that says its value in words. */

import { element, freshId } from "../dom.ts";

export interface SliderOptions {
  readonly name: string;
  /** Whose slider it is, for those who hear it. */
  readonly of: string;
  readonly value: number;
  /** A share (0 to 1) as people read it. */
  words(share: number): string;
  change(share: number): void;
}

const STEPS = 100;

export function slider(options: SliderOptions): HTMLElement {
  const id = freshId("slider");
  const input = element("input", {
    id,
    type: "range",
    min: "0",
    max: String(STEPS),
    step: "1",
    value: String(Math.round(options.value * STEPS)),
    "aria-label": `${options.name} of ${options.of}`,
  });
  const shown = element("output", { for: id });
  const say = (): void => {
    const words = options.words(input.valueAsNumber / STEPS);
    shown.textContent = words;
    input.setAttribute("aria-valuetext", words);
  };
  say();
  input.addEventListener("input", () => {
    say();
    options.change(input.valueAsNumber / STEPS);
  });
  return element(
    "div",
    { class: "wsiweb-slider" },
    element("label", { for: id }, options.name),
    input,
    shown,
  );
}
