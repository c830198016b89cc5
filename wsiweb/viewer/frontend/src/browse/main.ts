/** Starts the pages. The bundler gathers the style sheets into one file beside the script. */

import "./styles/theme.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/list.css";
import "./styles/study.css";
import "./styles/view.css";
import "./styles/jobs.css";
import "./styles/dialogs.css";

import "./app.ts";
import { archives } from "./archives.ts";
import { details } from "./details.ts";
import { events } from "./events.ts";
import { jobs } from "./jobs.ts";
import { listing } from "./listing.ts";

listing.start();
archives.start();
details.start();
jobs.start();
events.start();
document.body.append(document.createElement("wsi-app"));
