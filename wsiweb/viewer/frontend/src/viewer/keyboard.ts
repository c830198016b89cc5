/** The keys of the viewer, while it has the focus. */

export interface KeyActs {
  pan(right: number, down: number): void;
  zoomIn(): void;
  zoomOut(): void;
  home(): void;
  oneToOne(): void;
  goTo(): void;
  overlays(): void;
  inquire(): void;
  panel(): void;
  fullscreen(): void;
  help(): void;
}

/** How much of the screen an arrow moves. */
const STEP = 0.2;
const SCREEN = 0.9;

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** What a key does; null where it means nothing here and goes on to the page. */
export function actOf(event: KeyboardEvent, acts: KeyActs): (() => void) | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const arrow = ARROWS[event.key];
  if (arrow !== undefined) {
    const step = event.shiftKey ? SCREEN : STEP;
    return () => acts.pan(arrow[0] * step, arrow[1] * step);
  }
  switch (event.key) {
    case "+":
    case "=":
      return acts.zoomIn;
    case "-":
    case "_":
      return acts.zoomOut;
    case "0":
    case "Home":
      return acts.home;
    case "1":
      return acts.oneToOne;
    case "g":
      return acts.goTo;
    case "o":
      return acts.overlays;
    case "i":
      return acts.inquire;
    case "p":
      return acts.panel;
    case "f":
      return acts.fullscreen;
    case "?":
      return acts.help;
    default:
      return null;
  }
}

/** Listen on the viewer's root; fields, sliders and dialogs keep their keys. */
export function listen(root: HTMLElement, acts: KeyActs): void {
  root.addEventListener("keydown", (event) => {
    if (keepsKeys(event.target)) return;
    const act = actOf(event, acts);
    if (act === null) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });
}

function keepsKeys(target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return false;
  return target.closest("input:not([type=checkbox]), select, textarea, dialog") !== null;
}
