import type { AskedStream } from "./client.ts";
import type { Connection, Reader } from "./connection.ts";
import type { TailraceError } from "./errors.ts";
import type { Feed, Hub, HubMember, Key } from "./hub.ts";
import { isId, isPast, matches, type Item, type Reset } from "./items.ts";
import type { Link } from "./link.ts";
import { Pause } from "./pause.ts";
import { readStored } from "./stored.ts";

/** Items that a tab keeps for a slow loop, before it reads them from the history instead. */
const KEPT = 1000;

/** One stream of this tab: what is broadcast, and on a connection of its own what it lacks of that. */
export class SharedReader implements Reader, HubMember {
  readonly key: string;
  cursor: string | undefined;
  onLink: (link: Link) => void = () => {};

  #hub: Hub;
  #stream: AskedStream;
  #own: Connection | undefined;
  /** While nothing is to be read: `offline` for the time being, `closed` until it is read anew. */
  #halted: Link | undefined;
  #pause = new Pause();

  // What was broadcast: all of (after, upTo] is in `items`, for who has everything up to `after`.
  #after: string | undefined;
  #upTo: string | undefined;
  #items: Exclude<Item, Reset>[] = [];
  #reset: Reset | undefined;

  constructor(hub: Hub, stream: AskedStream, cursor?: string) {
    this.#hub = hub;
    this.#stream = stream;
    if (isId(cursor)) this.#stream = { ...stream, from: cursor };
    const key: Key = [stream.topics, stream.types];
    this.key = JSON.stringify(key);
  }

  get link(): Link {
    const own = this.#own?.link;
    return this.#halted ?? (own && !/connecting|closed/.test(own.state) ? own : this.#hub.link);
  }

  hear(feed?: Feed): void {
    if (feed) this.#take(feed);
    else this.onLink(this.link);
    this.#pause.rouse();
  }

  async *read(): AsyncGenerator<Iterable<Item>, void, void> {
    this.#halted = undefined;
    this.#hub.join(this);
    try {
      while (this.link.state !== "closed") {
        const { cursor } = this;
        const after = this.#after;
        // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- others halt it meanwhile
        if (this.#halted) await this.#pause.wait();
        else if (this.#hub.off) return yield* this.#readOwn(false);
        else if (this.#reset) {
          const reset = this.#reset;
          this.#reset = undefined;
          if (isId(this.#stream.from)) this.#stream = { ...this.#stream, from: "now" };
          // What begins now has begun where the new log was found.
          this.cursor = this.#stream.from === "now" ? reset.cursor : "";
          yield [reset];
        } else if (!cursor || (after && !isPast(cursor, after))) {
          yield* this.#readOwn(true);
          if (!cursor) this.#hub.announce();
          else if (this.cursor === cursor) await this.#pause.wait(100); // this edge has not got so far yet
        } else if (this.#items.length) yield this.#drain(this.#items);
        else {
          const upTo = (this.#after = this.#upTo);
          if (upTo && !isPast(cursor, upTo)) this.cursor = upTo;
          await this.#pause.wait();
        }
      }
    } finally {
      this.#halt("closed");
    }
  }

  stop(): void {
    this.#halt("closed");
    this.#own?.stop();
  }

  freeze(reason: string): void {
    this.#halt("offline", reason);
    this.#own?.freeze(reason);
  }

  resume(): void {
    if (this.#halted?.state === "offline") {
      this.#halted = undefined;
      this.#hub.join(this);
      this.onLink(this.link);
    }
    this.#own?.resume();
    this.online();
  }

  online(): void {
    this.#own?.online();
    this.#hub.connection?.online();
    this.#pause.rouse();
  }

  offline(): void {
    this.#own?.offline();
    this.#hub.connection?.offline();
  }

  authorize(): void {
    this.#own?.authorize();
    this.#hub.post("authorize", undefined);
  }

  #halt(state: "offline" | "closed", reason?: string): void {
    this.#hub.leave(this);
    this.#begin();
    if (this.#halted?.state !== "closed") this.onLink((this.#halted = { reconnects: this.link.reconnects, state, reason }));
    this.#pause.rouse();
  }

  #take({ after, upTo, items, keys }: Feed): void {
    if (!keys.includes(this.key)) {
      this.#begin();
      return;
    }
    if (this.#upTo !== after) this.#begin(after);
    for (const item of items) {
      if (item.kind === "reset") {
        this.#reset = item;
        this.#begin(item.cursor);
      } else if (this.#wants(item)) this.#items.push(item);
    }
    this.#upTo = upTo;
    if (this.#items.length > KEPT) this.#begin(upTo);
  }

  /** Forgets what was broadcast; from `after` on it is taken again. */
  #begin(after?: string): void {
    this.#after = this.#upTo = after;
    this.#items = [];
  }

  #wants(item: Item): boolean {
    if (item.kind !== "event") return true;
    const { topics, types } = this.#stream;
    return (!types || types.includes(item.type)) && topics.some((pattern) => matches(pattern, item.topic));
  }

  /** Yields what was broadcast, until something else comes in between. */
  *#drain(items: Exclude<Item, Reset>[]): Generator<Item, void, void> {
    for (let item: Exclude<Item, Reset> | undefined; items === this.#items && (item = items.shift()); ) {
      const id = item.kind === "gap" ? item.to : item.id;
      if (isPast(this.cursor, id)) continue;
      this.cursor = id;
      yield item;
    }
  }

  *#follow(own: Connection, items: Iterable<Item>, skips: boolean): Generator<Item, void, void> {
    for (const item of items) {
      this.cursor = own.cursor;
      if (!skips && this.#wants(item)) yield item;
    }
  }

  /** Yields what a connection of its own brings, of what is `stored` or of all; the cursor then says up to where. */
  async *#readOwn(stored: boolean): AsyncGenerator<Iterable<Item>, void, void> {
    // What is newer than a second is not wanted, but where the log is at.
    const skips = stored && !this.cursor && this.#stream.from === "now";
    const stream = skips ? { ...this.#stream, from: "-1s" } : this.#stream;
    const transport = stored ? readStored(stream) : undefined;
    const own = (this.#own = this.#hub.connect(stream, this.cursor, transport));
    own.onLink = () => this.onLink(this.link);
    try {
      for await (const items of own.read()) yield this.#follow(own, items, skips);
      this.cursor = own.cursor;
    } catch (error) {
      if (!stored || (error as TailraceError).status !== 410) throw error;
      this.#reset = { kind: "reset", why: "epoch", cursor: "" };
    } finally {
      this.#own = undefined;
    }
  }
}
