import assert from "node:assert/strict";
import { test } from "node:test";
import {
  COLOUR_MAPS,
  type Look,
  lowestShown,
  mapped,
  recolour,
  rgbOf,
  tableOf,
} from "../src/viewer/layers/colours.ts";

const mask: Look = { colour: "#ff8000", map: null, threshold: 0, fractional: false };

function bytes(pixel: number | undefined): number[] {
  return [...new Uint8Array(new Uint32Array([pixel ?? 0]).buffer)];
}

test("a mask is there or not, in its colour", () => {
  const table = tableOf(mask);
  assert.deepEqual(bytes(table[255]), [255, 128, 0, 255]);
  assert.equal(bytes(table[0])[3], 0);
});

test("a probability is a shade until there is a threshold", () => {
  const shades = tableOf({ ...mask, fractional: true });
  assert.equal(bytes(shades[100])[3], 100);
  const cut = tableOf({ ...mask, fractional: true, threshold: 0.5 });
  assert.equal(bytes(cut[127])[3], 0);
  assert.equal(bytes(cut[128])[3], 255);
});

test("maps go from their first to their last colour", () => {
  assert.deepEqual(mapped("viridis", 0), [68, 1, 84]);
  assert.deepEqual(mapped("viridis", 1), [253, 231, 37]);
  assert.deepEqual(mapped("gray", 0.5), [128, 128, 128]);
  for (const map of COLOUR_MAPS) assert.notDeepEqual(mapped(map, 0), mapped(map, 1));
});

test("below its threshold a map shows nothing", () => {
  const table = tableOf({ ...mask, map: "magma", threshold: 0.2 });
  assert.equal(bytes(table[50])[3], 0);
  assert.equal(bytes(table[51])[3], 255);
});

test("a value that equals the threshold is shown, as the feed rounds it", () => {
  // numpy.rint(numpy.float32(threshold) * numpy.float32(255))
  const rounded = { 0: 0, 0.1: 26, 0.3: 76, 0.33: 84, 0.5: 128, 0.7: 178, 0.9: 230, 1: 255 };
  for (const [threshold, value] of Object.entries(rounded)) {
    assert.equal(lowestShown(Number(threshold)), value, threshold);
    if (value === 0) continue;
    for (const more of [{ fractional: true }, { map: "magma" as const }]) {
      const table = tableOf({ ...mask, ...more, threshold: Number(threshold) });
      assert.equal(bytes(table[value])[3], 255, threshold);
      assert.equal(bytes(table[value - 1])[3], 0, threshold);
    }
  }
});

test("where a tile says nothing, nothing stays", () => {
  const gray = (value: number, alpha: number): number =>
    new Uint32Array(new Uint8Array([value, value, value, alpha]).buffer)[0] ?? 0;
  const pixels = new Uint32Array([gray(255, 255), gray(0, 255), gray(255, 0)]);
  recolour(pixels, tableOf(mask));
  assert.deepEqual(
    [...pixels].map((pixel) => bytes(pixel)[3]),
    [255, 0, 0],
  );
});

test("what is no colour can still be seen", () => {
  assert.deepEqual(rgbOf("no colour"), [255, 200, 0]);
});
