/** Short messages that come and go: that something was copied, begun, or went wrong. */

import { Store } from "./store.ts";

export interface Notice {
  words: string;
  bad: boolean;
}

const SHOWN = 5_000; // ms; what went wrong stays until it is dismissed

class Notices extends Store {
  rows: readonly Notice[] = [];

  say(words: string): void {
    const notice = this.#add(words, false);
    setTimeout(() => this.dismiss(notice), SHOWN);
  }

  /** Say what went wrong. */
  fail(words: string): void {
    this.#add(words, true);
  }

  dismiss(notice: Notice): void {
    this.rows = this.rows.filter((one) => one !== notice);
    this.changed();
  }

  #add(words: string, bad: boolean): Notice {
    const notice = { words, bad };
    this.rows = [...this.rows.filter((one) => one.words !== words), notice].slice(-3);
    this.changed();
    return notice;
  }
}

export const notices = new Notices();
