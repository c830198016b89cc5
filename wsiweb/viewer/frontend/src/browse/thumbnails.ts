/**
 * Small pictures, a few at a time.
 *
 * A browser opens six connections to a host: one is the stream of events, and the rest belongs
 * to what the user waits for. So at most three pictures are asked for at once, only what is in
 * view, and what left it is given up. Pictures that came are kept, within a number.
 */

import { ApiError, api } from "./api.ts";

const AT_ONCE = 3;
const KEPT = 400; // pictures, about 10 kB each

interface Wanted {
  address: string;
  abort: AbortController;
  done: (url: string) => void;
  failed: (error: unknown) => void;
}

export class Thumbnails {
  readonly #waiting: Wanted[] = [];
  readonly #kept = new Map<string, string>();
  #underWay = 0;
  #holding: ReturnType<typeof setTimeout> | undefined;

  /** The picture, if it is here. */
  held(address: string): string | undefined {
    return this.#kept.get(address);
  }

  /** Ask for a picture; `signal` gives it up. Resolves with an address for an `img`. */
  async get(address: string, signal: AbortSignal): Promise<string> {
    const held = this.#kept.get(address);
    if (held !== undefined) return held;
    return new Promise((done, failed) => {
      const abort = new AbortController();
      const wanted = { address, abort, done, failed };
      signal.addEventListener("abort", () => this.#giveUp(wanted), { once: true });
      this.#waiting.push(wanted);
      this.#next();
    });
  }

  /** Begin nothing for a while (ms): what is in view may be another in a moment. */
  hold(milliseconds: number): void {
    clearTimeout(this.#holding);
    this.#holding = setTimeout(() => {
      this.#holding = undefined;
      this.#next();
    }, milliseconds);
  }

  #giveUp(wanted: Wanted): void {
    wanted.abort.abort();
    const place = this.#waiting.indexOf(wanted);
    if (place >= 0) this.#waiting.splice(place, 1);
    wanted.failed(new DOMException("Given up", "AbortError"));
  }

  #next(): void {
    while (this.#underWay < AT_ONCE && this.#holding === undefined) {
      const wanted = this.#waiting.shift();
      if (!wanted) return;
      this.#underWay += 1;
      void this.#fetch(wanted).finally(() => {
        this.#underWay -= 1;
        this.#next();
      });
    }
  }

  async #fetch(wanted: Wanted): Promise<void> {
    try {
      const held = this.#kept.get(wanted.address);
      if (held !== undefined) return wanted.done(held);
      const picture = await api.picture(wanted.address, wanted.abort.signal);
      if (picture.size === 0) throw new ApiError("There is no picture.", 204);
      wanted.done(this.#keep(wanted.address, picture));
    } catch (error) {
      wanted.failed(error);
    }
  }

  #keep(address: string, picture: Blob): string {
    const held = this.#kept.get(address);
    if (held !== undefined) return held; // asked for twice at once
    const url = URL.createObjectURL(picture);
    this.#kept.set(address, url);
    for (const [oldest, old] of this.#kept) {
      if (this.#kept.size <= KEPT) break;
      this.#kept.delete(oldest);
      URL.revokeObjectURL(old); // an img that shows it has decoded it already
    }
    return url;
  }
}

export const thumbnails = new Thumbnails();
