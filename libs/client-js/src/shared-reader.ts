import { drawWait } from "./backoff.ts";
import { call, readLast } from "./calls.ts";
import type { AskedStream, Sharing } from "./client.ts";
import type { Connection, Reader } from "./connection.ts";
import type { Edges, Query } from "./edges.ts";
import { isPassing, type TailraceError } from "./errors.ts";
import type { Feed, Hub, HubMember } from "./hub.ts";
import { isId, isPast, matches, type Gap, type Item, type Reset, type TailraceEvent } from "./items.ts";
import type { Link } from "./link.ts";

/** Items that a tab keeps for a slow loop, before it reads them from the history instead. */
const KEPT = 1000;

interface History {
  events: Omit<TailraceEvent, "kind">[];
  cursor: string;
  next: string | null;
  gap?: { from: string; to: string } | null;
}

/** One stream of this tab. */
export class SharedReader implements Reader, HubMember {
  readonly key: string;
  cursor: string | undefined;
  onLink: (link: Link) => void = () => {};

  #sharing: Sharing;
  #hub: Hub;
  #stream: AskedStream;
  #begins: string;
  #own: Connection | undefined;
  #trouble: Link | undefined;
  #stop = new AbortController();
  #suspended = false;
  #rouse = () => {};
  #timer: ReturnType<typeof setTimeout> | undefined;

  // What was broadcast: all of (after, upTo] is in `items`, for who has everything up to `after`.
  #lead = "";
  #after: string | undefined;
  #upTo = "";
  #items: (TailraceEvent | Gap)[] = [];
  #reset: Reset | undefined;

  constructor(sharing: Sharing, hub: Hub, stream: AskedStream) {
    this.#sharing = sharing;
    this.#hub = hub;
    this.#stream = stream;
    this.#begins = stream.from;
    this.key = JSON.stringify({ topics: stream.topics, types: stream.types });
  }

  get link(): Link {
    return this.#own?.link ?? this.#trouble ?? this.#hub.link;
  }

  feed({ lead, after, upTo, items, serves }: Feed): void {
    if (serves) this.#lead = serves.includes(this.key) ? lead : "";
    if (this.#lead !== lead) {
      this.#after = undefined;
      return;
    }
    if (this.#after === undefined || this.#upTo !== after) {
      this.#after = after;
      this.#items = [];
    }
    this.#upTo = upTo;
    for (const item of items) {
      if (item.kind === "reset") {
        this.#reset = item;
        this.#after = item.cursor;
        this.#items = [];
      } else if (item.kind === "gap" || this.#wants(item)) this.#items.push(item);
    }
    if (this.#items.length > KEPT) {
      this.#after = upTo;
      this.#items = [];
    }
    this.rouse();
  }

  async *read(): AsyncGenerator<Item, void, void> {
    this.#stop = new AbortController();
    this.#hub.join(this);
    try {
      for (;;) {
        const { signal } = this.#stop;
        if (signal.aborted) return;
        if (this.#suspended) await this.#wait();
        else if (this.#hub.off) {
          yield* this.#readAlone();
          return;
        } else if (this.#reset) {
          const reset = this.#reset;
          this.#reset = this.cursor = undefined;
          if (isId(this.#begins)) this.#begins = "now";
          yield reset;
        } else if (this.cursor === undefined) {
          yield* this.#begin();
          this.#hub.announce();
        } else if (this.#after === undefined) await this.#wait();
        else if (!isPast(this.cursor, this.#after)) {
          const before = this.cursor;
          yield* this.#catchUp(this.cursor);
          if (this.cursor === before) await this.#wait(100); // this edge has not got so far yet
        } else if (this.#items.length) {
          const item = this.#items.shift() as TailraceEvent | Gap;
          const id = item.kind === "gap" ? item.to : item.id;
          if (isPast(this.cursor, id)) continue;
          this.cursor = id;
          yield item;
        } else {
          if (!isPast(this.cursor, this.#upTo)) this.cursor = this.#upTo;
          this.#after = this.#upTo;
          await this.#wait();
        }
      }
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
    } finally {
      this.#hub.leave(this);
      this.#after = this.#own = undefined;
      this.#trouble = { state: "closed", reconnects: this.link.reconnects };
      this.onLink(this.link);
      this.#trouble = undefined;
    }
  }

  stop(): void {
    this.#stop.abort();
    this.#own?.stop();
    this.rouse();
  }

  suspend(reason: string): void {
    this.#suspended = true;
    this.#hub.leave(this);
    this.#after = undefined;
    this.#own?.suspend(reason);
    this.#show({ state: "offline", reconnects: 0, reason });
  }

  resume(): void {
    this.wake();
    if (!this.#suspended) return;
    this.#suspended = false;
    this.#hub.join(this);
    this.#own?.resume();
    this.#show(undefined);
    this.#hub.announce();
    this.rouse();
  }

  wake(): void {
    this.#own?.wake();
    this.#hub.wake();
    if (this.#trouble?.state === "offline") this.rouse();
  }

  offline(): void {
    this.#own?.offline();
    this.#hub.offline();
  }

  authorize(): void {
    this.#own?.authorize();
    this.#hub.authorize();
    this.rouse();
  }

  rouse(): void {
    this.#rouse();
  }

  #wait(milliseconds?: number): Promise<void> {
    return new Promise<void>((resolve) => {
      this.#rouse = resolve;
      if (milliseconds !== undefined) this.#timer = setTimeout(resolve, milliseconds);
    }).finally(() => clearTimeout(this.#timer));
  }

  #show(link: Link | undefined): void {
    this.#trouble = link;
    this.onLink(this.link);
  }

  #wants({ topic, type }: TailraceEvent): boolean {
    const { topics, types } = this.#stream;
    return (!types || types.includes(type)) && topics.some((pattern) => matches(pattern, topic));
  }

  async *#readAlone(): AsyncGenerator<Item, void, void> {
    this.#own = this.#sharing.connect({ ...this.#stream, from: this.#begins }, this.cursor);
    this.#own.onLink = (link) => this.onLink(link);
    for await (const item of this.#own.read()) {
      this.cursor = this.#own.cursor;
      yield item;
    }
  }

  /** Yields what the stream begins with; at the end the cursor says up to where. */
  async *#begin(): AsyncGenerator<Item, void, void> {
    if (this.#begins !== "last") {
      const now = this.#begins === "now";
      for await (const item of this.#catchUp(now ? "-1s" : this.#begins)) if (!now) yield item;
      return;
    }
    const found = new Map<string, TailraceEvent>();
    let cursor: string | undefined;
    for (const match of this.#stream.topics) {
      const answer = await this.#ask((edges, signal) => readLast(edges, match, signal));
      cursor ??= answer.cursor;
      for (const event of answer.events) found.set(event.id, event);
    }
    const newest = [...found.values()].sort((one, other) => (isPast(other.id, one.id) ? -1 : 1));
    for (const event of newest) {
      // Were it to move with each, a snapshot that is broken off would not begin anew.
      if (this.#wants(event)) yield event;
    }
    const last = newest.at(-1)?.id ?? "";
    this.cursor = isPast(last, cursor as string) ? last : (cursor as string);
  }

  /** Yields what is stored after a place, up to the head of the log. */
  async *#catchUp(from: string): AsyncGenerator<Item, void, void> {
    for (let next: string | null = from; next !== null; ) {
      const query: Query = [...this.#stream.topics.map((topic) => ["topic", topic] as const), ["from", next]];
      let answer: History;
      try {
        answer = await this.#ask((edges, signal) => call<History>(edges, "history", { query, signal }));
      } catch (error) {
        if ((error as TailraceError).status !== 410) throw error;
        this.#reset = { kind: "reset", why: "epoch", cursor: "" };
        return;
      }
      if (answer.gap) yield { kind: "gap", why: "retention", ...answer.gap };
      for (const event of answer.events) {
        const item: TailraceEvent = { ...event, kind: "event" };
        this.cursor = item.id;
        if (this.#wants(item)) yield item;
      }
      this.cursor = answer.cursor;
      next = answer.next;
    }
  }

  /** Returns what edges answer; waits for as long as none does. */
  async #ask<T>(ask: (edges: Edges, signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this.#stop;
    for (let failures = 0; ; ) {
      try {
        const answer = await ask(this.#sharing.edges, signal);
        if (this.#trouble) this.#show(undefined);
        return answer;
      } catch (error) {
        signal.throwIfAborted();
        const { code, status = 0, message } = error as TailraceError;
        const link = { reconnects: 0, reason: message };
        if (code === "unauthorized" || status === 401) {
          this.#show({ state: "unauthorized", ...link });
          await this.#wait();
        } else if (code === "unavailable" || isPassing(status)) {
          const retryIn = drawWait({}, failures++);
          this.#show({ state: "offline", ...link, retryIn });
          await this.#wait(retryIn);
        } else throw error;
      }
    }
  }
}
