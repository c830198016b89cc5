/**
 * The studies of the list: what was asked, and what has come so far.
 *
 * It lives longer than the list page, so that who comes back from a slide sees at once what was
 * there, where it was. While archives are still listing, the answer is asked for again whenever
 * the app tells that there is more; what is shown stays until the new answer is here.
 */

import { api, isAbort, messageOf } from "./api.ts";
import { archives } from "./archives.ts";
import { events } from "./events.ts";
import type { ListQuery } from "./routes.ts";
import type { ArchiveFound, Progress, StudyRow } from "./shapes.ts";
import { Store } from "./store.ts";
import { thumbnails } from "./thumbnails.ts";

export const PAGE = 60; // studies of a page of the list
const CALM = 400; // ms between two answers that are drawn while archives list
const STABLE = 150; // ms that the order of the studies stays until their pictures are fetched

class Listing extends Store {
  studies: readonly StudyRow[] = [];
  archives: readonly ArchiveFound[] = [];
  total = 0;
  patients = 0;
  modalities: readonly string[] = [];
  /** Whether all archives have said all that they have. */
  complete = false;
  /** Whether anything has come for what is asked now. */
  known = false;
  /** Whether what is shown is an answer to what was asked before. */
  stale = false;
  error = "";
  /** Where the list was scrolled to, by its address. */
  readonly scrolled = new Map<string, number>();
  #asked = "";
  #shown = "";
  #key = "";
  #ids = "";
  #abort: AbortController | null = null;
  #later: ReturnType<typeof setTimeout> | undefined;
  #last = 0;

  start(): void {
    events.on("studies", ({ detail }) => this.#told(detail as Progress | null));
    archives.addEventListener("change", () => this.#archivesChanged());
  }

  /** Show what answers this; nothing is asked when that is what is shown. */
  show(query: ListQuery): void {
    const asked = searchFor(query).toString();
    if (asked === this.#asked && !this.error) return;
    this.stale = this.known;
    this.#asked = asked;
    void this.load();
  }

  async load(): Promise<void> {
    if (!this.#asked) return;
    clearTimeout(this.#later);
    this.#later = undefined;
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    this.changed();
    try {
      const asked = this.#asked;
      const answer = await api.studies(new URLSearchParams(asked), abort.signal);
      this.#shown = asked;
      if (!answer.complete && orderOf(answer.studies) !== orderOf(this.studies)) {
        thumbnails.hold(STABLE);
      }
      this.studies = answer.studies;
      this.archives = answer.archives;
      this.total = answer.total;
      this.patients = answer.patients;
      this.modalities = answer.modalities;
      this.#key = answer.key;
      this.complete = answer.complete;
      this.known = true;
      this.stale = false;
      this.error = "";
    } catch (error) {
      if (isAbort(error)) return;
      this.error = messageOf(error);
      this.stale = false;
    }
    this.#abort = null;
    this.#last = performance.now();
    this.changed();
  }

  /** Whether what is shown answers what is asked, though perhaps not with the latest. */
  get answered(): boolean {
    return this.known && this.#shown === this.#asked;
  }

  stateOf(archive: string): ArchiveFound | undefined {
    return this.archives.find((one) => one.id === archive);
  }

  /** What is asked of all archives is another question when there is another one. */
  #archivesChanged(): void {
    const ids = archives.rows.map((one) => one.id).join();
    const before = this.#ids;
    if (archives.known) this.#ids = ids;
    if (before !== "" && ids !== before) this.#soon();
  }

  /** Something was found for this listing; null where it may have been missed. */
  #told(progress: Progress | null): void {
    if (progress && progress.key !== this.#key) {
      // It may be of the listing that is being asked for, and have overtaken the answer.
      if (this.#abort) this.#soon();
      return;
    }
    if (progress) {
      this.archives = progress.archives;
      this.changed();
    }
    this.#soon();
  }

  /** Ask again, but not so often that the list is restless, and never by stopping a question. */
  #soon(): void {
    if (this.#later !== undefined || !this.#asked) return;
    const wait = this.#abort ? CALM : Math.max(0, this.#last + CALM - performance.now());
    this.#later = setTimeout(() => {
      this.#later = undefined;
      if (this.#abort) this.#soon();
      else void this.load();
    }, wait);
  }
}

function orderOf(studies: readonly StudyRow[]): string {
  return studies.map((one) => one.study).join();
}

/** What the API is asked for a page of the list. */
export function searchFor(query: ListQuery): URLSearchParams {
  const { from, to, ...others } = query.filters;
  const search = new URLSearchParams(others as Record<string, string>);
  if (from || to) search.set("date", dates(from, to));
  if (query.archives.length > 0) search.set("archive", query.archives.join(","));
  if (query.layout === "cards") search.set("group", "patient");
  search.set("sort", query.sort);
  search.set("offset", String((query.page - 1) * PAGE));
  search.set("limit", String(PAGE));
  return search;
}

/** A range of dates, either end of which may be open. */
function dates(from = "", to = ""): string {
  return from === to ? from : `${from}/${to}`;
}

export const listing = new Listing();
