/** Shows the attributes of the instances of a series. */

import { html, nothing, type PropertyDeclarations, type TemplateResult } from "lit";

import { api, isAbort, messageOf, type Subject } from "../api.ts";
import type { Element, Instance } from "../shapes.ts";
import { Dialog } from "./dialog.ts";

class Metadata extends Dialog {
  static override properties: PropertyDeclarations = {
    instances: { state: true },
    uid: { state: true },
    tags: { state: true },
    sought: { state: true },
  };

  subject: Required<Subject> = { archive: "", study: "", series: "" };
  about = "";
  declare instances: readonly Instance[] | null;
  declare uid: string;
  declare tags: readonly Element[] | null;
  declare sought: string;
  #abort = new AbortController();

  constructor() {
    super();
    this.instances = null;
    this.uid = "";
    this.tags = null;
    this.sought = "";
  }

  protected get heading(): string {
    return `Metadata: ${this.about}`;
  }

  protected override get wide(): boolean {
    return true;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#abort.abort();
  }

  async #load(): Promise<void> {
    try {
      this.instances = await api.instances(this.subject, this.#abort.signal);
      const first = this.instances[0];
      if (first) await this.#show(first.uid);
    } catch (error) {
      if (!isAbort(error)) this.error = messageOf(error);
    }
  }

  async #show(uid: string): Promise<void> {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.uid = uid;
    this.tags = null;
    this.error = "";
    try {
      this.tags = await api.elements(this.subject, uid, this.#abort.signal);
    } catch (error) {
      if (!isAbort(error)) this.error = messageOf(error);
    }
  }

  protected body(): TemplateResult {
    return html`
      <div class="metadata-bar">
        <label class="field">
          <span>Instance</span>
          <select @change=${(event: Event) => this.#show((event.target as HTMLSelectElement).value)}>
            ${(this.instances ?? []).map(
              (one) =>
                html`<option value=${one.uid} ?selected=${one.uid === this.uid}>${one.title}</option>`,
            )}
          </select>
        </label>
        <label class="field">
          <span>Find</span>
          <input
            type="search"
            data-first
            placeholder="Name, tag or value"
            @input=${(event: Event) => (this.sought = (event.target as HTMLInputElement).value)}
          />
        </label>
      </div>
      <div class="metadata" tabindex="0" role="region" aria-label="Attributes">
        ${this.error ? html`<p class="note bad" role="alert">${this.error}</p>` : this.#table()}
      </div>
    `;
  }

  #table(): TemplateResult {
    if (!this.tags) {
      return html`${Array.from({ length: 12 }, () => html`<p class="skeleton line"></p>`)}`;
    }
    const sought = this.sought.trim().toLowerCase();
    const lines = [...linesOf(this.tags, 0, sought)];
    if (lines.length === 0) return html`<p class="note">Nothing in it is called so.</p>`;
    return html`<table class="tags">
      <thead>
        <tr>
          <th scope="col">Attribute</th>
          <th scope="col">Tag</th>
          <th scope="col">VR</th>
          <th scope="col">Value</th>
        </tr>
      </thead>
      <tbody>
        ${lines}
      </tbody>
    </table>`;
  }
}

customElements.define("wsi-metadata", Metadata);

/** The lines of attributes and of what is inside them, as deep as they are. */
function* linesOf(tags: readonly Element[], depth: number, sought: string): Generator<TemplateResult> {
  for (const tag of tags) {
    const inner = (tag.items ?? []).map((item) => [...linesOf(item, depth + 1, sought)]);
    const inside = inner.some((lines) => lines.length > 0);
    if (sought && !inside && !says(tag, sought)) continue;
    yield line(tag, depth);
    for (const [place, lines] of inner.entries()) {
      if (lines.length === 0) continue;
      yield html`<tr class="item">
        <td colspan="4">${indent(depth + 1)}Item ${place + 1}</td>
      </tr>`;
      yield* lines;
    }
  }
}

function says(tag: Element, sought: string): boolean {
  return `${tag.keyword} ${tag.tag} ${tag.value}`.toLowerCase().includes(sought);
}

function line(tag: Element, depth: number): TemplateResult {
  return html`<tr>
    <th scope="row">${indent(depth)}${tag.keyword || "Private"}</th>
    <td class="code">${tag.tag}</td>
    <td class="code">${tag.vr}</td>
    <td class="value">${tag.value || nothing}</td>
  </tr>`;
}

const indent = (depth: number): TemplateResult[] =>
  Array.from({ length: depth }, () => html`<span class="indent" aria-hidden="true"></span>`);

export function openMetadata(subject: Required<Subject>, title: string): void {
  Object.assign(new Metadata(), { subject, about: title }).open();
}
