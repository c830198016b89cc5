/** A dialog over the viewer: one heading, a way out, and the focus back where it was. */

import { element, freshId, iconButton } from "../dom.ts";
import { icon } from "./icons.ts";

/** Open a dialog inside `root`; it is gone from the page once closed. */
export function openDialog(root: HTMLElement, title: string, body: HTMLElement): HTMLDialogElement {
  const heading = freshId("heading");
  const dialog = element("dialog", { class: "wsiweb-dialog", "aria-labelledby": heading });
  dialog.append(
    element(
      "header",
      { class: "wsiweb-dialog-head" },
      element("h2", { id: heading }, title),
      iconButton("Close", icon("close"), () => dialog.close()),
    ),
    body,
  );
  dialog.addEventListener("close", () => dialog.remove());
  // A press on what is behind the dialog closes it, as people expect.
  dialog.addEventListener("pointerdown", (event) => {
    if (event.target === dialog) dialog.close();
  });
  root.append(dialog);
  dialog.showModal();
  return dialog;
}
