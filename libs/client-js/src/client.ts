import { Connection, type Reader } from "./connection.ts";
import type { CallOptions, Snapshot } from "./calls.ts";
import { Edges, type EdgeOptions, type Query } from "./edges.ts";
import { TailraceError } from "./errors.ts";
import type { Here } from "./here.ts";
import { isId } from "./items.ts";
import type { Link } from "./link.ts";
import { formatTopic, Job } from "./job.ts";
import { Page } from "./page.ts";
import { Stream, type StreamOptions } from "./stream.ts";
import type { Text } from "./text.ts";
import { fetchStream, type Transport } from "./transport.ts";

export interface ClientOptions extends EdgeOptions {
  /**
   * What happens to streams while the page is hidden: `keep` (the default), or close them after so many milliseconds
   * and carry on without loss when it is seen again.
   */
  whenHidden?: "keep" | { closeAfter: number } | undefined;
  /** `fetch`, or `eventsource` for whatever cannot stream with fetch. By default the first one that works. */
  transport?: "fetch" | "eventsource" | undefined;
  /** One connection for all tabs: `share({ principal })` from `tailrace/share`. */
  share?: Share | undefined;
}

/** What sharing is built on. */
export interface Sharing {
  edges: Edges;
  /** Goes on after `cursor`, if that is an id. */
  connect: (stream: AskedStream, cursor?: string, transport?: Transport) => Connection;
}

/** What is asked of a connection. */
export type AskedStream = Pick<StreamOptions, "types" | "maxRate" | "until"> & { topics: readonly string[]; from: string };

/** Makes readers that share a connection; see `tailrace/share`. */
export type Share = (sharing: Sharing) => (stream: AskedStream, cursor?: string) => Reader;

export class Client {
  #edges: Edges;
  #page: Page;
  #transport: Transport;
  #share: ReturnType<Share> | undefined;
  #jobs = new Map<string, WeakRef<Job<never>>>();

  /** @internal */
  constructor({ whenHidden, transport, share, ...options }: ClientOptions) {
    this.#edges = new Edges(options);
    this.#page = new Page(this.#edges.disposed.signal, (whenHidden as Exclude<typeof whenHidden, "keep">)?.closeAfter);
    const streams = transport ? transport === "fetch" : options.fetch || "body" in ((globalThis as Here).Response?.prototype ?? {});
    this.#transport = streams ? fetchStream : openEventSource;
    this.#share = share?.({ edges: this.#edges, connect: this.#connect });
  }

  /** Returns what happens on some topics. Nothing is connected until it is read. */
  stream<T = unknown>(options: StreamOptions): Stream<T> {
    const { from = "now", maxRate, until, signal, persist } = options;
    const { urls, tenant } = this.#edges;
    const topics = [options.topics].flat();
    if (!topics.length) throw new TailraceError("invalid", "topics: none");
    const asked = { ...options, topics, from: typeof from === "string" ? from : from.toISOString() };
    const connect = ((maxRate ?? until) === undefined && this.#share) || this.#connect;
    const key = persist && `tailrace ${urls[0]!} ${tenant} ${persist}`;
    return new Stream<T>((kept) => connect(asked, kept), this.#page, signal, key);
  }

  /** Returns a job to watch: the same object for the same job, as long as somebody holds it. */
  job<Result = unknown>(id: string, { user }: { user?: string | undefined } = {}): Job<Result> {
    const topic = formatTopic(id, user);
    const known = this.#jobs.get(topic)?.deref() as Job<Result> | undefined;
    if (known) return known;
    const job = new Job<Result>(id, user, topic, this);
    this.#jobs.set(topic, new WeakRef(job as Job<never>));
    return job;
  }

  /** Yields a growing text from its beginning: all of it so far each time it grows, and its end last. */
  async *text(
    topic: string,
    { signal, onLink }: { signal?: AbortSignal | undefined; onLink?: ((link: Link) => void) | undefined } = {},
  ): AsyncGenerator<Text, void, void> {
    const stream = this.stream({ topics: topic, from: "start", signal });
    if (onLink) stream.on("link", onLink);
    yield* (await import("./text.ts")).foldText(stream);
  }

  /** Returns the newest event of each topic that matches, and the `cursor` to stream on `from` without a gap. */
  async last<T = unknown>(pattern: string, { signal }: { signal?: AbortSignal } = {}): Promise<Snapshot<T>> {
    return (await loadCalls()).readLast(this.#edges, pattern, signal);
  }

  /** Returns the JSON that any other path below `/v1/{tenant}/` answers with, asked as this client asks. */
  async call<T>(path: string, options?: CallOptions): Promise<T> {
    return (await loadCalls()).call(this.#edges, path, options);
  }

  /** Tries again where the link is `unauthorized`: somebody has signed in. */
  authorize(): void {
    this.#page.tell("authorize");
  }

  get disposed(): boolean {
    return this.#edges.disposed.signal.aborted;
  }

  /** Ends all streams and calls, and takes no others. No timer and no listener is left. */
  dispose(): void {
    this.#edges.disposed.abort(new TailraceError("disposed", "disposed"));
    this.#page.tell("stop");
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #connect = ({ topics, from, types, maxRate, until }: AskedStream, cursor = from, transport = this.#transport): Connection => {
    const fields = Object.entries({ from, types, max_rate: maxRate, until });
    const given = fields.filter(([, value]) => value !== undefined);
    return new Connection({
      edges: this.#edges,
      transport,
      query: [...topics.map((topic) => ["topic", topic]), ...given] as unknown as Query,
      cursor: isId(cursor) ? cursor : undefined,
    });
  };
}

// What not everybody needs is loaded by those who do.
const loadCalls = () => import("./calls.ts");
const openEventSource: Transport = async (request) => (await import("./eventsource.ts")).eventSource(request);

/** Makes a client; nothing is connected until something is asked for. */
export function createClient(options: ClientOptions): Client {
  return new Client(options);
}
