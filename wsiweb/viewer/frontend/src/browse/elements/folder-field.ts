/** A field for a folder of the machine that the app runs on: typed, or chosen step by step. */

import { html, nothing, type TemplateResult } from "lit";

import { api, isAbort, messageOf } from "../api.ts";
import { archives } from "../archives.ts";
import type { Folders } from "../shapes.ts";
import { count } from "../words.ts";
import { icon } from "./icons.ts";
import { Part } from "./part.ts";

export class FolderField extends Part {
  static override properties = {
    label: { type: String },
    path: { type: String },
    open: { state: true },
    here: { state: true },
    error: { state: true },
  };

  declare label: string;
  declare path: string;
  declare open: boolean;
  declare here: Folders | null;
  declare error: string;
  #abort: AbortController | null = null;

  constructor() {
    super();
    this.label = "Folder";
    this.path = "";
    this.open = false;
    this.here = null;
    this.error = "";
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#abort?.abort();
  }

  protected override render(): TemplateResult {
    return html`
      <div class="folder-field">
        <label class="field">
          <span>${this.label}</span>
          <input
            name="folder"
            required
            data-first
            autocomplete="off"
            spellcheck="false"
            .value=${this.path}
            @input=${(event: Event) => (this.path = (event.target as HTMLInputElement).value)}
          />
        </label>
        <button type="button" aria-expanded=${this.open ? "true" : "false"} @click=${this.#toggle}>
          ${icon("folder")} Choose
        </button>
      </div>
      ${this.open ? this.#list() : nothing}
    `;
  }

  #list(): TemplateResult {
    if (this.error) return html`<p class="note bad" role="alert">${this.error}</p>`;
    const here = this.here;
    if (!here) return html`<div class="folders"><p class="skeleton line"></p></div>`;
    return html`<div class="folders" role="group" aria-label="Folders in ${here.path}">
      <p class="soft">${here.path}${here.files > 0 ? `: ${count(here.files, "DICOM file")}` : ""}</p>
      <ul class="plain" role="list">
        ${here.parent === null
          ? nothing
          : html`<li>
              <button type="button" class="quiet" @click=${() => this.#show(here.parent ?? "")}>
                ${icon("back")} The folder above
              </button>
            </li>`}
        ${here.folders.map(
          (folder) => html`<li>
            <button type="button" class="quiet" @click=${() => this.#show(folder.path)}>
              ${icon("folder")} ${folder.name}
            </button>
          </li>`,
        )}
      </ul>
    </div>`;
  }

  #toggle(): void {
    this.open = !this.open;
    if (this.open) void this.#show(this.path || archives.about.home, false);
  }

  async #show(path: string, take = true): Promise<void> {
    this.#abort?.abort();
    this.#abort = new AbortController();
    this.error = "";
    try {
      this.here = await api.folders(path, this.#abort.signal);
      if (take) this.path = this.here.path;
    } catch (error) {
      if (!isAbort(error)) this.error = messageOf(error);
    }
  }
}

customElements.define("wsi-folder", FolderField);
