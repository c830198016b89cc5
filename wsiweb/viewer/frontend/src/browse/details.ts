/**
 * What is known of single studies, asked for when it is needed and then kept.
 *
 * The app finds out about the slides of the studies on a page by itself, and tells of them. Where
 * it could not (an archive did not answer), a card that is in view asks here, two at a time.
 */

import { api } from "./api.ts";
import { events } from "./events.ts";
import type { KnownSlides, SlideRow, StudyAnswer, StudyRow } from "./shapes.ts";
import { Store } from "./store.ts";

const AT_ONCE = 2;
const KEPT = 2000; // studies, and slides

const ORDER = new Intl.Collator("en", { numeric: true });

class Details extends Store {
  /** What has become known of slides since they were listed, by study and by series. */
  readonly #told = new Map<string, readonly SlideRow[]>();
  readonly #slides = new Map<string, SlideRow>();
  readonly #kept = new Map<string, StudyAnswer>();
  readonly #waiting: { start: () => void }[] = [];
  #underWay = 0;

  start(): void {
    // Objects may have come or gone; what is shown asks again when it is shown anew.
    // Objects may have come or gone; what is shown keeps what it has until it is told anew.
    events.on("archives", () => this.#kept.clear());
    events.on("slides", ({ detail }) => this.#learn(detail as KnownSlides | null));
  }

  /** The slides of a study, if somebody has said which. */
  slidesOf(study: StudyRow): readonly SlideRow[] | undefined {
    const { study: uid, slides } = study;
    return this.#told.get(uid) ?? slides ?? this.#kept.get(uid)?.slides;
  }

  /** A slide with all that is known of it by now. */
  latest(slide: SlideRow): SlideRow {
    return (slide.known ? undefined : this.#slides.get(slide.series)) ?? slide;
  }

  #learn(known: KnownSlides | null): void {
    for (const [study, slides] of Object.entries(known ?? {})) {
      this.#told.set(study, slides);
      for (const slide of slides) this.#slides.set(slide.series, slide);
    }
    trim(this.#told);
    trim(this.#slides);
    this.changed();
  }

  held(study: string): StudyAnswer | undefined {
    return this.#kept.get(study);
  }

  /** Ask when it is this one's turn; `signal` gives it up. */
  async get(study: string, signal: AbortSignal): Promise<StudyAnswer> {
    const held = this.#kept.get(study);
    if (held) return held;
    await this.#turn(signal);
    try {
      return this.#keep(study, await api.study(study, signal));
    } finally {
      this.#underWay -= 1;
      this.#waiting.shift()?.start();
    }
  }

  /** Ask at once: a page waits for it. */
  async fresh(study: string, signal: AbortSignal): Promise<StudyAnswer> {
    return this.#keep(study, await api.study(study, signal));
  }

  #keep(study: string, said: StudyAnswer): StudyAnswer {
    const answer = { ...said, slides: said.slides.toSorted(inOrder) };
    this.#kept.set(study, answer);
    trim(this.#kept);
    return answer;
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((go, stop) => {
      const start = (): void => {
        this.#underWay += 1;
        go();
      };
      if (this.#underWay < AT_ONCE) return start();
      const entry = { start };
      this.#waiting.push(entry);
      signal.addEventListener("abort", () => {
        const place = this.#waiting.indexOf(entry);
        if (place < 0) return;
        this.#waiting.splice(place, 1);
        stop(new DOMException("Given up", "AbortError"));
      });
    });
  }
}

/** The same order whichever archive was quicker: as the glasses are numbered. */
function inOrder(one: SlideRow, other: SlideRow): number {
  const [first, second] = [one, other].map((slide) => `${slide.container} ${slide.title}`);
  return ORDER.compare(first ?? "", second ?? "") || ORDER.compare(one.series, other.series);
}

function trim(kept: Map<string, unknown>): void {
  for (const oldest of kept.keys()) {
    if (kept.size <= KEPT) break;
    kept.delete(oldest);
  }
}

export const details = new Details();
