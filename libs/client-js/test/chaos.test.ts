/**
 * A log that grows, edges that do whatever edges and networks do, and consumers that come and go: each gets exactly the
 * log, in order. What happens is drawn from a seed, which a failure names; `CHAOS_FROM=5 CHAOS_SEEDS=1` runs one again.
 */
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { after, before, test } from "node:test";
import { createClient, type Client, type Stream } from "../src/index.ts";
import type { Feed } from "../src/hub.ts";
import { share } from "../src/share.ts";
import { control, event, head, id, opening, refuse, reply, ScriptedEdge, type Play } from "./scripted.ts";

const FROM = Number(process.env["CHAOS_FROM"] ?? 1);
const SEEDS = Number(process.env["CHAOS_SEEDS"] ?? 12);
const LENGTH = 150;

const pages = new Set<EventListenerObject>();

before(() => {
  const addEventListener = (_: string, page: EventListenerObject) => pages.add(page);
  const removeEventListener = (_: string, page: EventListenerObject) => pages.delete(page);
  Object.assign(globalThis, { document: { hidden: false }, addEventListener, removeEventListener });
});

after(() => {
  for (const name of ["document", "addEventListener", "removeEventListener"]) Reflect.deleteProperty(globalThis, name);
});

/** What chance there is in one run (mulberry32). */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed * 0x9e3779b9;
  }

  /** Returns a number below `limit`. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  one<Value>(...values: Value[]): Value {
    return values[this.below(values.length)] as Value;
  }

  /** Waits for no time, a turn, or some milliseconds. */
  async pass(): Promise<void> {
    const turns = this.one(0, 0, 1, 1, 2, -1);
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (turns < 0) await new Promise((resolve) => setTimeout(resolve, this.below(5)));
  }
}

const TOPICS = ["a.b", "a.c", "b.c"];
const topicOf = (sequence: number) => TOPICS[sequence % 3] as string;
const typeOf = (sequence: number) => (sequence % 5 ? "message" : "log");
const options = (sequence: number) => ({ topic: topicOf(sequence), type: typeOf(sequence) });

interface Wish {
  topics: string[];
  types?: string[];
}

const wishes: Wish[] = [{ topics: ["a.*"] }, { topics: ["a.b", "b.>"] }, { topics: [">"], types: ["log"] }];

function isWanted(sequence: number, topics: readonly string[], types?: readonly string[]): boolean {
  const topic = topicOf(sequence);
  const lies = (pattern: string) => pattern === ">" || pattern === topic || pattern.replace(/[*>]$/, "") === topic.slice(0, 2);
  return topics.some(lies) && (types?.includes(typeOf(sequence)) ?? true);
}

/** The log, as edges that fail in all ways serve it. */
class Log {
  head = 0;
  #dice: Dice;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  grow(): void {
    this.head = Math.min(LENGTH, this.head + this.#dice.below(6));
  }

  /** `GET events` */
  readonly stream: Play = async (answer, request) => {
    const dice = this.#dice;
    this.grow();
    const url = new URL(request.url as string, "http://edge");
    const text = `${request.headers["last-event-id"] ?? url.searchParams.get("from")}`;
    const topics = url.searchParams.getAll("topic");
    const types = url.searchParams.get("types")?.split(",");
    if (await this.#fail(answer)) return;
    let at = text === "start" ? 0 : Number(text.split("-")[1]);
    assert(at >= 0, text);
    head(answer);
    const left = new AbortController();
    answer.on("close", () => left.abort());
    let bytes = opening(at, { mode: "resumed", heartbeat: 0.04, retry: dice.below(2) });
    // What a client has is dropped by it.
    if (at && isWanted(at, topics, types) && dice.below(4) === 0) bytes += event(at, options(at));
    while (!left.signal.aborted) {
      this.grow();
      const upTo = Math.min(this.head, at + dice.below(12));
      while (at < upTo) if (isWanted(++at, topics, types)) bytes += event(at, options(at));
      if (dice.below(8) === 0) bytes += control({ kind: "cursor", cursor: id(at) }, id(at));
      bytes += dice.one("", "", ": hb\n");
      // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- it is left meanwhile
      while (bytes && !left.signal.aborted) {
        const size = dice.one(bytes.length, bytes.length, 1 + dice.below(bytes.length));
        answer.write(bytes.slice(0, size));
        bytes = bytes.slice(size);
        if (dice.below(3) === 0) await dice.pass();
        if (dice.below(30) === 0) return void answer.socket?.resetAndDestroy();
      }
      switch (dice.below(25)) {
        case 0:
          return void answer.end();
        case 1:
          return void answer.end(control({ kind: "closing", reason: dice.one("drain", "slow"), retry: dice.below(3) }));
        case 2:
          return; // says nothing more
        default:
          await new Promise((resolve) => setImmediate(resolve));
          await dice.pass();
      }
    }
  };

  /** `GET history` */
  readonly history: Play = async (answer, request) => {
    const dice = this.#dice;
    this.grow();
    const { searchParams } = new URL(request.url as string, "http://edge");
    const from = searchParams.get("from") as string;
    if (await this.#fail(answer)) return;
    const after = from === "start" ? 0 : Number(from.split("-")[1]);
    const edgeHead = Math.max(after, this.head - dice.below(8)); // some edges are behind others
    const events = [];
    let at = after;
    for (const limit = dice.one(1, 5, 1000); at < edgeHead && events.length < limit; ) {
      if (!isWanted(++at, searchParams.getAll("topic"))) continue;
      events.push({ id: id(at), ...options(at), time: "x", data: at });
    }
    await reply({ events, cursor: id(at), next: at < edgeHead ? id(at) : null, gap: null })(answer, request);
  };

  /** Any part of what there is, as a leader tells it. */
  broadcast(): Feed {
    const after = this.#dice.below(this.head + 1);
    const upTo = Math.min(this.head, after + this.#dice.below(20));
    const sequences = Array.from({ length: upTo - after }, (_, n) => after + 1 + n);
    const items = sequences.map((n) => ({ kind: "event", id: id(n), ...options(n), time: "x", data: n }) as const);
    const keys = wishes.map(({ topics, types }) => JSON.stringify([topics, types]));
    return { after: id(after), upTo: id(upTo), items, keys };
  }

  async #fail(answer: ServerResponse): Promise<unknown> {
    await this.#dice.pass();
    switch (this.#dice.below(12)) {
      case 0:
        return answer.socket?.resetAndDestroy() ?? true;
      case 1:
        return refuse(this.#dice.one(500, 503, 429), {}, this.#dice.one({}, { "retry-after": "0" }))(answer, answer.req) ?? true;
      case 2:
        return this.#dice.below(3) === 0; // no answer at all
      default:
        return false;
    }
  }
}

/** Reads a stream to the end of the log, with all that a consumer may do on the way. */
async function consume(stream: Stream, { topics, types }: Wish, dice: Dice): Promise<void> {
  const expected = Array.from({ length: LENGTH }, (_, n) => n + 1).filter((n) => isWanted(n, topics, types));
  let got = 0;
  while (got < expected.length) {
    let closing: ReturnType<typeof setTimeout> | undefined;
    let closed = false;
    if (dice.below(3) === 0) closing = setTimeout(() => stream.close(), dice.below(20));
    try {
      for await (const item of stream) {
        assert(!closed, "an item after close()");
        assert.equal(item.kind, "event");
        assert.equal(item.id, id(expected[got] as number));
        assert.deepEqual([item.topic, item.data], [topicOf(expected[got] as number), expected[got]]);
        if (++got === expected.length) break;
        await dice.pass();
        const act = dice.below(40);
        if (act === 0) break;
        if (act === 1) throw new RangeError("the consumer's own");
        if (act === 2) {
          stream.close();
          closed = true;
        }
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    } finally {
      clearTimeout(closing);
    }
    assert.equal(stream.link.state, "closed");
    await dice.pass();
  }
}

/** Has pages freeze and come back, and the network too, until that is ended. */
function disturb(dice: Dice, more: () => void): () => void {
  const frozen = new Set<EventListenerObject>();
  const timer = setInterval(() => {
    const page = [...pages][dice.below(pages.size || 1)];
    const happen = (type: string) => page?.handleEvent({ type } as Event);
    if (page && frozen.delete(page)) happen(dice.one("resume", "pageshow"));
    else if (page && dice.below(8) === 0) {
      frozen.add(page);
      happen(dice.one("freeze", "pagehide"));
    } else if (dice.below(4) === 0) happen(dice.one("offline", "online", "visibilitychange"));
    more();
  }, 4);
  return () => {
    clearInterval(timer);
    for (const page of frozen) page.handleEvent({ type: "resume" } as Event);
  };
}

async function run(seed: number, shared: boolean): Promise<void> {
  const dice = new Dice(seed);
  const log = new Log(dice);
  const edge = await ScriptedEdge.start();
  edge.calls = { events: log.stream, history: log.history };
  const settings = { url: edge.url, tenant: "acme", backoff: { base: 1, cap: 3 }, timeout: 60 };
  const principal = `chaos ${seed}`;
  const connect = () => createClient({ ...settings, ...(shared && { share: share({ principal }) }) });
  const clients: Client[] = shared ? [connect(), connect()] : [connect()];
  const name = `tailrace ${JSON.stringify([[edge.url], "acme", principal])}`;
  const another = new BroadcastChannel(name);
  const end = disturb(dice, () => {
    // As a tab does that thinks the leader hung.
    if (shared && dice.below(40) === 0) void navigator.locks.request(name, { steal: true }, () => {}).catch(() => {});
    // As one does that led, or thinks that it still does.
    if (shared && dice.below(8) === 0) another.postMessage(["feed", log.broadcast()]);
  });
  const reading = clients.flatMap((client, n) =>
    Array.from({ length: 1 + dice.below(2) }, async (_, m) => {
      const wish = wishes[(seed + n + m) % 3] as Wish;
      await dice.pass();
      const stream = client.stream({ ...wish, from: "start" });
      const reached = consume(stream, wish, new Dice(seed * 100 + n * 10 + m));
      await reached.catch((error: unknown) => {
        throw new Error(`seed ${seed}, tab ${n}, stream ${m}: ${error}`, { cause: error });
      });
    }),
  );
  try {
    await Promise.all(reading);
  } finally {
    end();
    another.close();
    for (const client of clients) client.dispose();
    edge.stop();
  }
}

for (const shared of [false, true]) {
  test(`${shared ? "tabs that share" : "a stream of one's own"}: exactly the log, whatever happens`, async () => {
    for (let seed = FROM; seed < FROM + SEEDS; seed++) {
      if (process.env["CHAOS_SEEDS"]) console.error(`seed ${seed}`);
      await run(seed, shared);
    }
  });
}
