/** The list as cards: studies under their patients. */

import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";

import type { StudyRow } from "../shapes.ts";
import { count, person } from "../words.ts";
import "./study-card.ts";

export interface Patient {
  id: string;
  name: string;
  studies: StudyRow[];
}

/**
 * Studies by patient, in the order in which patients first appear.
 *
 * Ids of patients are an institution's own, so the name belongs to what tells them apart; a study
 * without either stands alone.
 */
export function byPatient(studies: readonly StudyRow[]): Patient[] {
  const found = new Map<string, Patient>();
  for (const study of studies) {
    const known = study.patientId || study.patientName;
    const key = known ? `${study.patientId}\n${study.patientName}` : `study ${study.study}`;
    const patient = found.get(key);
    if (patient) patient.studies.push(study);
    else found.set(key, { id: study.patientId, name: study.patientName, studies: [study] });
  }
  return [...found.values()];
}

export function patientCards(studies: readonly StudyRow[]): TemplateResult {
  return html`${repeat(byPatient(studies), keyOf, patientCard)}`;
}

const keyOf = (patient: Patient): string => patient.studies[0]?.study ?? "";

function patientCard(patient: Patient): TemplateResult {
  const name = person(patient.name);
  return html`
    <details class="patient" open>
      <summary>
        <h2>
          <span class="patient-id">${patient.id || name || "No patient"}</span>
          ${patient.id && name ? html`<span class="patient-name">${name}</span>` : nothing}
        </h2>
        <span class="soft">${count(patient.studies.length, "study", "studies")}</span>
      </summary>
      ${repeat(
        patient.studies,
        (study) => study.study,
        (study) => html`<wsi-study .study=${study}></wsi-study>`,
      )}
    </details>
  `;
}
