/** The front end's end of the message channel; the kernel's end is played here, word by word. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ChannelSource, type Wire } from "../src/source/channel.ts";
import { isAbort, SourceError } from "../src/source/source.ts";

interface Message {
  readonly view: string;
  readonly turn: number;
  readonly want: [string, string][];
  readonly cancel: string[];
}

/** A wire whose other end is the test. */
class TestWire implements Wire {
  readonly sent: Message[] = [];
  private readonly listeners = new Set<(content: unknown, buffers: DataView[]) => void>();

  send(content: unknown): void {
    this.sent.push(content as Message);
  }

  on(_: "msg:custom", callback: (content: unknown, buffers: DataView[]) => void): void {
    this.listeners.add(callback);
  }

  off(_: "msg:custom", callback: (content: unknown, buffers: DataView[]) => void): void {
    this.listeners.delete(callback);
  }

  get listened(): boolean {
    return this.listeners.size > 0;
  }

  say(content: unknown, ...texts: string[]): void {
    const buffers = texts.map((text) => new DataView(new TextEncoder().encode(text).buffer));
    for (const listener of this.listeners) listener(content, buffers);
  }

  /** Answer each path of a message with itself. */
  answer(message: Message): void {
    const got = message.want.map(([id]) => [id, "text/plain", null]);
    const heard = { [message.view]: message.turn };
    this.say({ got, heard }, ...message.want.map(([, path]) => path));
  }
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

function sent(wire: TestWire, number: number): Message {
  const message = wire.sent[number];
  assert.ok(message, `message ${number} was not sent`);
  return message;
}

test("what is wanted within a moment leaves in one message", async () => {
  const wire = new TestWire();
  const source = new ChannelSource(wire);
  const asked = [source.text("a"), source.text("b"), source.text("c")];
  await pause(30);
  assert.equal(wire.sent.length, 1);
  wire.answer(sent(wire, 0));
  assert.deepEqual(await Promise.all(asked), ["a", "b", "c"]);
  source.close();
});

test("answers may come in any order, in several messages, and among those of others", async () => {
  const wire = new TestWire();
  const source = new ChannelSource(wire);
  const other = new ChannelSource(wire);
  const [first, second, third] = [source.text("1"), source.text("2"), other.text("3")];
  await pause(30);
  const messages = [...wire.sent].reverse();
  for (const message of messages) {
    for (const want of [...message.want].reverse()) wire.answer({ ...message, want: [want] });
  }
  assert.deepEqual(await Promise.all([first, second, third]), ["1", "2", "3"]);
  source.close();
  other.close();
});

test("a refusal is an error with words and status", async () => {
  const wire = new TestWire();
  const source = new ChannelSource(wire);
  const asked = source.json("nonsense");
  await pause(30);
  const { view, turn, want } = sent(wire, 0);
  const refusal = { status: 404, words: "There is no such thing." };
  wire.say({ got: [[want[0]?.[0], "", refusal]], heard: { [view]: turn } }, "");
  await assert.rejects(asked, (error: unknown) => {
    assert.ok(error instanceof SourceError);
    assert.equal(error.status, 404);
    assert.equal(error.message, "There is no such thing.");
    return true;
  });
  source.close();
});

test("an empty answer is no picture, and another has its type", async () => {
  const wire = new TestWire();
  const source = new ChannelSource(wire);
  const asked = [source.image("empty"), source.image("full")];
  await pause(30);
  const { view, turn, want } = sent(wire, 0);
  const got = want.map(([id, path]) => [id, path === "full" ? "image/jpeg" : "", null]);
  wire.say({ got, heard: { [view]: turn } }, "", "pixels");
  const [empty, full] = await Promise.all(asked);
  assert.equal(empty, null);
  assert.equal(full?.type, "image/jpeg");
  assert.equal(full?.size, 6);
  source.close();
});

test("what is given up before it left is never sent", async () => {
  const wire = new TestWire();
  const source = new ChannelSource(wire);
  const control = new AbortController();
  const asked = source.text("a", control.signal);
  control.abort();
  await assert.rejects(asked, isAbort);
  await pause(30);
  assert.equal(wire.sent.length, 0);
  await assert.rejects(source.text("b", control.signal), isAbort);
  source.close();
});

test("what is given up later is cancelled at the other end", async () => {
  const wire = new TestWire();
  const source = new ChannelSource(wire);
  const control = new AbortController();
  const asked = source.text("a", control.signal);
  await pause(30);
  control.abort();
  await assert.rejects(asked, isAbort);
  await pause(30);
  assert.deepEqual(sent(wire, 1).cancel, [sent(wire, 0).want[0]?.[0]]);
  wire.answer(sent(wire, 0)); // it crossed the cancellation, and is left alone
  source.close();
});

test("silence is told, and its end", async () => {
  const wire = new TestWire();
  const told: boolean[] = [];
  const source = new ChannelSource(wire, { silence: 40, onSilence: (silent) => told.push(silent) });
  const asked = source.text("a");
  await pause(100);
  assert.deepEqual(told, [true]);
  const { view, turn } = sent(wire, 0);
  wire.say({ got: [], heard: { [view]: turn } });
  assert.deepEqual(told, [true, false]);
  await pause(100);
  assert.deepEqual(told, [true, false], "a slow archive is no busy kernel");
  wire.answer(sent(wire, 0));
  assert.equal(await asked, "a");
  source.close();
});

test("what was heard and never answered is wanted again, once it counts as lost", async () => {
  const wire = new TestWire();
  const source = new ChannelSource(wire, { lost: 60 });
  const asked = source.text("a");
  await pause(30);
  const { view, turn } = sent(wire, 0);
  wire.say({ got: [], heard: { [view]: turn } });
  await pause(150);
  assert.deepEqual(sent(wire, 1).want, sent(wire, 0).want);
  wire.answer(sent(wire, 1));
  assert.equal(await asked, "a");
  source.close();
});

test("what nobody heard is not sent again and again", async () => {
  const wire = new TestWire();
  const source = new ChannelSource(wire, { lost: 30 });
  const asked = source.text("a");
  await pause(200);
  assert.equal(wire.sent.length, 1);
  source.close();
  await assert.rejects(asked, isAbort);
});

test("a closed source listens no more, and cancels what is under way", async () => {
  const wire = new TestWire();
  const source = new ChannelSource(wire);
  const asked = source.text("a");
  await pause(30);
  source.close();
  await assert.rejects(asked, isAbort);
  assert.equal(sent(wire, 1).cancel.length, 1);
  assert.equal(wire.listened, false);
});

test("a wire that is gone keeps nobody from closing", async () => {
  const wire = new TestWire();
  const told: boolean[] = [];
  const source = new ChannelSource(wire, { silence: 40, onSilence: (silent) => told.push(silent) });
  wire.send = () => {
    throw new Error("The comm is closed.");
  };
  const asked = source.text("a");
  await pause(100);
  assert.deepEqual(told, [true]);
  source.close();
  await assert.rejects(asked, isAbort);
  assert.equal(wire.listened, false);
});

test("other messages are left alone", () => {
  const wire = new TestWire();
  const source = new ChannelSource(wire);
  for (const odd of [null, 7, "got", {}, { got: [] }]) wire.say(odd);
  source.close();
});
