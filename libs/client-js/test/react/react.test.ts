import { makeHost, until } from "../dom.ts";
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { createElement as h, StrictMode, useState, version, type ReactNode } from "react";
import { createRoot, hydrateRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { createClient, type Client, type Item, type JobState, type TailraceError } from "../../src/index.ts";
import { TailraceProvider, useJob, useStream, type UseJobOptions, type UseStreamOptions } from "../../src/react.ts";
import { control, event, FINISHED, hold, id, opening, refuse, reply, ScriptedEdge, send, type Play } from "../scripted.ts";

let mounted: Root[] = [];
let clients: Client[] = [];

afterEach(() => {
  for (const root of mounted) root.unmount();
  for (const client of clients) client.dispose();
  [mounted, clients] = [[], []];
});

async function start(...plays: Play[]) {
  const edge = await ScriptedEdge.start(...plays);
  const client = createClient({ url: edge.url, tenant: "acme", backoff: { base: 1, cap: 1 } });
  clients.push(client);
  return { edge, client };
}

function mount(client: Client, ...children: ReactNode[]) {
  const host = makeHost();
  const root = createRoot(host);
  mounted.push(root);
  root.render(h(StrictMode, null, h(TailraceProvider, { client }, ...children)));
  return { host, root };
}

/** A play that goes on until the client leaves, and says so. */
function watched(...pieces: string[]) {
  const seen = { left: false };
  const play: Play = (answer, request) => {
    request.socket.on("close", () => (seen.left = true));
    answer.on("close", () => (seen.left = true));
    hold(...pieces)(answer, request);
  };
  return { seen, play };
}

const state = (status: string, percent: number) => ({ id: "7", status, percent }) as JobState;
const step = (sequence: number, status: string, percent: number) =>
  event(sequence, { type: status === "running" ? "progress" : status, topic: "jobs.7", data: state(status, percent) });

function Bar({ id, cancels, ...options }: { id?: string | null; cancels?: boolean } & UseJobOptions<unknown>) {
  const { state, link, error, cancel } = useJob(id === undefined ? "7" : id, options);
  const [outcome, say] = useState("");
  const press = () => cancel().then(() => say("heard"), (why: unknown) => say((why as TailraceError).code));
  return h("p", cancels ? { onClick: press } : null, [state?.status, state?.percent, link.state, error && `${error}`, outcome].join(" "));
}

function Lines(options: UseStreamOptions<unknown>) {
  const { events, link, gap, error } = useStream(options);
  return h("p", null, [events.map(({ data }) => data).join("-"), link.state, gap?.kind, error && `${error}`].join(" "));
}

test("it runs with the React that is asked for", () => {
  assert.match(version, new RegExp(`^${process.env["REACT"] ?? "19"}\\.`));
});

// useJob

test("StrictMode's double mount opens one stream, and unmounting closes it", async () => {
  const { seen, play } = watched(opening(), step(1, "running", 40));
  const { edge, client } = await start(play);
  const { host, root } = mount(client, h(Bar));
  await until(() => host.textContent === "running 40 live  ");
  assert.equal(seen.left, false);
  root.unmount();
  await until(() => seen.left);
  assert.equal(edge.streams.length, 1);
  assert.deepEqual(edge.streams[0]?.query.getAll("topic"), ["jobs.7"]);
});

test("components that watch the same job share its stream, until the last one leaves", async () => {
  const { seen, play } = watched(opening(), step(1, "running", 40));
  const { edge, client } = await start(play);
  const first = mount(client, h(Bar, { key: 1 }), h(Bar, { key: 2 }));
  const second = mount(client, h(Bar));
  await until(() => first.host.textContent === "running 40 live  ".repeat(2) && second.host.textContent === "running 40 live  ");
  first.root.unmount();
  await until(() => !first.host.textContent);
  assert.equal(seen.left, false);
  second.root.unmount();
  await until(() => seen.left);
  assert.equal(edge.streams.length, 1);
});

test("a job that has ended is shown, and nothing is connected any more", async () => {
  const { edge, client } = await start(send(opening(), step(1, "complete", 100)));
  const { host, root } = mount(client, h(Bar));
  await until(() => host.textContent === "complete 100 closed  ");
  root.unmount();
  const again = mount(client, h(Bar));
  await until(() => again.host.textContent === "complete 100 closed  ");
  assert.equal(edge.streams.length, 1);
});

test("the component follows another id, and nothing while it is null", async () => {
  const first = watched(opening(), step(1, "running", 1));
  const { edge, client } = await start(first.play, hold(opening(), event(2, { type: "progress", topic: "jobs.8", data: state("running", 2) })));
  const { host, root } = mount(client, h(Bar, { id: null }));
  await until(() => host.textContent === "  connecting  ");
  assert.equal(edge.streams.length, 0);
  const show = (job: string) => root.render(h(StrictMode, null, h(TailraceProvider, { client }, h(Bar, { id: job }))));
  show("7");
  await until(() => host.textContent === "running 1 live  ");
  show("8");
  await until(() => host.textContent === "running 2 live  " && first.seen.left);
});

test("the link is shown while an edge refuses, and an error that is final", async () => {
  const { client } = await start(refuse(401), refuse(403, { type: "urn:tailrace:problem:forbidden", detail: "not yours" }));
  const { host } = mount(client, h(Bar));
  await until(() => host.textContent === "  unauthorized  ");
  client.authorize();
  await until(() => host.textContent.includes("not yours"));
  assert.match(host.textContent, /^ {2}closed TailraceError: 403: not yours $/);
});

test("cancel asks the edge, and rejects with the code of what it refuses", async () => {
  const { edge, client } = await start(hold(opening(), step(1, "running", 1)));
  edge.calls["cancel"] = reply({ id: "7", topic: "jobs.7" }, 202);
  const { host } = mount(client, h(Bar, { cancels: true }));
  await until(() => host.textContent.startsWith("running"));
  host.querySelector("p")?.click();
  await until(() => host.textContent === "running 1 live  heard");
  edge.calls["cancel"] = refuse(409, { type: "urn:tailrace:problem:no-worker" });
  host.querySelector("p")?.click();
  await until(() => host.textContent === "running 1 live  no-worker");
  assert.deepEqual(edge.asked.slice(1).map(({ method, path }) => `${method} ${path}`), ["POST /v1/acme/jobs/7/cancel", "POST /v1/acme/jobs/7/cancel"]);
});

test("what the server has rendered is hydrated without a mismatch, and carried on", async () => {
  const { client } = await start(hold(opening(), step(1, "running", 40)));
  const page = h(StrictMode, null, h(TailraceProvider, { client }, h(Bar, { initial: state("running", 20) })));
  const host = makeHost();
  host.innerHTML = renderToString(page);
  assert.equal(host.textContent, "running 20 connecting  ");
  const mismatches: unknown[] = [];
  mounted.push(hydrateRoot(host, page, { onRecoverableError: (error) => mismatches.push(error) }));
  await until(() => host.textContent === "running 40 live  ");
  assert.deepEqual(mismatches, []);
});

test("without a client it says what to do", () => {
  assert.throws(() => renderToString(h(Bar)), /TailraceProvider/);
});

// useStream

test("streams are shared, and closed when the last component leaves", async () => {
  const { seen, play } = watched(opening(), event(1), event(2), event(3));
  const { edge, client } = await start(play);
  const options = { topics: "a.>", keep: 2 };
  const first = mount(client, h(Lines, options), h(Lines, options));
  await until(() => first.host.textContent === "2-3 live  2-3 live  ");
  const second = mount(client, h(Lines, { topics: ["a.>"], keep: 2 }));
  await until(() => second.host.textContent === "2-3 live  ");
  first.root.unmount();
  await until(() => !first.host.textContent);
  assert.equal(seen.left, false);
  second.root.unmount();
  await until(() => seen.left);
  assert.equal(edge.streams.length, 1);
});

test("what is mounted anew later is connected anew", async () => {
  const first = watched(opening(), event(1));
  const { client } = await start(first.play, hold(opening(), event(2)));
  const { host, root } = mount(client, h(Lines, { topics: "a.>" }));
  await until(() => host.textContent === "1 live  ");
  root.unmount();
  await until(() => first.seen.left);
  const again = mount(client, h(Lines, { topics: "a.>" }));
  await until(() => again.host.textContent === "2 live  ");
});

test("a start that is another Date with each rendering opens one stream", async () => {
  const { edge, client } = await start(hold(opening(), event(1)), hold(opening(), event(2)));
  const { host, root } = mount(client, h(Lines, { topics: "a.>", from: new Date(1) }));
  await until(() => host.textContent === "1 live  ");
  root.render(h(StrictMode, null, h(TailraceProvider, { client }, h(Lines, { topics: "a.>", from: new Date(2) }), "!")));
  await until(() => host.textContent === "1 live  !");
  assert.deepEqual(edge.streams.map(({ query }) => query.get("from")), ["1970-01-01T00:00:00.001Z"]);
});

test("other options open another stream, and no topics none", async () => {
  const first = watched(opening(), event(1));
  const { edge, client } = await start(first.play, hold(opening(), event(2)));
  const { host, root } = mount(client, h(Lines, { topics: [] }));
  const show = (topics: string) => root.render(h(StrictMode, null, h(TailraceProvider, { client }, h(Lines, { topics }))));
  await until(() => host.textContent === " connecting  ");
  assert.equal(edge.streams.length, 0);
  show("a.>");
  await until(() => host.textContent === "1 live  ");
  show("b.>");
  await until(() => host.textContent === "2 live  " && first.seen.left);
});

test("the newest event of each topic is kept in place, and leaves with its topic", async () => {
  const { client } = await start(
    hold(
      opening(),
      event(1, { topic: "a", data: "a1" }),
      event(2, { topic: "b", data: "b1" }),
      event(3, { topic: "c", data: "c1" }),
      event(4, { topic: "a", data: "a2" }),
      event(5, { topic: "b", type: "deleted", data: null }),
    ),
  );
  const { host } = mount(client, h(Lines, { topics: "*", from: "last", keep: "last" }));
  await until(() => host.textContent === "a2-c1 live  ");
});

test("each item is handed over in order, gaps too, whatever is kept", async () => {
  const gap = control({ kind: "gap", from: id(1), to: id(4), why: "retention" }, id(4));
  const { client } = await start(hold(opening(4, { mode: "gap" }), gap, event(5), event(6)));
  const items: Item[] = [];
  const { host } = mount(client, h(Lines, { topics: "a.>", keep: 1, onItem: (item) => items.push(item) }));
  await until(() => host.textContent === "6 live gap ");
  assert.deepEqual(items.map((item) => (item.kind === "event" ? item.data : item.kind)), ["gap", 5, 6]);
});

test("a reset begins anew", async () => {
  const reset = control({ kind: "reset", why: "recreated", cursor: id(0, "00000001") }, id(0, "00000001"));
  const later = event(9).replace(id(9), id(1, "00000001"));
  const { client } = await start(send(opening(), event(1)), hold(opening(0, { mode: "reset" }), reset, later));
  const { host } = mount(client, h(Lines, { topics: "a.>" }));
  await until(() => host.textContent === "9 live reset ");
});

test("the end of a stream and an error are shown", async () => {
  const ended = await start(send(opening(), event(1), FINISHED));
  const { host } = mount(ended.client, h(Lines, { topics: "a.>", until: "terminal" }));
  await until(() => host.textContent === "1 closed  ");
  const { client } = await start(refuse(403, { detail: "not yours" }));
  const refused = mount(client, h(Lines, { topics: "a.>" }));
  await until(() => refused.host.textContent === " closed  TailraceError: 403: not yours");
});
