/** What the viewer offers to pages that are not ours. */

import "./style.css";

export { HttpSource } from "../source/http.ts";
export { isAbort, type Source, SourceError } from "../source/source.ts";
export type { Manifest } from "./manifest.ts";
export type { ViewerOptions } from "./options.ts";
export type { View } from "./view.ts";
export { SlideViewer } from "./viewer.ts";
