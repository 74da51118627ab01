import assert from "node:assert/strict";
import { test } from "node:test";
import type { Feed } from "../src/hub.ts";
import { createClient, type Item, type Stream } from "../src/index.ts";
import { share } from "../src/share.ts";
import { control, event, hold, id, opening, refuse, reply, ScriptedEdge } from "./scripted.ts";

let principals = 0;

/** Two tabs' worth of clients; Node has Web Locks and BroadcastChannel too. */
function open(edge: ScriptedEdge, options: object = {}) {
  const settings = { url: edge.url, tenant: "acme", backoff: { base: 1, cap: 1 }, ...options };
  const principal = `${principals++}`;
  const connect = () => createClient({ ...settings, share: share({ principal }) });
  return [connect(), connect()] as const;
}

const line = (sequence: number) => ({ id: id(sequence), topic: "a.b", type: "message", time: "x", data: sequence });
const history = (from: number, to: number, more: object = {}) =>
  reply({ events: Array.from({ length: to - from + 1 }, (_, n) => line(from + n)), cursor: id(to), next: null, gap: null, ...more });

/** Takes no more than asked for, and goes on later. */
async function read(items: AsyncIterator<Item>, count: number): Promise<unknown[]> {
  const got: unknown[] = [];
  while (got.length < count) {
    const { value } = (await items.next()) as { value: Item };
    got.push(value.kind === "event" ? value.id : value.kind);
  }
  return got;
}

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
  const edge = await ScriptedEdge.start();
  const isShared = (query: URLSearchParams) => query.getAll("topic").length === 2;
  // A tab that is slow finds a stream of what the other one wants, in place of which one of both comes.
  edge.calls["events"] = (answer, request) => {
    const { searchParams } = new URL(request.url as string, "http://edge");
    hold(opening(2), ...(isShared(searchParams) ? [event(3), event(4)] : []))(answer, request);
  };
  edge.calls["history"] = (answer, request) => {
    const from = new URL(request.url as string, "http://edge").searchParams.get("from");
    return (from === "start" ? history(1, 2) : history(3, 2))(answer, request);
  };
  const [one, other] = open(edge);
  const both = [take(one.stream({ topics: "a.*", from: "start" }), 4), take(other.stream({ topics: "a.b" }), 2)];
  assert.deepEqual(await Promise.all(both), [run(1, 4), run(3, 4)]);
  const shared = edge.streams.filter(({ query }) => isShared(query));
  assert.deepEqual(shared.map(({ query }) => query.getAll("topic").sort()), [["a.*", "a.b"]]);
  assert.equal(shared[0]?.headers["last-event-id"], id(2));
});

test("what a tab has from the history is not brought again by the broadcast, and the other way round", async () => {
  const edge = await ScriptedEdge.start();
  edge.calls["events"] = (answer, request) => {
    const after = Number((request.headers["last-event-id"] as string).split("-")[1]);
    hold(opening(2), ...[3, 4, 5, 6].filter((sequence) => sequence > after).map((sequence) => event(sequence)))(answer, request);
  };
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

test("where the shared stream has come to its end, that of each has, too, and no edge is asked again and again", async () => {
  const edge = await ScriptedEdge.start();
  edge.calls["history"] = history(1, 2);
  edge.calls["events"] = refuse(204);
  const [one, other] = open(edge);
  const both = [one, other].map((client) => take(client.stream({ topics: "a.*", from: "start" }), 3));
  assert.deepEqual(await Promise.all(both), [run(1, 2), run(1, 2)]);
  assert(edge.streams.length <= 4, `${edge.streams.length}`);
});

test("gaps and resets reach every tab, and a reset begins anew", async () => {
  const gap = control({ kind: "gap", from: id(3), to: id(5), why: "retention" }, id(5));
  const reset = control({ kind: "reset", why: "epoch", cursor: "00000000-2" }, "00000000-2");
  let write = (_: string): void => {};
  const edge = await ScriptedEdge.start((answer, request) => {
    hold(opening(2), gap, event(6))(answer, request);
    write = (text) => void answer.write(text);
  });
  edge.calls["history"] = (answer, request) => {
    const from = new URL(request.url as string, "http://edge").searchParams.get("from");
    // A tab that is slow finds there what was broadcast before it came.
    const late = reply({ events: [line(6)], cursor: id(6), next: null, gap: { from: id(3), to: id(5) } });
    return (from === "start" ? history(1, 2) : late)(answer, request);
  };
  const [one, other] = open(edge);
  const tabs = [one, other].map((client) => client.stream({ topics: "a.*", from: "start" })[Symbol.asyncIterator]());
  const before = [...run(1, 2), "gap", id(6)];
  assert.deepEqual(await Promise.all(tabs.map((items) => read(items, 4))), [before, before]);
  edge.calls["history"] = reply({ events: [{ ...line(1), id: "00000000-1" }], cursor: "00000000-2", next: null, gap: null });
  write(reset);
  const after = ["reset", "00000000-1"];
  assert.deepEqual(await Promise.all(tabs.map((items) => read(items, 2))), [after, after]);
  for (const items of tabs) await items.return?.();
});

test("a cursor of another log is a reset", async () => {
  const edge = await ScriptedEdge.start(hold(opening(2)));
  let asked = 0;
  edge.calls["history"] = (answer, request) => (++asked === 1 ? refuse(410) : history(3, 2))(answer, request);
  const [one] = open(edge);
  assert.deepEqual(await take(one.stream({ topics: "a.*", from: "00000000-9" }), 1), ["reset"]);
});

test("after a reset, a stream that began at an id of the old log goes on where the new one was found", async () => {
  const reset = control({ kind: "reset", why: "epoch", cursor: "00000000-2" }, "00000000-2");
  const edge = await ScriptedEdge.start(hold(opening(2), reset, event(3).replace(id(3), "00000000-3")));
  const asked: (string | null)[] = [];
  edge.calls["history"] = (answer, request) => {
    asked.push(new URL(request.url as string, "http://edge").searchParams.get("from"));
    // By now the log has gone on: what begins at its head would miss the event that was broadcast.
    return (asked.length === 1 ? history(3, 2) : history(4, 3, { cursor: "00000000-3" }))(answer, request);
  };
  const [one] = open(edge);
  assert.deepEqual(await take(one.stream({ topics: "a.*", from: id(2) }), 2), ["reset", "00000000-3"]);
  assert.deepEqual(asked, [id(2)]);
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
    other.onmessage = ({ data: [kind, value] }: MessageEvent<[string, Feed]>) => kind === "feed" && resolve(value.keys);
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

const states = (stream: Stream): string[] => {
  const seen: string[] = [];
  stream.on("link", ({ state }) => seen.push(state));
  return seen;
};

test("a history of several pages is read to its end, and no page is asked for twice", async () => {
  const edge = await ScriptedEdge.start(hold(opening(6), event(7)));
  const asked: (string | null)[] = [];
  edge.calls["history"] = (answer, request) => {
    asked.push(new URL(request.url as string, "http://edge").searchParams.get("from"));
    const pages = [history(1, 2, { next: id(2) }), history(3, 4, { next: id(4) }), history(5, 6)];
    return pages[asked.length - 1]?.(answer, request);
  };
  const [one] = open(edge);
  assert.deepEqual(await take(one.stream({ topics: "a.*", from: "start" }), 7), run(1, 7));
  assert.deepEqual(asked, ["start", id(2), id(4)]);
});

test("a gap in the history is an item before what is left", async () => {
  const edge = await ScriptedEdge.start(hold(opening(6)));
  edge.calls["history"] = history(5, 6, { gap: { from: id(3), to: id(4) } });
  const [one] = open(edge);
  assert.deepEqual(await take(one.stream({ topics: "a.*", from: id(2) }), 3), ["gap", id(5), id(6)]);
});

test("`last` is the newest event of each topic, in the order of the log, then what comes", async () => {
  const edge = await ScriptedEdge.start(hold(opening(9), event(10)));
  const asked: string[] = [];
  edge.calls["topics"] = (answer, request) => {
    const { searchParams } = new URL(request.url as string, "http://edge");
    asked.push(`${searchParams}`);
    const [sequences, next] = searchParams.get("match") === "b" ? [[5]] : searchParams.has("page") ? [[3]] : [[5, 8], "a.x"];
    return reply({ events: sequences.map(line), cursor: id(9), next: next ?? null })(answer, request);
  };
  const [one] = open(edge);
  const stream = one.stream({ topics: ["a.*", "b"], from: "last" });
  assert.deepEqual(await take(stream, 4), [id(3), id(5), id(8), id(10)]);
  assert.deepEqual(asked, ["match=a.*", "match=a.*&page=a.x", "match=b"]);
  assert.equal(edge.streams[0]?.headers["last-event-id"], id(9));
});

test("a history that cannot be had for the moment is asked for again, and the link says so", async () => {
  const edge = await ScriptedEdge.start(hold(opening(2), event(3)));
  let asked = 0;
  edge.calls["history"] = (answer, request) => (++asked < 3 ? refuse(503) : history(1, 2))(answer, request);
  const [one] = open(edge);
  const stream = one.stream({ topics: "a.*", from: "start" });
  const seen = states(stream);
  assert.deepEqual(await take(stream, 3), run(1, 3));
  assert.deepEqual(seen.filter((state, n) => state !== seen[n - 1]), ["offline", "connecting", "live", "closed"]);
});

test("where nobody is signed in, the history waits for that as any stream does", async () => {
  const edge = await ScriptedEdge.start(hold(opening(2), event(3)));
  let token = "old";
  edge.calls["history"] = (answer, request) =>
    (request.headers.authorization === "Bearer new" ? history(1, 2) : refuse(401))(answer, request);
  const [one] = open(edge, { getToken: () => token });
  const stream = one.stream({ topics: "a.*", from: "start" });
  stream.on("link", ({ state }) => {
    if (state !== "unauthorized") return;
    token = "new";
    setImmediate(() => one.authorize());
  });
  assert.deepEqual(await take(stream, 3), run(1, 3));
});

test("a refusal of the history is that of who asked", async () => {
  const edge = await ScriptedEdge.start();
  edge.calls["history"] = refuse(403, { type: "urn:tailrace:problem:forbidden" });
  const [one] = open(edge);
  await assert.rejects(take(one.stream({ topics: "a.*" }), 1), { code: "forbidden" });
});

test("a tab that comes later, and a stream that is read again, are live at once over the connection there is", async () => {
  const edge = await ScriptedEdge.start(hold(opening(2)));
  edge.calls["history"] = history(3, 2);
  const [one, other] = open(edge);
  const streams = [one, other].map((client) => client.stream({ topics: "a.*" })) as [Stream, Stream];
  const live = async (stream: Stream) => {
    while (stream.link.state !== "live") await new Promise((resolve) => setImmediate(resolve));
  };
  const first = streams[0].forEach(() => {});
  await live(streams[0]);
  for (let round = 0; round < 2; round++) {
    const reading = streams[1].forEach(() => {});
    await live(streams[1]);
    streams[1].close();
    await reading;
    assert.equal(streams[1].link.state, "closed");
  }
  assert.equal(edge.streams.length, 1);
  one.dispose();
  await first;
});

test("who no longer leads, and does not know it yet, loses nobody anything", async () => {
  const edge = await ScriptedEdge.start();
  let write = (_: string): void => {};
  edge.calls["events"] = (answer, request) => {
    hold(opening(2), event(3))(answer, request);
    write = (text) => void answer.write(text);
  };
  edge.calls["history"] = (answer, request) => {
    const from = new URL(request.url as string, "http://edge").searchParams.get("from") as string;
    const after = Number(from.split("-")[1]);
    return history(after + 1, after < 3 ? 2 : 6)(answer, request);
  };
  const [one] = open(edge);
  const items = one.stream({ topics: "a.*", from: id(2) })[Symbol.asyncIterator]();
  const other = new BroadcastChannel(`tailrace ${JSON.stringify([[edge.url], "acme", `${principals - 1}`])}`);
  const heard = (wanted: string) =>
    new Promise<{ keys: string[]; after: string }>((resolve) => {
      other.onmessage = ({ data: [kind, value] }: MessageEvent<[string, Feed]>) => kind === "feed" && value.upTo === wanted && resolve(value);
    });
  const feed = heard(id(3));
  const got: unknown[] = [];
  const next = async () => {
    const { value } = await items.next();
    got.push(value?.kind === "event" && value.id);
  };
  await next();
  const { keys } = await feed;
  // It is behind the one that leads, by what that has not told yet.
  const ahead = heard(id(6));
  other.postMessage(["feed", { keys, after: id(1), upTo: id(1), items: [] }]);
  await new Promise((resolve) => setTimeout(resolve, 20));
  write(event(6));
  assert.equal((await ahead).after, id(3));
  await next();
  other.close();
  await items.return?.();
  assert.deepEqual(got, [id(3), id(6)]);
});

test("what is newer than the place that a snapshot stands for hides nothing that came before it", async () => {
  const edge = await ScriptedEdge.start(hold(opening(9), event(10), event(11), event(12)));
  edge.calls["topics"] = reply({ events: [line(5), line(12)], cursor: id(9), next: null });
  const [one] = open(edge);
  assert.deepEqual(await take(one.stream({ topics: "a.*", from: "last" }), 4), [id(5), id(10), id(11), id(12)]);
});

test("a page that answers in place of the history is refused", async () => {
  const edge = await ScriptedEdge.start();
  edge.calls["history"] = (answer) => answer.writeHead(200, { "content-type": "text/html" }).end("<p>Sign in");
  const [one] = open(edge);
  await assert.rejects(take(one.stream({ topics: "a.*", from: "start" }), 1), { status: 200 });
});

test("a stream that is read again says nothing of a connection that is long gone", async () => {
  const edge = await ScriptedEdge.start(hold(opening(2), event(3)), refuse(403));
  edge.calls["history"] = history(1, 2);
  const [one] = open(edge);
  const stream = one.stream({ topics: "a.*", from: "start" });
  assert.deepEqual(await take(stream, 3), run(1, 3));
  edge.calls["history"] = () => {};
  const other = one.stream({ topics: "a.*", from: "start" });
  const ended = take(other, 1);
  assert.equal(other.link.state, "connecting");
  one.dispose();
  await ended;
});

test("a text that others have had is shown as it stands to who comes late", async () => {
  const edge = await ScriptedEdge.start(hold(opening(90)));
  const events = Array.from({ length: 90 }, (_, n) => ({ ...line(n + 1), topic: "t", type: "token", data: { offset: n, text: "x" } }));
  edge.calls["history"] = reply({ events, cursor: id(90), next: null, gap: null });
  const [one] = open(edge);
  for await (const { text } of one.text("t")) {
    assert.equal(text, "x".repeat(90));
    break;
  }
});
