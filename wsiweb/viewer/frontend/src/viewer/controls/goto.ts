/** Going to a place by its coordinates. */

import { element, freshId } from "../dom.ts";
import { openDialog } from "./dialog.ts";

interface Point {
  readonly x: number;
  readonly y: number;
}

/** Read "12000, 8000" in its usual spellings; null where there are not two numbers. */
export function pointOf(text: string): Point | null {
  const numbers = text.match(/-?\d+(\.\d+)?/g);
  if (numbers === null || numbers.length !== 2) return null;
  const [x, y] = numbers.map(Number);
  return x === undefined || y === undefined ? null : { x, y };
}

export function openGoTo(root: HTMLElement, now: Point, go: (point: Point) => void): void {
  const [input, message] = [freshId("place"), freshId("message")];
  const field = element("input", {
    id: input,
    type: "text",
    inputmode: "numeric",
    autocomplete: "off",
    "aria-describedby": message,
    value: `${Math.round(now.x)}, ${Math.round(now.y)}`,
  });
  const told = element("p", { id: message, class: "wsiweb-quiet", role: "status" });
  told.textContent = "x, y in pixels of the finest level.";
  const form = element(
    "form",
    { class: "wsiweb-form" },
    element("label", { for: input }, "Place"),
    field,
    told,
    element("button", { type: "submit", class: "wsiweb-primary" }, "Go"),
  );
  const dialog = openDialog(root, "Go to a place", form);
  field.select();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const point = pointOf(field.value);
    if (point === null) {
      told.textContent = "Two numbers are wanted, such as 12000, 8000.";
      field.setAttribute("aria-invalid", "true");
      return;
    }
    dialog.close();
    go(point);
  });
}
