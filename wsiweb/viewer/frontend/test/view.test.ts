import assert from "node:assert/strict";
import { test } from "node:test";
import { boxOf, common, grown, holds, overlap, sameView, wholeSlide } from "../src/viewer/view.ts";

const screen = { width: 800, height: 600 };

test("the whole slide fits, whichever way it is longer", () => {
  for (const slide of [
    { width: 100_000, height: 20_000 },
    { width: 2_000, height: 60_000 },
  ]) {
    const view = wholeSlide(slide, screen);
    const seen = boxOf(view, screen);
    assert.ok(holds(seen, { x: 0, y: 0, ...slide }));
  }
});

test("a box is around its middle", () => {
  const box = boxOf({ x: 1000, y: 500, downsample: 2 }, screen);
  assert.deepEqual(box, { x: 200, y: -100, width: 1600, height: 1200 });
});

test("boxes meet, hold and grow", () => {
  const box = { x: 0, y: 0, width: 10, height: 10 };
  assert.deepEqual(grown(box, 0.5), { x: -5, y: -5, width: 20, height: 20 });
  assert.ok(overlap(box, { x: 9, y: 9, width: 5, height: 5 }));
  assert.ok(!overlap(box, { x: 10, y: 0, width: 5, height: 5 }));
  assert.deepEqual(common(box, { x: 4, y: -3, width: 90, height: 5 }), {
    x: 4,
    y: 0,
    width: 6,
    height: 2,
  });
  assert.equal(common(box, { x: 20, y: 0, width: 1, height: 1 }), null);
});

test("views that nobody could tell apart are the same", () => {
  const view = { x: 100, y: 100, downsample: 4 };
  assert.ok(sameView(view, { x: 100.1, y: 100, downsample: 4 }));
  assert.ok(!sameView(view, { x: 102, y: 100, downsample: 4 }));
  assert.ok(!sameView(view, { x: 100, y: 100, downsample: 4.1 }));
});
