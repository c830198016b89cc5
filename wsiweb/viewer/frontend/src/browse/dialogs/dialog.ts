/**
 * Dialogs: the browser's own, which keeps the focus inside, closes on Escape, and gives the focus
 * back to where it was.
 */

import { html, type PropertyDeclarations, type TemplateResult } from "lit";

import { messageOf } from "../api.ts";
import { icon } from "../elements/icons.ts";
import { Part } from "../elements/part.ts";

let made = 0;

/** A dialog: what derives from it says its title and what stands in it. */
export abstract class Dialog extends Part {
  static override properties: PropertyDeclarations = {
    busy: { state: true },
    error: { state: true },
  };

  declare busy: boolean;
  declare error: string;
  protected readonly titleId = `dialog-${++made}`;
  #from: Element | null = null;
  /** Whether the pointer went down behind the dialog: who drags out of a field means the field. */
  #pressedBehind = false;

  constructor() {
    super();
    this.busy = false;
    this.error = "";
  }

  protected abstract get heading(): string;
  protected abstract body(): TemplateResult;
  /** Whether it wants the room that there is. */
  protected get wide(): boolean {
    return false;
  }

  /** Put it on the page. */
  open(): void {
    this.#from = document.activeElement;
    document.body.append(this);
    void this.updateComplete.then(() => {
      this.#dialog?.showModal();
      this.querySelector<HTMLElement>("[data-first]")?.focus();
    });
  }

  close(): void {
    this.#dialog?.close();
  }

  /** Do what it is for, and close; say what went wrong, and stay. */
  protected async perform(act: () => Promise<void>): Promise<void> {
    this.busy = true;
    this.error = "";
    try {
      await act();
      this.close();
    } catch (error) {
      this.error = messageOf(error);
    } finally {
      this.busy = false;
    }
  }

  get #dialog(): HTMLDialogElement | null {
    return this.querySelector("dialog");
  }

  #closed(): void {
    this.remove();
    // What opened it may be an item of a menu that is closed by now: its button is near.
    const from = this.#from?.closest("wsi-menu")?.querySelector("button") ?? this.#from;
    if (from instanceof HTMLElement && from.isConnected) from.focus();
  }

  protected override render(): TemplateResult {
    return html`
      <dialog
        class="dialog ${this.wide ? "wide" : ""}"
        aria-labelledby=${this.titleId}
        @close=${this.#closed}
        @pointerdown=${(event: PointerEvent) => {
          this.#pressedBehind = event.target === this.#dialog;
        }}
        @click=${(event: MouseEvent) => {
          if (this.#pressedBehind && event.target === this.#dialog) this.close();
        }}
      >
        <div class="dialog-frame">
          <header>
            <h2 id=${this.titleId}>${this.heading}</h2>
            <button type="button" class="quiet square" aria-label="Close" @click=${this.close}>
              ${icon("close")}
            </button>
          </header>
          ${this.body()}
        </div>
      </dialog>
    `;
  }

  /** The last lines of a dialog: what went wrong, and its buttons. */
  protected buttons(words: string, danger = false): TemplateResult {
    return html`
      <p class="note bad" role="alert">${this.error}</p>
      <footer>
        <button type="button" @click=${this.close}>Cancel</button>
        <button type="submit" class=${danger ? "danger" : "primary"} ?disabled=${this.busy}>
          ${words}
        </button>
      </footer>
    `;
  }
}

/** What a field of a form holds, without blanks at its ends. */
export function valueOf(event: Event, name: string): string {
  return String(new FormData(event.target as HTMLFormElement).get(name) ?? "").trim();
}
