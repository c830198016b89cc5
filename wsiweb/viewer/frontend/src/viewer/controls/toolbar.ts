/** The buttons at the left: zoom, whole slide, one to one, full screen, panel, help. */

import { element, iconButton } from "../dom.ts";
import { icon } from "./icons.ts";

export interface ToolbarActs {
  zoomIn(): void;
  zoomOut(): void;
  home(): void;
  oneToOne(): void;
  fullscreen(): void;
  goTo(): void;
  panel(): void;
  help(): void;
}

export class Toolbar {
  readonly element: HTMLElement;
  private readonly panel: HTMLButtonElement;

  constructor(acts: ToolbarActs) {
    this.panel = iconButton("Layers and slide", icon("layers"), acts.panel, "p");
    this.element = element(
      "div",
      {
        class: "wsiweb-toolbar",
        role: "toolbar",
        "aria-label": "View",
        "aria-orientation": "vertical",
      },
      group(
        iconButton("Zoom in", icon("plus"), acts.zoomIn, "+"),
        iconButton("Zoom out", icon("minus"), acts.zoomOut, "-"),
      ),
      group(
        iconButton("Whole slide", icon("home"), acts.home, "0"),
        iconButton("One to one", icon("oneToOne"), acts.oneToOne, "1"),
        iconButton("Go to a place", icon("goTo"), acts.goTo, "g"),
        iconButton("Full screen", icon("fullscreen"), acts.fullscreen, "f"),
      ),
      group(this.panel, iconButton("Help", icon("help"), acts.help, "?")),
    );
  }

  /** Give the focus to the button that opens the panel. */
  focusPanel(): void {
    this.panel.focus({ preventScroll: true });
  }

  /** Say whether the panel is open. */
  pressed(open: boolean): void {
    this.panel.setAttribute("aria-pressed", String(open));
  }
}

function group(...buttons: HTMLElement[]): HTMLElement {
  return element("div", { class: "wsiweb-group" }, ...buttons);
}
