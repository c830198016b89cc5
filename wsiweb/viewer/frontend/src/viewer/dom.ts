/** Making elements. Texts are always texts: nothing here, or anywhere, parses HTML. */

export type Child = Node | string | null;

/** An element with attributes and children; `class` is prefixed by those who call. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | boolean>> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

let numbered = 0;

/** An id that no other element of the page has: two widgets may stand on one page. */
export function freshId(name: string): string {
  numbered += 1;
  return `wsiweb-${name}-${numbered}`;
}

/** A button with a picture, whose name is said to screen readers and shown on hovering. */
export function iconButton(
  name: string,
  icon: SVGElement,
  act: () => void,
  key = "",
): HTMLButtonElement {
  const title = key === "" ? name : `${name} (${key})`;
  const button = element("button", {
    type: "button",
    class: "wsiweb-button",
    "aria-label": name,
    title,
  });
  if (key !== "") button.setAttribute("aria-keyshortcuts", key);
  button.append(icon);
  button.addEventListener("click", act);
  return button;
}

export function textButton(name: string, act: () => void): HTMLButtonElement {
  const button = element("button", { type: "button", class: "wsiweb-text-button" }, name);
  button.addEventListener("click", act);
  return button;
}
