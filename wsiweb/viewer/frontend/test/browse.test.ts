import assert from "node:assert/strict";
import { test } from "node:test";
import { partsOf } from "../src/browse/elements/trouble.ts";
import { EVERYTHING, hrefOf, routeOf } from "../src/browse/routes.ts";
import { amount, count, duration, listed, person, power } from "../src/browse/words.ts";

const at = (path: string) => routeOf(new URL(path, "http://127.0.0.1:8788"));

test("a list in an address is the list that was written there", () => {
  const query = {
    filters: { patient: "Müller & Sohn", from: "2026-01-01" },
    archives: ["a", "b"],
    sort: "patient",
    page: 3,
    layout: "table",
  } as const;
  assert.deepEqual(at(hrefOf({ page: "list", query })), { page: "list", query });
});

test("what an address does not say is as usual", () => {
  assert.deepEqual(at("/"), { page: "list", query: EVERYTHING });
  assert.equal(hrefOf({ page: "list", query: EVERYTHING }), "/");
  const odd = at("/?page=-1&show=mosaic&patient=%20&unknown=1");
  assert.deepEqual(odd, { page: "list", query: EVERYTHING });
});

test("a place on a slide survives its address", () => {
  const place = { x: 1110.4, y: 1484.6, downsample: 2.123456789 };
  const view = { page: "view", archive: "lab/1", study: "1.2", series: "1.2.3", place } as const;
  const found = at(hrefOf(view));
  const rounded = { x: 1110, y: 1485, downsample: 2.1235 };
  assert.deepEqual(found, { ...view, place: rounded });
});

test("half a place, or one that cannot be, is none", () => {
  for (const search of ["?x=1&y=2", "?x=1&y=2&d=0", "?x=a&y=2&d=1", "?x=&y=2&d=1"]) {
    const found = at(`/view/a/1.2/1.2.3${search}`);
    assert.equal(found.page === "view" && found.place, null);
  }
});

test("addresses of nothing lead nowhere", () => {
  for (const path of ["/studies", "/view/a/b", "/jobs/1", "/%E0%A4%A"]) {
    assert.equal(at(path).page, "nowhere");
  }
});

test("names are said as people say them", () => {
  assert.equal(person("Doe^Jane^Q"), "Doe, Jane Q");
  assert.equal(person("Doe"), "Doe");
  assert.equal(person("^Jane"), "Jane");
  assert.equal(person("=山田^太郎"), "山田, 太郎");
  assert.equal(person("^^^^"), "");
});

test("numbers are as exact as anybody wants to know them", () => {
  assert.deepEqual([512, 999_999, 1_234_567].map(amount), ["512 bytes", "1.0 MB", "1.2 MB"]);
  assert.deepEqual([0.2, 75, 600, 10_930].map(duration), ["1 s", "75 s", "10 min", "3 h 2 min"]);
  assert.equal(count(12_345, "study", "studies"), "12,345 studies");
  assert.equal(power(39.97), "40×");
  assert.equal(listed(["a", "b", "c"]), "a, b and c");
});

test("an error is words first, and then what was asked", () => {
  const error = "No connection. [GET http://127.0.0.1:9/studies?limit=1]";
  assert.deepEqual(partsOf(error), ["No connection.", "GET http://127.0.0.1:9/studies?limit=1"]);
  assert.deepEqual(partsOf("It took too long."), ["It took too long.", ""]);
});
