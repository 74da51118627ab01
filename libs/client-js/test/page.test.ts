import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { createClient, type Client, type Link, type Stream } from "../src/index.ts";
import { event, FINISHED, hold, id, opening, refuse, ScriptedEdge, send } from "./scripted.ts";

/** The parts of a browser's page that the client listens to, and how many listeners and timers there are. */
const page = new EventTarget();
const listeners = new Set<string>();
const timers = new Set<unknown>();
const native = { setTimeout, clearTimeout, setInterval, clearInterval };
const shown = { hidden: false };

beforeEach(() => {
  Object.assign(globalThis, {
    document: shown,
    addEventListener: (type: string, listener: EventListenerObject, capture: boolean) => {
      assert(capture);
      listeners.add(type);
      page.addEventListener(type, listener);
    },
    removeEventListener: (type: string, listener: EventListenerObject) => {
      listeners.delete(type);
      page.removeEventListener(type, listener);
    },
  });
});

afterEach(() => {
  for (const name of ["document", "addEventListener", "removeEventListener"]) Reflect.deleteProperty(globalThis, name);
  Object.assign(globalThis, native);
  shown.hidden = false;
});

function countTimers(): void {
  timers.clear();
  const set = (act: () => void, milliseconds: number) => {
    const timer = native.setTimeout(() => {
      timers.delete(timer);
      act();
    }, milliseconds);
    // Undici's own begin inside of it.
    if (new Error().stack?.includes("/src/")) timers.add(timer);
    return timer;
  };
  const clear = (timer: NodeJS.Timeout) => {
    timers.delete(timer);
    native.clearTimeout(timer);
  };
  Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });
}

const happen = (type: string) => page.dispatchEvent(new Event(type));

function hide(hidden: boolean): void {
  shown.hidden = hidden;
  happen("visibilitychange");
}

async function reach(stream: Stream, wanted: (link: Link) => boolean): Promise<Link> {
  while (!wanted(stream.link)) await new Promise((resolve) => setImmediate(resolve));
  return stream.link;
}

function start(edge: ScriptedEdge, options: object = {}): { client: Client; stream: Stream; ended: Promise<string[]> } {
  const client = createClient({ url: edge.url, tenant: "acme", ...options });
  const stream = client.stream({ topics: ">" });
  const ids: string[] = [];
  const ended = stream.forEach((item) => item.kind === "event" && ids.push(item.id)).then(() => ids);
  return { client, stream, ended };
}

const isLive = ({ state }: Link) => state === "live";

for (const [leave, back] of [
  ["pagehide", "pageshow"],
  ["freeze", "resume"],
] as const) {
  test(`${leave} closes the stream, ${back} resumes it without loss`, async () => {
    const edge = await ScriptedEdge.start(hold(opening(), event(1)), send(opening(1), event(2), FINISHED));
    const { stream, ended } = start(edge);
    await reach(stream, () => stream.cursor === id(1));
    happen(leave);
    const link = await reach(stream, ({ state }) => state === "offline");
    assert.equal(link.reason, leave);
    happen(back);
    assert.deepEqual(await ended, [id(1), id(2)]);
    assert.equal(edge.asked[1]?.headers["last-event-id"], id(1));
  });
}

test("a hidden page keeps its streams by default", async () => {
  const edge = await ScriptedEdge.start(hold(opening()));
  const { client, stream } = start(edge);
  await reach(stream, isLive);
  countTimers();
  hide(true);
  assert.equal(timers.size, 0);
  assert.equal(stream.link.state, "live");
  client.dispose();
});

test("a hidden page closes its streams after a time if that is wanted, and carries on when it is seen", async () => {
  const edge = await ScriptedEdge.start(hold(opening(), event(1)), send(opening(1), event(2), FINISHED));
  const { stream, ended } = start(edge, { whenHidden: { closeAfter: 20 } });
  await reach(stream, () => stream.cursor === id(1));
  hide(true);
  hide(false); // seen again in time
  await new Promise((resolve) => native.setTimeout(resolve, 40));
  assert.equal(edge.asked.length, 1);
  hide(true);
  await reach(stream, ({ state }) => state === "offline");
  hide(false);
  assert.deepEqual(await ended, [id(1), id(2)]);
});

test("a stream that was closed while the page was frozen is read again as any other", async () => {
  const edge = await ScriptedEdge.start(hold(opening()), send(opening(), event(1), FINISHED));
  const { stream, ended } = start(edge);
  await reach(stream, isLive);
  happen("freeze");
  stream.close();
  await ended;
  happen("resume");
  const ids: string[] = [];
  await stream.forEach((item) => item.kind === "event" && ids.push(item.id));
  assert.deepEqual(ids, [id(1)]);
});

test("what else happens in a hidden page does not put off that its streams are closed", async (t) => {
  const edge = await ScriptedEdge.start(hold(opening()), hold(opening()), hold(opening()));
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { client, stream } = start(edge, { whenHidden: { closeAfter: 1000 } });
  await reach(stream, isLive);
  hide(true);
  t.mock.timers.tick(600);
  happen("online");
  const other = client.stream({ topics: ">" });
  const ended = other.forEach(() => {});
  other.close();
  await ended;
  assert.equal(stream.link.state, "live");
  t.mock.timers.tick(400);
  assert.deepEqual([stream.link.state, stream.link.reason], ["offline", "hidden"]);
  const late = client.stream({ topics: ">" });
  const over = late.forEach(() => {});
  t.mock.timers.tick(1000);
  assert.deepEqual([late.link.state, late.link.reason], ["offline", "hidden"]);
  client.dispose();
  await over;
});

test("the network's return ends the waiting, but not what the server asked for", async (t) => {
  t.mock.method(Math, "random", () => 0.001);
  const edge = await ScriptedEdge.start(refuse(503), refuse(503, {}, { "retry-after": "60" }), send(FINISHED));
  const { stream, client } = start(edge, { backoff: { base: 10_000, cap: 10_000 } });
  t.mock.method(Math, "random", () => 1);
  await reach(stream, ({ state }) => state === "offline");
  t.mock.method(Math, "random", () => 0.0001);
  happen("online");
  await reach(stream, ({ retryIn = 0 }) => retryIn >= 60_000);
  happen("online");
  await new Promise((resolve) => native.setTimeout(resolve, 100));
  assert.equal(edge.asked.length, 2);
  client.dispose();
});

test("the cursor is kept as soon as the page may be gone", async () => {
  const edge = await ScriptedEdge.start(hold(opening(), event(1)));
  const client = createClient({ url: edge.url, tenant: "acme" });
  const stream = client.stream({ topics: ">", persist: "page" });
  const ended = stream.forEach(() => {});
  await reach(stream, () => stream.cursor === id(1));
  const key = `tailrace ${edge.url} acme page`;
  assert.equal(sessionStorage.getItem(key), null);
  hide(true);
  assert.equal(sessionStorage.getItem(key), id(1));
  client.dispose();
  await ended;
});

test("without network the link is offline, and live with the next byte", async () => {
  let beat = () => {};
  const edge = await ScriptedEdge.start((answer, request) => {
    hold(opening())(answer, request);
    beat = () => answer.write(": hb\n");
  });
  const { stream, client } = start(edge);
  await reach(stream, isLive);
  happen("offline");
  assert.equal(stream.link.state, "offline");
  beat();
  await reach(stream, isLive);
  assert.equal(edge.asked.length, 1);
  client.dispose();
});

test("after a sleep the link is stale at once, and has a heartbeat's time to show that it lives", async (t) => {
  const edge = await ScriptedEdge.start(hold(opening(0, { heartbeat: 0.1 })), send(FINISHED));
  t.mock.timers.enable({ apis: ["Date"], now: 1 });
  const { stream, ended } = start(edge, { backoff: { base: 1, cap: 1 } });
  await reach(stream, isLive);
  await new Promise((resolve) => setImmediate(resolve));
  t.mock.timers.setTime(3_600_000); // the clock on the wall went on, the timers did not
  hide(false);
  assert.equal(stream.link.state, "stale");
  assert.equal(edge.asked.length, 1);
  await ended;
  assert.equal(edge.asked.length, 2);
});

test("no timer and no listener is left after dispose()", async () => {
  countTimers();
  const edge = await ScriptedEdge.start(hold(opening(), event(1)), refuse(503, {}, { "retry-after": "60" }), hold());
  const controller = new AbortController();
  let signals = 0;
  controller.signal.addEventListener = (...parts: Parameters<EventTarget["addEventListener"]>) => {
    signals++;
    EventTarget.prototype.addEventListener.apply(controller.signal, parts);
  };
  controller.signal.removeEventListener = (...parts: Parameters<EventTarget["removeEventListener"]>) => {
    signals--;
    EventTarget.prototype.removeEventListener.apply(controller.signal, parts);
  };
  const client = createClient({ url: edge.url, tenant: "acme", whenHidden: { closeAfter: 60_000 } });
  const streams = [1, 2, 3].map(() => client.stream({ topics: ">", signal: controller.signal }));
  const ended: Promise<void>[] = [];
  for (const stream of streams) {
    ended.push(stream.forEach(() => {}));
    while (edge.asked.length < ended.length) await new Promise((resolve) => setImmediate(resolve));
  }
  client.job("7").subscribe(() => {});
  hide(true);
  await reach(streams[1] as Stream, ({ retryIn = 0 }) => retryIn >= 60_000);
  assert(timers.size >= 3, `${timers.size}`);
  assert.equal(listeners.size, 7);
  assert.equal(signals, 3);
  client.dispose();
  await Promise.all(ended);
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([timers.size, listeners.size, signals], [0, 0, 0]);
  await assert.rejects(client.stream({ topics: ">" }).forEach(() => {}), { code: "disposed" });
  await assert.rejects(client.last(">"), { code: "disposed" });
});
