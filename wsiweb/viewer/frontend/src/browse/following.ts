/** After something was begun that takes its time: say so, and show how far it is. */

import { jobs } from "./jobs.ts";
import { notices } from "./notices.ts";
import { Store } from "./store.ts";

class Dock extends Store {
  open = false;

  show(open: boolean): void {
    this.open = open;
    this.changed();
  }
}

/** Whether the jobs stand open beside the page. */
export const dock = new Dock();

export function followJobs(words: string): void {
  notices.say(words);
  dock.show(true);
  void jobs.load();
}
