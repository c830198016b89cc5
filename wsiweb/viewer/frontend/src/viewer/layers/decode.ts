/**
 * Shapes as the feed sends them (`wsiweb.viewer.layers.shapes.flat`), read from bytes. Pure.
 *
 * Little-endian: u32 count; u8 kind and three zeros; u32 offsets[count + 1], counted in points;
 * f32 x, y of each point, in pixels of level 0. A count of 0xFFFFFFFF stands alone and says: more
 * than was asked for.
 */

export type Kind = "point" | "polyline" | "polygon";

export interface Shapes {
  readonly count: number;
  readonly kind: Kind;
  /** The first point of each shape, and one past the last point of all. */
  readonly offsets: Uint32Array;
  /** x, y, x, y … in pixels of level 0. */
  readonly points: Float32Array;
}

const TOO_MANY = 0xffffffff;
// Rectangles and ellipses come as the polygons that they look like.
const KINDS: readonly Kind[] = ["point", "polyline", "polygon", "polygon", "polygon"];

/** The shapes in an answer; null where there were more than asked for. */
export function shapesOf(buffer: ArrayBuffer): Shapes | null {
  const view = new DataView(buffer);
  const count = view.getUint32(0, true);
  if (count === TOO_MANY) return null;
  const kind = KINDS[view.getUint8(4)] ?? "polyline";
  const offsets = new Uint32Array(buffer, 8, count + 1);
  const points = new Float32Array(buffer, 12 + 4 * count, 2 * (offsets[count] ?? 0));
  return { count, kind, offsets, points };
}
