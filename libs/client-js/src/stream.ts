import type { Reader } from "./connection.ts";
import { Emitter } from "./emitter.ts";
import type { Here } from "./here.ts";
import type { Item } from "./items.ts";
import type { Link } from "./link.ts";
import type { Page } from "./page.ts";
import { onAbort } from "./signals.ts";

/** Where a stream begins: `now`, `last` (the newest event of each topic, then what comes), `start` (all that is stored),
 * an event id (what comes after it), a time (RFC 3339 text or a Date), or a time ago like `-10m`. */
export type Start = string | Date;

export interface StreamOptions {
  /** Topics or patterns. */
  topics: string | readonly string[];
  /** `now` by default. */
  from?: Start | undefined;
  /** Only events of these types. */
  types?: readonly string[] | undefined;
  /** Events a second and topic; beyond that the newest wins. Terminal events always come. */
  maxRate?: number | undefined;
  /** `terminal`: ends after the last watched job's terminal event. */
  until?: "terminal" | undefined;
  /** Ends the stream; the loop over it then throws the signal's reason. */
  signal?: AbortSignal | undefined;
  /**
   * Carry on after a reload of the page: the cursor is kept in sessionStorage under this name. Let the name tell
   * accounts apart, `orders ${user}`.
   */
  persist?: string | undefined;
}

/** Opens the stream's reader at its start, or at a cursor that was kept. */
export type OpenReader = (from: string | undefined) => Reader;

/**
 * What happens on some topics, for `for await`. Bytes are read when the loop asks for the next item, so a slow loop
 * slows the edge down, and loses nothing; Firefox and WebKit read on, into memory of their own. Leaving the loop closes
 * the connection; a new loop carries on.
 */
export class Stream<T = unknown> extends Emitter<{ link: Link }> implements AsyncIterable<Item<T>> {
  #reader: Reader;
  #page: Page;
  #signal: AbortSignal | undefined;

  /** @internal */
  constructor(open: OpenReader, page: Page, signal: AbortSignal | undefined, key: string | undefined) {
    super();
    const kept = key && (globalThis as Here).sessionStorage?.getItem(key);
    const reader = (this.#reader = open(kept || undefined));
    this.#page = page;
    this.#signal = signal;
    reader.save = () => {
      if (key && reader.cursor) (globalThis as Here).sessionStorage?.setItem(key, reader.cursor);
    };
    reader.onLink = (link) => this.emit("link", link);
    this.on("link", reader.save);
  }

  /** The id to keep, and to pass as `from` to go on from here: behind the last item the loop has got. */
  get cursor(): string | undefined {
    return this.#reader.cursor;
  }

  /** How the stream is connected; `on("link", ...)` tells of each change. */
  get link(): Link {
    return this.#reader.link;
  }

  /** Ends the loop, which is then over without an error. */
  close(): void {
    this.#reader.stop();
  }

  /**
   * Calls `act` with each item, and waits for what it returns before the next one. Resolves at the end of the stream;
   * rejects where a loop would throw.
   */
  async forEach(act: (item: Item<T>) => unknown): Promise<void> {
    for await (const item of this) await act(item);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Item<T>, void> {
    const items = this.#run();
    const leave = items.return.bind(items);
    return Object.assign(items, {
      return: () => {
        this.close(); // the loop may be waiting, and a generator that waits cannot be left
        return leave();
      },
    });
  }

  async *#run(): AsyncGenerator<Item<T>, void, void> {
    for await (const items of this.read()) yield* items;
  }

  /** @internal Yields items as they come together. */
  async *read(): AsyncGenerator<Iterable<Item<T>>, void, void> {
    const reader = this.#reader;
    const signal = this.#signal;
    signal?.throwIfAborted();
    this.#page.add(reader);
    const leave = onAbort(signal, () => reader.stop());
    try {
      yield* reader.read() as AsyncGenerator<Iterable<Item<T>>, void, void>;
      signal?.throwIfAborted();
    } finally {
      this.#page.delete(reader);
      leave();
    }
  }
}
