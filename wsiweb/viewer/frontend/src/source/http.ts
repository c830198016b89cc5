/** A slide behind HTTP: the paths of a feed under one address. */

import { type Source, SourceError } from "./source.ts";

/**
 * How many requests this source has on their way. Browsers allow six connections to a host
 * without TLS; the sixth is for the events of the page.
 */
const CONNECTIONS = 5;

/** Longer than the server itself waits for an archive. */
const PATIENCE = 60_000;

export class HttpSource implements Source {
  readonly limit = CONNECTIONS;
  readonly patience = PATIENCE;
  private readonly closed = new AbortController();

  /** `base` is the address of the feed, with or without a slash at its end. */
  constructor(private readonly base: string) {}

  url(path: string): string {
    return `${this.base.replace(/\/$/, "")}/${path}`;
  }

  async json<T>(path: string, signal?: AbortSignal): Promise<T> {
    return (await (await this.get(path, signal)).json()) as T;
  }

  async image(path: string, signal?: AbortSignal): Promise<Blob | null> {
    const response = await this.get(path, signal);
    return response.status === 204 ? null : response.blob();
  }

  async bytes(path: string, signal?: AbortSignal): Promise<ArrayBuffer> {
    return (await this.get(path, signal)).arrayBuffer();
  }

  async text(path: string, signal?: AbortSignal): Promise<string> {
    return (await this.get(path, signal)).text();
  }

  close(): void {
    this.closed.abort();
  }

  private async get(path: string, signal?: AbortSignal): Promise<Response> {
    const signals = signal === undefined ? [] : [signal];
    const either = AbortSignal.any([this.closed.signal, ...signals]);
    let response: Response;
    try {
      response = await fetch(this.url(path), { signal: either, credentials: "same-origin" });
    } catch (error) {
      either.throwIfAborted();
      throw new SourceError(`The server did not answer (${String(error)}).`, 0);
    }
    if (!response.ok) throw new SourceError(await wordsOf(response), response.status);
    return response;
  }
}

/** What the server says went wrong: its `{"error": words}`, or the status where it said nothing. */
async function wordsOf(response: Response): Promise<string> {
  const plain = `The server answered ${response.status} ${response.statusText}`.trim();
  try {
    const body: unknown = await response.json();
    if (typeof body === "object" && body !== null && "error" in body) return String(body.error);
  } catch {
    // The answer was not JSON: a proxy's page, say, which tells a reader less than the status.
  }
  return plain;
}
