import assert from "node:assert/strict";
import { test } from "node:test";
import { length, magnification, objectiveOf, plain, roundLength } from "../src/viewer/units.ts";

test("lengths have the unit that people use for them", () => {
  assert.equal(length(250), "250 µm");
  assert.equal(length(2000), "2 mm");
  assert.equal(length(0.5), "500 nm");
});

test("a bar is 1, 2 or 5 times a power of ten, and never longer than it may be", () => {
  for (let most = 0.013; most < 1e6; most *= 1.37) {
    const shown = roundLength(most);
    assert.ok(shown <= most * 1.000001 && shown > most / 2.6, `${shown} of ${most}`);
    assert.match(shown.toExponential(), /^[125](\.0+1)?e|^[149]\.9+/);
  }
});

test("magnification falls as one goes further away", () => {
  assert.equal(magnification(40, 1), "40×");
  assert.equal(magnification(40, 8), "5.0×");
  assert.equal(magnification(20, 80), "0.25×");
});

test("an objective that is not said follows from the pixels", () => {
  assert.equal(objectiveOf(20, [0.25, 0.25]), 20);
  assert.equal(objectiveOf(null, [0.25, 0.25]), 40);
  assert.equal(objectiveOf(null, null), null);
});

test("numbers have three figures, and no zeros behind", () => {
  assert.equal(plain(0.290_12), "0.29");
  assert.equal(plain(1234), "1230");
  assert.equal(plain(Number.NaN), "–");
});
