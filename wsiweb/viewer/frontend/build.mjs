/**
 * Builds what the browser runs, into ../static (or the folder after --out):
 *
 *     node build.mjs           for use
 *     node build.mjs --watch   again at each change, with source maps
 *     node build.mjs --only viewer --out DIR   one entry
 *     node build.mjs --tests   the tests of test/, into build/test
 */

import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, context } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const flags = process.argv.slice(2);
const after = (flag) => (flags.includes(flag) ? flags[flags.indexOf(flag) + 1] : undefined);
const out = after("--out") ?? join(here, "..", "static");
const only = after("--only");
const watch = flags.includes("--watch");

/** The entries, and what each is a part of. The style sheets have the names of their entries. */
const entries = {
  widget: "src/widget.ts", // the Jupyter widget
  browse: "src/browse/main.ts", // the pages of `wsiweb browse`
  viewer: "src/viewer/index.ts", // the viewer alone: for tests, built by name only
};
const pages = { "index.html": "src/browse/index.html" };

const wanted = only === undefined ? ["widget", "browse"] : [only];
const present = Object.fromEntries(
  Object.entries(entries).filter(
    ([name, path]) => wanted.includes(name) && existsSync(join(here, path)),
  ),
);

const options = {
  absWorkingDir: here,
  entryPoints: present,
  outdir: out,
  bundle: true,
  format: "esm",
  target: ["es2022", "chrome111", "firefox114", "safari16.4"],
  minify: !watch,
  sourcemap: watch,
  legalComments: "linked",
  logLevel: "warning",
};

function copyPages() {
  mkdirSync(out, { recursive: true });
  for (const [name, path] of Object.entries(pages)) {
    if (existsSync(join(here, path))) copyFileSync(join(here, path), join(out, name));
  }
}

if (flags.includes("--tests")) {
  const folder = join(here, "build", "test");
  rmSync(folder, { recursive: true, force: true });
  const tests = readdirSync(join(here, "test")).filter((name) => name.endsWith(".test.ts"));
  await build({
    absWorkingDir: here,
    entryPoints: tests.map((name) => join("test", name)),
    outdir: folder,
    bundle: true,
    platform: "node",
    format: "esm",
    outExtension: { ".js": ".mjs" },
    logLevel: "warning",
  });
} else if (watch) {
  copyPages();
  const watching = await context(options);
  await watching.watch();
  console.log(`Watching; built into ${out}. Ctrl-C ends it.`);
} else {
  copyPages();
  await build(options);
}
