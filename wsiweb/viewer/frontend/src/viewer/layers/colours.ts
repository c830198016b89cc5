/**
 * How the 256 values of a layer's tiles become colours: by one colour, or by a colour map.
 *
 * A tile is gray; a table made here turns it into what is seen, so that another colour or
 * threshold needs no download. Pure.
 */

export type Rgb = readonly [number, number, number];

export type ColourMapName = "viridis" | "magma" | "inferno" | "turbo" | "gray";

/**
 * Anchors of the maps, evenly spaced, after Matplotlib's tables (viridis, magma and inferno by
 * Nathaniel Smith and Stéfan van der Walt, CC0) and Google's turbo; in between is interpolated,
 * which no eye tells from the full tables.
 */
const ANCHORS: Readonly<Record<ColourMapName, readonly string[]>> = {
  viridis: [
    "440154",
    "482878",
    "3e4989",
    "31688e",
    "26828e",
    "1f9e89",
    "35b779",
    "6ece58",
    "b5de2b",
    "fde725",
  ],
  magma: [
    "000004",
    "180f3d",
    "440f76",
    "721f81",
    "9e2f7f",
    "cd4071",
    "f1605d",
    "fd9668",
    "feca8d",
    "fcfdbf",
  ],
  inferno: [
    "000004",
    "1b0c41",
    "4a0c6b",
    "781c6d",
    "a52c60",
    "cf4446",
    "ed6925",
    "fb9b06",
    "f7d13d",
    "fcffa4",
  ],
  turbo: [
    "30123b",
    "4662d7",
    "36aaf9",
    "1ae4b6",
    "72fe5e",
    "c8ef34",
    "faba39",
    "f66b19",
    "ca2a04",
    "7a0403",
  ],
  gray: ["000000", "ffffff"],
};

export const COLOUR_MAPS = Object.keys(ANCHORS) as readonly ColourMapName[];

/** "#rrggbb" as three numbers; what is no such colour is a visible yellow. */
export function rgbOf(colour: string): Rgb {
  const match = /^#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(colour);
  if (match === null) return [255, 200, 0];
  const [, red = "0", green = "0", blue = "0"] = match;
  return [Number.parseInt(red, 16), Number.parseInt(green, 16), Number.parseInt(blue, 16)];
}

/** The colour at a share (0 to 1) of a map. */
export function mapped(name: ColourMapName, share: number): Rgb {
  const anchors = ANCHORS[name];
  const at = Math.min(Math.max(share, 0), 1) * (anchors.length - 1);
  const before = Math.min(Math.floor(at), anchors.length - 2);
  const from = rgbOf(anchors[before] ?? "");
  const to = rgbOf(anchors[before + 1] ?? "");
  const part = at - before;
  const mixed = from.map((value, i) => Math.round(value + (to[i] ?? value) * part - value * part));
  return [mixed[0] ?? 0, mixed[1] ?? 0, mixed[2] ?? 0];
}

export interface Look {
  /** For layers without a map. */
  readonly colour: string;
  readonly map: ColourMapName | null;
  /** Values below this share (0 to 1) of the range are not shown; one that equals it is. */
  readonly threshold: number;
  /** Whether values shade (a probability) or only say yes and no. */
  readonly fractional: boolean;
}

/** A colour for each of the 256 values, as bytes red, green, blue, alpha: what ImageData holds. */
export function tableOf(look: Look): Uint32Array {
  const table = new Uint8ClampedArray(256 * 4);
  const plain = rgbOf(look.colour);
  for (let value = 0; value < 256; value++) {
    const share = value / 255;
    const rgb = look.map === null ? plain : mapped(look.map, share);
    table.set([...rgb, alphaOf(look, value)], value * 4);
  }
  return new Uint32Array(table.buffer);
}

/**
 * The lowest of the 256 values that a threshold lets through: rounded as the feed rounds values
 * (`numpy.rint` of 32-bit floats), so that a value that equals the threshold passes.
 */
export function lowestShown(threshold: number): number {
  const exact = Math.fround(Math.fround(threshold) * 255);
  const floor = Math.floor(exact);
  if (exact - floor !== 0.5) return Math.round(exact);
  return floor % 2 === 0 ? floor : floor + 1;
}

function alphaOf(look: Look, value: number): number {
  if (look.map !== null) return value >= lowestShown(look.threshold) ? 255 : 0;
  if (!look.fractional) return value >= 128 ? 255 : 0;
  // Without a threshold a probability is a shade; with one it is previewed as the mask it gives.
  if (look.threshold <= 0) return value;
  return value >= lowestShown(look.threshold) ? 255 : 0;
}

/** Colour the gray pixels of a tile, in place; where the tile says "nothing", nothing stays. */
export function recolour(pixels: Uint32Array, table: Uint32Array): void {
  for (let i = 0; i < pixels.length; i++) {
    const pixel = pixels[i] ?? 0;
    pixels[i] = pixel >>> 24 === 0 ? 0 : (table[pixel & 255] ?? 0);
  }
}
