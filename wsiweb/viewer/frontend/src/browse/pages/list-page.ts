/** The list of studies: archives and filters at its side; cards or a table. */

import { html, nothing, type PropertyValues, type TemplateResult } from "lit";

import { archives } from "../archives.ts";
import { openAddArchive } from "../dialogs/add-archive.ts";
import "../elements/archives-panel.ts";
import { NAMES } from "../elements/filters.ts";
import { icon } from "../elements/icons.ts";
import { Part } from "../elements/part.ts";
import { patientCards } from "../elements/patients.ts";
import { slideSkeleton } from "../elements/slide-card.ts";
import { studyTable } from "../elements/study-table.ts";
import { listing, PAGE } from "../listing.ts";
import { router } from "../router.ts";
import { hrefOf, type Filter, type ListQuery } from "../routes.ts";
import { Watching } from "../store.ts";
import { count, grouped, listed } from "../words.ts";

const ORDERS: readonly (readonly [string, string])[] = [
  ["-date", "Newest first"],
  ["date", "Oldest first"],
  ["patient", "Patient"],
  ["-patient", "Patient, backwards"],
  ["description", "Description"],
  ["-description", "Description, backwards"],
  ["accession", "Accession number"],
  ["-accession", "Accession, backwards"],
];

export class ListPage extends Part {
  static override properties = {
    query: { attribute: false },
    sideOpen: { state: true },
  };

  declare query: ListQuery;
  /** Narrow screens only: whether archives and filters are shown. */
  declare sideOpen: boolean;
  #restore = true;

  constructor() {
    super();
    this.sideOpen = false;
    new Watching(this, listing, archives);
  }

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("scroll", this.#scrolled, { passive: true });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("scroll", this.#scrolled);
  }

  readonly #scrolled = (): void => {
    // Leaving the page scrolls, too, once its content is gone: that is not where the reader was.
    if (this.isConnected) listing.scrolled.set(this.#href, scrollY);
  };

  get #href(): string {
    return hrefOf({ page: "list", query: this.query });
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has("query")) listing.show(this.query);
  }

  protected override updated(): void {
    if (!this.#restore || !listing.known) return;
    this.#restore = false;
    const y = listing.scrolled.get(this.#href) ?? 0;
    if (y > 0) requestAnimationFrame(() => scrollTo({ top: y, behavior: "instant" }));
  }

  // Asking otherwise ---------------------------------------------------------------------------

  /** Show something else; whoever types is not to go back letter by letter. */
  #ask(change: Partial<ListQuery>, replace = false): void {
    const query = { ...this.query, page: 1, ...change };
    router.go(hrefOf({ page: "list", query }), { replace });
  }

  #filter(filters: ListQuery["filters"]): void {
    const before = Object.keys(this.query.filters).sort().join();
    this.#ask({ filters }, before === Object.keys(filters).sort().join());
  }

  #without(name: Filter): void {
    const { [name]: _, ...filters } = this.query.filters;
    this.#ask({ filters });
  }

  #turn(page: number): void {
    this.#ask({ page });
    scrollTo({ top: 0, behavior: "instant" });
    this.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true });
  }

  // Drawing ------------------------------------------------------------------------------------

  protected override render(): TemplateResult {
    const filters = Object.keys(this.query.filters).length;
    return html`
      <div class="list-page">
        <button
          type="button"
          class="side-button"
          aria-expanded=${this.sideOpen ? "true" : "false"}
          aria-controls="side"
          @click=${() => (this.sideOpen = !this.sideOpen)}
        >
          ${icon("filter")} Archives and filters${filters ? ` (${filters})` : ""}
        </button>
        <aside id="side" class="side ${this.sideOpen ? "open" : ""}" aria-label="Archives and filters">
          <wsi-archives
            .chosen=${this.query.archives}
            @choose=${(event: CustomEvent<string[]>) => this.#ask({ archives: event.detail })}
          ></wsi-archives>
          <wsi-filters
            .filters=${this.query.filters}
            .modalities=${listing.modalities}
            @filter=${(event: CustomEvent<ListQuery["filters"]>) => this.#filter(event.detail)}
          ></wsi-filters>
        </aside>
        <section class="results" aria-busy=${listing.stale ? "true" : "false"} aria-label="Studies">
          ${this.#head()} ${this.#chips()} ${this.#studies()} ${this.#pager()}
        </section>
      </div>
    `;
  }

  #head(): TemplateResult {
    return html`<div class="page-head">
      <h1 tabindex="-1">${listing.known ? count(listing.total, "study", "studies") : "Studies"}</h1>
      <span class="soft" role="status">${this.#progress()}</span>
      <span class="spring"></span>
      <label class="inline">
        <span>Sort</span>
        <select
          @change=${(event: Event) => this.#ask({ sort: (event.target as HTMLSelectElement).value })}
        >
          ${ORDERS.map(
            ([value, words]) =>
              html`<option value=${value} ?selected=${value === this.query.sort}>${words}</option>`,
          )}
        </select>
      </label>
      <div class="segmented" role="group" aria-label="Show as">
        ${(["cards", "table"] as const).map(
          (layout) => html`<button
            type="button"
            aria-pressed=${layout === this.query.layout ? "true" : "false"}
            @click=${() => this.#ask({ layout, page: this.query.page })}
          >
            ${icon(layout)} ${layout === "cards" ? "Cards" : "Table"}
          </button>`,
        )}
      </div>
    </div>`;
  }

  /** Which archives are still at it. */
  #progress(): string {
    if (!listing.known || listing.complete) return "";
    const busy = listing.archives.filter((one) => one.state === "listing");
    return busy.length > 0 ? `${listed(busy.map((one) => archives.nameOf(one.id)))} still listing …` : "";
  }

  #chips(): TemplateResult {
    const set = Object.entries(this.query.filters) as [Filter, string][];
    if (set.length === 0) return html`${nothing}`;
    return html`<div class="chips">
      ${set.map(
        ([name, value]) => html`<button
          type="button"
          class="chip"
          aria-label="Remove the filter ${NAMES[name]}: ${value}"
          @click=${() => this.#without(name)}
        >
          <span class="soft">${NAMES[name]}</span> ${value} ${icon("close")}
        </button>`,
      )}
      <button type="button" class="quiet" @click=${() => this.#ask({ filters: {} })}>
        Clear all
      </button>
    </div>`;
  }

  #studies(): TemplateResult {
    if (listing.error && !listing.answered) {
      return html`<div class="empty" role="alert">
        <h2>The list could not be had</h2>
        <p>${listing.error}</p>
        <button type="button" @click=${() => listing.load()}>${icon("retry")} Try again</button>
      </div>`;
    }
    const waiting = !listing.known || (listing.studies.length === 0 && !listing.complete);
    if (waiting) return skeletons(this.query.layout);
    if (listing.studies.length === 0) return this.#nothing();
    const content =
      this.query.layout === "table"
        ? studyTable(listing.studies, this.query.sort, (sort) => this.#ask({ sort }))
        : patientCards(listing.studies);
    const late = listing.error
      ? html`<p class="note bad" role="alert">This may not be the latest: ${listing.error}</p>`
      : nothing;
    return html`${late}<div class="studies-frame ${listing.stale ? "stale" : ""}">${content}</div>`;
  }

  /** Say why there is nothing, and what to do. */
  #nothing(): TemplateResult {
    if (archives.known && archives.rows.length === 0) {
      return html`<div class="empty">
        <h2>No archive yet</h2>
        <p>Add a folder with slides, or the address of a DICOMweb server.</p>
        <button type="button" class="primary" @click=${openAddArchive}>
          ${icon("add")} Add an archive
        </button>
      </div>`;
    }
    if (listing.archives.length > 0 && listing.archives.every((one) => one.state === "failed")) {
      return html`<div class="empty">
        <h2>No archive answered</h2>
        <p>The reasons stand beside each of them. What is in a folder shows in any case.</p>
      </div>`;
    }
    const filtered = Object.keys(this.query.filters).length > 0;
    if (this.query.page > 1 && listing.total > 0) {
      return html`<div class="empty">
        <h2>The list ends before this page</h2>
        <button type="button" @click=${() => this.#ask({})}>To its first page</button>
      </div>`;
    }
    return html`<div class="empty">
      <h2>${filtered ? "No study answers these filters" : "No studies yet"}</h2>
      <p>
        ${filtered
          ? "* stands for any letters, ? for one; some archives tell capitals from small letters."
          : "What is stored in these archives shows here."}
      </p>
      ${filtered
        ? html`<button type="button" @click=${() => this.#ask({ filters: {} })}>Clear filters</button>`
        : nothing}
    </div>`;
  }

  #pager(): TemplateResult {
    const { page } = this.query;
    const pages = Math.ceil(listing.total / PAGE);
    if (pages < 2 || (listing.error && !listing.answered)) return html`${nothing}`;
    const first = (page - 1) * PAGE + 1;
    const last = Math.min(page * PAGE, listing.total);
    return html`<nav class="pager" aria-label="Pages">
      <button type="button" ?disabled=${page <= 1} @click=${() => this.#turn(page - 1)}>
        ${icon("back")} Previous
      </button>
      <span>
        ${grouped(first)}–${grouped(last)} of ${grouped(listing.total)}${listing.complete ? "" : " so far"}
      </span>
      <button type="button" ?disabled=${page >= pages} @click=${() => this.#turn(page + 1)}>
        Next ${icon("next")}
      </button>
    </nav>`;
  }
}

customElements.define("wsi-list-page", ListPage);

function skeletons(layout: ListQuery["layout"]): TemplateResult {
  if (layout === "table") {
    return html`<div class="table-frame" aria-hidden="true">
      ${Array.from({ length: 10 }, () => html`<p class="skeleton table-line"></p>`)}
    </div>`;
  }
  const study = html`<div class="study-card">
    <div class="study-head"><span class="skeleton line"></span></div>
    <div class="strip">${Array.from({ length: 4 }, slideSkeleton)}</div>
  </div>`;
  return html`<div aria-hidden="true">
    ${Array.from(
      { length: 3 },
      () => html`<div class="patient">
        <div class="patient-skeleton"><span class="skeleton line short"></span></div>
        ${study}
      </div>`,
    )}
  </div>`;
}
