/** Lengths and numbers as people read them. Pure. */

/** Micrometres as "250 µm" or "1.5 mm". */
export function length(micrometres: number): string {
  if (micrometres >= 1000) return `${plain(micrometres / 1000)} mm`;
  if (micrometres >= 1) return `${plain(micrometres)} µm`;
  return `${plain(micrometres * 1000)} nm`;
}

/** At most three figures, no zeros at the end. */
export function plain(value: number): string {
  if (!Number.isFinite(value)) return "–";
  return String(Number(value.toPrecision(3)));
}

/** The magnification that a view stands for: the objective's at 1, less further out. */
export function magnification(objective: number, downsample: number): string {
  const times = objective / downsample;
  const figures = times >= 10 ? times.toFixed(0) : times >= 1 ? times.toFixed(1) : times.toFixed(2);
  return `${figures}×`;
}

/** The longest 1, 2 or 5 times a power of ten that is no more than `most`. */
export function roundLength(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most));
  // A length of exactly 2 may come as 1.9999999.
  const step = [5, 2, 1].find((times) => times * power <= most * (1 + 1e-9)) ?? 1;
  return step * power;
}

/** What a slide of unknown objective was scanned with, by its pixels: 0.25 µm is about 40×. */
export function objectiveOf(
  objective: number | null,
  mpp: readonly number[] | null,
): number | null {
  if (objective !== null) return objective;
  const finest = mpp?.[0];
  return finest === undefined ? null : 10 / finest;
}
