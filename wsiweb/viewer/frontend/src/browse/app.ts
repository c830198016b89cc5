/** The frame around all pages: the bar on top, the page of the address, jobs, and messages. */

import { html, nothing, type TemplateResult } from "lit";

import { mayDownload } from "./acts.ts";
import { SILENT } from "./api.ts";
import { archives } from "./archives.ts";
import { openImport } from "./dialogs/import.ts";
import { openKeys } from "./dialogs/keys.ts";
import { icon } from "./elements/icons.ts";
import "./elements/jobs-list.ts";
import { Part } from "./elements/part.ts";
import { events } from "./events.ts";
import { dock } from "./following.ts";
import { jobs } from "./jobs.ts";
import { listen } from "./keyboard.ts";
import { notices } from "./notices.ts";
import { clearJobs } from "./pages/jobs-page.ts";
import "./pages/list-page.ts";
import "./pages/study-page.ts";
import "./pages/view-page.ts";
import { router } from "./router.ts";
import { hrefOf, type Route } from "./routes.ts";
import { Watching } from "./store.ts";

const TITLES: Readonly<Record<Route["page"], string>> = {
  list: "Studies",
  study: "Study",
  view: "Slide",
  jobs: "Jobs",
  nowhere: "Not found",
};

const FRAMES = 10; // that are waited for a list to be drawn

export class App extends Part {
  static override properties = { route: { state: true }, connected: { state: true } };

  declare route: Route;
  declare connected: boolean;
  #quiet: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.connected = true;
    this.route = router.route;
    new Watching(this, archives, jobs, notices, dock);
    router.addEventListener("move", () => this.#moved());
    events.on("connection", ({ detail }) => this.#connection(detail === true));
    listen({
      layout: () => this.#otherLayout(),
      jobs: () => dock.show(!dock.open),
      help: openKeys,
      on: () => this.route.page === "list",
    });
    this.#remember();
  }

  #moved(): void {
    const before = this.route;
    this.route = router.route;
    this.#remember();
    if (before.page === this.route.page && before.page !== "study") return;
    if (this.route.page === "jobs") dock.show(false);
    void this.#arrive(before);
  }

  #remember(): void {
    document.title = `${TITLES[this.route.page]} – wsiweb`;
  }

  /** Take the focus to the new page, where a screen reader begins to read. */
  async #arrive(before: Route): Promise<void> {
    await this.updateComplete;
    if (this.route.page !== "list") scrollTo({ top: 0, behavior: "instant" });
    else if (before.page === "study" || before.page === "view") {
      if (await this.#return(before.study)) return;
    }
    if (this.route.page !== "view") {
      this.querySelector<HTMLElement>("main h1")?.focus({ preventScroll: true });
    }
  }

  /** Go to the study in the list that was left, as soon as it is drawn. */
  async #return(study: string): Promise<boolean> {
    const selector = `a.study-link[href="${hrefOf({ page: "study", study })}"]`;
    for (let frame = 0; frame < FRAMES; frame += 1) {
      const link = this.querySelector<HTMLElement>(selector);
      if (link) {
        link.focus({ preventScroll: true });
        link.scrollIntoView({ block: "nearest" });
        return true;
      }
      await new Promise(requestAnimationFrame);
    }
    return false;
  }

  #otherLayout(): void {
    if (this.route.page !== "list") return;
    const layout = this.route.query.layout === "cards" ? "table" : "cards";
    router.go(hrefOf({ page: "list", query: { ...this.route.query, layout } }));
  }

  /** A stream that breaks for a moment is nobody's concern. */
  #connection(connected: boolean): void {
    clearTimeout(this.#quiet);
    if (connected) this.connected = true;
    else this.#quiet = setTimeout(() => (this.connected = false), 2000);
  }

  protected override render(): TemplateResult {
    const full = this.route.page === "view";
    return html`
      <a class="skip" href="#main">To the content</a>
      ${this.#bar()}
      ${this.connected
        ? nothing
        : html`<p class="banner" role="alert">${icon("warning")} ${SILENT}</p>`}
      <main id="main" class=${full ? "full" : ""} tabindex="-1">${this.#page()}</main>
      ${dock.open && this.route.page !== "jobs" ? this.#dock() : nothing} ${this.#notices()}
    `;
  }

  #bar(): TemplateResult {
    const moving = jobs.moving;
    const words = moving > 0 ? `Jobs: ${moving} under way` : "Jobs";
    return html`<header class="bar">
      <a class="brand" href=${router.list} aria-label="wsiweb: studies">
        wsiweb
      </a>
      <span class="spring"></span>
      ${mayDownload()
        ? html`<button type="button" class="quiet" aria-label="Import a folder" @click=${openImport}>
            ${icon("folder")} <span class="wide-only">Import</span>
          </button>`
        : nothing}
      <button
        type="button"
        class="quiet"
        aria-expanded=${dock.open ? "true" : "false"}
        aria-label=${jobs.failed > 0 ? `${words}, ${jobs.failed} with failures` : words}
        @click=${() => (this.route.page === "jobs" ? nothing : dock.show(!dock.open))}
      >
        ${icon("jobs")} Jobs
        ${moving > 0 ? html`<span class="count">${moving}</span>` : nothing}
        ${jobs.failed > 0 ? html`<span class="count bad">${jobs.failed}</span>` : nothing}
      </button>
      <button type="button" class="quiet square wide-only" aria-label="Keys" @click=${openKeys}>
        ${icon("help")}
      </button>
    </header>`;
  }

  #page(): TemplateResult {
    const route = this.route;
    switch (route.page) {
      case "list":
        return html`<wsi-list-page .query=${route.query}></wsi-list-page>`;
      case "study":
        return html`<wsi-study-page .uid=${route.study}></wsi-study-page>`;
      case "view":
        return html`<wsi-view-page .address=${route} .place=${route.place}></wsi-view-page>`;
      case "jobs":
        return html`<wsi-jobs-page></wsi-jobs-page>`;
      case "nowhere":
        return html`<div class="page">
          <div class="empty">
            <h1 tabindex="-1">There is no such page</h1>
            <p>Nothing is at ${route.path}.</p>
            <a class="button" href=${router.list}>To the studies</a>
          </div>
        </div>`;
    }
  }

  #dock(): TemplateResult {
    return html`<section class="dock" aria-label="Jobs">
      <div class="dock-head">
        <h2>Jobs</h2>
        <span class="spring"></span>
        ${jobs.rows.some((job) => job.canClear)
          ? html`<button type="button" class="quiet" @click=${clearJobs}>Clear done</button>`
          : nothing}
        <a class="button quiet" href="/jobs">All jobs</a>
        <button
          type="button"
          class="quiet square"
          aria-label="Close the jobs"
          @click=${() => dock.show(false)}
        >
          ${icon("close")}
        </button>
      </div>
      <wsi-jobs level="3"></wsi-jobs>
    </section>`;
  }

  #notices(): TemplateResult {
    return html`<div class="notices" role="status" aria-live="polite">
      ${notices.rows.map(
        (notice) => html`<p class="notice ${notice.bad ? "bad" : ""}">
          <span>${notice.words}</span>
          <button
            type="button"
            class="quiet square"
            aria-label="Dismiss"
            @click=${() => notices.dismiss(notice)}
          >
            ${icon("close")}
          </button>
        </p>`,
      )}
    </div>`;
  }
}

customElements.define("wsi-app", App);
