/** Asks for an archive to look in. */

import { html, type TemplateResult } from "lit";

import { archives } from "../archives.ts";
import { listing } from "../listing.ts";
import { Dialog, valueOf } from "./dialog.ts";

class AddArchive extends Dialog {
  protected get heading(): string {
    return "Add an archive";
  }

  protected body(): TemplateResult {
    return html`<form @submit=${this.#submitted}>
      <label class="field">
        <span>Address, folder or name</span>
        <input name="target" required data-first autocomplete="off" spellcheck="false" />
      </label>
      <p class="note">
        The address of a DICOMweb server (https://…/dicom-web), a folder with slides on this
        machine, or a name that <code>wsiweb archives add</code> gave to one. Sign-ins are set up
        there, never here.
      </p>
      ${this.buttons(this.busy ? "Adding …" : "Add")}
    </form>`;
  }

  #submitted(event: SubmitEvent): void {
    event.preventDefault();
    const target = valueOf(event, "target");
    void this.perform(async () => {
      await archives.add(target);
      await listing.load();
    });
  }
}

customElements.define("wsi-add-archive", AddArchive);

export function openAddArchive(): void {
  new AddArchive().open();
}
