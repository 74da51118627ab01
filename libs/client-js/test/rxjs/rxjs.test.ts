import assert from "node:assert/strict";
import { test } from "node:test";
import { firstValueFrom, lastValueFrom, share, shareReplay, take, toArray, type Observable } from "rxjs";
import { createClient, type Gap, type Link, type Reset } from "../../src/index.ts";
import { connectSSE, connectSSEWithEvents, type Source } from "../../src/rxjs.ts";
import { control, cut, event, FINISHED, hold, id, opening, refuse, ScriptedEdge, send, type Play } from "../scripted.ts";

const backoff = { base: 1, cap: 1 };

/** A play whose connection tells when it was left. */
function watched(...pieces: string[]) {
  let tell = () => {};
  const left = new Promise<void>((resolve) => (tell = resolve));
  const play: Play = (answer, request) => {
    answer.on("close", () => tell());
    hold(...pieces)(answer, request);
  };
  return { left, play };
}

test("the data of each event, resumed inside after a break, until the end", async () => {
  const edge = await ScriptedEdge.start(cut(opening(), event(1), event(2)), refuse(503), send(opening(2), event(2), event(3), FINISHED));
  const data = await lastValueFrom(connectSSE<number>(`${edge.url}/v1/acme/events?topic=a.*`, { backoff }).pipe(toArray()));
  assert.deepEqual(data, [1, 2, 3]);
  assert.deepEqual(edge.streams.map(({ headers }) => headers["last-event-id"]), [undefined, id(2), id(2)]);
});

test("a URL says what to ask for, and a token never stands in it", async () => {
  const edge = await ScriptedEdge.start(send(opening(), FINISHED));
  const url = new URL(`${edge.url}/v1/acme/events?topic=a.*&topic=b&from=-10m&types=x,y&max_rate=2&until=terminal`);
  await lastValueFrom(connectSSE(url, { getToken: () => "secret" }), { defaultValue: undefined });
  const [asked] = edge.asked;
  assert.deepEqual([...(asked?.query ?? [])], [...url.searchParams]);
  assert.equal(asked?.headers.authorization, "Bearer secret");
});

for (const source of ["http://edge/events", "http://edge/v1/acme/events?topics=a", "http://edge/v1/acme/events"]) {
  test(`what is no stream's URL is an error: ${source}`, async () => {
    await assert.rejects(lastValueFrom(connectSSE(source)), { code: "invalid" });
  });
}

test("nothing is connected until somebody subscribes, and who unsubscribes closes the connection", async () => {
  const { left, play } = watched(opening(), event(1));
  const edge = await ScriptedEdge.start(play);
  const orders = connectSSE<number>(`${edge.url}/v1/acme/events?topic=a.*`);
  await fetch(`${edge.url}/other`);
  edge.plays = [play];
  assert.equal(edge.streams.length, 0);
  assert.equal(await firstValueFrom(orders), 1);
  await left;
  assert.equal(edge.streams.length, 1);
});

test("each subscription has its own connection, unless they share", async () => {
  const plays = [1, 2, 3].map(() => watched(opening(), event(1), event(2)));
  const edge = await ScriptedEdge.start(...plays.map(({ play }) => play));
  const client = createClient({ url: edge.url, tenant: "acme", backoff });
  const orders = connectSSE<number>({ client, topics: "a.*" });
  const read = (source: Observable<number>) => lastValueFrom(source.pipe(take(2), toArray()));
  assert.deepEqual(await Promise.all([read(orders), read(orders)]), [[1, 2], [1, 2]]);
  const shared = orders.pipe(share());
  assert.deepEqual(await Promise.all([read(shared), read(shared)]), [[1, 2], [1, 2]]);
  await Promise.all(plays.map(({ left }) => left));
  assert.equal(edge.streams.length, 3);
  assert.equal(client.disposed, false);
});

test("who comes later gets the newest with shareReplay, and the last one closes the connection", async () => {
  const { left, play } = watched(opening(), event(1), event(2));
  const edge = await ScriptedEdge.start(play);
  const client = createClient({ url: edge.url, tenant: "acme", backoff });
  const newest = connectSSE<number>({ client, topics: "a.*" }).pipe(shareReplay({ bufferSize: 1, refCount: true }));
  await new Promise<void>((resolve) => {
    const first = newest.subscribe(async (number) => {
      if (number !== 2) return;
      assert.equal(await firstValueFrom(newest), 2);
      first.unsubscribe();
      resolve();
    });
  });
  await left;
  assert.equal(edge.streams.length, 1);
});

test("events come whole, and only of the types asked for", async () => {
  const edge = await ScriptedEdge.start(send(opening(), event(1, { type: "paid", data: { total: 3 } }), event(2, { type: "sent", data: null }), FINISHED));
  const source: Source = { client: createClient({ url: edge.url, tenant: "acme", backoff }), topics: "a.*", types: ["ignored"] };
  const events = connectSSEWithEvents<{ paid: { total: number }; sent: null }>(source, ["paid", "sent"]);
  const seen = await lastValueFrom(events.pipe(toArray()));
  assert.deepEqual(seen.map((event) => (event.type === "paid" ? event.data.total : event.data)), [3, null]);
  assert.deepEqual(seen[0], { kind: "event", id: id(1), topic: "a.b", type: "paid", time: "2026-01-31T12:00:00Z", data: { total: 3 } });
  assert.equal(edge.streams[0]?.query.get("types"), "paid,sent");
});

test("only what is final is an error; all else is told by the link", async () => {
  const edge = await ScriptedEdge.start(refuse(503), cut(opening(), event(1)), refuse(403, { type: "urn:tailrace:problem:forbidden" }));
  const orders = connectSSE(`${edge.url}/v1/acme/events?topic=a.*`, { backoff });
  const links: Link[] = [];
  orders.link$.subscribe((link) => links.push(link));
  const got: unknown[] = [];
  await assert.rejects(orders.forEach((data) => got.push(data)), { code: "forbidden" });
  assert.deepEqual(got, [1]);
  assert.deepEqual(links.map(({ state }) => state), ["offline", "live", "offline", "closed"]);
  assert.equal((await firstValueFrom(orders.link$)).state, "closed");
});

test("what was missed is told, in its place", async () => {
  const gap = control({ kind: "gap", from: id(1), to: id(4), why: "retention" }, id(4));
  const edge = await ScriptedEdge.start(send(opening(4, { mode: "gap" }), gap, event(5), FINISHED));
  const orders = connectSSE(`${edge.url}/v1/acme/events?topic=a.*`, { backoff });
  const seen: unknown[] = [];
  orders.gap$.subscribe((item: Gap | Reset) => seen.push(item));
  await orders.forEach((data) => seen.push(data));
  assert.deepEqual(seen, [{ kind: "gap", from: id(1), to: id(4), why: "retention" }, 5]);
});

test("a cursor that is kept stays behind the event that was taken last", async () => {
  const kept = new Map<string, string>();
  const storage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => kept.set(key, value) };
  Object.defineProperty(globalThis, "sessionStorage", { value: storage, configurable: true });
  const edge = await ScriptedEdge.start(hold(opening(), event(1), event(2), event(3)));
  const orders = connectSSE<number>({ client: createClient({ url: edge.url, tenant: "acme" }), topics: "a.*", persist: "orders" });
  assert.equal(await firstValueFrom(orders), 1);
  await new Promise(setImmediate);
  assert.deepEqual([...kept.values()], [id(1)]);
  Reflect.deleteProperty(globalThis, "sessionStorage");
});
