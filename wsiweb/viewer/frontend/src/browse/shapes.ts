/** What the API of the app answers: the shapes of `wsiweb/browse/shapes.py`, as types. */

export type State = "idle" | "listing" | "ready" | "failed";

/** An archive of the list. Its address holds no secrets. */
export interface ArchiveRow {
  id: string;
  name: string;
  url: string;
  state: State;
  /** Of all its studies. */
  count: number | null;
  error: string;
  /** A folder that wsiweb made itself: objects can be removed. */
  local: boolean;
  /** A folder of this machine. */
  folder: boolean;
  readOnly: boolean;
}

/** Whether an archive answers. */
export interface Verified {
  ok: boolean;
  words: string;
  seconds: number;
}

/** How far one archive is with a listing; what was found stays when it has failed. */
export interface ArchiveFound {
  id: string;
  state: State;
  found: number;
  /** Why it failed; or, of one that is ready, why it may not be all. */
  error: string;
}

/** A slide. What its headers say is empty or null until they were read. */
export interface SlideRow {
  study: string;
  series: string;
  archives: string[];
  title: string;
  description: string;
  container: string;
  modality: string;
  stain: string;
  magnification: number | null;
  /** Width and height in pixels. */
  size: [number, number] | null;
  /** Micrometres per pixel. */
  mpp: number | null;
  channels: number | null;
  instances: number | null;
  /** Whether its headers have been read. */
  known: boolean;
  thumbnail: string;
}

/** A study: once, however many archives hold it. */
export interface StudyRow {
  study: string;
  patientId: string;
  patientName: string;
  patientBirthDate: string | null;
  patientSex: string;
  /** ISO: 2026-01-31. */
  date: string | null;
  accession: string;
  description: string;
  modalities: string[];
  archives: string[];
  series: number | null;
  instances: number | null;
  /** Null until somebody asked for them. */
  slides: SlideRow[] | null;
  thumbnail: string;
}

/** One page of a listing that may still be coming. */
export interface Studies {
  key: string;
  total: number;
  patients: number;
  complete: boolean;
  /** All that were found, to choose from. */
  modalities: string[];
  archives: ArchiveFound[];
  studies: StudyRow[];
}

/** The event `studies`: the listing of this key has more, or is at its end. */
export interface Progress {
  key: string;
  total: number;
  complete: boolean;
  archives: ArchiveFound[];
}

/** The event `slides`: what has become known of slides, by their studies. */
export type KnownSlides = Record<string, SlideRow[]>;

/** What was made of slides. */
export interface Result {
  study: string;
  series: string;
  archives: string[];
  kind: "segmentation" | "annotations" | "heatmap" | "report" | "image";
  title: string;
  /** Series that it refers to. */
  of: string[];
  instances: number | null;
}

/** A series that is neither a slide nor made of one. */
export interface Other {
  study: string;
  series: string;
  archives: string[];
  modality: string;
  title: string;
  instances: number | null;
}

/** A study with all its series, and which archives did not answer. */
export interface StudyAnswer extends StudyRow {
  slides: SlideRow[];
  results: Result[];
  others: Other[];
  failed: ArchiveFound[];
}

export interface Instance {
  uid: string;
  title: string;
}

/** An attribute; those of a sequence hold lists of attributes. */
export interface Element {
  tag: string;
  keyword: string;
  vr: string;
  value: string;
  items?: Element[][];
}

export type JobState = "queued" | "sending" | "paused" | "stored" | "partial" | "failed" | "cancelled";
export type JobAct = "cancel" | "retry" | "pause" | "resume" | "clear";

/** Something that is, or was, brought from one place to another. */
export interface Job {
  archive: string;
  archiveName: string;
  id: string;
  title: string;
  kind: string;
  state: JobState;
  finished: boolean;
  created: string;
  done: number;
  total: number;
  failedCount: number;
  /** Bytes that have gone, and all. */
  bytes: number;
  bytesTotal: number;
  /** Bytes per second. */
  speed: number;
  secondsLeft: number | null;
  failed: boolean;
  /** What hinders it, in words. */
  error: string;
  note: string;
  canRetry: boolean;
  canCancel: boolean;
  canPause: boolean;
  canResume: boolean;
  canClear: boolean;
}

/** An object of a job; the words say why it failed, or what is known of it. */
export interface JobObject {
  number: number;
  instance: string;
  origin: string;
  size: number;
  state: string;
  words: string;
  warnings: string[];
}

export interface JobAnswer {
  job: Job;
  summary: string;
  objects: JobObject[];
  /** Objects that are not among them. */
  more: number;
  skipped: { path: string; reason: string }[];
}

/** A job that was begun. */
export interface Started {
  archive: string;
  job: string;
  words: string;
}

/** What was done at once. */
export interface Done {
  count: number;
  words: string;
}

/** Folders of the machine that the app runs on, to choose one. */
export interface Folders {
  path: string;
  parent: string | null;
  folders: { name: string; path: string }[];
  /** That end in .dcm. */
  files: number;
}

/** What the app may do. */
export interface About {
  version: string;
  readOnly: boolean;
  /** Whether folders of the machine that it runs on are taken. */
  paths: boolean;
  home: string;
}
