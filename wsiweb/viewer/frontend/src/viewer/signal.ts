/** Something that happens, and those who want to know. */

export class Signal<T> {
  private readonly listeners = new Set<(value: T) => void>();

  /** Be told from now on; what is returned ends it. */
  on(listener: (value: T) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  send(value: T): void {
    for (const listener of [...this.listeners]) listener(value);
  }

  clear(): void {
    this.listeners.clear();
  }
}

/** A function that runs at most every `milliseconds`, and once more after the last call. */
export function throttled<T>(
  milliseconds: number,
  act: (value: T) => void,
): ((value: T) => void) & { cancel(): void } {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let waiting: { value: T } | null = null;
  const tick = (): void => {
    timer = null;
    if (waiting === null) return;
    const { value } = waiting;
    waiting = null;
    timer = setTimeout(tick, milliseconds);
    act(value);
  };
  const call = (value: T): void => {
    waiting = { value };
    if (timer === null) tick();
  };
  return Object.assign(call, {
    cancel: () => {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      waiting = null;
    },
  });
}

/** A function that runs once nobody has called it for `milliseconds`. */
export function settledFor(
  milliseconds: number,
  act: () => void,
): (() => void) & { cancel(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const call = (): void => {
    clearTimeout(timer);
    timer = setTimeout(act, milliseconds);
  };
  return Object.assign(call, { cancel: () => clearTimeout(timer) });
}
