import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { SseDecoder, type SseEvent } from "../src/sse.ts";

interface Repeat {
  hex: string;
  times: number;
}

interface Case {
  name: string;
  chunks: (string | Repeat)[];
  events: { event: string; data: string | { text: string; times: number; then?: string }; lastEventId: string }[];
  lastEventId: string;
  retry: number | null;
}

const FILE = new URL("../../../tests/conformance/sse_cases.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(FILE, "utf8")) as { cases: Case[] };

function read(chunks: Iterable<Uint8Array>): { events: SseEvent[]; lastEventId: string; retry: number | null } {
  const decoder = new SseDecoder();
  const events: SseEvent[] = [];
  for (const chunk of chunks) events.push(...decoder.feed(chunk));
  return { events, lastEventId: decoder.lastEventId, retry: decoder.retry ?? null };
}

function* split(bytes: Uint8Array, places: number[]): Generator<Uint8Array> {
  let from = 0;
  for (const place of [...places, bytes.length]) {
    yield bytes.subarray(from, place);
    from = place;
  }
}

/** A generator of numbers that a seed determines (mulberry32). */
function seeded(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let value = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

for (const { name, chunks, events, lastEventId, retry } of cases) {
  const expected = {
    events: events.map(({ data, ...event }) => ({
      ...event,
      data: typeof data === "string" ? data : data.text.repeat(data.times) + (data.then ?? ""),
    })),
    lastEventId,
    retry,
  };
  const pieces = chunks.flatMap((chunk) =>
    typeof chunk === "string" ? [Buffer.from(chunk, "hex")] : Array<Uint8Array>(chunk.times).fill(Buffer.from(chunk.hex, "hex")),
  );
  const whole = Buffer.concat(pieces);

  test(`${name}: as given, in one piece and byte by byte`, () => {
    assert.deepEqual(read(pieces), expected);
    assert.deepEqual(read([whole]), expected);
    assert.deepEqual(read(split(whole, [...whole.keys()])), expected);
  });

  test(`${name}: cut anywhere`, () => {
    if (whole.length < 2000) {
      for (const place of whole.keys()) assert.deepEqual(read(split(whole, [place])), expected, `cut at ${place}`);
    }
    const random = seeded(whole.length);
    for (let run = 0; run < (whole.length < 2000 ? 200 : 5); run++) {
      const places = Array.from({ length: 1 + random() * 12 }, () => Math.floor(random() * (whole.length + 1)));
      places.sort((one, other) => one - other);
      assert.deepEqual(read(split(whole, places)), expected, `cut at ${places}`);
    }
  });
}

test("an event that grows without end is refused", () => {
  const decoder = new SseDecoder();
  const line = Buffer.from(`data: ${"x".repeat(1 << 20)}\n`);
  assert.throws(() => {
    for (let count = 0; count < 9; count++) for (const _ of decoder.feed(line));
  }, /too large/);
  assert.throws(() => {
    const endless = new SseDecoder();
    for (let count = 0; count < 9; count++) for (const _ of endless.feed(Buffer.alloc(1 << 20, "x")));
  }, /too large/);
});

test("the events before one that is too large have come", () => {
  const decoder = new SseDecoder();
  const got: string[] = [];
  assert.throws(() => {
    for (const { data } of decoder.feed(Buffer.from(`data: 1\n\ndata: ${"x".repeat(9 << 20)}\n\n`))) got.push(data);
  });
  assert.deepEqual(got, ["1"]);
});
