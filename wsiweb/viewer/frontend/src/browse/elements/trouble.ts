/** What went wrong: the words first; what exactly was asked of an archive on demand. */

import { html, nothing, type TemplateResult } from "lit";

const ASKED = /^(.*\S)\s+\[([A-Z]+ https?:.*)\]$/s;

/** The words of an error, and the request that it ends with in brackets; empty without one. */
export function partsOf(error: string): [words: string, asked: string] {
  const found = ASKED.exec(error.trim());
  return found ? [found[1] ?? "", found[2] ?? ""] : [error.trim(), ""];
}

export function trouble(error: string, before = ""): TemplateResult {
  const [words, asked] = partsOf(error);
  return html`<p>${before} ${words}</p>
    ${asked
      ? html`<details class="asked">
          <summary>What was asked</summary>
          <code>${asked}</code>
        </details>`
      : nothing}`;
}
