import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, quoteToken, TailraceError, type JobState, type Link, type Text } from "../src/index.ts";
import { control, cut, event, FINISHED, hold, id, opening, refuse, reply, ScriptedEdge, send } from "./scripted.ts";

const FAST = { base: 1, cap: 1 };

function connect(edge: ScriptedEdge, options: object = {}) {
  return createClient({ url: edge.url, tenant: "acme", backoff: FAST, ...options });
}

const state = (status: string, more: object = {}) => ({ id: "7", status, ...more });

// Tokens

test("the token is asked for each attempt, and stands in no URL", async () => {
  const edge = await ScriptedEdge.start(
    cut(opening()),
    refuse(503),
    send(opening(), control({ kind: "closing", reason: "token_expired", retry: 1 })),
    refuse(401, { detail: "expired" }),
    send(opening(), FINISHED),
  );
  const reasons: string[] = [];
  const getToken = ({ reason }: { reason: string }) => `t${reasons.push(reason)}`;
  await connect(edge, { getToken }).stream({ topics: ">" }).forEach(() => {});
  assert.deepEqual(reasons, ["connect", "connect", "connect", "expired", "unauthorized"]);
  assert.deepEqual(edge.asked.map(({ headers }) => headers.authorization), [1, 2, 3, 4, 5].map((n) => `Bearer t${n}`));
  assert(edge.asked.every(({ query }) => !`${query}`.includes("t1")));
});

test("after one refresh the link is unauthorized, until somebody signs in", async () => {
  const edge = await ScriptedEdge.start(
    refuse(401), refuse(401), refuse(401), refuse(401), send(opening(), event(1), FINISHED),
  ); // prettier-ignore
  const reasons: string[] = [];
  const client = connect(edge, { getToken: ({ reason }: { reason: string }) => `t${reasons.push(reason)}` });
  const stream = client.stream({ topics: ">" });
  const seen: string[] = [];
  stream.on("link", ({ state }) => {
    seen.push(state);
    if (state === "unauthorized") setImmediate(() => client.authorize());
  });
  let events = 0;
  await stream.forEach(() => events++);
  assert.equal(events, 1);
  assert.deepEqual(seen, ["unauthorized", "connecting", "unauthorized", "connecting", "live", "closed"]);
  assert.deepEqual(reasons, ["connect", "unauthorized", "connect", "unauthorized", "connect"]);
});

const interaction = Object.assign(new Error(), { name: "InteractionRequiredAuthError" });

for (const [name, getToken] of [
  ["no token", () => null],
  ["an interaction that is required", () => Promise.reject(interaction)],
  [
    "the same, thrown at once",
    () => {
      throw interaction;
    },
  ],
] as const) {
  test(`${name} means unauthorized, and no edge is asked`, async () => {
    const edge = await ScriptedEdge.start();
    const stream = connect(edge, { getToken }).stream({ topics: ">" });
    stream.on("link", ({ state }) => state === "unauthorized" && setImmediate(() => stream.close()));
    await stream.forEach(() => {});
    assert.equal(stream.link.state, "closed");
    assert.equal(edge.asked.length, 0);
    await assert.rejects(connect(edge, { getToken }).call("jobs"), { code: "unauthorized" });
  });
}

test("a token that cannot be had for the moment is asked for again", async () => {
  const edge = await ScriptedEdge.start(send(opening(), FINISHED));
  let asked = 0;
  const getToken = () => {
    if (++asked === 1) throw new Error("the network is away");
    return "t";
  };
  const stream = connect(edge, { getToken }).stream({ topics: ">" });
  const seen: Link[] = [];
  stream.on("link", (link) => seen.push(link));
  await stream.forEach(() => {});
  assert.deepEqual([seen[0]?.state, seen[0]?.reason], ["offline", "the network is away"]);
});

test("a token that takes its time is no silent edge, and closing does not wait for it", async (t) => {
  const edge = await ScriptedEdge.start(send(opening(), FINISHED));
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const slow = () =>
    new Promise<string>((resolve) => {
      setImmediate(() => {
        t.mock.timers.tick(1_000_000); // to whoever waits for the edge meanwhile
        t.mock.timers.reset();
        resolve("t");
      });
    });
  const stream = connect(edge, { getToken: slow }).stream({ topics: ">" });
  const seen: string[] = [];
  stream.on("link", ({ state }) => seen.push(state));
  await stream.forEach(() => {});
  assert.deepEqual(seen, ["live", "closed"]);
  const other = connect(edge, { getToken: () => new Promise<string>(() => {}) }).stream({ topics: ">" });
  setImmediate(() => other.close());
  await other.forEach(() => {});
});

test("getToken may end what it is asked for", async () => {
  const edge = await ScriptedEdge.start();
  const client = connect(edge, {
    getToken: () => {
      client.dispose();
      return "gone";
    },
  });
  // Nothing rejects besides, which would fail the run.
  await client.stream({ topics: ">" }).forEach(() => {});
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(edge.asked.length, 0);
});

test("what a failing getToken throws is about no edge, whatever its status", async () => {
  const edge = await ScriptedEdge.start(send(opening(), FINISHED));
  const statuses = [401, 403, 204];
  const getToken = () => {
    const status = statuses.shift();
    return status ? Promise.reject(Object.assign(new Error("the identity provider refuses"), { status })) : "t";
  };
  const stream = connect(edge, { getToken }).stream({ topics: ">" });
  const seen: string[] = [];
  stream.on("link", ({ state }) => seen.push(state));
  await stream.forEach(() => {});
  assert.deepEqual(seen, ["offline", "offline", "offline", "live", "closed"]);
});

test("a token that no header may hold stands in no message", async () => {
  const edge = await ScriptedEdge.start();
  for (const token of ["s3cret\nx", "s3cret\u0000", "s3crét", "s3cret’"]) {
    const stream = connect(edge, { getToken: () => token }).stream({ topics: ">" });
    const reasons: unknown[] = [];
    stream.on("link", ({ reason }) => {
      reasons.push(reason);
      setImmediate(() => stream.close());
    });
    await stream.forEach(() => {});
    assert(reasons.length && !`${reasons}`.includes("s3cr"), `${reasons}`);
    await assert.rejects(connect(edge, { getToken: () => token }).call("jobs"), (error) => !`${error}`.includes("s3cr"));
  }
  assert.equal(edge.asked.length, 0);
});

// Calls

test("last() reads all pages, and the cursor of the first", async () => {
  const edge = await ScriptedEdge.start();
  const line = (sequence: number) => ({ id: id(sequence), topic: `a.${sequence}`, type: "message", time: "x", data: 1 });
  const pages = [
    { events: [line(3)], cursor: id(9), next: "a.3" },
    { events: [line(4)], cursor: id(11), next: null },
  ];
  edge.calls["topics"] = (answer, request) => reply(pages.shift())(answer, request);
  const { events, cursor } = await connect(edge).last("a.*");
  assert.deepEqual([events.map((each) => [each.kind, each.id]), cursor], [[["event", id(3)], ["event", id(4)]], id(9)]);
  assert.deepEqual(edge.asked.map(({ query }) => `${query}`), ["match=a.*", "match=a.*&page=a.3"]);
});

test("a call refreshes its token once, and tells what an edge refuses", async () => {
  const edge = await ScriptedEdge.start();
  const plays = [refuse(401), reply({ ids: [id(1)] }, 201), refuse(401), refuse(401, { type: "urn:tailrace:problem:token-expired" })];
  edge.calls["events"] = (answer, request) => plays.shift()?.(answer, request);
  const reasons: string[] = [];
  const client = connect(edge, { getToken: ({ reason }: { reason: string }) => `t${reasons.push(reason)}` });
  const body = [{ topic: "a", data: 1 }];
  assert.deepEqual(await client.call("events", { method: "POST", body }), { ids: [id(1)] });
  assert.deepEqual([edge.asked[1]?.body, edge.asked[1]?.headers["content-type"]], [JSON.stringify(body), "application/json"]);
  await assert.rejects(client.call("events"), { code: "token-expired", status: 401 });
  assert.deepEqual(reasons, ["connect", "unauthorized", "connect", "unauthorized"]);
});

test("a read goes to the next edge where one does not answer; what may have been done is not sent again", async () => {
  const edge = await ScriptedEdge.start();
  edge.calls["topics"] = reply({ events: [], cursor: id(1), next: null });
  const gone = await ScriptedEdge.start();
  const { url } = gone;
  gone.stop();
  const client = createClient({ url: [url, edge.url], tenant: "acme" });
  await assert.rejects(client.call("events", { method: "POST", body: {} }), { code: "unavailable" });
  assert.equal(edge.asked.length, 0);
  await client.last(">");
  await client.call("topics", { method: "POST" }); // begins with the one that answered last
  assert.equal(edge.asked.length, 2);
});

test("calls honour their signal, also one that was aborted before", async () => {
  const edge = await ScriptedEdge.start();
  const controller = new AbortController();
  edge.calls["topics"] = () => controller.abort(new Error("enough"));
  await assert.rejects(connect(edge).last(">", { signal: controller.signal }), /enough/);
  await assert.rejects(connect(edge).last(">", { signal: controller.signal }), /enough/);
  assert.equal(edge.asked.length, 1);
});

// Jobs

test("a call that waits for a token hears of its signal, and of the client's end", async () => {
  const edge = await ScriptedEdge.start();
  const controller = new AbortController();
  const asked = Promise.withResolvers<void>();
  const client = connect(edge, {
    getToken: () => {
      asked.resolve();
      return new Promise(() => {});
    },
  });
  const calls = [client.call("jobs", { signal: controller.signal }), client.call("jobs")];
  await asked.promise;
  controller.abort(new RangeError("enough"));
  await assert.rejects(calls[0] as Promise<unknown>, RangeError);
  client.dispose();
  await assert.rejects(calls[1] as Promise<unknown>, { code: "disposed" });
  assert.equal(edge.asked.length, 0);
});

test("a job tells its progress and its end, over one stream for all who listen", async () => {
  const half = state("running", { percent: 50 });
  const done = state("complete", { percent: 100, result: { url: "/r" } });
  const edge = await ScriptedEdge.start(
    cut(opening(), event(1, { type: "progress", data: half })),
    hold(opening(1), event(2, { type: "log", data: "a foreign word" }), event(3, { type: "complete", data: done })),
  );
  const job = connect(edge).job<{ url: string }>("7", { user: "a.b" });
  assert.equal(job.topic, "users.a%2Eb.jobs.7");
  const [states, ends, snapshots]: [JobState[], JobState[], unknown[]] = [[], [], []];
  job.on("progress", (each) => states.push(each));
  job.on("end", (each) => ends.push(each));
  job.subscribe(() => snapshots.push(job.getSnapshot()));
  assert.deepEqual(await job.finished(), done);
  assert.deepEqual([states, ends], [[half, done], [done]]);
  assert.equal(edge.asked.length, 2);
  assert.equal(`${edge.asked[0]?.query}`, "topic=users.a%252Eb.jobs.7&from=last");
  assert.equal(job.snapshot, job.snapshot);
  assert.equal(new Set(snapshots).size, snapshots.length);
  assert.deepEqual([job.snapshot.state, job.snapshot.link.state], [done, "closed"]);
  // Long ended: nobody is asked again.
  assert.deepEqual(await job.finished(), done);
  assert.equal(edge.asked.length, 2);
});

test("who listens for the end only when the last state is there hears of it once", async () => {
  const edge = await ScriptedEdge.start(hold(opening(), event(1, { data: state("complete") })));
  const job = connect(edge).job("7");
  let ends = 0;
  const off = job.on("progress", () => {
    off();
    job.on("end", () => ends++);
  });
  await job.finished();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(ends, 1);
});

test("the same job is the same object, and listeners that come and go share its stream", async () => {
  const edge = await ScriptedEdge.start(hold(opening()), hold(opening()));
  const client = connect(edge);
  const job = client.job("7");
  assert.equal(client.job("7"), job);
  assert.notEqual(client.job("7", { user: "u" }), job);
  // As React does in strict mode.
  job.subscribe(() => {})();
  job.subscribe(() => {});
  while (job.snapshot.link.state !== "live") await new Promise((resolve) => setImmediate(resolve));
  assert.equal(edge.asked.length, 1);
  client.dispose();
});

test("a job that nobody listens to any more is not followed, and can be again", async () => {
  const edge = await ScriptedEdge.start(hold(opening()), hold(opening(), event(1, { data: state("failed") })));
  const job = connect(edge).job("7");
  const closed = Promise.withResolvers<void>();
  const off = [job.on("link", ({ state }) => state === "live" && off.forEach((end) => end()))];
  const watch = setInterval(() => job.snapshot.link.state === "closed" && closed.resolve(), 5);
  await closed.promise;
  clearInterval(watch);
  assert.equal((await job.finished()).status, "failed");
  assert.equal(edge.asked.length, 2);
});

test("a deleted job and a refusal reject finished(); its signal too", async () => {
  const edge = await ScriptedEdge.start(
    send(opening(), event(1, { type: "deleted", data: null })),
    refuse(403, { type: "urn:tailrace:problem:forbidden" }),
    hold(opening()),
  );
  const client = connect(edge);
  await assert.rejects(client.job("7").finished(), { code: "deleted" });
  const job = client.job("8");
  await assert.rejects(job.finished(), { code: "forbidden" });
  assert(job.snapshot.error instanceof TailraceError);
  await assert.rejects(client.job("9").finished({ signal: AbortSignal.abort(new Error("enough")) }), /enough/);
});

test("gaps reach who watches a job", async () => {
  const gap = control({ kind: "gap", from: id(1), to: id(2), why: "retention" }, id(2));
  const edge = await ScriptedEdge.start(send(opening(), gap, event(3, { data: state("complete") })));
  const job = connect(edge).job("7");
  const gaps: unknown[] = [];
  job.on("gap", (each) => gaps.push(each));
  await job.finished();
  assert.deepEqual(gaps, [{ kind: "gap", from: id(1), to: id(2), why: "retention" }]);
});

test("cancel() asks the worker, and says why it cannot", async () => {
  const edge = await ScriptedEdge.start();
  edge.calls["cancel"] = reply({ id: "a/b", topic: "x" }, 202);
  const client = connect(edge);
  await client.job("a/b", { user: "u" }).cancel();
  assert.deepEqual([edge.asked[0]?.method, edge.asked[0]?.path, `${edge.asked[0]?.query}`], [
    "POST",
    "/v1/acme/jobs/a%2Fb/cancel",
    "user=u",
  ]);
  edge.calls["cancel"] = refuse(409, { type: "urn:tailrace:problem:no-worker" });
  await assert.rejects(client.job("7").cancel(), { code: "no-worker", status: 409 });
});

test("an error in a listener is reported, and stops nothing", async (t) => {
  const edge = await ScriptedEdge.start(send(opening(), event(1, { data: state("complete") })));
  const reported: unknown[] = [];
  t.mock.method(globalThis, "queueMicrotask", (act: () => void) => {
    Promise.resolve().then(act).catch((error: unknown) => reported.push((error as Error).message));
  });
  const job = connect(edge).job("7");
  job.on("progress", () => {
    throw new Error("mine");
  });
  assert.equal((await job.finished()).status, "complete");
  assert.deepEqual(reported, ["mine"]);
});

test("any text becomes one token of a topic", () => {
  assert.equal(quoteToken("Jane Doe.pdf"), "Jane%20Doe%2Epdf");
  assert.equal(quoteToken("*>%é\u2028\n"), "%2A%3E%25é%E2%80%A8%0A");
});

// Texts

const token = (sequence: number, offset: number, text: string) => event(sequence, { type: "token", data: { offset, text } });

test("a text grows by code points, is replaced by roll-ups, and ends", async () => {
  const chunks = [
    opening(),
    event(1, { type: "start", data: {} }),
    token(2, 0, "a🌊"),
    token(3, 3, "after a character that is missing"),
    token(4, 2, "b"),
    event(5, { type: "log", data: {} }),
    token(6, 1, "c"),
    token(7, 9, "what came before is missing"),
    token(8, 0, "whole"),
    event(9, { type: "complete", data: { length: 6, finish_reason: "stop", usage: { out: 3 } } }),
  ].map((chunk) => new TextEncoder().encode(chunk));
  const pull = (body: ReadableStreamDefaultController<Uint8Array>) => body.enqueue(chunks.shift() as Uint8Array<ArrayBuffer>);
  const asked: URL[] = [];
  const fetch = async (url: unknown) => {
    asked.push(new URL(`${url}`));
    return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }), { headers: { "content-type": "text/event-stream" } });
  };
  const texts: Text[] = [];
  for await (const text of createClient({ url: "http://edge", tenant: "acme", fetch }).text("chat.1")) texts.push(text);
  assert.deepEqual(texts.map(({ text }) => text), ["a🌊", "a🌊b", "ac", "whole", "whole"]);
  assert.deepEqual(texts.at(-1), {
    text: "whole", status: "complete", finishReason: "stop", usage: { out: 3 }, error: undefined,
  }); // prettier-ignore
  assert.equal(asked[0]?.searchParams.get("from"), "start");
});

test("who comes late to a text is not shown how it grew", async () => {
  const tokens = Array.from({ length: 90 }, (_, n) => token(n + 1, n, "x")).join("");
  const edge = await ScriptedEdge.start(send(opening() + tokens), send(opening(90), token(91, 90, "y") + event(92, { type: "complete" })));
  const texts: Text[] = [];
  for await (const text of connect(edge).text("chat.1")) texts.push(text);
  assert(texts.length < 10, `${texts.length}`);
  assert.deepEqual([texts.at(-1)?.text, texts.at(-1)?.status], [`${"x".repeat(90)}y`, "complete"]);
});
