/** One study of the list: what is said of it, and its slides in a row. */

import { html, nothing, type PropertyValues, type TemplateResult } from "lit";

import { actsOnStudy, type Named } from "../acts.ts";
import { isAbort, messageOf } from "../api.ts";
import { archives } from "../archives.ts";
import { details } from "../details.ts";
import { hrefOf } from "../routes.ts";
import type { SlideRow, StudyRow } from "../shapes.ts";
import { Watching } from "../store.ts";
import { count, day } from "../words.ts";
import "./menu.ts";
import { Part } from "./part.ts";
import { slideCard, slideSkeleton } from "./slide-card.ts";

const SHOWN = 12; // slides of a study; the rest is on its page
const SKELETONS = 4;
const PATIENCE = 4_000; // ms in view until a card asks for what the app has not told

const inView = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) (entry.target as StudyCard).seen(entry.isIntersecting);
  },
  { rootMargin: "200px" },
);

/** What people call a study. */
export function titleOfStudy(study: StudyRow): string {
  return study.description || study.accession || "Study without a description";
}

/** A study as acts know it. */
export const namedStudy = (study: StudyRow): Named => ({
  title: titleOfStudy(study),
  study: study.study,
  archives: study.archives,
});

/** The archives that hold it, by name. */
export function archiveBadges(ids: readonly string[]): TemplateResult {
  const order = archives.rows.map((one) => one.id);
  const sorted = [...ids].sort((one, other) => order.indexOf(one) - order.indexOf(other));
  return html`<span class="badges">
    ${sorted.map((id) => {
      const name = archives.nameOf(id);
      return html`<span class="badge" title=${name}>${name}</span>`;
    })}
  </span>`;
}

/** What is in a study besides slides. */
function modalityBadges(study: StudyRow): TemplateResult | typeof nothing {
  const others = study.modalities.filter((one) => one !== "SM");
  if (others.length === 0) return nothing;
  return html`<span class="badges">
    ${others.map((one) => html`<span class="badge result">${one}</span>`)}
  </span>`;
}

export class StudyCard extends Part {
  static override properties = {
    study: { attribute: false },
    slides: { state: true },
    error: { state: true },
  };

  declare study: StudyRow;
  declare slides: readonly SlideRow[] | null;
  declare error: string;
  #abort: AbortController | null = null;
  #visible = false;

  constructor() {
    super();
    this.slides = null;
    this.error = "";
    new Watching(this, details);
  }

  override connectedCallback(): void {
    super.connectedCallback();
    inView.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    inView.unobserve(this);
    this.seen(false);
  }

  seen(visible: boolean): void {
    this.#visible = visible;
    if (visible) void this.#load();
    else this.#abort?.abort();
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const before = changed.get("study");
    const other = before !== undefined && before.study !== this.study.study;
    const known = details.slidesOf(this.study);
    if (known || other) this.slides = known ?? null;
    if (other) this.error = "";
    if (other && this.#visible) void this.#load();
  }

  async #load(): Promise<void> {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    await new Promise((wake) => setTimeout(wake, PATIENCE));
    if (abort.signal.aborted || this.slides) return;
    try {
      const answer = await details.get(this.study.study, abort.signal);
      if (this.#abort === abort) this.slides = answer.slides;
    } catch (error) {
      if (!isAbort(error) && this.#abort === abort) this.error = messageOf(error);
    }
  }

  protected override render(): TemplateResult {
    const study = this.study;
    const title = titleOfStudy(study);
    return html`
      <article class="study-card" aria-label="${title}, ${day(study.date)}">
        <div class="study-head">
          <time datetime=${study.date ?? nothing}>${day(study.date)}</time>
          <h3>
            <a class="study-link" href=${hrefOf({ page: "study", study: study.study })}>${title}</a>
          </h3>
          ${study.description && study.accession
            ? html`<span class="soft">${study.accession}</span>`
            : nothing}
          ${modalityBadges(study)} ${archiveBadges(study.archives)}
          <wsi-menu label="Acts for ${title}" .items=${actsOnStudy(namedStudy(study))}></wsi-menu>
        </div>
        ${this.#strip()}
      </article>
    `;
  }

  #strip(): TemplateResult {
    if (this.error) return html`<p class="strip note bad">${this.error}</p>`;
    if (!this.slides) {
      const number = Math.min(this.study.series ?? SKELETONS, SKELETONS);
      return html`<div class="strip" role="status" aria-label="Slides are loading">
        ${Array.from({ length: number }, slideSkeleton)}
      </div>`;
    }
    if (this.slides.length === 0) {
      const kinds = this.study.modalities.filter((one) => one !== "SM").join(", ");
      return html`<p class="strip note">No slides${kinds ? `: ${kinds}` : ""}.</p>`;
    }
    const more = this.slides.length - SHOWN;
    return html`<div class="strip">
      ${this.slides.slice(0, SHOWN).map((slide) => slideCard(slide))}
      ${more > 0
        ? html`<a class="more" href=${hrefOf({ page: "study", study: this.study.study })}>
            ${count(more, "more slide", "more slides")}
          </a>`
        : nothing}
    </div>`;
  }
}

customElements.define("wsi-study", StudyCard);
