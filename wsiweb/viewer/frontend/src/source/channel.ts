/**
 * A slide behind a message channel: a Jupyter widget and its kernel, with no port between them.
 *
 * `wsiweb.viewer.channel` is the other end and describes the messages. What is wanted, or no longer
 * wanted, within a frame of time leaves in one message, because Jupyter counts messages.
 */

import { type Source, SourceError } from "./source.ts";

/** What carries messages; an anywidget model does. */
export interface Wire {
  send(content: unknown): void;
  on(event: "msg:custom", callback: (content: unknown, buffers: DataView[]) => void): void;
  off(event: "msg:custom", callback: (content: unknown, buffers: DataView[]) => void): void;
}

export interface ChannelOptions {
  /** Called when nothing was heard from the other end for a while, and when it is heard again. */
  readonly onSilence?: (silent: boolean) => void;
  /** Milliseconds: how long requests gather, what is a while, when an answer counts as lost. */
  readonly gather?: number;
  readonly silence?: number;
  readonly lost?: number;
}

/**
 * Requests on their way at once: enough that a round trip of 50 ms costs nothing, few enough that
 * what comes into view need not wait for what has left it.
 */
const ON_THEIR_WAY = 32;

const GATHER = 8;
const SILENCE = 2_000;
const LOST = 15_000;

/**
 * The longest that a timer can wait: a kernel that is busy for an hour answers after it, and what
 * got lost is asked for again here (`askAgain`), not by those who wait.
 */
const PATIENCE = 2 ** 31 - 1;

type Timer = ReturnType<typeof setTimeout>;

interface Got {
  readonly mediaType: string;
  readonly data: DataView<ArrayBuffer>;
}

interface Request {
  readonly path: string;
  /** The message that it left in; 0 while it has not left. */
  turn: number;
  since: number;
  readonly settle: (got: Got) => void;
  readonly fail: (error: unknown) => void;
}

type Refusal = { readonly status: number; readonly words: string };
type Answer = readonly [id: string, mediaType: string, refusal: Refusal | null];

export class ChannelSource implements Source {
  readonly limit = ON_THEIR_WAY;
  readonly patience = PATIENCE;
  private readonly requests = new Map<string, Request>();
  private wanted: string[] = [];
  private cancelled: string[] = [];
  private turn = 0;
  private heard = 0;
  private silent = false;
  private count = 0;
  private gathering: Timer | undefined;
  private listening: Timer | undefined;
  private readonly watch: Timer;
  private readonly gather: number;
  private readonly silence: number;
  private readonly lost: number;
  // A model sends its answers to each of its views, in this page and in others.
  private readonly name = Math.random().toString(36).slice(2, 10);
  private readonly receive = (content: unknown, buffers: DataView[]): void =>
    this.take(content, buffers);

  constructor(
    private readonly wire: Wire,
    private readonly options: ChannelOptions = {},
  ) {
    this.gather = options.gather ?? GATHER;
    this.silence = options.silence ?? SILENCE;
    this.lost = options.lost ?? LOST;
    wire.on("msg:custom", this.receive);
    this.watch = setInterval(() => this.askAgain(), this.lost / 3);
  }

  async json<T>(path: string, signal?: AbortSignal): Promise<T> {
    return JSON.parse(await this.text(path, signal)) as T;
  }

  async text(path: string, signal?: AbortSignal): Promise<string> {
    return new TextDecoder().decode((await this.get(path, signal)).data);
  }

  async bytes(path: string, signal?: AbortSignal): Promise<ArrayBuffer> {
    const { data } = await this.get(path, signal);
    return data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  }

  async image(path: string, signal?: AbortSignal): Promise<Blob | null> {
    const { data, mediaType } = await this.get(path, signal);
    return data.byteLength === 0 ? null : new Blob([data], { type: mediaType });
  }

  close(): void {
    this.wire.off("msg:custom", this.receive);
    clearInterval(this.watch);
    clearTimeout(this.listening);
    this.cancelled.push(...this.requests.keys());
    this.wanted = [];
    this.flush();
    clearTimeout(this.listening);
    for (const request of this.requests.values()) request.fail(gaveUp());
    this.requests.clear();
  }

  private get(path: string, signal?: AbortSignal): Promise<Got> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const id = `${this.name}-${this.count++}`;
      const abort = (): void => {
        this.leave(id);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", abort, { once: true });
      const end = (): void => signal?.removeEventListener("abort", abort);
      this.requests.set(id, {
        path,
        turn: 0,
        since: performance.now(),
        settle: (got) => {
          end();
          resolve(got);
        },
        fail: (error) => {
          end();
          reject(error);
        },
      });
      this.wanted.push(id);
      this.flushSoon();
    });
  }

  private leave(id: string): void {
    const request = this.requests.get(id);
    if (request === undefined) return;
    this.requests.delete(id);
    if (request.turn === 0) return; // it has not left, and now it will not
    this.cancelled.push(id);
    this.flushSoon();
  }

  private flushSoon(): void {
    this.gathering ??= setTimeout(() => this.flush(), this.gather);
  }

  private flush(): void {
    clearTimeout(this.gathering);
    this.gathering = undefined;
    const now = performance.now();
    const want: [string, string][] = [];
    for (const id of this.wanted) {
      const request = this.requests.get(id);
      if (request === undefined) continue;
      request.turn = this.turn + 1;
      request.since = now;
      want.push([id, request.path]);
    }
    const cancel = this.cancelled;
    this.wanted = [];
    this.cancelled = [];
    if (want.length === 0 && cancel.length === 0) return;
    this.turn += 1;
    try {
      this.wire.send({ view: this.name, turn: this.turn, want, cancel });
    } catch (error) {
      // The kernel or the model is gone. Who waits is told of the silence; who closes, closes.
      console.debug("The kernel cannot be reached:", error);
    }
    if (want.length > 0) {
      this.listening ??= setTimeout(() => this.setSilent(true), this.silence);
    }
  }

  private take(content: unknown, buffers: DataView[]): void {
    if (!isGot(content)) return;
    // Another view of the same model may have been heard: its turns are not ours, but whoever
    // answers it is not silent.
    this.heard = Math.max(this.heard, content.heard[this.name] ?? 0);
    clearTimeout(this.listening);
    this.listening = undefined;
    this.setSilent(false);
    if (this.heard < this.turn && this.requests.size > 0) {
      this.listening = setTimeout(() => this.setSilent(true), this.silence);
    }
    content.got.forEach(([id, mediaType, refusal], position) => {
      const request = this.requests.get(id);
      if (request === undefined) return;
      this.requests.delete(id);
      if (refusal !== null) {
        request.fail(new SourceError(refusal.words, refusal.status));
        return;
      }
      const data = buffers[position] ?? new DataView(new ArrayBuffer(0));
      request.settle({ mediaType, data: data as DataView<ArrayBuffer> });
    });
  }

  /**
   * Want again what was heard long ago and not answered: a server may have dropped the message that
   * held it. The other end knows what it is still at work on.
   */
  private askAgain(): void {
    const now = performance.now();
    for (const [id, request] of this.requests) {
      const asked = request.turn > 0 && request.turn <= this.heard;
      if (asked && now - request.since > this.lost) this.wanted.push(id);
    }
    if (this.wanted.length > 0) this.flushSoon();
  }

  private setSilent(silent: boolean): void {
    this.listening = silent ? undefined : this.listening;
    if (silent === this.silent) return;
    this.silent = silent;
    this.options.onSilence?.(silent);
  }
}

function gaveUp(): DOMException {
  return new DOMException("The viewer was closed.", "AbortError");
}

type GotMessage = { readonly got: readonly Answer[]; readonly heard: Record<string, number> };

/** Whether a message is one of ours; a model may send others. */
function isGot(content: unknown): content is GotMessage {
  return typeof content === "object" && content !== null && "got" in content && "heard" in content;
}
