/** Asks where to a study or a slide is to be fetched. */

import { html, type TemplateResult } from "lit";

import { api, type Subject } from "../api.ts";
import { archives } from "../archives.ts";
import "../elements/folder-field.ts";
import { followJobs } from "../following.ts";
import { Dialog, valueOf } from "./dialog.ts";

let last = ""; // the folder of the last time is the best guess

class Download extends Dialog {
  subject: Subject = { archive: "", study: "" };
  about = "";

  protected get heading(): string {
    return "Download";
  }

  protected body(): TemplateResult {
    return html`<form @submit=${this.#submitted}>
      <p>
        <strong>${this.about}</strong>${this.subject.series ? "" : ", all series,"} from
        ${archives.nameOf(this.subject.archive)}
      </p>
      <wsi-folder label="Folder on the machine that runs wsiweb" path=${last}></wsi-folder>
      <p class="note">It is made if it is not there. Files arrive as DICOM, one folder per series.</p>
      ${this.buttons(this.busy ? "Starting …" : "Download")}
    </form>`;
  }

  #submitted(event: SubmitEvent): void {
    event.preventDefault();
    const folder = valueOf(event, "folder");
    void this.perform(async () => {
      const begun = await api.download(this.subject, folder);
      last = folder;
      followJobs(begun.words);
    });
  }
}

customElements.define("wsi-download", Download);

export function openDownload(subject: Subject, title: string): void {
  Object.assign(new Download(), { subject, about: title }).open();
}
