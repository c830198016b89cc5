/** The list as a table: one line for each study, ordered by a click on a heading. */

import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { actsOnStudy, subjectOf } from "../acts.ts";
import { hrefOf } from "../routes.ts";
import type { StudyRow } from "../shapes.ts";
import { day, person } from "../words.ts";
import "./menu.ts";
import { archiveBadges, namedStudy, titleOfStudy } from "./study-card.ts";
import "./thumbnail.ts";

const COLUMNS: readonly (readonly [string, string])[] = [
  ["patient", "Patient"],
  ["date", "Date"],
  ["description", "Description"],
  ["accession", "Accession"],
];

/** A table of studies; `order` is called with what to sort by when a heading is clicked. */
export function studyTable(
  studies: readonly StudyRow[],
  sort: string,
  order: (sort: string) => void,
): TemplateResult {
  return html`
    <div class="table-frame">
      <table class="studies">
        <thead>
          <tr>
            <th scope="col"><span class="hidden">Picture</span></th>
            ${COLUMNS.map(([key, words]) => heading(key, words, sort, order))}
            <th scope="col">Modalities</th>
            <th scope="col">Archives</th>
            <th scope="col"><span class="hidden">Acts</span></th>
          </tr>
        </thead>
        <tbody>
          ${repeat(studies, (study) => study.study, row)}
        </tbody>
      </table>
    </div>
  `;
}

function heading(
  key: string,
  words: string,
  sort: string,
  order: (sort: string) => void,
): TemplateResult {
  const up = sort === key;
  const down = sort === `-${key}`;
  const next = up ? `-${key}` : down ? key : key === "date" ? "-date" : key;
  return html`<th scope="col" aria-sort=${up ? "ascending" : down ? "descending" : nothing}>
    <button type="button" class="sort" @click=${() => order(next)}>
      ${words}<span aria-hidden="true">${up ? " ↑" : down ? " ↓" : ""}</span>
    </button>
  </th>`;
}

function row(study: StudyRow): TemplateResult {
  const title = titleOfStudy(study);
  const name = person(study.patientName);
  return html`<tr>
    <td class="picture">
      ${mayHaveSlides(study)
        ? html`<wsi-thumbnail .subject=${subjectOf(namedStudy(study))}></wsi-thumbnail>`
        : nothing}
    </td>
    <td>
      <span class="patient-id">${study.patientId || "–"}</span>
      ${name ? html`<span class="soft block">${name}</span>` : nothing}
    </td>
    <td class="number"><time datetime=${study.date ?? nothing}>${day(study.date)}</time></td>
    <td class="description">
      <a class="study-link" href=${hrefOf({ page: "study", study: study.study })}>${title}</a>
    </td>
    <td>${study.accession || "–"}</td>
    <td>${study.modalities.join(" ")}</td>
    <td>${archiveBadges(study.archives)}</td>
    <td><wsi-menu label="Acts for ${title}" .items=${actsOnStudy(namedStudy(study))}></wsi-menu></td>
  </tr>`;
}

/** Some archives do not say what is in a study; then it is worth a look. */
function mayHaveSlides(study: StudyRow): boolean {
  return study.modalities.length === 0 || study.modalities.includes("SM");
}
