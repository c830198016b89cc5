/**
 * The small picture of a slide or a study.
 *
 * It keeps its place from the beginning, asks for its picture only while it is in view, and says
 * in words when there is none.
 */

import { html, nothing, type PropertyValues, type TemplateResult } from "lit";

import { ApiError, isAbort, thumbnailOf, type Subject } from "../api.ts";
import { archives } from "../archives.ts";
import { thumbnails } from "../thumbnails.ts";
import { Part } from "./part.ts";

/** Pixels asked for, whatever the picture is shown at: one size is fetched, and kept, once. */
export const PICTURE = 256;

/** What says that there is no picture; all else says that it could not be had this time. */
const NONE: readonly number[] = [204, 404];

/** One observer for all: thousands of them would each be asked at every scroll. */
const inView = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) (entry.target as Thumbnail).seen(entry.isIntersecting);
  },
  { rootMargin: "120px" },
);

export class Thumbnail extends Part {
  static override properties = {
    subject: { attribute: false },
    label: { type: String },
    url: { state: true },
    missing: { state: true },
    failed: { state: true },
  };

  declare subject: Subject | undefined;
  /** What a screen reader says of it; empty where the words stand beside it. */
  declare label: string;
  declare url: string;
  /** Whether there is none. */
  declare missing: boolean;
  /** Whether it could not be had this time. */
  declare failed: boolean;
  #abort: AbortController | null = null;
  #visible = false;
  #health = "";

  constructor() {
    super();
    this.label = "";
    this.url = "";
    this.missing = false;
    this.failed = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    inView.observe(this);
    archives.addEventListener("change", this.#archivesChanged);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    inView.unobserve(this);
    archives.removeEventListener("change", this.#archivesChanged);
    this.seen(false);
  }

  /** Called when it enters the view, or leaves it. */
  seen(visible: boolean): void {
    this.#visible = visible;
    if (visible) void this.#load();
    else this.#abort?.abort();
  }

  /** An archive that failed may be back; one that says the same as before is not asked again. */
  readonly #archivesChanged = (): void => {
    if (this.failed && this.#visible && this.#health !== this.#healthNow()) void this.#load();
  };

  #healthNow(): string {
    const archive = archives.named(this.subject?.archive ?? "");
    return `${archive?.state} ${archive?.error}`;
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has("subject")) return;
    const before = changed.get("subject");
    if (before && this.#address(before) === this.#address(this.subject)) return;
    this.#abort?.abort();
    this.missing = false;
    this.failed = false;
    this.url = thumbnails.held(this.#address(this.subject)) ?? "";
    if (this.#visible) void this.#load();
  }

  #address(subject: Subject | undefined): string {
    return subject ? thumbnailOf(subject, PICTURE) : "";
  }

  async #load(): Promise<void> {
    if (!this.subject || this.url || this.missing) return;
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    try {
      const url = await thumbnails.get(this.#address(this.subject), abort.signal);
      if (this.#abort !== abort) return;
      this.url = url;
      this.failed = false;
    } catch (error) {
      if (isAbort(error) || this.#abort !== abort) return;
      this.missing = error instanceof ApiError && NONE.includes(error.status);
      this.failed = !this.missing;
      this.#health = this.#healthNow();
    }
  }

  protected override render(): TemplateResult {
    if (this.missing || this.failed) {
      return html`<span class="thumbnail missing">No picture</span>`;
    }
    return html`<span class="thumbnail ${this.url ? "" : "skeleton"}">
      ${this.url ? html`<img src=${this.url} alt=${this.label} decoding="async" />` : nothing}
    </span>`;
  }
}

customElements.define("wsi-thumbnail", Thumbnail);
