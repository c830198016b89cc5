/** Keys of the list. A slide has its own, while it has the focus. */

export interface ListKeys {
  layout(): void;
  jobs(): void;
  help(): void;
  /** Whether the list is what is seen. */
  on(): boolean;
}

export function listen(keys: ListKeys): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!keys.on() || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const act = actOf(event.key, keys);
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function actOf(key: string, keys: ListKeys): (() => void) | undefined {
  switch (key) {
    case "/":
      return focusFilters;
    case "t":
      return keys.layout;
    case "j":
      return keys.jobs;
    case "?":
      return keys.help;
    case "ArrowDown":
      return studies().length > 0 ? () => step(1) : undefined;
    case "ArrowUp":
      return studies().length > 0 ? () => step(-1) : undefined;
    default:
      return undefined;
  }
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof Element &&
    target.closest("input, select, textarea, [role=menu], [contenteditable]") !== null
  );
}

function focusFilters(): void {
  const button = document.querySelector<HTMLElement>(".side-button");
  const field = document.querySelector<HTMLInputElement>("input[name=patient]");
  if (field?.offsetParent === null) button?.click(); // a narrow screen hides them
  requestAnimationFrame(() => field?.focus());
}

const studies = (): HTMLElement[] => [...document.querySelectorAll<HTMLElement>("a.study-link")];

/** Go to the next study, or the one before; from elsewhere, to the first in view. */
function step(by: number): void {
  const links = studies().filter((link) => link.offsetParent !== null);
  const at = links.indexOf(document.activeElement as HTMLElement);
  const first = links.findIndex((link) => link.getBoundingClientRect().top >= 0);
  const to = at < 0 ? Math.max(first, 0) : Math.min(Math.max(at + by, 0), links.length - 1);
  const link = links[to];
  link?.focus({ preventScroll: true });
  link?.scrollIntoView({ block: "nearest" });
}
