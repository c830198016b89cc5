/**
 * The one door of the pages to the app's API.
 *
 * Everything is asked of the host that the page came from; the cookie goes with it. Whatever goes
 * wrong becomes an `ApiError` whose message may be shown as it is.
 */

import type {
  About,
  ArchiveRow,
  Done,
  Element,
  Folders,
  Instance,
  Job,
  JobAct,
  JobAnswer,
  Started,
  Studies,
  StudyAnswer,
  Verified,
} from "./shapes.ts";

/** What went wrong, in words that people may read. */
export class ApiError extends Error {
  constructor(
    message: string,
    /** Of HTTP; 0 where the app did not answer at all. */
    readonly status: number,
  ) {
    super(message);
    this.name = "ApiError";
  }

  /** Whether the app did not answer at all. */
  get silent(): boolean {
    return this.status === 0;
  }
}

/** Whether something ended because we stopped it, which nobody need be told. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** What may be shown of any error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export const SILENT =
  "The program that serves this page does not answer. It may have been stopped: " +
  "start wsiweb browse again, and open the address that it prints.";

async function ask(path: string, options: RequestInit = {}): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError(SILENT, 0);
  }
  if (!answer.ok) throw new ApiError(await wordsOf(answer), answer.status);
  return answer;
}

async function wordsOf(answer: Response): Promise<string> {
  if (answer.status === 401) {
    return "This page is no longer let in. Open the address that wsiweb browse printed.";
  }
  const text = await answer.text().catch(() => "");
  try {
    const said: unknown = JSON.parse(text);
    if (typeof said === "object" && said !== null && "error" in said) return String(said.error);
  } catch {
    // No JSON: something stands in between. Its first words are better than none.
  }
  return text.trim().slice(0, 200) || `The app answered ${answer.status} ${answer.statusText}.`;
}

async function json<T>(path: string, signal?: AbortSignal): Promise<T> {
  const answer = await ask(path, signal ? { signal } : {});
  return (await answer.json()) as T;
}

async function send<T>(method: "POST" | "DELETE", path: string, body: object = {}): Promise<T> {
  const headers = { "Content-Type": "application/json" };
  const answer = await ask(path, { method, headers, body: JSON.stringify(body) });
  return (await answer.json()) as T;
}

const part = encodeURIComponent;

/** Objects that an act is about: a study, or one series of it, as one archive holds them. */
export interface Subject {
  archive: string;
  study: string;
  series?: string;
}

/** What makes this page known to the app: what it asked for last is what is listed for it. */
export const PAGE_NAME = Array.from(crypto.getRandomValues(new Uint32Array(3)), (one) =>
  one.toString(36),
).join("");

export const api = {
  about: () => json<About>("/api/about"),
  archives: (signal?: AbortSignal) => json<ArchiveRow[]>("/api/archives", signal),
  addArchive: (target: string) => send<ArchiveRow>("POST", "/api/archives", { target }),
  verifyArchive: (id: string) => send<Verified>("POST", `/api/archives/${part(id)}/verify`),
  forgetArchive: (id: string) => send<object>("DELETE", `/api/archives/${part(id)}`),

  studies: (query: URLSearchParams, signal?: AbortSignal) =>
    json<Studies>(`/api/studies?${query}&page=${PAGE_NAME}`, signal),
  study: (study: string, signal?: AbortSignal) =>
    json<StudyAnswer>(`/api/studies/${part(study)}`, signal),

  jobs: (signal?: AbortSignal) => json<Job[]>("/api/jobs", signal),
  /** Null for a job that is no longer there: it was cleared. */
  job: async (archive: string, id: string, signal?: AbortSignal) => {
    const path = `/api/jobs/${part(archive)}/${part(id)}`;
    const answer = await ask(path, signal ? { signal } : {});
    return answer.status === 204 ? null : ((await answer.json()) as JobAnswer);
  },
  actOnJob: (archive: string, id: string, act: JobAct) =>
    send<Done>("POST", `/api/jobs/${part(archive)}/${part(id)}/${act}`),
  clearJobs: () => send<Done>("POST", "/api/jobs/clear"),

  download: (subject: Subject, folder: string) =>
    send<Started>("POST", "/api/download", { ...subject, folder }),
  importFolder: (folder: string) => send<Started>("POST", "/api/import", { folder }),
  sendTo: ({ archive, ...subject }: Subject, to: string) =>
    send<Started>("POST", "/api/send", { from: archive, ...subject, to }),
  remove: (subject: Subject) => send<Done>("POST", "/api/remove", subject),
  folders: (path: string, signal?: AbortSignal) =>
    json<Folders>(`/api/folders?${new URLSearchParams({ path })}`, signal),

  instances: (subject: Required<Subject>, signal?: AbortSignal) =>
    json<Instance[]>(`/api/metadata/${pathOf(subject)}`, signal),
  elements: (subject: Required<Subject>, instance: string, signal?: AbortSignal) =>
    json<Element[]>(`/api/metadata/${pathOf(subject)}/${part(instance)}`, signal),
  python: async (subject: Required<Subject>, query = ""): Promise<string> =>
    (await ask(`${feedOf(subject)}/python${query}`)).text(),

  picture: async (address: string, signal: AbortSignal): Promise<Blob> =>
    (await ask(address, { signal })).blob(),
};

function pathOf(subject: Required<Subject>): string {
  return [subject.archive, subject.study, subject.series].map(part).join("/");
}

/** Where the resources of a slide are. */
export function feedOf(subject: Required<Subject>): string {
  return `/feed/${pathOf(subject)}`;
}

/** Where the small picture of a study, or of one series of it, is. */
export function thumbnailOf(subject: Subject, size: number): string {
  const series = subject.series ? `/${part(subject.series)}` : "";
  return `/api/thumbnails/${part(subject.archive)}/${part(subject.study)}${series}?size=${size}`;
}
