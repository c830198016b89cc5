/** What the page or the widget around a viewer decides. */

import type { View } from "./view.ts";

export type Theme = "auto" | "light" | "dark";

export interface ViewerOptions {
  /** Where to begin; what is left out is as for the whole slide. */
  view: Partial<View>;
  /** "auto" follows the system, or JupyterLab or VS Code around it. */
  theme: Theme;
  /** Whether the panel (layers, label, colour) is open at the start; wide viewers only. */
  panel: boolean;
  /** Whether the slide takes the keyboard at once: for a page of its own, not in a notebook. */
  focus: boolean;
  /** Whether layers are shown at the start; they can be switched on later in any case. */
  overlays: boolean;
  /**
   * Whether the wheel zooms at once (a page), or only once the viewer has been clicked or has the
   * focus (a notebook, where the wheel scrolls past it).
   */
  wheel: "always" | "focused";
  /** The address of a view, for the button "Copy link"; without it there is no such button. */
  link: ((view: View) => string) | null;
}

export const DEFAULTS: ViewerOptions = {
  view: {},
  theme: "auto",
  panel: true,
  focus: false,
  overlays: true,
  wheel: "always",
  link: null,
};
