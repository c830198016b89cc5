/** The label of the slide and the picture of the whole glass; a press enlarges them. */

import { isAbort, type Source } from "../../source/source.ts";
import { element } from "../dom.ts";
import { openDialog } from "./dialog.ts";

/** A button that shows a picture of the feed and opens it large. */
export class AssociatedImage {
  readonly element: HTMLElement;
  private address: string | null = null;

  constructor(
    private readonly root: HTMLElement,
    private readonly path: "label" | "overview",
    private readonly name: string,
  ) {
    this.element = element("button", {
      type: "button",
      class: `wsiweb-associated wsiweb-associated-${path}`,
      "aria-label": `Enlarge: ${name}`,
      title: name,
    });
    this.element.addEventListener("click", () => this.enlarge());
  }

  async load(source: Source, signal: AbortSignal): Promise<void> {
    try {
      const blob = await source.image(this.path, signal);
      if (blob === null) throw new Error("there is none");
      this.address = URL.createObjectURL(blob);
      this.element.replaceChildren(element("img", { src: this.address, alt: this.name }));
    } catch (error) {
      if (isAbort(error)) return;
      this.element.replaceChildren(element("span", { class: "wsiweb-quiet" }, "could not be had"));
      this.element.setAttribute("disabled", "");
    }
  }

  destroy(): void {
    if (this.address !== null) URL.revokeObjectURL(this.address);
  }

  private enlarge(): void {
    if (this.address === null) return;
    const picture = element("img", { src: this.address, alt: this.name, class: "wsiweb-large" });
    openDialog(this.root, this.name, picture);
  }
}
