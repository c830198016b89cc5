/** Says which keys the list understands. */

import { html, type TemplateResult } from "lit";

import { Dialog } from "./dialog.ts";

const KEYS: readonly (readonly [string, string])[] = [
  ["/", "Find: go to the filters"],
  ["↓  ↑", "The next study, the one before"],
  ["Enter", "Open it"],
  ["t", "Table or cards"],
  ["j", "Show or hide the jobs"],
  ["?", "This list of keys"],
];

class Keys extends Dialog {
  protected get heading(): string {
    return "Keys";
  }

  protected body(): TemplateResult {
    return html`<dl class="keys">
        ${KEYS.map(([key, words]) => html`<dt><kbd>${key}</kbd></dt><dd>${words}</dd>`)}
      </dl>
      <p class="note">In a slide, ? says which keys it understands.</p>`;
  }
}

customElements.define("wsi-keys", Keys);

export function openKeys(): void {
  new Keys().open();
}
