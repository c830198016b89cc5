/** The archives that the app looks in, as all parts of the page know them. */

import { api, messageOf } from "./api.ts";
import { events } from "./events.ts";
import type { About, ArchiveRow, Verified } from "./shapes.ts";
import { Store } from "./store.ts";

class Archives extends Store {
  rows: readonly ArchiveRow[] = [];
  /** Whether they were asked for and have come. */
  known = false;
  error = "";
  /** What the app may do; until that is known, little. */
  about: About = { version: "", readOnly: true, paths: false, home: "" };

  start(): void {
    events.on("archives", ({ detail }) => {
      if (Array.isArray(detail)) this.#take(detail as ArchiveRow[]);
      else void this.load();
    });
    void this.load();
  }

  async load(): Promise<void> {
    try {
      const [rows, about] = await Promise.all([api.archives(), api.about()]);
      this.about = about;
      this.#take(rows);
    } catch (error) {
      this.error = messageOf(error);
      this.changed();
    }
  }

  #take(rows: readonly ArchiveRow[]): void {
    this.rows = rows;
    this.known = true;
    this.error = "";
    this.changed();
  }

  named(id: string): ArchiveRow | undefined {
    return this.rows.find((one) => one.id === id);
  }

  /** What people call it. */
  nameOf(id: string): string {
    return this.named(id)?.name ?? id;
  }

  /** Archives of this machine from which objects may be removed. */
  get removable(): readonly ArchiveRow[] {
    return this.#writable.filter((one) => one.local);
  }

  /** Archives other than this one that objects may be sent to. */
  besides(id: string): readonly ArchiveRow[] {
    return this.#writable.filter((one) => one.id !== id);
  }

  get #writable(): readonly ArchiveRow[] {
    return this.about.readOnly ? [] : this.rows.filter((one) => !one.readOnly);
  }

  async add(target: string): Promise<void> {
    await api.addArchive(target);
    await this.load();
  }

  async verify(id: string): Promise<Verified> {
    const answer = await api.verifyArchive(id);
    await this.load();
    return answer;
  }

  async forget(id: string): Promise<void> {
    await api.forgetArchive(id);
    await this.load();
  }
}

export const archives = new Archives();
