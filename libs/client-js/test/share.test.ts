import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, type Item } from "../src/index.ts";
import { share } from "../src/share.ts";
import { control, EPOCH, event, hold, id, opening, refuse, reply, ScriptedEdge } from "./scripted.ts";

let principals = 0;

/** Two tabs' worth of clients; Node has Web Locks and BroadcastChannel too. */
function open(edge: ScriptedEdge) {
  const principal = `${principals++}`;
  const connect = () => createClient({ url: edge.url, tenant: "acme", backoff: { base: 1, cap: 1 }, share: share({ principal }) });
  return [connect(), connect()] as const;
}

const line = (sequence: number) => ({ id: id(sequence), topic: "a.b", type: "message", time: "x", data: sequence });
const history = (from: number, to: number, more: object = {}) =>
  reply({ events: Array.from({ length: to - from + 1 }, (_, n) => line(from + n)), cursor: id(to), next: null, gap: null, ...more });

async function take(items: AsyncIterable<Item>, count: number, slowly = false): Promise<unknown[]> {
  const got: unknown[] = [];
  for await (const item of items) {
    got.push(item.kind === "event" ? item.id : item.kind);
    if (slowly) await new Promise((resolve) => setImmediate(resolve));
    if (got.length === count) break;
  }
  return got;
}

const run = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, n) => id(from + n));

test("two tabs share one stream, and each begins where it wants to", async () => {
  const edge = await ScriptedEdge.start(hold(opening(2), event(3), event(4)));
  edge.calls["history"] = (answer, request) => {
    const from = new URL(request.url as string, "http://edge").searchParams.get("from");
    return (from === "start" ? history(1, 2) : history(3, 2))(answer, request);
  };
  const [one, other] = open(edge);
  const both = [take(one.stream({ topics: "a.*", from: "start" }), 4), take(other.stream({ topics: "a.b" }), 2)];
  assert.deepEqual(await Promise.all(both), [run(1, 4), run(3, 4)]);
  assert.equal(edge.streams.length, 1);
  assert.deepEqual([...(edge.streams[0]?.query.getAll("topic") ?? [])].sort(), ["a.*", "a.b"]);
  assert.equal(edge.streams[0]?.headers["last-event-id"], id(2));
});

test("what a tab has from the history is not brought again by the broadcast, and the other way round", async () => {
  const edge = await ScriptedEdge.start(hold(opening(2), event(3), event(4), event(5), event(6)));
  const tabs: string[] = [];
  edge.calls["history"] = (answer, request) => {
    // The second tab's edge is ahead of the one that serves the stream.
    const from = new URL(request.url as string, "http://edge").searchParams.get("from") as string;
    tabs.push(from);
    return history(1, tabs.length === 1 ? 2 : 4)(answer, request);
  };
  const [one, other] = open(edge);
  const first = take(one.stream({ topics: "a.*", from: "start" }), 6);
  while (!tabs.length) await new Promise((resolve) => setImmediate(resolve));
  const both = [first, take(other.stream({ topics: "a.*", from: "start" }), 6)];
  assert.deepEqual(await Promise.all(both), [run(1, 6), run(1, 6)]);
});

test("a tab whose loop is too slow for what is broadcast reads it from the history", async () => {
  const burst = Array.from({ length: 5000 }, (_, n) => event(n + 1)).join("");
  const edge = await ScriptedEdge.start(hold(opening(0), burst));
  const asked: (string | null)[] = [];
  edge.calls["history"] = (answer, request) => {
    const from = new URL(request.url as string, "http://edge").searchParams.get("from") as string;
    asked.push(from);
    if (asked.length === 1) return history(1, 0)(answer, request);
    const after = Number(from.split("-")[1]);
    return history(after + 1, 5000)(answer, request);
  };
  const [one] = open(edge);
  assert.deepEqual(await take(one.stream({ topics: "a.*", from: "start" }), 5000, true), run(1, 5000));
  assert(asked.length > 1);
});

test("where the shared stream is refused, everybody has their own", async () => {
  const edge = await ScriptedEdge.start();
  // What both want begins now.
  edge.calls["events"] = (answer, request) =>
    (request.url?.includes("from=now") ? refuse(403) : hold(opening(2), event(3)))(answer, request);
  edge.calls["history"] = history(1, 2);
  const [one, other] = open(edge);
  const both = [one, other].map((client) => take(client.stream({ topics: "a.*", from: "start" }), 3));
  assert.deepEqual(await Promise.all(both), [run(1, 3), run(1, 3)]);
  assert.equal(edge.streams.filter(({ query }) => query.get("from") === "start").length, 2);
});

test("gaps and resets reach every tab, and a reset begins anew", async () => {
  const gap = control({ kind: "gap", from: id(3), to: id(5), why: "retention" }, id(5));
  const reset = control({ kind: "reset", why: "epoch", cursor: "00000000-2" }, "00000000-2");
  const edge = await ScriptedEdge.start((answer, request) => {
    hold(opening(2), gap, event(6))(answer, request);
    setTimeout(() => {
      edge.calls["history"] = reply({
        events: [{ ...line(1), id: "00000000-1" }], cursor: "00000000-2", next: null, gap: null,
      }); // prettier-ignore
      answer.write(reset);
    }, 100);
  });
  edge.calls["history"] = history(1, 2);
  const [one, other] = open(edge);
  const both = [one, other].map((client) => take(client.stream({ topics: "a.*", from: "start" }), 6));
  const expected = [...run(1, 2), "gap", id(6), "reset", "00000000-1"];
  assert.deepEqual(await Promise.all(both), [expected, expected]);
});

test("a cursor of another log is a reset", async () => {
  const edge = await ScriptedEdge.start(hold(opening(2)));
  let asked = 0;
  edge.calls["history"] = (answer, request) => (++asked === 1 ? refuse(410) : history(3, 2))(answer, request);
  const [one] = open(edge);
  assert.deepEqual(await take(one.stream({ topics: "a.*", from: "00000000-9" }), 1), ["reset"]);
});

test("after a reset, a stream that began at an id of the old log begins now", async () => {
  const reset = control({ kind: "reset", why: "epoch", cursor: "00000000-2" }, "00000000-2");
  const edge = await ScriptedEdge.start(hold(opening(2), reset, event(3).replace(id(3), "00000000-3")));
  const asked: (string | null)[] = [];
  edge.calls["history"] = (answer, request) => {
    asked.push(new URL(request.url as string, "http://edge").searchParams.get("from"));
    if (asked.length === 1) return history(3, 2)(answer, request);
    const isOld = asked.at(-1)?.startsWith(EPOCH);
    return (isOld ? refuse(410) : history(3, 2, { cursor: "00000000-2" }))(answer, request);
  };
  const [one] = open(edge);
  assert.deepEqual(await take(one.stream({ topics: "a.*", from: id(2) }), 2), ["reset", "00000000-3"]);
  assert.deepEqual(asked, [id(2), "-1s"]);
});

test("where a broadcast was missed, what it brought is read from the history", async () => {
  const edge = await ScriptedEdge.start(hold(opening(2), event(3)));
  edge.calls["history"] = (answer, request) => {
    const from = new URL(request.url as string, "http://edge").searchParams.get("from");
    return (from === id(3) ? history(4, 6) : history(3, 2))(answer, request);
  };
  const [one] = open(edge);
  const items = one.stream({ topics: "a.*", from: id(2) })[Symbol.asyncIterator]();
  const other = new BroadcastChannel(`tailrace ${JSON.stringify([[edge.url], "acme", `${principals - 1}`])}`);
  const keys = new Promise<string[]>((resolve) => {
    other.onmessage = ({ data: [kind, value] }) => kind === "feed" && resolve(value.keys);
  });
  const next = async () => {
    const { value } = await items.next();
    return value?.kind === "event" && value.id;
  };
  assert.equal(await next(), id(3));
  const feed = { keys: await keys, after: id(5), upTo: id(6), items: [{ kind: "event", ...line(6) }] };
  other.postMessage(["feed", feed]);
  assert.deepEqual([await next(), await next(), await next()], run(4, 6));
  other.close();
  await items.return?.();
});
