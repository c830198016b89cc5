/**
 * What the app tells of itself: one stream of server-sent events for a page.
 *
 * A browser opens six connections to a host in all. A page that nobody looks at gives its stream
 * back, so that many open pages do not keep one another waiting; on its return, everything that
 * may have changed meanwhile is asked for anew.
 */

import { PAGE_NAME } from "./api.ts";

export const KINDS = ["archives", "studies", "slides", "jobs"] as const;
export type Kind = (typeof KINDS)[number];

/** An event of the app; `detail` is what it said, null where it may have been missed. */
export type News = CustomEvent<unknown>;

const PATIENCE = 10_000; // ms that a hidden page keeps its stream
const AGAIN = 3_000; // ms until a refused stream is asked for again

class Events extends EventTarget {
  #stream: EventSource | null = null;
  #opening: ReturnType<typeof setTimeout> | undefined;
  #closing: ReturnType<typeof setTimeout> | undefined;
  #wasOpen = false;
  /** Whether the app was there when it was last asked. */
  connected = true;

  /** Begin to listen; may be called once. */
  start(): void {
    this.#open();
    document.addEventListener("visibilitychange", () => {
      clearTimeout(this.#closing);
      if (document.hidden) this.#closing = setTimeout(() => this.#close(), PATIENCE);
      else this.#open();
    });
    addEventListener("pagehide", () => this.#close());
    addEventListener("pageshow", () => this.#open());
  }

  on(kind: Kind | "connection", heard: (news: News) => void): () => void {
    const listener = heard as EventListener;
    this.addEventListener(kind, listener);
    return () => this.removeEventListener(kind, listener);
  }

  #open(): void {
    if (this.#stream && this.#stream.readyState !== EventSource.CLOSED) return;
    const stream = new EventSource(`/api/events?page=${PAGE_NAME}`);
    this.#stream = stream;
    for (const kind of KINDS) {
      stream.addEventListener(kind, (event: MessageEvent<string>) => {
        this.#tell(kind, parsed(event.data));
      });
    }
    stream.addEventListener("open", () => this.#opened());
    stream.addEventListener("error", () => this.#failed(stream));
  }

  #opened(): void {
    this.#connection(true);
    // What was said while nobody listened is not said again.
    if (this.#wasOpen) for (const kind of KINDS) this.#tell(kind, null);
    this.#wasOpen = true;
  }

  #failed(stream: EventSource): void {
    if (stream !== this.#stream) return;
    this.#connection(false);
    // A browser tries again by itself, unless it was answered something that is no stream.
    if (stream.readyState !== EventSource.CLOSED) return;
    clearTimeout(this.#opening);
    this.#opening = setTimeout(() => document.hidden || this.#open(), AGAIN);
  }

  #close(): void {
    clearTimeout(this.#opening);
    this.#stream?.close();
    this.#stream = null;
  }

  #connection(connected: boolean): void {
    if (connected === this.connected) return;
    this.connected = connected;
    this.#tell("connection", connected);
  }

  #tell(kind: Kind | "connection", detail: unknown): void {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export const events = new Events();
