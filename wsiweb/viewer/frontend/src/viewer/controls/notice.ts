/** One line at the foot of the slide for what went wrong or was done; said to screen readers. */

import { element } from "../dom.ts";

/** How long (ms) a notice stays. */
const STAY = 5000;

export class Notice {
  readonly element = element("div", { class: "wsiweb-notice", role: "status", hidden: true });
  private timer: ReturnType<typeof setTimeout> | undefined;

  say(words: string): void {
    this.element.textContent = words;
    this.element.hidden = false;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.clear(), STAY);
  }

  clear(): void {
    clearTimeout(this.timer);
    this.element.hidden = true;
  }
}
