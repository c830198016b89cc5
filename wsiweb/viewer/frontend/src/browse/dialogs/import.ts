/** Asks for a folder whose slides are to be taken into the archive of this machine. */

import { html, type TemplateResult } from "lit";

import { api } from "../api.ts";
import "../elements/folder-field.ts";
import { followJobs } from "../following.ts";
import { Dialog, valueOf } from "./dialog.ts";

class Import extends Dialog {
  protected get heading(): string {
    return "Import a folder";
  }

  protected body(): TemplateResult {
    return html`<form @submit=${this.#submitted}>
      <wsi-folder label="Folder on the machine that runs wsiweb"></wsi-folder>
      <p class="note">
        DICOM objects in it, and in folders inside it, are copied into the local archive. What is
        no DICOM object is left out, and the job says so.
      </p>
      ${this.buttons(this.busy ? "Starting …" : "Import")}
    </form>`;
  }

  #submitted(event: SubmitEvent): void {
    event.preventDefault();
    const folder = valueOf(event, "folder");
    void this.perform(async () => {
      followJobs((await api.importFolder(folder)).words);
    });
  }
}

customElements.define("wsi-import", Import);

export function openImport(): void {
  new Import().open();
}
