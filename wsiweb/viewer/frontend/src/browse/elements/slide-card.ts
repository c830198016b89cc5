/** One slide: its picture, its stain and power, and what was found on it. */

import { html, nothing, type TemplateResult } from "lit";

import { actsOnSlide, subjectOf } from "../acts.ts";
import { details } from "../details.ts";
import { hrefOf } from "../routes.ts";
import type { SlideRow } from "../shapes.ts";
import { extent, power } from "../words.ts";
import "./menu.ts";
import "./thumbnail.ts";

/** What people call a slide: its stain, else its title, else its glass. */
export function titleOf(slide: SlideRow): string {
  return slide.stain || slide.title || slide.description || slide.container || "Slide";
}

/** The address at which a slide is viewed. */
export function hrefOfSlide(slide: SlideRow): string {
  const { archive, study } = subjectOf({ ...slide, title: "" });
  return hrefOf({ page: "view", archive, study, series: slide.series, place: null });
}

/** A card in a row has room for two short ones: what one looks for, and not how large it is. */
function facts(slide: SlideRow, full: boolean): string[] {
  const found: string[] = [];
  if (slide.magnification) found.push(power(slide.magnification));
  if (full && slide.size) found.push(extent(...slide.size));
  if (!full && slide.container) found.push(slide.container);
  return found;
}

/**
 * A card of a slide.
 *
 * `kinds` are those of the results that refer to it; `full` is for the page of its study, where
 * there is room for more.
 */
export function slideCard(
  row: SlideRow,
  { full = false, kinds = [] }: { full?: boolean; kinds?: readonly string[] } = {},
): TemplateResult {
  const slide = details.latest(row);
  const title = titleOf(slide);
  const about = facts(slide, full);
  return html`
    <article class="slide-card ${full ? "full" : ""}">
      <a href=${hrefOfSlide(slide)} class="slide-link">
        <wsi-thumbnail .subject=${{ ...subjectOf({ ...slide, title }), series: slide.series }}></wsi-thumbnail>
        <span class="slide-title">${title}</span>
        <span class="slide-facts" title=${about.join(" · ")}>${about.join(" · ") || nothing}</span>
        ${full && slide.container
          ? html`<span class="slide-facts">Container ${slide.container}</span>`
          : nothing}
        ${kinds.length > 0
          ? html`<span class="badges">
              ${kinds.map((kind) => html`<span class="badge result">${kind}</span>`)}
            </span>`
          : nothing}
      </a>
      ${full
        ? html`<wsi-menu label="Acts for ${title}" .items=${actsOnSlide({ ...slide, title })}></wsi-menu>`
        : nothing}
    </article>
  `;
}

/** The place of a slide that is still to come. */
export function slideSkeleton(): TemplateResult {
  return html`<div class="slide-card" aria-hidden="true">
    <span class="thumbnail skeleton"></span>
    <span class="skeleton line"></span>
    <span class="skeleton line short"></span>
  </div>`;
}
