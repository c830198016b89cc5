/** Small drawings for buttons; each stands beside words, or in a button that has a name. */

import { html, svg, type SVGTemplateResult, type TemplateResult } from "lit";

const SHAPES = {
  add: svg`<path d="M8 3v10M3 8h10"/>`,
  archive: svg`<ellipse cx="8" cy="4" rx="5" ry="2"/><path d="M3 4v8c0 1.1 2.2 2 5 2s5-.9 5-2V4M3 8c0 1.1 2.2 2 5 2s5-.9 5-2"/>`,
  folder: svg`<path d="M2 12.5v-9h4l1.5 2H14v7z"/>`,
  back: svg`<path d="M9.5 3.5 5 8l4.5 4.5"/>`,
  next: svg`<path d="M6.5 3.5 11 8l-4.5 4.5"/>`,
  cards: svg`<rect x="2.5" y="2.5" width="4.5" height="4.5"/><rect x="9" y="2.5" width="4.5" height="4.5"/><rect x="2.5" y="9" width="4.5" height="4.5"/><rect x="9" y="9" width="4.5" height="4.5"/>`,
  table: svg`<path d="M2.5 4h11M2.5 8h11M2.5 12h11"/>`,
  close: svg`<path d="m4 4 8 8M12 4l-8 8"/>`,
  more: svg`<g fill="currentColor" stroke="none"><circle cx="3.5" cy="8" r="1.3"/><circle cx="8" cy="8" r="1.3"/><circle cx="12.5" cy="8" r="1.3"/></g>`,
  filter: svg`<path d="M2.5 4h11M4.5 8h7M6.5 12h3"/>`,
  jobs: svg`<path d="M5 13V4M5 4 2.5 6.5M5 4l2.5 2.5M11 3v9m0 0 2.5-2.5M11 12 8.5 9.5"/>`,
  down: svg`<path d="M8 2.5v8m0 0L5 7.5m3 3 3-3M3 13.5h10"/>`,
  up: svg`<path d="M8 10.5v-8m0 0L5 5.5m3-3 3 3M3 13.5h10"/>`,
  send: svg`<path d="M2.5 8h10m0 0L9 4.5M12.5 8 9 11.5"/>`,
  remove: svg`<path d="M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.5 9h6l.5-9"/>`,
  tags: svg`<path d="M2.5 3h5l6 6-5 5-6-6z"/><circle cx="5.3" cy="5.8" r=".8"/>`,
  link: svg`<path d="M6.5 9.5 9.5 6.5M7.5 5 9 3.5a2.5 2.5 0 0 1 3.5 3.5L11 8.5M8.5 11 7 12.5A2.5 2.5 0 0 1 3.5 9L5 7.5"/>`,
  python: svg`<path d="m5.5 4.5-3.5 3.5 3.5 3.5M10.5 4.5 14 8l-3.5 3.5"/>`,
  retry: svg`<path d="M13 8a5 5 0 1 1-1.5-3.5M13 2v3h-3"/>`,
  warning: svg`<path d="M8 2.5 14.5 13.5h-13zM8 6.5v3.5M8 11.7v.3"/>`,
  help: svg`<circle cx="8" cy="8" r="6"/><path d="M6.3 6.3a1.7 1.7 0 1 1 2.5 1.5c-.6.3-.8.7-.8 1.3M8 11.3v.2"/>`,
  slides: svg`<rect x="2.5" y="3" width="11" height="10" rx="1"/><path d="M6 3v10"/>`,
} as const satisfies Record<string, SVGTemplateResult>;

export type Icon = keyof typeof SHAPES;

/** A drawing of the height of a line of text. */
export function icon(name: Icon): TemplateResult {
  return html`<svg
    class="icon"
    viewBox="0 0 16 16"
    width="16"
    height="16"
    fill="none"
    stroke="currentColor"
    stroke-width="1.5"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true"
  >
    ${SHAPES[name]}
  </svg>`;
}
