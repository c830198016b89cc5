/** What several parts of a page look at: values that tell when they change. */

import type { ReactiveController, ReactiveControllerHost } from "lit";

/** Something that changes. */
export class Store extends EventTarget {
  #told = false;

  /** Tell of a change, once for all changes of a moment. */
  protected changed(): void {
    if (this.#told) return;
    this.#told = true;
    queueMicrotask(() => {
      this.#told = false;
      this.dispatchEvent(new Event("change"));
    });
  }
}

/** Draws an element anew when one of these stores changes. */
export class Watching implements ReactiveController {
  readonly #update: () => void;
  readonly #stores: readonly Store[];

  constructor(host: ReactiveControllerHost, ...stores: Store[]) {
    this.#update = () => host.requestUpdate();
    this.#stores = stores;
    host.addController(this);
  }

  hostConnected(): void {
    for (const store of this.#stores) store.addEventListener("change", this.#update);
    this.#update();
  }

  hostDisconnected(): void {
    for (const store of this.#stores) store.removeEventListener("change", this.#update);
  }
}
