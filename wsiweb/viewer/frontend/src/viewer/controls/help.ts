/** The keys, said in a dialog. */

import { element } from "../dom.ts";
import { openDialog } from "./dialog.ts";

const KEYS: readonly (readonly [string, string])[] = [
  ["← → ↑ ↓", "Move; with Shift a whole screen"],
  ["+  −", "Zoom in, zoom out"],
  ["0", "Whole slide"],
  ["1", "One to one: a pixel of the slide is a pixel of the screen"],
  ["g", "Go to a place by its coordinates"],
  ["o", "Hide or show all layers"],
  ["i", "Say what is in the middle of the view"],
  ["Esc", "Close what was said"],
  ["p", "Open or close the panel"],
  ["f", "Full screen"],
  ["?", "These keys"],
];

const POINTER =
  "Drag to move; wheel, two fingers or double click to zoom. A click says what is there.";

export function openHelp(root: HTMLElement): void {
  const rows = KEYS.map(([keys, act]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, element("kbd", {}, keys)),
      element("td", {}, act),
    ),
  );
  const body = element(
    "div",
    { class: "wsiweb-help" },
    element("table", {}, element("tbody", {}, ...rows)),
    element("p", {}, POINTER),
  );
  openDialog(root, "Keys", body);
}
