/** What is being sent, fetched and imported, as all parts of the page know it. */

import { api, messageOf } from "./api.ts";
import { events } from "./events.ts";
import type { Done, Job, JobAct } from "./shapes.ts";
import { Store } from "./store.ts";

/** One name in the whole page: ids are an archive's own. */
export const keyOf = (job: Job): string => `${job.archive} ${job.id}`;

class Jobs extends Store {
  rows: readonly Job[] = [];
  known = false;
  error = "";
  #asked: Promise<void> | null = null;
  #again = false;

  start(): void {
    events.on("jobs", ({ detail }) => {
      if (Array.isArray(detail)) this.#take(detail as Job[]);
      else void this.load();
    });
    void this.load();
  }

  /** Ask how they are; while an answer is under way, once more after it. */
  load(): Promise<void> {
    if (this.#asked) {
      this.#again = true;
      return this.#asked;
    }
    this.#asked = this.#load().finally(() => {
      this.#asked = null;
      if (this.#again) {
        this.#again = false;
        void this.load();
      }
    });
    return this.#asked;
  }

  async #load(): Promise<void> {
    try {
      this.#take(await api.jobs());
    } catch (error) {
      this.error = messageOf(error);
      this.changed();
    }
  }

  /** The app tells the oldest first; what was begun last is looked for first. */
  #take(rows: readonly Job[]): void {
    this.rows = [...rows].reverse();
    this.known = true;
    this.error = "";
    this.changed();
  }

  get moving(): number {
    return this.rows.filter((job) => !job.finished).length;
  }

  get failed(): number {
    return this.rows.filter((job) => job.failed).length;
  }

  async act(job: Job, act: JobAct): Promise<void> {
    await api.actOnJob(job.archive, job.id, act);
    await this.load();
  }

  async clear(): Promise<Done> {
    const done = await api.clearJobs();
    await this.load();
    return done;
  }
}

export const jobs = new Jobs();
