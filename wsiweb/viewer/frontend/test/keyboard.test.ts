import assert from "node:assert/strict";
import { test } from "node:test";
import { pointOf } from "../src/viewer/controls/goto.ts";
import { actOf, type KeyActs } from "../src/viewer/keyboard.ts";

function pressed(key: string, more: Partial<KeyboardEvent> = {}): string[] {
  const done: string[] = [];
  const acts = new Proxy({} as KeyActs, {
    get:
      (_, name) =>
      (...given: number[]) =>
        done.push([String(name), ...given].join(" ")),
  });
  actOf(
    {
      key,
      ctrlKey: false,
      metaKey: false,
      altKey: false,
      shiftKey: false,
      ...more,
    } as KeyboardEvent,
    acts,
  )?.();
  return done;
}

test("keys do what the help says", () => {
  assert.deepEqual(pressed("ArrowLeft"), ["pan -0.2 0"]);
  assert.deepEqual(pressed("ArrowDown", { shiftKey: true }), ["pan 0 0.9"]);
  assert.deepEqual(pressed("+"), ["zoomIn"]);
  assert.deepEqual(pressed("="), ["zoomIn"]);
  assert.deepEqual(pressed("0"), ["home"]);
  assert.deepEqual(pressed("i"), ["inquire"]);
  assert.deepEqual(pressed("?", { shiftKey: true }), ["help"]);
});

test("keys of the browser and of others are left alone", () => {
  assert.deepEqual(pressed("+", { ctrlKey: true }), []);
  assert.deepEqual(pressed("Tab"), []);
});

test("a place is two numbers, however they are written", () => {
  assert.deepEqual(pointOf("12000, 8000"), { x: 12000, y: 8000 });
  assert.deepEqual(pointOf("x 12.5  y 8"), { x: 12.5, y: 8 });
  assert.equal(pointOf("12000"), null);
  assert.equal(pointOf("1, 2, 3"), null);
});
