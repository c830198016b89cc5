import assert from "node:assert/strict";
import { test } from "node:test";
import { cropOf, gridOf, placeOf, tileAt } from "../src/viewer/pyramid.ts";

const level = { width: 1110, height: 1484, tileWidth: 240, tileHeight: 240 };

test("a level has as many tiles as it takes to cover it", () => {
  assert.deepEqual(gridOf(level), { columns: 5, rows: 7 });
  assert.deepEqual(gridOf({ ...level, width: 960, height: 240 }), { columns: 4, rows: 1 });
});

test("tiles at the right and below are cropped to the slide", () => {
  assert.deepEqual(cropOf(level, 4, 6), { x: 0, y: 0, width: 150, height: 44 });
  assert.deepEqual(cropOf(level, 3, 0), { x: 0, y: 0, width: 240, height: 240 });
});

test("places of tiles meet, and cover all", () => {
  const [left, right] = [placeOf(level, 3, 6), placeOf(level, 4, 6)];
  assert.equal(left.x + left.width, right.x);
  assert.equal(right.x + right.width, 1);
  assert.equal(right.y + right.height, 1);
});

test("each point has the tile that holds it, the far edges too", () => {
  assert.deepEqual(tileAt(level, 0, 0), { column: 0, row: 0 });
  assert.deepEqual(tileAt(level, 1, 1), { column: 4, row: 6 });
  assert.deepEqual(tileAt(level, 241 / 1110, 239 / 1484), { column: 1, row: 0 });
});
