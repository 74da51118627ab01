import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { test } from "node:test";
import { createClient, type Item, type Link, type Stream, TailraceError } from "../src/index.ts";
import { control, cut, event, FINISHED, head, hold, id, opening, refuse, ScriptedEdge, send } from "./scripted.ts";

const FAST = { base: 1, cap: 1 };

function follow(edge: ScriptedEdge, options: object = {}, stream: object = {}): Stream {
  const client = createClient({ url: edge.url, tenant: "acme", backoff: FAST, ...options });
  return client.stream({ topics: "a.>", from: "start", ...stream });
}

async function collect(stream: Stream): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

const ids = (items: Item[]): string[] => items.map((item) => (item.kind === "event" ? item.id : item.kind));
const run = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, n) => id(from + n));

function links(stream: Stream): Link[] {
  const seen: Link[] = [];
  stream.on("link", (link) => seen.push(link));
  return seen;
}

test("events come as they are, and `finished` ends the loop", async () => {
  const edge = await ScriptedEdge.start(send(opening(), event(1, { type: "progress", data: { done: 1 } }), FINISHED));
  const items = await collect(follow(edge, {}, { types: ["progress", "x"], maxRate: 2.5, until: "terminal" }));
  assert.deepEqual(items, [
    { kind: "event", id: id(1), topic: "a.b", type: "progress", time: "2026-01-31T12:00:00Z", data: { done: 1 } },
  ]);
  const [{ path, query, headers }] = edge.asked as [(typeof edge.asked)[0]];
  assert.equal(path, "/v1/acme/events");
  assert.equal(`${query}`, "topic=a.%3E&from=start&types=progress%2Cx&max_rate=2.5&until=terminal");
  assert.equal(headers.accept, "text/event-stream");
  assert.equal(headers["last-event-id"], undefined);
  assert.equal(edge.asked.length, 1);
});

test("204 ends the loop", async () => {
  const edge = await ScriptedEdge.start();
  assert.deepEqual(await collect(follow(edge)), []);
});

test("a lost connection is resumed after the last event, and what comes twice is dropped", async () => {
  const edge = await ScriptedEdge.start(
    cut(opening(), event(1), event(2)),
    send(opening(2, { mode: "resumed", edge: "edge-2" }), event(2), event(1), event(3)),
    send(opening(3), FINISHED),
  );
  const stream = follow(edge);
  const seen = links(stream);
  assert.deepEqual(ids(await collect(stream)), run(1, 3));
  assert.deepEqual(edge.asked.map(({ headers }) => headers["last-event-id"]), [undefined, id(2), id(3)]);
  assert.deepEqual(seen.map(({ state }) => state), ["live", "offline", "live", "offline", "live", "closed"]);
  assert.deepEqual(seen.filter(({ state }) => state === "live").map((link) => [link.edge, link.reconnects]), [
    ["edge-1", 0],
    ["edge-2", 1],
    ["edge-1", 2],
  ]);
});

test("the id of an event that was cut off does not count", async () => {
  const half = event(2).slice(0, -1);
  const edge = await ScriptedEdge.start(cut(opening(), event(1), half), send(FINISHED));
  assert.deepEqual(ids(await collect(follow(edge))), run(1, 1));
  assert.equal(edge.asked[1]?.headers["last-event-id"], id(1));
});

test("the cursor is that of the item the loop has, not of what was read ahead", async () => {
  const edge = await ScriptedEdge.start(hold(opening(), event(1), event(2), event(3)), send(event(2), FINISHED));
  const stream = follow(edge);
  for await (const item of stream) {
    assert.equal(stream.cursor, id(1));
    assert.deepEqual(ids([item]), run(1, 1));
    break;
  }
  assert.equal(stream.link.state, "closed");
  assert.deepEqual(ids(await collect(stream)), run(2, 2));
  assert.equal(edge.asked[1]?.headers["last-event-id"], id(1));
});

test("gaps and resets are items, and a reset without an id begins anew", async () => {
  const gap = control({ kind: "gap", from: id(1), to: id(4), why: "retention" }, id(4));
  const reset = control({ kind: "reset", why: "epoch", cursor: "00000000-7" });
  const edge = await ScriptedEdge.start(
    cut(opening(0, { mode: "gap" }), gap, event(5)),
    cut(control({ kind: "open", mode: "reset", cursor: "00000000-7", heartbeat: 15, edge: "e" }), reset),
    send(FINISHED),
  );
  const stream = follow(edge, {}, { from: id(0) });
  const items = await collect(stream);
  assert.deepEqual(items[0], { kind: "gap", from: id(1), to: id(4), why: "retention" });
  assert.deepEqual(items[2], { kind: "reset", why: "epoch", cursor: "00000000-7" });
  assert.deepEqual(edge.asked.map(({ headers }) => headers["last-event-id"]), [id(0), id(5), undefined]);
});

test("cursor events move the id of an idle stream on", async () => {
  const edge = await ScriptedEdge.start(
    cut(opening(3), control({ kind: "cursor", cursor: id(90) }, id(90))),
    send(FINISHED),
  );
  await collect(follow(edge));
  assert.equal(edge.asked[1]?.headers["last-event-id"], id(90));
});

test("kinds of control events that are not known are left alone", async () => {
  const edge = await ScriptedEdge.start(send(opening(), control({ kind: "future" }), event(1), FINISHED));
  assert.deepEqual(ids(await collect(follow(edge))), run(1, 1));
});

for (const [status, type, code] of [
  [400, "urn:tailrace:problem:invalid-pattern", "invalid-pattern"],
  [403, "urn:tailrace:problem:forbidden", "forbidden"],
  [404, undefined, "http-404"],
  [410, undefined, "http-410"],
] as const) {
  test(`${status} is final, and says why`, async () => {
    const edge = await ScriptedEdge.start(refuse(status, { type, detail: "because" }));
    const stream = follow(edge);
    await assert.rejects(collect(stream), (error) => {
      assert(error instanceof TailraceError);
      assert.deepEqual([error.status, error.code], [status, code]);
      assert.match(error.message, /because/);
      return true;
    });
    assert.equal(stream.link.state, "closed");
    assert.match(stream.link.reason as string, /because/);
    assert.equal(edge.asked.length, 1);
  });
}

for (const type of ["text/html", "text/event-streamfoo", "application/json"]) {
  test(`200 with ${type} is refused, never parsed, and left`, async () => {
    const left = Promise.withResolvers<void>();
    const edge = await ScriptedEdge.start((answer) => {
      head(answer, type);
      answer.write(opening() + event(1));
      answer.on("close", left.resolve);
    });
    await assert.rejects(collect(follow(edge)), { code: "no-stream" });
    await left.promise;
    assert.equal(edge.asked.length, 1);
  });
}

test("parameters of the content type do not matter", async () => {
  const edge = await ScriptedEdge.start((answer) => {
    head(answer, "Text/Event-Stream ; charset=latin1");
    answer.end(opening() + event(1, { data: "é" }) + FINISHED);
  });
  assert.equal((await collect(follow(edge)))[0]?.kind, "event");
});

test("bodies of errors are not parsed as events, whatever they call themselves", async () => {
  const edge = await ScriptedEdge.start((answer) => {
    answer.writeHead(500, { "content-type": "text/event-stream" });
    answer.end(`retry: 60000\n\n${event(7)}`);
  }, send(opening(), event(1), FINISHED));
  assert.deepEqual(ids(await collect(follow(edge))), run(1, 1));
  assert.equal(edge.asked[1]?.headers["last-event-id"], undefined);
});

test("an edge that sends a client on is obeyed to the millisecond, but not in a hot loop", async () => {
  const onward = control({ kind: "closing", reason: "drain", retry: 5 });
  const edge = await ScriptedEdge.start(send(opening(), onward), send(opening(), onward), send(FINISHED));
  const stream = follow(edge, { backoff: { base: 20, cap: 20 } });
  const seen = links(stream);
  await collect(stream);
  const waits = seen.filter(({ retryIn }) => retryIn !== undefined);
  const [first, second] = waits as [Link, Link];
  assert.deepEqual([first.state, first.retryIn], ["connecting", 5]);
  assert.equal(second.state, "offline");
  assert((second.retryIn as number) >= 5);
});

test("closing without a time to come back is final", async () => {
  const edge = await ScriptedEdge.start(send(opening(), control({ kind: "closing", reason: "gone" })));
  await assert.rejects(collect(follow(edge)), { code: "closed" });
});

test("`retry` of the stream counts for every later failure", async (t) => {
  t.mock.method(Math, "random", () => 0);
  const edge = await ScriptedEdge.start(cut(opening(0, { retry: 4 })), refuse(503), send(FINISHED));
  const stream = follow(edge);
  const seen = links(stream);
  await collect(stream);
  assert.deepEqual(seen.map(({ state, retryIn }) => [state, retryIn]).slice(0, 3), [
    ["live", undefined],
    ["offline", 4],
    ["offline", 0],
  ]);
});

test("several edges are used in turn, beginning with the one that answered last", async () => {
  const [first, second] = [await ScriptedEdge.start(refuse(503)), await ScriptedEdge.start()];
  second.plays = [cut(opening(), event(1))];
  const client = createClient({ url: [first.url, second.url], tenant: "acme", backoff: FAST });
  assert.deepEqual(ids(await collect(client.stream({ topics: ">" }))), run(1, 1));
  assert.deepEqual([first.asked.length, second.asked.length], [2, 1]);
  await collect(client.stream({ topics: ">" }));
  assert.deepEqual([first.asked.length, second.asked.length], [2, 2]);
});

test("silence beyond 2.5 heartbeats makes the link stale, comments count as life", async () => {
  const edge = await ScriptedEdge.start(
    (answer) => {
      head(answer);
      answer.write(opening(0, { heartbeat: 0.2 }));
      let beats = 0;
      const beat = setInterval(() => {
        answer.write(": hb\n");
        if (++beats === 5) clearInterval(beat);
      }, 200);
    },
    send(opening(), event(1), FINISHED),
  );
  const stream = follow(edge);
  const seen = links(stream);
  assert.deepEqual(ids(await collect(stream)), run(1, 1));
  assert.deepEqual(seen.map(({ state }) => state), ["live", "stale", "live", "closed"]);
});

test("a loop that takes its time does not make the link stale", async () => {
  const edge = await ScriptedEdge.start(send(opening(0, { heartbeat: 0.02 }), event(1), event(2), FINISHED));
  const stream = follow(edge);
  const seen = links(stream);
  for await (const _ of stream) await delay(150);
  assert.deepEqual(seen.map(({ state }) => state), ["live", "closed"]);
});

test("an edge that accepts and says nothing is given up", async () => {
  const edge = await ScriptedEdge.start(() => {}, (answer) => head(answer), send(FINISHED));
  const stream = follow(edge, { timeout: 2000 });
  const seen = links(stream);
  await collect(stream);
  assert.deepEqual(seen.map(({ state }) => state), ["offline", "offline", "closed"]);
});

test("a slow loop slows the edge down", async () => {
  let sent = 0;
  const block = event(1, { data: "x".repeat(1 << 16) });
  const stopped = Promise.withResolvers<void>();
  const edge = await ScriptedEdge.start((answer) => {
    head(answer);
    answer.write(opening());
    for (let sequence = 1; sequence <= 2000; sequence++) {
      sent++;
      if (!answer.write(block.replace(id(1), id(sequence)))) break;
    }
    // Whether the client reads on is seen by whether the socket ever drains.
    answer.once("drain", async () => {
      for (let sequence = sent + 1; sequence <= 1500; sequence++) {
        sent++;
        if (!answer.write(block.replace(id(1), id(sequence)))) {
          const drained = await Promise.race([
            new Promise((resolve) => answer.once("drain", () => resolve(true))),
            delay(300, false),
          ]);
          if (!drained) {
            stopped.resolve();
            return;
          }
        }
      }
      assert.fail("1,500 blocks of 64 KiB went into a client that reads none");
    });
  });
  const stream = follow(edge);
  const items = stream[Symbol.asyncIterator]();
  await items.next();
  await stopped.promise;
  assert(sent < 1500, `${sent}`);
  await items.return?.();
});

test("bytes that no edge sends end the stream with an error", async () => {
  for (const bytes of ["id: nope\ndata: {}\n\n", `id: ${id(1)}\ndata: nope\n\n`, "data: {}\n\n"]) {
    const edge = await ScriptedEdge.start(send(bytes));
    const stream = follow(edge, {}, { from: "now" });
    await assert.rejects(collect(stream), { code: "malformed" });
    assert.equal(stream.link.state, "closed");
  }
});

test("an aborted signal ends the loop at once, also one that was aborted before", async () => {
  const edge = await ScriptedEdge.start(hold(opening(), event(1)));
  const controller = new AbortController();
  const stream = follow(edge, {}, { signal: controller.signal });
  const got: Item[] = [];
  await assert.rejects(async () => {
    for await (const item of stream) {
      got.push(item);
      setImmediate(() => controller.abort(new Error("enough")));
    }
  }, /enough/);
  assert.deepEqual(ids(got), run(1, 1));
  await assert.rejects(collect(follow(edge, {}, { signal: controller.signal })), /enough/);
  assert.equal(edge.asked.length, 1);
});

test("close() and return() end a loop that waits", async () => {
  const edge = await ScriptedEdge.start(hold(opening()), hold(opening()));
  const stream = follow(edge);
  stream.on("link", ({ state }) => state === "live" && stream.close());
  assert.deepEqual(await collect(stream), []);
  const items = follow(edge)[Symbol.asyncIterator]();
  const next = items.next();
  while (edge.asked.length < 2) await delay(5);
  await items.return?.();
  assert.deepEqual(await next, { done: true, value: undefined });
});

test("close() ends a loop that has only just begun", async () => {
  const edge = await ScriptedEdge.start(hold(opening()));
  const stream = follow(edge);
  const ended = collect(stream);
  stream.close();
  assert.deepEqual(await ended, []);
  assert.equal(edge.asked.length, 0);
});

test("close() ends a loop that waits for what does not listen to its signal", async () => {
  const endless = () => new Response(new ReadableStream(), { headers: { "content-type": "text/event-stream" } });
  const answers = [async () => endless(), () => new Promise<Response>(() => {})];
  for (const fetch of answers) {
    const stream = createClient({ url: "http://edge", tenant: "acme", fetch }).stream({ topics: ">" });
    setTimeout(() => stream.close(), 20);
    assert.deepEqual(await collect(stream), []);
  }
});

test("a stream cannot be read twice at a time", async () => {
  const edge = await ScriptedEdge.start(hold(opening(), event(1)));
  const stream = follow(edge);
  for await (const _ of stream) {
    await assert.rejects(collect(stream), { code: "invalid" });
    break;
  }
});

test("forEach waits for what it calls", async () => {
  const edge = await ScriptedEdge.start(send(opening(), event(1), event(2), FINISHED));
  const order: string[] = [];
  await follow(edge).forEach(async (item) => {
    order.push(`begin ${item.kind === "event" && item.data}`);
    await delay(10);
    order.push("end");
  });
  assert.deepEqual(order, ["begin 1", "end", "begin 2", "end"]);
});

test("the cursor survives a reload, if that is wanted", async () => {
  const edge = await ScriptedEdge.start(send(opening(), event(1), FINISHED), send(FINISHED), send(FINISHED));
  await collect(follow(edge, {}, { persist: "orders 7" }));
  await collect(follow(edge, {}, { persist: "orders 7" }));
  await collect(follow(edge, {}, { persist: "orders 8" }));
  assert.deepEqual(edge.asked.map(({ headers }) => headers["last-event-id"]), [undefined, id(1), undefined]);
});

test("a store that takes nothing more harms no stream", async (t) => {
  const edge = await ScriptedEdge.start(cut(opening(), event(1)), send(opening(1), event(2), FINISHED));
  t.mock.method(Object.getPrototypeOf(sessionStorage), "setItem", () => {
    throw new Error("full");
  });
  const reported: unknown[] = [];
  t.mock.method(globalThis, "queueMicrotask", (act: () => void) => {
    Promise.resolve().then(act).catch((error: unknown) => reported.push((error as Error).message));
  });
  assert.deepEqual(ids(await collect(follow(edge, {}, { persist: "orders 9" }))), run(1, 2));
  assert.equal(reported[0], "full");
});

test("what cannot be an edge, a tenant or a stream is refused at once", () => {
  for (const options of [
    { url: "http://user@edge", tenant: "acme" },
    { url: "http://edge?x", tenant: "acme" },
    { url: "http://edge", tenant: "A" },
  ]) {
    assert.throws(() => createClient(options), { code: "invalid" });
  }
  assert.throws(() => createClient({ tenant: "acme" }).stream({ topics: [] }), { code: "invalid" });
});
