/** Shapes as paths of a canvas, in pixels of level 0 from an origin of their own. */

import type { Shapes } from "./decode.ts";

export interface Paths {
  readonly origin: { readonly x: number; readonly y: number };
  /** Outlines and lines, to stroke. */
  readonly lines: Path2D;
  /** Areas, to fill. */
  readonly areas: Path2D;
  /** Points: strokes of no length, which a wide round pen makes into dots. */
  readonly dots: Path2D;
  readonly count: number;
}

/** A length that no screen shows; strokes of none at all are not drawn. */
const DOT = 0.001;

export function pathsOf(shapes: Shapes, origin: { x: number; y: number }): Paths {
  const [lines, areas, dots] = [new Path2D(), new Path2D(), new Path2D()];
  const { points, offsets, kind } = shapes;
  const into = kind === "point" ? dots : kind === "polygon" ? areas : lines;
  for (let shape = 0; shape < shapes.count; shape++) {
    const [first, last] = [offsets[shape] ?? 0, offsets[shape + 1] ?? 0];
    for (let i = first; i < last; i++) {
      const x = (points[2 * i] ?? 0) - origin.x;
      const y = (points[2 * i + 1] ?? 0) - origin.y;
      if (i === first || kind === "point") into.moveTo(x, y);
      if (i !== first || kind === "point") into.lineTo(kind === "point" ? x + DOT : x, y);
    }
    if (kind === "polygon") into.closePath();
  }
  lines.addPath(areas);
  return { origin, lines, areas, dots, count: shapes.count };
}
