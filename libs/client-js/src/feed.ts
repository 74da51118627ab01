/** What there is to show of a stream, for adapters that render. Those who ask for the same share one stream. */
import type { Client } from "./client.ts";
import { Emitter } from "./emitter.ts";
import type { Gap, Item, Reset, TailraceEvent } from "./items.ts";
import type { Link } from "./link.ts";
import type { Stream, StreamOptions } from "./stream.ts";

export interface FeedOptions extends Omit<StreamOptions, "signal"> {
  /** Topics or patterns; with none, nothing is watched. */
  topics: string | readonly string[];
  /** How many events are kept, the newest ones: 100 by default. `last` keeps the newest event of each topic. */
  keep?: number | "last" | undefined;
}

/** What can be shown of a stream at the moment. Another object with each change, and the same one until then. */
export interface FeedSnapshot<T = unknown> {
  /** The oldest first; with `keep: "last"`, topics in the order in which they were first seen. */
  readonly events: readonly TailraceEvent<T>[];
  readonly link: Link;
  /** Where events were missed last. After a `reset`, `events` begins anew. */
  readonly gap: Gap | Reset | undefined;
  /** Why nothing more comes, unless the stream has come to its end. */
  readonly error: unknown;
}

/** A feed as its watchers see it. */
export interface FeedView<T> {
  /** Returns what ends it; the last one that leaves closes the stream. */
  subscribe: (onChange: () => void, onItem?: (item: Item<T>) => void) => () => void;
  getSnapshot: () => FeedSnapshot<T>;
}

export const NO_FEED: FeedSnapshot<never> = {
  events: [],
  link: { state: "connecting", reconnects: 0 },
  gap: undefined,
  error: undefined,
};

const feeds = new WeakMap<Client, Map<string, Feed>>();

/** Returns what two feeds have in common if they are the same. */
export function nameFeed({ topics, from, types, maxRate, until, persist, keep }: FeedOptions): string {
  return JSON.stringify([[topics].flat(), from, types, maxRate, until, persist, keep]);
}

/** Returns a view of a feed. Nothing is connected until somebody subscribes. */
export function viewFeed<T>(client: Client, options: FeedOptions): FeedView<T> {
  const name = nameFeed(options);
  return {
    subscribe(onChange, onItem) {
      if (!options.topics.length) return () => {};
      const known = feeds.get(client) ?? new Map<string, Feed>();
      const feed = known.get(name) ?? new Feed(client, options, () => known.delete(name));
      feeds.set(client, known.set(name, feed));
      return feed.watch(onChange, onItem as (item: Item) => void);
    },
    getSnapshot: () => (feeds.get(client)?.get(name)?.snapshot ?? NO_FEED) as FeedSnapshot<T>,
  };
}

class Feed extends Emitter<{ change: undefined; item: Item }> {
  snapshot: FeedSnapshot = NO_FEED;
  #events = new Map<string, TailraceEvent>();
  #keep: number | "last";
  #forget: () => void;
  #stream: Stream | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: Client, { keep = 100, ...options }: FeedOptions, forget: () => void) {
    super();
    this.#keep = keep;
    this.#forget = forget;
    void this.#follow(client, options);
  }

  watch(onChange: () => void, onItem?: (item: Item) => void): () => void {
    const leave = [this.on("change", onChange), ...(onItem ? [this.on("item", onItem)] : [])];
    return () => {
      for (const off of leave.splice(0)) off();
      // A component that is mounted anew leaves and comes back within one task.
      queueMicrotask(() => this.listening || this.#close());
    };
  }

  #close(): void {
    this.#forget();
    this.#stream?.close();
    clearTimeout(this.#timer);
  }

  async #follow(client: Client, options: StreamOptions): Promise<void> {
    try {
      this.#stream = client.stream(options);
      this.#stream.on("link", (link) => this.#set({ link }));
      for await (const item of this.#stream) this.#take(item);
    } catch (error) {
      this.#set({ error });
    }
    if (this.listening) this.#show();
  }

  #take(item: Item): void {
    this.emit("item", item);
    if (item.kind === "reset") this.#events.clear();
    if (item.kind !== "event") this.#set({ gap: item });
    else if (this.#keep !== "last") {
      this.#events.set(item.id, item);
      if (this.#events.size > this.#keep) this.#events.delete(this.#events.keys().next().value as string);
    } else if (item.type === "deleted") this.#events.delete(item.topic);
    else this.#events.set(item.topic, item);
    // What one chunk brings is shown at once.
    this.#timer ??= setTimeout(() => this.#show());
  }

  #show(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#set({ events: [...this.#events.values()] });
  }

  #set(change: Partial<FeedSnapshot>): void {
    this.snapshot = { ...this.snapshot, ...change };
    this.emit("change", undefined);
  }
}

