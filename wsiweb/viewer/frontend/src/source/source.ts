/**
 * Where a viewer's pixels and words come from: one slide, asked for by path.
 *
 * The paths are those of `wsiweb.viewer.feed.Feed` in Python (`manifest`,
 * `tiles/0/0/2/5/7`, `layers/...`), whether they travel over HTTP or over a Jupyter channel.
 * The viewer knows only this interface.
 */
export interface Source {
  /** How many requests are worth having on their way at once. */
  readonly limit: number;

  /** How long (ms) a picture may take until whoever asked for it counts it as failed. */
  readonly patience: number;

  /** A resource that is JSON. */
  json<T>(path: string, signal?: AbortSignal): Promise<T>;

  /** A resource that is a picture; null where there is none (a tile absent of a sparse slide). */
  image(path: string, signal?: AbortSignal): Promise<Blob | null>;

  /** A resource that is bytes. */
  bytes(path: string, signal?: AbortSignal): Promise<ArrayBuffer>;

  /** A resource that is text. */
  text(path: string, signal?: AbortSignal): Promise<string>;

  /** The address of a resource, where it has one that other pages can open. */
  url?(path: string): string;

  /** Give up what is under way; the source is not asked again. */
  close(): void;
}

/** A resource that could not be had, said in words for people. */
export class SourceError extends Error {
  override readonly name = "SourceError";

  /** `status` is what HTTP calls the failure: 404 for what is not there; 0 when nothing came. */
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** Whether an error only says that the asker gave up. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
