/** Asks which other archive a study or a slide is to be sent to. */

import { html, type TemplateResult } from "lit";

import { api, type Subject } from "../api.ts";
import { archives } from "../archives.ts";
import { followJobs } from "../following.ts";
import { Dialog, valueOf } from "./dialog.ts";

class Send extends Dialog {
  subject: Subject = { archive: "", study: "" };
  about = "";

  protected get heading(): string {
    return "Send to another archive";
  }

  protected body(): TemplateResult {
    const others = archives.besides(this.subject.archive);
    return html`<form @submit=${this.#submitted}>
      <p>
        <strong>${this.about}</strong>${this.subject.series ? "" : ", all series,"} from
        ${archives.nameOf(this.subject.archive)}
      </p>
      <fieldset class="choices">
        <legend>To</legend>
        ${others.map(
          (one, place) => html`<label class="check">
            <input
              type="radio"
              name="to"
              required
              value=${one.id}
              ?checked=${others.length === 1}
              ?data-first=${place === 0}
            />
            <span>${one.name} <span class="soft block">${one.url}</span></span>
          </label>`,
        )}
      </fieldset>
      <p class="note">What is there already is not sent again; nothing is taken away here.</p>
      ${this.buttons(this.busy ? "Starting …" : "Send")}
    </form>`;
  }

  #submitted(event: SubmitEvent): void {
    event.preventDefault();
    const to = valueOf(event, "to");
    void this.perform(async () => {
      followJobs((await api.sendTo(this.subject, to)).words);
    });
  }
}

customElements.define("wsi-send", Send);

export function openSend(subject: Subject, title: string): void {
  Object.assign(new Send(), { subject, about: title }).open();
}
