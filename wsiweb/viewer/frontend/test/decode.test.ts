import assert from "node:assert/strict";
import { test } from "node:test";
import { shapesOf } from "../src/viewer/layers/decode.ts";

/** As `struct.pack` in Python would write them. */
function packed(kind: number, shapes: readonly (readonly number[])[]): ArrayBuffer {
  const count = shapes.length;
  const points = shapes.flat();
  const view = new DataView(new ArrayBuffer(12 + 4 * count + 4 * points.length));
  view.setUint32(0, count, true);
  view.setUint8(4, kind);
  let offset = 0;
  shapes.forEach((shape, index) => {
    view.setUint32(8 + 4 * index, offset, true);
    offset += shape.length / 2;
  });
  view.setUint32(8 + 4 * count, offset, true);
  points.forEach((value, index) => view.setFloat32(12 + 4 * count + 4 * index, value, true));
  return view.buffer;
}

test("shapes are read as they were written", () => {
  const shapes = shapesOf(
    packed(2, [
      [1, 2, 3, 4, 5, 6],
      [7.5, 8],
    ]),
  );
  assert.equal(shapes?.kind, "polygon");
  assert.deepEqual([...(shapes?.offsets ?? [])], [0, 3, 4]);
  assert.deepEqual([...(shapes?.points ?? [])], [1, 2, 3, 4, 5, 6, 7.5, 8]);
});

test("ellipses and rectangles are the polygons that they look like", () => {
  assert.equal(shapesOf(packed(4, [[1, 2]]))?.kind, "polygon");
  assert.equal(shapesOf(packed(0, [[1, 2]]))?.kind, "point");
});

test("none, and too many", () => {
  assert.equal(shapesOf(packed(1, []))?.count, 0);
  assert.equal(shapesOf(new Uint32Array([0xffffffff]).buffer), null);
});
