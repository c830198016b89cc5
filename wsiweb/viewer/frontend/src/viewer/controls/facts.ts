/** What the slide is, in a few lines: size, scale, magnification, container. */

import { element } from "../dom.ts";
import type { Manifest } from "../manifest.ts";
import { magnification, plain } from "../units.ts";

export function factsOf(slide: Manifest): HTMLElement {
  const list = element("dl", { class: "wsiweb-facts" });
  for (const [name, value] of rows(slide)) {
    if (value !== "") list.append(element("dt", {}, name), element("dd", {}, value));
  }
  return list;
}

function rows(slide: Manifest): [string, string][] {
  const { width, height, mpp, objective } = slide;
  const count = (value: number): string => value.toLocaleString("en");
  return [
    ["Patient", slide.patient],
    ["Container", slide.container],
    ["Description", slide.description],
    ["Size", `${count(width)} × ${count(height)} px`],
    [
      "Extent",
      mpp === null ? "" : `${millimetres(width * mpp[0])} × ${millimetres(height * mpp[1])} mm`,
    ],
    ["Pixel", mpp === null ? "" : `${plain(mpp[0])} µm`],
    ["Objective", objective === null ? "" : magnification(objective, 1)],
    ["Levels", String(slide.levels.length)],
  ];
}

function millimetres(micrometres: number): string {
  return plain(micrometres / 1000);
}
