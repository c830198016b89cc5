/** Numbers, names and dates as people read them. Pure. */

const UNITS = ["kB", "MB", "GB", "TB", "PB"];

/** Bytes in powers of a thousand: 1.2 MB. */
export function amount(size: number): string {
  if (size < 1000) return count(Math.round(size), "byte");
  let scale = 1000;
  let unit = 0;
  while (unit < UNITS.length - 1 && size >= 999.95 * scale) {
    scale *= 1000;
    unit += 1;
  }
  return `${(size / scale).toFixed(1)} ${UNITS[unit]}`;
}

/** A number with commas: 12,345. */
export function grouped(number: number): string {
  return number.toLocaleString("en-US");
}

/** So many things: 1 study, 2 studies. */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${grouped(number)} ${number === 1 ? one : many}`;
}

/** A time as exact as anybody wants to know it: 75 s, 3 h 2 min. */
export function duration(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 100) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/**
 * A person's name of DICOM (PS3.5 6.2.1) as it is said: family name, given names.
 *
 * Of several groups (alphabetic, ideographic, phonetic) the first that says something is taken.
 */
export function person(name: string): string {
  const group = name.split("=").find((one) => one.replaceAll("^", "").trim() !== "") ?? "";
  const [family = "", given = "", middle = ""] = group.split("^").map((one) => one.trim());
  const first = [given, middle].filter(Boolean).join(" ");
  return family && first ? `${family}, ${first}` : family || first;
}

/** A date as it is told apart everywhere: 2026-01-31; a dash where there is none. */
export function day(date: string | null): string {
  return date || "–";
}

/** Pixels across and down: 46,000 × 32,914. */
export function extent(width: number, height: number): string {
  return `${grouped(width)} × ${grouped(height)}`;
}

/** The power of an objective: 40×. */
export function power(magnification: number): string {
  return `${Number(magnification.toFixed(1))}×`;
}

/** With a capital at its beginning. */
export function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** "a", "a and b", "a, b and c". */
export function listed(words: string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}`;
}
