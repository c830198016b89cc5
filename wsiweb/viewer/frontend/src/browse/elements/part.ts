/**
 * What all elements of the pages are.
 *
 * They draw into the page itself, not into shadow trees: one style sheet serves them all, which a
 * strict content security policy allows, and labels may point from one element into another.
 * Whatever comes from an archive goes through Lit's templates as text.
 */

import { LitElement } from "lit";

export class Part extends LitElement {
  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  /** Tell the parts around this one. */
  protected tell(name: string, detail?: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
  }
}
