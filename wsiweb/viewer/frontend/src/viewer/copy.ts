/** Copying a text, also where the clipboard is not to be had (a page without TLS, a frame). */

import { element } from "./dom.ts";
import { openDialog } from "./controls/dialog.ts";

/** Copy; where that is refused, show the text selected in a dialog. True where it was copied. */
export async function copyText(root: HTMLElement, title: string, text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = element("textarea", { readonly: true, rows: "6", "aria-label": title });
    area.value = text;
    openDialog(root, title, element("div", { class: "wsiweb-form" }, area));
    area.select();
    return false;
  }
}
