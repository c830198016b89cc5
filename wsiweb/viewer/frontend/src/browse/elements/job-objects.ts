/** What became of each object of a job, in words; what went wrong comes first. */

import { html, nothing, type PropertyValues, type TemplateResult } from "lit";

import { api, isAbort, messageOf } from "../api.ts";
import { keyOf } from "../jobs.ts";
import type { Job, JobAnswer, JobObject } from "../shapes.ts";
import { amount, count } from "../words.ts";
import { Part } from "./part.ts";

const SHOWN = 200; // objects; a report with all of them is `wsiweb jobs report`

export class JobObjects extends Part {
  static override properties = {
    job: { attribute: false },
    answer: { state: true },
    error: { state: true },
  };

  declare job: Job;
  declare answer: JobAnswer | null;
  declare error: string;
  #abort: AbortController | null = null;
  #seen = "";

  constructor() {
    super();
    this.answer = null;
    this.error = "";
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#abort?.abort();
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("job")) return;
    const { state, done, failedCount } = this.job;
    const now = [keyOf(this.job), state, done, failedCount].join(" ");
    if (now === this.#seen) return;
    this.#seen = now;
    void this.#load();
  }

  async #load(): Promise<void> {
    this.#abort?.abort();
    this.#abort = new AbortController();
    try {
      // A job that was cleared meanwhile goes from the list in a moment: what is shown stays.
      const answer = await api.job(this.job.archive, this.job.id, this.#abort.signal);
      this.answer = answer ?? this.answer;
      this.error = "";
    } catch (error) {
      if (!isAbort(error)) this.error = messageOf(error);
    }
  }

  protected override render(): TemplateResult {
    if (this.error) return html`<p class="note bad" role="alert">${this.error}</p>`;
    if (!this.answer) return html`<p class="skeleton line"></p>`;
    const { objects, skipped } = this.answer;
    const more = objects.length - SHOWN + this.answer.more;
    return html`
      ${this.answer.summary ? html`<p class="soft">${this.answer.summary}</p>` : nothing}
      <div class="table-frame" tabindex="0" role="region" aria-label="Objects of ${this.job.title}">
        <table class="objects">
          <thead>
            <tr>
              <th scope="col">Object</th>
              <th scope="col">Size</th>
              <th scope="col">State</th>
              <th scope="col">Why</th>
            </tr>
          </thead>
          <tbody>
            ${objects.slice(0, SHOWN).map(row)}
          </tbody>
        </table>
      </div>
      ${more > 0 ? html`<p class="soft">and ${count(more, "more object", "more objects")}</p>` : nothing}
      ${skipped.length > 0
        ? html`<details>
            <summary>${count(skipped.length, "file")} left out</summary>
            <ul class="plain" role="list">
              ${skipped.slice(0, SHOWN).map((one) => html`<li>${one.path}: ${one.reason}</li>`)}
            </ul>
          </details>`
        : nothing}
    `;
  }
}

customElements.define("wsi-job-objects", JobObjects);

function row(one: JobObject): TemplateResult {
  return html`<tr class=${one.state}>
    <td>
      ${one.origin || one.instance}
      ${one.origin && one.instance && one.origin !== one.instance
        ? html`<span class="soft block code">${one.instance}</span>`
        : nothing}
    </td>
    <td class="number">${one.size > 0 ? amount(one.size) : "–"}</td>
    <td>${one.state}</td>
    <td class="why">
      ${one.words === one.state ? "–" : one.words || "–"} ${one.warnings.map((words) => html`<span class="block">${words}</span>`)}
    </td>
  </tr>`;
}
