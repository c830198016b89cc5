/** A button that opens a menu of acts; keys as the ARIA practices for menus have them. */

import { html, nothing, type TemplateResult } from "lit";

import { icon, type Icon } from "./icons.ts";
import { Part } from "./part.ts";

export interface MenuItem {
  words: string;
  icon: Icon;
  act: () => void;
  /** Whether it takes something away. */
  danger?: boolean;
}

let made = 0;

export class Menu extends Part {
  static override properties = {
    label: { type: String },
    items: { attribute: false },
  };

  /** The name of the button. */
  declare label: string;
  declare items: readonly MenuItem[];
  readonly #id = `menu-${++made}`;

  constructor() {
    super();
    this.label = "More";
    this.items = [];
  }

  protected override render(): TemplateResult {
    if (this.items.length === 0) return html`${nothing}`;
    return html`
      <button
        type="button"
        class="quiet square"
        aria-haspopup="menu"
        aria-label=${this.label}
        title=${this.label}
        popovertarget=${this.#id}
      >
        ${icon("more")}
      </button>
      <div
        id=${this.#id}
        class="menu"
        role="menu"
        aria-label=${this.label}
        popover="auto"
        @toggle=${this.#toggled}
        @keydown=${this.#pressed}
      >
        ${this.items.map(
          (item) => html`<button
            type="button"
            role="menuitem"
            tabindex="-1"
            class=${item.danger ? "danger" : ""}
            @click=${() => this.#choose(item)}
          >
            ${icon(item.icon)} ${item.words}
          </button>`,
        )}
      </div>
    `;
  }

  get #list(): HTMLElement {
    return this.querySelector(".menu") as HTMLElement;
  }

  get #buttons(): HTMLButtonElement[] {
    return [...this.#list.querySelectorAll("button")];
  }

  #choose(item: MenuItem): void {
    this.#list.hidePopover();
    item.act();
  }

  #toggled(event: ToggleEvent): void {
    if (event.newState !== "open") return;
    this.#place();
    this.#buttons[0]?.focus();
  }

  /** Put the menu under its button, or above it where there is no room. */
  #place(): void {
    const button = this.querySelector("button") as HTMLElement;
    const list = this.#list;
    const from = button.getBoundingClientRect();
    const size = list.getBoundingClientRect();
    const below = from.bottom + 4 + size.height <= innerHeight;
    const left = Math.max(8, Math.min(from.right - size.width, innerWidth - size.width - 8));
    list.style.left = `${left}px`;
    list.style.top = `${below ? from.bottom + 4 : Math.max(8, from.top - size.height - 4)}px`;
  }

  #pressed(event: KeyboardEvent): void {
    const buttons = this.#buttons;
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      buttons.at(to % buttons.length)?.focus();
    } else if (event.key === "Tab") {
      this.#list.hidePopover();
    }
  }
}

customElements.define("wsi-menu", Menu);
