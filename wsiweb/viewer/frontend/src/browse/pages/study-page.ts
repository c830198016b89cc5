/** One study: its slides, what was found on them, and what else is in it. */

import { html, nothing, type PropertyValues, type TemplateResult } from "lit";

import { actsOnStudy, mayDownload, subjectOf } from "../acts.ts";
import { ApiError, isAbort, messageOf } from "../api.ts";
import { archives } from "../archives.ts";
import { details } from "../details.ts";
import { openDownload } from "../dialogs/download.ts";
import { openMetadata } from "../dialogs/metadata.ts";
import { icon } from "../elements/icons.ts";
import "../elements/menu.ts";
import { trouble } from "../elements/trouble.ts";
import { Part } from "../elements/part.ts";
import { slideCard, slideSkeleton, titleOf } from "../elements/slide-card.ts";
import { archiveBadges, namedStudy, titleOfStudy } from "../elements/study-card.ts";
import { router } from "../router.ts";
import type { Other, Result, SlideRow, StudyAnswer } from "../shapes.ts";
import { Watching } from "../store.ts";
import { count, day, listed, person } from "../words.ts";

export class StudyPage extends Part {
  static override properties = {
    uid: { type: String },
    study: { state: true },
    error: { state: true },
  };

  declare uid: string;
  declare study: StudyAnswer | null;
  declare error: string;
  #abort: AbortController | null = null;

  constructor() {
    super();
    this.study = null;
    this.error = "";
    new Watching(this, archives, details);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#abort?.abort();
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("uid")) return;
    this.study = details.held(this.uid) ?? null;
    void this.#load();
  }

  async #load(): Promise<void> {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.error = "";
    try {
      this.study = await details.fresh(this.uid, abort.signal);
      document.title = `${titleOfStudy(this.study)} – wsiweb`;
    } catch (error) {
      if (isAbort(error)) return;
      const gone = error instanceof ApiError && error.status === 404;
      this.error = gone ? `No archive on the list holds this study (${this.uid}).` : messageOf(error);
    }
  }

  protected override render(): TemplateResult {
    if (this.error && !this.study) return this.#failed();
    const study = this.study;
    return html`
      <div class="page study-page">
        ${this.#trail()} ${study ? this.#head(study) : this.#skeleton()}
        ${this.error ? html`<p class="note bad" role="alert">${this.error}</p>` : nothing}
        ${study ? this.#sections(study) : nothing}
      </div>
    `;
  }

  #trail(): TemplateResult {
    return html`<nav class="trail" aria-label="Trail">
      <a href=${router.list}>${icon("back")} Studies</a>
    </nav>`;
  }

  #failed(): TemplateResult {
    return html`<div class="page study-page">
      ${this.#trail()}
      <div class="empty" role="alert">
        <h1 tabindex="-1">This study cannot be shown</h1>
        <p>${this.error}</p>
        <button type="button" @click=${this.#load}>${icon("retry")} Try again</button>
      </div>
    </div>`;
  }

  #skeleton(): TemplateResult {
    return html`<div class="page-head"><h1 tabindex="-1">Study</h1></div>
      <div class="slides" role="status" aria-label="The study is loading">
        ${Array.from({ length: 4 }, slideSkeleton)}
      </div>`;
  }

  #head(study: StudyAnswer): TemplateResult {
    const named = namedStudy(study);
    const name = person(study.patientName);
    const facts: (readonly [string, string])[] = [
      ["Patient", [study.patientId, name].filter(Boolean).join(" · ")],
      ["Date", day(study.date)],
      ["Accession", study.accession],
    ];
    return html`
      <div class="page-head">
        <h1 tabindex="-1">${titleOfStudy(study)}</h1>
        ${archiveBadges(study.archives)}
        <span class="spring"></span>
        ${mayDownload()
          ? html`<button type="button" @click=${() => openDownload(subjectOf(named), named.title)}>
              ${icon("down")} Download
            </button>`
          : nothing}
        <wsi-menu label="More acts for the study" .items=${actsOnStudy(named).slice(1)}></wsi-menu>
      </div>
      <dl class="facts">
        ${facts
          .filter(([, value]) => value)
          .map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}
      </dl>
    `;
  }

  #sections(study: StudyAnswer): TemplateResult {
    return html`
      ${study.failed.map(
        (one) => html`<div class="note bad" role="alert">
          ${trouble(one.error, `${archives.nameOf(one.id)} did not answer, so this may not be all:`)}
        </div>`,
      )}
      <section aria-labelledby="slides-title">
        <h2 id="slides-title">${count(study.slides.length, "slide")}</h2>
        ${study.slides.length > 0
          ? html`<div class="slides">
              ${study.slides.map((slide) =>
                slideCard(slide, { full: true, kinds: kindsOf(study, slide) }),
              )}
            </div>`
          : html`<p class="note">There are no slides in this study.</p>`}
      </section>
      ${this.#series("Results", study.results.map((one) => resultLine(study, one)))}
      ${this.#series("Other series", study.others.map(otherLine))}
    `;
  }

  #series(words: string, lines: readonly SeriesLine[]): TemplateResult {
    if (lines.length === 0) return html`${nothing}`;
    return html`<section aria-label=${words}>
      <h2>${words}</h2>
      <ul class="plain series" role="list">
        ${lines.map(
          (line) => html`<li>
            <span class="badge result">${line.kind}</span>
            <span class="series-title">
              ${line.title} ${line.note ? html`<span class="soft block">${line.note}</span>` : nothing}
            </span>
            <button
              type="button"
              class="quiet"
              aria-label="Metadata of ${line.title}"
              @click=${() => openMetadata({ ...subjectOf(line), series: line.series }, line.title)}
            >
              ${icon("tags")} Metadata
            </button>
          </li>`,
        )}
      </ul>
    </section>`;
  }
}

customElements.define("wsi-study-page", StudyPage);

/** A series that is no slide, as a line. */
interface SeriesLine {
  kind: string;
  title: string;
  note: string;
  study: string;
  series: string;
  archives: readonly string[];
}

const KINDS: Readonly<Record<Result["kind"], string>> = {
  segmentation: "SEG",
  annotations: "ANN",
  heatmap: "Heat map",
  report: "SR",
  image: "Image",
};

function resultLine(study: StudyAnswer, one: Result): SeriesLine {
  const slides = study.slides.filter((slide) => one.of.includes(slide.series)).map(titleOf);
  const note = slides.length > 0 ? `of ${listed(slides)}` : "";
  return { ...one, kind: KINDS[one.kind], title: one.title || "Without a title", note };
}

function otherLine(one: Other): SeriesLine {
  const note = one.instances === null ? "" : count(one.instances, "object");
  return { ...one, kind: one.modality || "?", title: one.title || "Without a title", note };
}

/** Kinds of the results of a slide. */
function kindsOf(study: StudyAnswer, slide: SlideRow): string[] {
  const results = study.results.filter((one) => one.of.includes(slide.series));
  return [...new Set(results.map((one) => KINDS[one.kind]))];
}
