/** One slide, in the viewer; beside it the other slides of its study. */

import { html, nothing, type PropertyValues, type TemplateResult } from "lit";

import { actsOnSlide } from "../acts.ts";
import { feedOf, isAbort, messageOf, type Subject } from "../api.ts";
import { archives } from "../archives.ts";
import { details } from "../details.ts";
import { icon } from "../elements/icons.ts";
import "../elements/menu.ts";
import type { MenuItem } from "../elements/menu.ts";
import { Part } from "../elements/part.ts";
import { titleOf } from "../elements/slide-card.ts";
import { titleOfStudy } from "../elements/study-card.ts";
import "../elements/thumbnail.ts";
import { router } from "../router.ts";
import { hrefOf, type Place } from "../routes.ts";
import type { SlideRow, StudyAnswer } from "../shapes.ts";
import { Watching } from "../store.ts";
import { person, power } from "../words.ts";
import { HttpSource, SlideViewer } from "../../viewer/index.ts";

const CALM = 400; // ms that a view stands still until it is written into the address

type Address = Required<Subject>;

export class ViewPage extends Part {
  static override properties = {
    address: { attribute: false },
    place: { attribute: false },
    study: { state: true },
    error: { state: true },
    stripOpen: { state: true },
  };

  declare address: Address;
  /** Where to look at first, or now; null for all of it. */
  declare place: Place | null;
  declare study: StudyAnswer | null;
  declare error: string;
  declare stripOpen: boolean;
  #abort: AbortController | null = null;
  #viewer: SlideViewer | null = null;
  #shown = "";
  #noting: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.study = null;
    this.error = "";
    this.stripOpen = matchMedia("(min-width: 60rem)").matches;
    new Watching(this, archives, details);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#abort?.abort();
    this.#close();
  }

  // The study --------------------------------------------------------------------------------

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("address")) return;
    const before = changed.get("address");
    if (before?.study === this.address.study && this.study) return;
    this.study = details.held(this.address.study) ?? null;
    if (!this.study) void this.#load();
  }

  async #load(): Promise<void> {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    try {
      this.study = await details.fresh(this.address.study, abort.signal);
    } catch {
      // The slide itself says what went wrong; without its neighbours it can be looked at as well.
    }
  }

  get #slide(): SlideRow | undefined {
    const found = this.study?.slides.find((one) => one.series === this.address.series);
    return found && details.latest(found);
  }

  get #title(): string {
    const slide = this.#slide;
    return slide ? titleOf(slide) : "Slide";
  }

  // The viewer -------------------------------------------------------------------------------

  protected override updated(changed: PropertyValues<this>): void {
    const key = feedOf(this.address);
    if (key !== this.#shown) this.#show(key);
    else if (changed.has("place")) this.#follow();
    document.title = `${this.#title} – wsiweb`;
  }

  #show(key: string): void {
    this.#close();
    this.#shown = key;
    this.error = "";
    const parent = this.querySelector(".stage") as HTMLElement;
    const viewer = new SlideViewer(parent, new HttpSource(key), {
      view: this.place ?? {},
      focus: true,
      link: (view) => location.origin + this.#href(view),
    });
    this.#viewer = viewer;
    viewer.onView(() => this.#moved());
    viewer.ready.then(
      () => {
        // For those who drive the page: tests, and a console.
        if (this.#viewer === viewer) Object.assign(globalThis, { wsiweb: { viewer } });
      },
      (error: unknown) => {
        if (this.#viewer === viewer && !isAbort(error)) this.error = messageOf(error);
      },
    );
  }

  #close(): void {
    clearTimeout(this.#noting);
    this.#viewer?.destroy();
    this.#viewer = null;
    this.#shown = "";
    Reflect.deleteProperty(globalThis, "wsiweb");
  }

  #href(place: Place | null): string {
    return hrefOf({ page: "view", ...this.address, place });
  }

  /** Keep the address at what is seen, so that it can be copied, kept, and come back to. */
  #moved(): void {
    clearTimeout(this.#noting);
    this.#noting = setTimeout(() => {
      if (this.#viewer) router.note(this.#href(this.#viewer.view));
    }, CALM);
  }

  /** Go where the address says: somebody used the browser's own buttons. */
  #follow(): void {
    if (this.place) this.#viewer?.goto(this.place);
  }

  // Drawing ----------------------------------------------------------------------------------

  protected override render(): TemplateResult {
    const slides = this.study?.slides ?? [];
    const several = slides.length > 1;
    return html`
      <div class="view-page">
        <div class="view-head">
          ${this.#trail()}
          <h1 tabindex="-1">${this.#title}</h1>
          ${this.#facts()}
          <span class="spring"></span>
          ${several
            ? html`<button
                type="button"
                aria-expanded=${this.stripOpen ? "true" : "false"}
                aria-controls="slides-of-study"
                @click=${() => (this.stripOpen = !this.stripOpen)}
              >
                ${icon("slides")} <span class="wide-only">Slides of the study</span>
              </button>`
            : nothing}
          <wsi-menu label="Acts for this slide" .items=${this.#acts()}></wsi-menu>
        </div>
        <div class="view-body">
          ${several && this.stripOpen ? this.#strip(slides) : nothing}
          <div class="stage" ?hidden=${this.error !== ""}></div>
          ${this.error ? this.#failed() : nothing}
        </div>
      </div>
    `;
  }

  #trail(): TemplateResult {
    const study = this.study;
    const words = study ? titleOfStudy(study) : "Study";
    return html`<nav class="trail" aria-label="Trail">
      <a href=${hrefOf({ page: "study", study: this.address.study })} title=${words}>
        ${icon("back")} <span class="trail-words">${words}</span>
      </a>
    </nav>`;
  }

  #facts(): TemplateResult {
    const slide = this.#slide;
    const study = this.study;
    const facts = [
      slide?.magnification ? power(slide.magnification) : "",
      study?.patientId ?? "",
      study ? person(study.patientName) : "",
      archives.known ? archives.nameOf(this.address.archive) : "",
    ].filter(Boolean);
    return html`<span class="soft view-facts">${facts.join(" · ")}</span>`;
  }

  #acts(): MenuItem[] {
    const archivesOfIt = [this.address.archive];
    return actsOnSlide({ ...this.address, archives: archivesOfIt, title: this.#title }).slice(1);
  }

  #strip(slides: readonly SlideRow[]): TemplateResult {
    return html`<nav id="slides-of-study" class="slides-of-study" aria-label="Slides of the study">
      ${slides.map((row) => {
        const slide = details.latest(row);
        const here = slide.series === this.address.series;
        const archive = slide.archives.includes(this.address.archive)
          ? this.address.archive
          : (slide.archives[0] ?? this.address.archive);
        const subject = { archive, study: slide.study, series: slide.series };
        return html`<a
          href=${hrefOf({ page: "view", ...subject, place: null })}
          aria-current=${here ? "page" : nothing}
        >
          <wsi-thumbnail .subject=${subject}></wsi-thumbnail>
          <span class="slide-title">${titleOf(slide)}</span>
        </a>`;
      })}
    </nav>`;
  }

  #failed(): TemplateResult {
    return html`<div class="empty" role="alert">
      <h2>This slide cannot be shown</h2>
      <p>${this.error}</p>
      <button type="button" @click=${() => this.#show(feedOf(this.address))}>
        ${icon("retry")} Try again
      </button>
    </div>`;
  }
}

customElements.define("wsi-view-page", ViewPage);
