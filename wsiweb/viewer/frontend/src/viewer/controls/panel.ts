/** The panel beside the slide, a sheet over it on narrow screens: layers, colour, label, slide. */

import { element, freshId, iconButton, textButton } from "../dom.ts";
import { icon } from "./icons.ts";

export interface PanelActs {
  close(): void;
  tags(): void;
  /** null where there is no link to copy. */
  link: (() => void) | null;
  python(): void;
}

export class Panel {
  readonly element: HTMLElement;
  private readonly body = element("div", { class: "wsiweb-panel-body" });

  constructor(title: string, acts: PanelActs) {
    const heading = freshId("panel");
    const buttons = [textButton("Tags", acts.tags)];
    if (acts.link !== null) buttons.push(textButton("Copy link", acts.link));
    buttons.push(textButton("Copy Python", acts.python));
    this.element = element(
      "aside",
      { class: "wsiweb-panel", "aria-labelledby": heading },
      element(
        "header",
        { class: "wsiweb-panel-head" },
        element("h2", { id: heading, title }, title),
        iconButton("Close panel", icon("close"), acts.close, "p"),
      ),
      this.body,
      element("footer", { class: "wsiweb-panel-foot" }, ...buttons),
    );
  }

  /** Put a section under a heading. */
  section(title: string, content: HTMLElement): void {
    const heading = freshId("section");
    this.body.append(
      element(
        "section",
        { class: "wsiweb-section", "aria-labelledby": heading },
        element("h3", { id: heading }, title),
        content,
      ),
    );
  }
}
