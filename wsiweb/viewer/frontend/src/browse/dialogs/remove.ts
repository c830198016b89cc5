/** Asks before a study or a slide is removed from an archive of this machine. */

import { html, type TemplateResult } from "lit";

import { api, type Subject } from "../api.ts";
import { listing } from "../listing.ts";
import { notices } from "../notices.ts";
import { router } from "../router.ts";
import { Dialog } from "./dialog.ts";

class Remove extends Dialog {
  subject: Subject = { archive: "", study: "" };
  about = "";
  archiveName = "";

  protected get heading(): string {
    return this.subject.series ? "Remove this series?" : "Remove this study?";
  }

  protected body(): TemplateResult {
    return html`<form @submit=${this.#submitted}>
      <p>
        <strong>${this.about}</strong> and its files are removed from <strong>${this.archiveName}</strong>
        on this machine. This cannot be undone.
      </p>
      <p class="note">Other archives keep what they have.</p>
      ${this.buttons(this.busy ? "Removing …" : "Remove", true)}
    </form>`;
  }

  #submitted(event: SubmitEvent): void {
    event.preventDefault();
    void this.perform(async () => {
      notices.say((await api.remove(this.subject)).words);
      await listing.load();
      if (router.route.page !== "list") router.go(router.list);
    });
  }
}

customElements.define("wsi-remove", Remove);

export function openRemove(subject: Subject, title: string, name: string): void {
  Object.assign(new Remove(), { subject, about: title, archiveName: name }).open();
}
