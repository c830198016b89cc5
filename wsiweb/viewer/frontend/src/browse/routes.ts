/**
 * Addresses of the pages, both ways. Pure.
 *
 * What a page shows is in its address (filters, order, page; place and zoom of a slide), so that
 * links, bookmarks and the browser's own buttons do what people expect of them.
 */

/** The filters of the list, by their names in the address and in the API. */
export const FILTERS = [
  "patient",
  "accession",
  "from",
  "to",
  "modality",
  "stain",
  "container",
  "description",
] as const;
export type Filter = (typeof FILTERS)[number];

export const LAYOUTS = ["cards", "table"] as const;
export type Layout = (typeof LAYOUTS)[number];

export const DEFAULT_SORT = "-date";

/** What the list shows. */
export interface ListQuery {
  filters: Readonly<Partial<Record<Filter, string>>>;
  /** Archives to look in; empty: all of them. */
  archives: readonly string[];
  sort: string;
  /** From 1. */
  page: number;
  layout: Layout;
}

/** A place on a slide: the middle of the view in pixels of level 0, and those per screen pixel. */
export interface Place {
  x: number;
  y: number;
  downsample: number;
}

export type Route =
  | { page: "list"; query: ListQuery }
  | { page: "study"; study: string }
  | { page: "view"; archive: string; study: string; series: string; place: Place | null }
  | { page: "jobs" }
  | { page: "nowhere"; path: string };

export const EVERYTHING: ListQuery = {
  filters: {},
  archives: [],
  sort: DEFAULT_SORT,
  page: 1,
  layout: "cards",
};

/** What an address means. */
export function routeOf(address: URL): Route {
  const path = address.pathname;
  const parts = path.split("/").filter(Boolean).map(decoded);
  const [first, second, third, fourth] = parts;
  if (parts.length === 0) return { page: "list", query: queryOf(address.searchParams) };
  if (first === "jobs" && parts.length === 1) return { page: "jobs" };
  if (first === "studies" && second && parts.length === 2) return { page: "study", study: second };
  if (first === "view" && second && third && fourth && parts.length === 4) {
    const place = placeOf(address.searchParams);
    return { page: "view", archive: second, study: third, series: fourth, place };
  }
  return { page: "nowhere", path };
}

/** The address of a page. */
export function hrefOf(route: Exclude<Route, { page: "nowhere" }>): string {
  switch (route.page) {
    case "list": {
      const search = searchOf(route.query).toString();
      return search ? `/?${search}` : "/";
    }
    case "study":
      return `/studies/${encodeURIComponent(route.study)}`;
    case "view": {
      const path = [route.archive, route.study, route.series].map(encodeURIComponent).join("/");
      return `/view/${path}${route.place ? `?${searchOfPlace(route.place)}` : ""}`;
    }
    case "jobs":
      return "/jobs";
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a stray %: the page that is not found says so
  }
}

function queryOf(search: URLSearchParams): ListQuery {
  const filters: Partial<Record<Filter, string>> = {};
  for (const name of FILTERS) {
    const value = search.get(name)?.trim();
    if (value) filters[name] = value;
  }
  const page = Number(search.get("page") ?? "1");
  const layout = LAYOUTS.find((one) => one === search.get("show"));
  return {
    filters,
    archives: search.getAll("archive").filter(Boolean),
    sort: search.get("sort") || DEFAULT_SORT,
    page: Number.isSafeInteger(page) && page > 0 ? page : 1,
    layout: layout ?? EVERYTHING.layout,
  };
}

function searchOf(query: ListQuery): URLSearchParams {
  const search = new URLSearchParams();
  for (const name of FILTERS) {
    const value = query.filters[name];
    if (value) search.set(name, value);
  }
  for (const archive of query.archives) search.append("archive", archive);
  if (query.sort !== DEFAULT_SORT) search.set("sort", query.sort);
  if (query.layout !== EVERYTHING.layout) search.set("show", query.layout);
  if (query.page > 1) search.set("page", String(query.page));
  return search;
}

function placeOf(search: URLSearchParams): Place | null {
  const [x, y, downsample] = ["x", "y", "d"].map((name) => {
    const text = search.get(name);
    return text === null || text === "" ? Number.NaN : Number(text);
  }) as [number, number, number];
  const known = [x, y, downsample].every(Number.isFinite) && downsample > 0;
  return known ? { x, y, downsample } : null;
}

/** A place in an address: whole pixels, and as much of the zoom as is seen. */
export function searchOfPlace(place: Place): string {
  const downsample = Number(place.downsample.toPrecision(5));
  return `x=${Math.round(place.x)}&y=${Math.round(place.y)}&d=${downsample}`;
}
