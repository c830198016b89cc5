/** The ICC switch: colours as stored, or converted to what screens show. */

import { element } from "../dom.ts";
import type { SlideImages } from "../slideimages.ts";

export function colourSwitch(images: SlideImages): HTMLElement {
  const box = element("input", { type: "checkbox" });
  box.checked = images.colour === "srgb";
  box.addEventListener("change", () => void images.show(box.checked ? "srgb" : "source"));
  return element(
    "label",
    { class: "wsiweb-check" },
    box,
    element("span", {}, "Use the ICC profile"),
    element("span", { class: "wsiweb-quiet" }, "colours as the scanner describes them"),
  );
}
