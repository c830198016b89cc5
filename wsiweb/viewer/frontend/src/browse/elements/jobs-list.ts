/** Jobs as people follow them: how far, how fast, what went wrong, and what can be done. */

import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { messageOf } from "../api.ts";
import { jobs, keyOf } from "../jobs.ts";
import { notices } from "../notices.ts";
import type { Job, JobAct } from "../shapes.ts";
import { Watching } from "../store.ts";
import { amount, count, duration, grouped, sentence } from "../words.ts";
import { icon } from "./icons.ts";
import "./job-objects.ts";
import { Part } from "./part.ts";

const STATES: Readonly<Record<Job["state"], string>> = {
  queued: "Waiting",
  sending: "Under way",
  paused: "Paused",
  stored: "Done",
  partial: "Partly done",
  failed: "Failed",
  cancelled: "Cancelled",
};

export class JobsList extends Part {
  static override properties = {
    level: { type: Number },
    opened: { state: true },
    busy: { state: true },
  };

  /** Of the headings: what stands above differs from page to page. */
  declare level: number;
  /** Names of the jobs whose objects are shown, and of those that something is done with. */
  declare opened: ReadonlySet<string>;
  declare busy: ReadonlySet<string>;

  constructor() {
    super();
    this.level = 2;
    this.opened = new Set();
    this.busy = new Set();
    new Watching(this, jobs);
  }

  protected override render(): TemplateResult {
    if (!jobs.known) {
      return jobs.error
        ? html`<p class="note bad" role="alert">${jobs.error}</p>`
        : html`<div class="job"><p class="skeleton line"></p><p class="skeleton line short"></p></div>`;
    }
    if (jobs.rows.length === 0) {
      return html`<div class="empty small">
        <p>Nothing is being sent, fetched or imported.</p>
        <p class="soft">Downloads, imports and uploads show here, also those of other programs.</p>
      </div>`;
    }
    return html`<ul class="plain jobs" role="list">
      ${repeat(jobs.rows, keyOf, (job) => html`<li>${this.#job(job)}</li>`)}
    </ul>`;
  }

  #job(job: Job): TemplateResult {
    const key = keyOf(job);
    const open = this.opened.has(key);
    const title = sentence(job.title || `Job ${job.id}`);
    return html`
      <article class="job ${job.state}" aria-label=${title}>
        <div class="job-head">
          <p class="job-title" role="heading" aria-level=${this.level}>${title}</p>
          <span class="state ${job.state}">${STATES[job.state]}</span>
        </div>
        <progress
          aria-label="Progress of ${title}"
          max="1"
          value=${shareOf(job)}
          class=${job.failedCount > 0 ? "bad" : ""}
        ></progress>
        <div class="job-foot">
          <p class="job-facts">${factsOf(job).join(" · ")}</p>
          <div class="job-acts">
            ${this.#buttons(job, title)}
            <button
              type="button"
              aria-expanded=${open ? "true" : "false"}
              aria-label="Details of ${title}"
              @click=${() => this.#toggle(key)}
            >
              Details
            </button>
          </div>
        </div>
        ${job.error ? html`<p class="note bad">${job.error}</p>` : nothing}
        ${open ? html`<wsi-job-objects .job=${job}></wsi-job-objects>` : nothing}
      </article>
    `;
  }

  #buttons(job: Job, title: string): (TemplateResult | typeof nothing)[] {
    const retry = job.failedCount > 0 ? `Retry ${grouped(job.failedCount)}` : "Retry";
    const button = (can: boolean, act: JobAct, words: string): TemplateResult | typeof nothing =>
      can ? this.#button(job, act, words, title) : nothing;
    return [
      button(job.canRetry, "retry", retry),
      button(job.canResume, "resume", "Resume"),
      button(job.canPause, "pause", "Pause"),
      button(job.canCancel, "cancel", "Cancel"),
      button(job.canClear, "clear", "Clear"),
    ];
  }

  #button(job: Job, act: JobAct, words: string, title: string): TemplateResult {
    return html`<button
      type="button"
      aria-label="${words}: ${title}"
      ?disabled=${this.busy.has(keyOf(job))}
      @click=${() => this.#act(job, act)}
    >
      ${act === "retry" ? icon("retry") : nothing} ${words}
    </button>`;
  }

  #toggle(key: string): void {
    const opened = new Set(this.opened);
    if (!opened.delete(key)) opened.add(key);
    this.opened = opened;
  }

  async #act(job: Job, act: JobAct): Promise<void> {
    const key = keyOf(job);
    this.busy = new Set(this.busy).add(key);
    try {
      await jobs.act(job, act);
    } catch (error) {
      notices.fail(messageOf(error));
    } finally {
      const busy = new Set(this.busy);
      busy.delete(key);
      this.busy = busy;
    }
  }
}

customElements.define("wsi-jobs", JobsList);

/** 0 to 1: by bytes where they are known, else by objects. */
export function shareOf(job: Job): number {
  if (job.total > 0 && job.done === job.total) return 1;
  if (job.bytesTotal > 0) return Math.min(1, job.bytes / job.bytesTotal);
  return job.total > 0 ? job.done / job.total : 0;
}

/** What is to be said of it now, in a few words each. */
export function factsOf(job: Job): string[] {
  const facts = [`${grouped(job.done)} of ${count(job.total, "object")}`];
  if (job.bytesTotal > 0) facts.push(amount(job.bytesTotal));
  if (job.failedCount > 0) facts.push(`${grouped(job.failedCount)} failed`);
  if (!job.finished && job.speed > 0) {
    facts.push(`${amount(job.speed)}/s`);
    if (job.secondsLeft !== null) facts.push(`${duration(job.secondsLeft)} left`);
  }
  return facts;
}
