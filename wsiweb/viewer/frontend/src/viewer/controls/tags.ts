/** The headers of a slide's instances, to read and to search. */

import { isAbort, type Source } from "../../source/source.ts";
import { element, freshId } from "../dom.ts";
import { wordsOf } from "../words.ts";
import { openDialog } from "./dialog.ts";

interface Instance {
  readonly uid: string;
  readonly title: string;
}

interface Tag {
  readonly tag: string;
  readonly keyword: string;
  readonly vr: string;
  readonly value: string;
  readonly items?: readonly (readonly Tag[])[];
}

/** What a row was made of, for the search. */
interface Row {
  readonly element: HTMLElement;
  readonly words: string;
  readonly depth: number;
}

export async function openTags(root: HTMLElement, source: Source): Promise<void> {
  const choice = freshId("instance");
  const select = element("select", { id: choice });
  const search = element("input", {
    type: "search",
    placeholder: "Search tags and values",
    "aria-label": "Search tags and values",
  });
  const state = element("p", { class: "wsiweb-quiet", role: "status" }, "Loading …");
  const body = element("tbody");
  const table = element(
    "table",
    { class: "wsiweb-tags" },
    element("thead", {}, element("tr", {}, ...heads("Tag", "Name", "VR", "Value"))),
    body,
  );
  const content = element(
    "div",
    { class: "wsiweb-tag-browser" },
    element(
      "div",
      { class: "wsiweb-tag-tools" },
      element("label", { for: choice }, "Instance"),
      select,
      search,
    ),
    state,
    element(
      "div",
      { class: "wsiweb-tag-scroll", tabindex: "0", role: "region", "aria-label": "Tags" },
      table,
    ),
  );
  const dialog = openDialog(root, "Tags", content);
  dialog.classList.add("wsiweb-wide");
  const closed = new AbortController();
  dialog.addEventListener("close", () => closed.abort());

  let rows: readonly Row[] | null = null; // null while they are on their way
  let loading = new AbortController();
  const filter = (): void => {
    if (rows === null) return;
    const shown = matching(rows, search.value.trim().toLowerCase());
    for (const row of rows) row.element.hidden = !shown.has(row);
    state.textContent = `${shown.size} of ${rows.length} lines`;
  };
  const load = async (): Promise<void> => {
    loading.abort();
    loading = new AbortController();
    const signal = AbortSignal.any([closed.signal, loading.signal]);
    rows = null;
    body.replaceChildren();
    state.textContent = "Loading …";
    try {
      const tags = await source.json<readonly Tag[]>(`tags/${select.value}`, signal);
      rows = rowsOf(tags, 0);
      body.replaceChildren(...rows.map((row) => row.element));
      filter();
    } catch (error) {
      if (!isAbort(error)) state.textContent = `The tags could not be had: ${wordsOf(error)}`;
    }
  };
  search.addEventListener("input", filter);
  select.addEventListener("change", () => void load());
  try {
    const instances = await source.json<readonly Instance[]>("tags", closed.signal);
    select.append(...instances.map(({ uid, title }) => element("option", { value: uid }, title)));
    await load();
  } catch (error) {
    if (!isAbort(error)) state.textContent = `The tags could not be had: ${wordsOf(error)}`;
  }
}

/** The rows that hold the words, and those that they are inside of. */
function matching(rows: readonly Row[], words: string): Set<Row> {
  const shown = new Set<Row>();
  const above: Row[] = [];
  for (const row of rows) {
    above.length = row.depth;
    above[row.depth] = row;
    if (words === "" || row.words.includes(words)) {
      for (const each of above) if (each !== undefined) shown.add(each);
    }
  }
  return shown;
}

function rowsOf(tags: readonly Tag[], depth: number): Row[] {
  return tags.flatMap((tag) => [
    rowOf(tag, depth),
    ...(tag.items ?? []).flatMap((item, index) => [
      itemRow(index, depth + 1),
      ...rowsOf(item, depth + 2),
    ]),
  ]);
}

function rowOf(tag: Tag, depth: number): Row {
  const name = element("td", {}, tag.keyword);
  name.style.paddingInlineStart = `${0.5 + depth * 0.75}rem`;
  const line = element(
    "tr",
    {},
    element("td", {}, element("code", {}, tag.tag)),
    name,
    element("td", {}, tag.vr),
    element("td", { class: "wsiweb-tag-value" }, tag.value),
  );
  return { element: line, depth, words: `${tag.tag} ${tag.keyword} ${tag.value}`.toLowerCase() };
}

function itemRow(index: number, depth: number): Row {
  const cell = element("td", { colspan: "4", class: "wsiweb-quiet" }, `Item ${index + 1}`);
  cell.style.paddingInlineStart = `${7 + depth * 0.75}rem`;
  return { element: element("tr", {}, cell), depth, words: "" };
}

function heads(...names: string[]): HTMLElement[] {
  return names.map((name) => element("th", { scope: "col" }, name));
}
