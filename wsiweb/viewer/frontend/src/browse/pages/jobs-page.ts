/** All jobs, with room for their details. */

import { html, nothing, type TemplateResult } from "lit";

import { mayDownload } from "../acts.ts";
import { openImport } from "../dialogs/import.ts";
import { messageOf } from "../api.ts";
import { archives } from "../archives.ts";
import { icon } from "../elements/icons.ts";
import "../elements/jobs-list.ts";
import { Part } from "../elements/part.ts";
import { jobs } from "../jobs.ts";
import { notices } from "../notices.ts";
import { Watching } from "../store.ts";

/** Forget the jobs that are done. */
export async function clearJobs(): Promise<void> {
  try {
    notices.say((await jobs.clear()).words);
  } catch (error) {
    notices.fail(messageOf(error));
  }
}

export class JobsPage extends Part {
  constructor() {
    super();
    new Watching(this, jobs, archives);
  }

  protected override render(): TemplateResult {
    const finished = jobs.rows.some((job) => job.canClear);
    return html`
      <div class="page jobs-page">
        <div class="page-head">
          <h1 tabindex="-1">Jobs</h1>
          ${jobs.known ? html`<span class="soft">${said()}</span>` : nothing}
          <span class="spring"></span>
          ${mayDownload()
            ? html`<button type="button" @click=${openImport}>
                ${icon("folder")} Import a folder
              </button>`
            : nothing}
          ${finished ? html`<button type="button" @click=${clearJobs}>Clear done</button>` : nothing}
        </div>
        <wsi-jobs></wsi-jobs>
      </div>
    `;
  }
}

customElements.define("wsi-jobs-page", JobsPage);

function said(): string {
  const words = [
    jobs.moving > 0 ? `${jobs.moving} under way` : "",
    jobs.failed > 0 ? `${jobs.failed} with failures` : "",
  ];
  return words.filter(Boolean).join(", ") || "Nothing under way";
}
