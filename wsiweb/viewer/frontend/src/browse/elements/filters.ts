/** What is looked for: one field for each filter of the list. */

import { html, type TemplateResult } from "lit";

import type { Filter, ListQuery } from "../routes.ts";
import { Part } from "./part.ts";

const CALM = 350; // ms without a key until the list follows what is typed

interface Field {
  name: Filter;
  words: string;
  hint?: string;
  options?: readonly string[];
}

const FIELDS: readonly Field[] = [
  { name: "patient", words: "Patient", hint: "ID or name" },
  { name: "accession", words: "Accession number" },
  { name: "description", words: "Description" },
  { name: "stain", words: "Stain", hint: "H&E, PAS …" },
  { name: "container", words: "Container", hint: "ID of the slide's glass" },
];

/** What is offered at any time; more where more was found (PS3.3 C.7.3.1.1.1). */
const MODALITIES: Readonly<Record<string, string>> = {
  SM: "slide microscopy",
  SEG: "segmentation",
  ANN: "annotations",
  SR: "report",
};

/** Names of filters as people read them, for chips. */
export const NAMES: Readonly<Record<Filter, string>> = {
  patient: "Patient",
  accession: "Accession",
  from: "From",
  to: "To",
  modality: "Modality",
  stain: "Stain",
  container: "Container",
  description: "Description",
};

export class Filters extends Part {
  static override properties = {
    filters: { attribute: false },
    modalities: { attribute: false },
  };

  declare filters: ListQuery["filters"];
  /** Those that were found, to choose from. */
  declare modalities: readonly string[];
  #later: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.filters = {};
    this.modalities = [];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#later);
  }

  protected override render(): TemplateResult {
    const chosen = this.filters.modality ?? "";
    const all = [...Object.keys(MODALITIES), ...this.modalities, chosen];
    const offered = [...new Set(all.filter(Boolean))];
    return html`
      <form
        class="panel filters"
        role="search"
        aria-label="Filters"
        @submit=${this.#submitted}
        @input=${this.#typed}
      >
        <div class="panel-head"><h2>Filters</h2></div>
        ${FIELDS.slice(0, 3).map((field) => this.#text(field))}
        <fieldset class="dates">
          <legend>Study date</legend>
          ${this.#date("from", "From")} ${this.#date("to", "To")}
        </fieldset>
        <label class="field">
          <span>Modality</span>
          <select name="modality">
            <option value="" ?selected=${chosen === ""}>Any</option>
            ${offered.map(
              (one) => html`<option value=${one} ?selected=${one === chosen}>
                ${MODALITIES[one] ? `${one}: ${MODALITIES[one]}` : one}
              </option>`,
            )}
          </select>
        </label>
        ${FIELDS.slice(3).map((field) => this.#text(field))}
      </form>
    `;
  }

  #text(field: Field): TemplateResult {
    return html`<label class="field">
      <span>${field.words}</span>
      <input
        type="search"
        name=${field.name}
        placeholder=${field.hint ?? ""}
        autocomplete="off"
        spellcheck="false"
        .value=${this.filters[field.name] ?? ""}
      />
    </label>`;
  }

  #date(name: "from" | "to", words: string): TemplateResult {
    return html`<label class="field">
      <span>${words}</span>
      <input type="date" name=${name} max="9999-12-31" .value=${this.filters[name] ?? ""} />
    </label>`;
  }

  #typed(event: Event): void {
    clearTimeout(this.#later);
    const typed = event.target instanceof HTMLInputElement && event.target.type === "search";
    this.#later = setTimeout(() => this.#send(), typed ? CALM : 0);
  }

  #submitted(event: Event): void {
    event.preventDefault();
    clearTimeout(this.#later);
    this.#send();
  }

  #send(): void {
    const values = new FormData(this.querySelector("form") as HTMLFormElement);
    const filters: Partial<Record<Filter, string>> = {};
    for (const [name, value] of values) {
      const text = String(value).trim();
      if (text) filters[name as Filter] = text;
    }
    this.tell("filter", filters);
  }
}

customElements.define("wsi-filters", Filters);
