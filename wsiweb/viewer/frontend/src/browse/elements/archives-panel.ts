/** The archives that the list looks in: which of them, how far they are, and what hinders them. */

import { html, nothing, type TemplateResult } from "lit";

import { messageOf } from "../api.ts";
import { archives } from "../archives.ts";
import { openAddArchive } from "../dialogs/add-archive.ts";
import { listing } from "../listing.ts";
import { notices } from "../notices.ts";
import type { ArchiveRow } from "../shapes.ts";
import { Watching } from "../store.ts";
import { grouped } from "../words.ts";
import { icon } from "./icons.ts";
import "./menu.ts";
import type { MenuItem } from "./menu.ts";
import { Part } from "./part.ts";
import { trouble } from "./trouble.ts";

interface Said {
  state: "idle" | "listing" | "ready" | "failed";
  found: number | null;
  error: string;
}

export class ArchivesPanel extends Part {
  static override properties = {
    chosen: { attribute: false },
    busy: { state: true },
  };

  /** Ids of the archives that are looked in; empty: all of them. */
  declare chosen: readonly string[];
  declare busy: string;

  constructor() {
    super();
    this.chosen = [];
    this.busy = "";
    new Watching(this, archives, listing);
  }

  protected override render(): TemplateResult {
    return html`
      <section class="panel" aria-labelledby="archives-title">
        <div class="panel-head">
          <h2 id="archives-title">Archives</h2>
          <button type="button" class="quiet" @click=${openAddArchive}>${icon("add")} Add</button>
        </div>
        ${this.#rows()}
      </section>
    `;
  }

  #rows(): TemplateResult {
    if (archives.error && !archives.known) {
      return html`<p class="note bad">${archives.error}</p>`;
    }
    if (!archives.known) {
      return html`<div class="archive-row"><span class="skeleton line"></span></div>
        <div class="archive-row"><span class="skeleton line"></span></div>`;
    }
    if (archives.rows.length === 0) {
      return html`<p class="note">None yet. Add a folder with slides, or the address of a server.</p>`;
    }
    return html`<ul class="plain" role="list">
      ${archives.rows.map((row) => html`<li>${this.#row(row)}</li>`)}
    </ul>`;
  }

  #row(row: ArchiveRow): TemplateResult {
    const said = this.#said(row);
    const chosen = this.chosen.length === 0 || this.chosen.includes(row.id);
    return html`
      <div class="archive-row">
        <label class="check" title=${row.url}>
          <input
            type="checkbox"
            .checked=${chosen}
            @change=${(event: Event) => this.#choose(row, event.target as HTMLInputElement)}
          />
          ${icon(row.folder ? "folder" : "archive")}
          <span class="archive-name">${row.name}</span>
        </label>
        <span class="archive-state ${said.state}" aria-label=${this.#words(said)}>
          ${said.state === "listing" ? html`<span class="spinner" aria-hidden="true"></span>` : nothing}
          ${said.state === "failed" ? icon("warning") : nothing}
          ${said.found === null ? nothing : grouped(said.found)}
        </span>
        <wsi-menu label="Acts for ${row.name}" .items=${this.#acts(row)}></wsi-menu>
      </div>
      ${said.state === "failed"
        ? html`<div class="archive-error" role="alert">
            ${trouble(said.error || "The archive could not be listed.")}
            <button type="button" ?disabled=${this.busy === row.id} @click=${() => this.#retry(row)}>
              ${icon("retry")} Try again
            </button>
          </div>`
        : nothing}
      ${said.state === "ready" && said.error
        ? html`<p class="note archive-note">${said.error}</p>`
        : nothing}
    `;
  }

  /** How far it is with what is asked now; else what is known of it at all. */
  #said(row: ArchiveRow): Said {
    const here = listing.stateOf(row.id);
    if (here && here.state !== "idle") {
      const found = here.state === "failed" && here.found === 0 ? null : here.found;
      return { state: here.state, found, error: here.error };
    }
    return { state: row.state, found: row.count, error: row.error };
  }

  #words(said: Said): string {
    const found = said.found === null ? "" : `${grouped(said.found)} found`;
    const state = { idle: "", ready: "", listing: "still listing", failed: "stopped" }[said.state];
    return [found, state].filter(Boolean).join(", ") || "not listed yet";
  }

  #acts(row: ArchiveRow): MenuItem[] {
    return [
      { words: "Verify connection", icon: "retry", act: () => void this.#verify(row) },
      { words: "Only this archive", icon: "filter", act: () => this.tell("choose", [row.id]) },
      { words: "Take off the list", icon: "close", act: () => void this.#forget(row) },
    ];
  }

  #choose(row: ArchiveRow, box: HTMLInputElement): void {
    const all = archives.rows.map((one) => one.id);
    const before = this.chosen.length === 0 ? all : this.chosen;
    const now = all.filter((id) => (id === row.id ? box.checked : before.includes(id)));
    if (now.length === 0) {
      box.checked = true; // none would mean all: that is no way to say nothing
      notices.say("At least one archive stays chosen.");
      return;
    }
    this.tell("choose", now.length === all.length ? [] : now);
  }

  async #retry(row: ArchiveRow): Promise<void> {
    await this.#while(row, async () => {
      await archives.verify(row.id);
      await listing.load();
    });
  }

  async #verify(row: ArchiveRow): Promise<void> {
    await this.#while(row, async () => {
      const answer = await archives.verify(row.id);
      if (answer.ok) notices.say(answer.words);
      else notices.fail(answer.words);
    });
  }

  async #forget(row: ArchiveRow): Promise<void> {
    await this.#while(row, async () => {
      await archives.forget(row.id);
      if (this.chosen.includes(row.id)) {
        this.tell("choose", this.chosen.filter((id) => id !== row.id));
      }
      await listing.load();
    });
  }

  async #while(row: ArchiveRow, act: () => Promise<void>): Promise<void> {
    this.busy = row.id;
    try {
      await act();
    } catch (error) {
      notices.fail(messageOf(error));
    } finally {
      this.busy = "";
    }
  }
}

customElements.define("wsi-archives", ArchivesPanel);
