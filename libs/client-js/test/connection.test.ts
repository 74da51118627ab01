import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Connection } from "../src/connection.ts";
import type { Edges } from "../src/edges.ts";
import type { Link } from "../src/link.ts";
import { control, event, FINISHED, opening } from "./scripted.ts";

const START = Date.parse("2026-01-31T12:00:00Z");
const EDGES = { timeout: 10_000, backoff: undefined, first: 0, urls: ["x"] } as unknown as Edges;

type Answers = (() => Response)[];

/** Answers the attempts of a connection in turn, then with 204. Time goes on only while the next attempt is waited for. */
function connect(t: TestContext, answers: Answers): { connection: Connection; asked: number[] } {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: START });
  t.mock.method(performance, "now", () => Date.now());
  const asked: number[] = [];
  const transport = async () => {
    asked.push(Date.now() - START);
    return answers.shift()?.() ?? new Response(null, { status: 204 });
  };
  return { connection: new Connection({ edges: EDGES, transport, query: [], cursor: undefined }), asked };
}

async function run(t: TestContext, { connection }: { connection: Connection }): Promise<Link[]> {
  const links: Link[] = [];
  connection.onLink = (link) => {
    links.push(link);
    const { retryIn } = link;
    if (retryIn) setImmediate(() => t.mock.timers.tick(Math.ceil(retryIn)));
  };
  for await (const items of connection.read()) for (const _ of items);
  return links;
}

const waits = (links: Link[]) => links.flatMap(({ retryIn }) => retryIn ?? []);

const refuse = (status: number, retryAfter?: string) =>
  new Response("words", { status, headers: retryAfter === undefined ? {} : { "retry-after": retryAfter } });

/** A stream whose next chunk comes when the last one has been taken. */
function send(...chunks: (string | (() => string))[]): Response {
  const encoder = new TextEncoder();
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    const chunk = chunks.shift();
    if (chunk === undefined) controller.close();
    else controller.enqueue(encoder.encode(typeof chunk === "string" ? chunk : chunk()));
  };
  return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }), {
    headers: { "content-type": "text/event-stream" },
  });
}

test("waits grow to the cap, the jitter comes after it, and only headway begins anew", async (t) => {
  let drawn = 1;
  t.mock.method(Math, "random", () => drawn);
  const unavailable = () => refuse(503);
  const halved = () => {
    drawn = 0.5;
    return refuse(503);
  };
  const answers = [...Array<() => Response>(7).fill(unavailable), halved, () => send(opening()), () => send(opening(), event(1))];
  const growing = [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000];
  // Opening a stream is no headway, an event is.
  assert.deepEqual(waits(await run(t, connect(t, answers))), [...growing, 15_000, 15_000, 500]);
});

for (const [time, expected] of [
  [9_999, 2000],
  [10_000, 1000],
] as const) {
  test(`${time} ms of bytes, events or none, and the next wait is up to ${expected} ms`, async (t) => {
    t.mock.method(Math, "random", () => 1);
    const beat = () => {
      t.mock.timers.tick(time);
      return ": hb\n";
    };
    const links = await run(t, connect(t, [() => refuse(503), () => send(opening(), beat), () => refuse(503)]));
    assert.deepEqual(waits(links), [1000, expected, 2 * expected]);
  });
}

test("a stream without events is sent on as often as that takes, and each time comes back when it was asked to", async (t) => {
  t.mock.method(Math, "random", () => 1);
  const beat = () => {
    t.mock.timers.tick(10_000);
    return ": hb\n";
  };
  const onward = control({ kind: "closing", reason: "drain", retry: 5 });
  const rotated = () => send(opening(), beat, onward);
  const links = await run(t, connect(t, [rotated, rotated, rotated]));
  assert.deepEqual(waits(links), [5, 5, 5]);
  assert(!links.some(({ state }) => state === "offline"));
});

test("stop() and freeze() count whatever is on its way to the loop at that moment", async (t) => {
  for (let hops = 0; hops < 12; hops++) {
    for (const end of ["stop", "freeze"] as const) {
      const stream: ReturnType<typeof connect> = connect(t, [
        () =>
          send(() => {
            let waited = Promise.resolve();
            for (let hop = 0; hop < hops; hop++) waited = waited.then(() => {});
            void waited.then(() => stream.connection[end]("frozen"));
            return opening() + event(1);
          }),
      ]);
      const states: string[] = [];
      stream.connection.onLink = ({ state }) => states.push(state);
      const reading = (async () => {
        for await (const items of stream.connection.read()) for (const _ of items);
      })();
      await new Promise((resolve) => setImmediate(resolve));
      const last = end === "stop" ? "closed" : "offline";
      assert.equal(stream.connection.link.state, last, `${end} after ${hops}: ${states}`);
      assert.equal(stream.asked.length, 1);
      stream.connection.stop();
      await reading;
      t.mock.timers.reset();
    }
  }
});

for (const status of [408, 425, 429, 500, 502, 503, 504]) {
  for (const [text, expected] of [
    ["3", 3000],
    ["Sat, 31 Jan 2026 12:00:07 GMT", 7000],
    ["Sat, 31 Jan 2026 11:00:00 GMT", 0],
    ["soon", 0],
    ["-5", 0],
    [undefined, 0],
    ["999999", 3_600_000],
  ] as const) {
    test(`${status} is tried again, no sooner than Retry-After: ${text}`, async (t) => {
      t.mock.method(Math, "random", () => 0);
      const stream = connect(t, [() => refuse(status, text)]);
      const [link, ...more] = await run(t, stream);
      assert.deepEqual([link?.state, link?.reason, link?.retryIn], ["offline", `${status}: words`, expected]);
      assert.deepEqual(more.map(({ state }) => state), ["closed"]);
      assert.deepEqual(stream.asked, [0, expected]);
    });
  }
}

test("a doubtful link is live again with the next byte", async (t) => {
  const stream: ReturnType<typeof connect> = connect(t, [
    () =>
      send(
        opening(),
        () => {
          t.mock.timers.setTime(START + 3_600_000); // timers stand still while a laptop sleeps
          stream.connection.online();
          stream.connection.offline();
          return ": hb\n";
        },
        FINISHED,
      ),
  ]);
  const links = await run(t, stream);
  assert.deepEqual(links.map(({ state }) => state), ["live", "stale", "live", "closed"]);
});

test("a stream that has ended, or was refused, is asked for again when it is read again", async (t) => {
  const stream = connect(t, [() => send(opening(), FINISHED), () => refuse(403), () => send(opening(), event(1), FINISHED)]);
  await run(t, stream);
  await assert.rejects(run(t, stream), { status: 403 });
  assert.equal(stream.connection.link.state, "closed");
  const links = await run(t, stream);
  assert.deepEqual(links.map(({ state }) => state), ["connecting", "live", "closed"]);
});
