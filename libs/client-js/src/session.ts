/**
 * The whole policy of a stream that resumes by itself. No I/O: `Connection` owns sockets and timers.
 *
 * The cursor moves when an item is taken from `receive`, never before: what was read but not handed over is asked for
 * again. So the cursor is all there is to know about what was served, for resuming as for dropping doubles.
 */
import { drawWait, type BackoffOptions } from "./backoff.ts";
import type { TokenReason } from "./edges.ts";
import { isPassing, TailraceError } from "./errors.ts";
import { CONTROL_TYPE, checkId, decode, isPast, type Control, type Item, type TailraceEvent } from "./items.ts";
import { CONNECTING, type Link } from "./link.ts";
import { SseDecoder, type SseEvent } from "./sse.ts";

/** Milliseconds of bytes coming in after which a connection counts as good, events or none. */
const HEALTHY_AFTER = 10_000;
/** Heartbeat intervals without a byte after which a connection counts as dead. */
const MISSED_HEARTBEATS = 2.5;
/** Milliseconds. A server that asks for more is asked again after this. */
const MAX_FLOOR = 3_600_000;

export class Session {
  /** Nothing more comes, ever. */
  ended = false;
  /** Milliseconds before the next attempt; without end while nobody is signed in. */
  delay = 0;
  /** That much of it the server asked for. */
  floor = 0;
  /** Whether the connection is to be read on. */
  reading = false;
  /** Milliseconds to wait for bytes. Only waiting counts: a consumer that takes its time does not make the link stale. */
  patience: number;
  link = CONNECTING;
  /** Behind the last item taken; undefined while no id is known. */
  cursor: string | undefined;
  /** Why the next token is asked for. */
  reason: TokenReason = "connect";
  /** When the last byte came, by the clock on the wall: others stand still while a laptop sleeps. */
  heardAt = 0;

  #backoff: BackoffOptions | undefined;
  #failures = 0;
  #timeout: number;
  #onLink: (link: Link) => void;
  #decoder = new SseDecoder();
  #openedAt = 0;
  #moved = false;
  #doubted = false;

  constructor(
    cursor: string | undefined,
    timeout: number,
    backoff: BackoffOptions | undefined,
    onLink: (link: Link) => void,
  ) {
    this.cursor = cursor;
    this.patience = this.#timeout = timeout;
    this.#backoff = backoff;
    this.#onLink = onLink;
  }

  /** Begins an attempt. */
  connect(): void {
    this.delay = this.floor = 0;
    this.patience = this.#timeout;
    if (this.link.state === "closed") this.#change("connecting");
  }

  /** Takes in the head of an answer that is a stream. */
  open(): void {
    const { retry } = this.#decoder;
    this.#decoder = new SseDecoder();
    this.#decoder.retry = retry;
    this.#openedAt = this.heardAt = Date.now();
    this.reading = true;
    this.#doubted = false;
  }

  /** Takes in an answer that is none. Throws what another attempt does not mend. */
  refuse(problem: TailraceError, retryAfter: string | null, renews: boolean): void {
    const status = problem.status as number;
    if (status === 204) this.#end("finished");
    else if (status === 401) {
      if (renews && this.reason !== "unauthorized") this.reason = "unauthorized";
      else this.bar(problem.message);
    } else if (isPassing(status)) this.#retry("offline", problem.message, readRetryAfter(retryAfter));
    else this.fail(problem);
  }

  /** Yields what a chunk completes. Take all of it, or leave the connection. */
  *receive(chunk: Uint8Array): Generator<Item, void, void> {
    this.heardAt = Date.now();
    if (this.#doubted) this.#change("live");
    this.#doubted = false;
    try {
      for (const sse of this.#decoder.feed(chunk)) {
        const item = sse.event === CONTROL_TYPE ? this.#obey(sse) : this.#accept(sse);
        if (item) yield item;
        if (!this.reading) return;
      }
    } catch (error) {
      this.fail(error);
    }
  }

  /** Learns that the connection could not be made, broke, came to its end, or was given up because it was `silent`. */
  lose(reason: string, silent = false): void {
    if (this.reading && this.heardAt - this.#openedAt >= HEALTHY_AFTER) this.#makeHeadway();
    const stale = silent && /live|stale/.test(this.link.state);
    this.#retry(stale ? "stale" : "offline", reason, this.#decoder.retry);
  }

  /** Learns that the link may be dead, though nothing has failed: the next byte makes it live again. */
  doubt(state: "stale" | "offline", reason: string): void {
    if (!this.reading || this.link.state !== "live") return;
    this.#doubted = true;
    this.#change(state, reason);
  }

  /** Learns that the connection was closed on purpose; the next one is made as soon as it is wanted. */
  leave(state: "connecting" | "offline" | "closed", reason?: string): void {
    this.reading = false;
    if (!this.ended && (this.link.state !== "unauthorized" || state === "closed")) this.#change(state, reason);
  }

  /** Learns that nobody is signed in. */
  bar(reason: string): void {
    this.delay = this.floor = Infinity;
    this.#change("unauthorized", reason);
  }

  /** Learns that somebody may have signed in. */
  allow(): void {
    this.reason = "connect";
    this.#change("connecting");
  }

  /** Ends with what another attempt does not mend, and throws it. */
  fail(error: unknown): never {
    this.#end(String((error as Error).message));
    throw error;
  }

  #accept(sse: SseEvent): TailraceEvent | undefined {
    const id = checkId(sse.lastEventId);
    if (isPast(this.cursor, id)) return;
    const { topic, type, time, data } = decode<TailraceEvent>(sse);
    this.cursor = id;
    this.#makeHeadway();
    return { kind: "event", id, topic, type, time, data };
  }

  #makeHeadway(): void {
    this.#failures = 0;
    this.#moved = false;
  }

  #obey(sse: SseEvent): Item | undefined {
    const control = decode<Control>(sse);
    const { kind, why = "", from = "", to = "", cursor = "" } = control;
    const id = sse.lastEventId && checkId(sse.lastEventId);
    if (kind === "reset") {
      // Without an id the edge sends the start anew, and so it has to if this connection breaks.
      this.cursor = id || undefined;
      return { kind, why, cursor };
    }
    if (kind === "open") {
      this.#greet(control);
      if (control.mode === "reset") return; // the `reset` that follows moves the cursor, once it has been handed over
    } else if (kind === "closing") this.#close(control);
    if (id && !isPast(this.cursor, id)) this.cursor = id;
    return kind === "gap" ? { kind, from, to, why } : undefined;
  }

  #greet({ heartbeat = 0, edge }: Control): void {
    this.patience = MISSED_HEARTBEATS * heartbeat * 1000 || this.#timeout;
    this.reason = "connect";
    const reconnects = this.link.reconnects + (this.link.edge === undefined ? 0 : 1);
    this.#change("live", undefined, undefined, { edge, reconnects });
  }

  #close({ reason, retry }: Control): void {
    const words = `closed: ${reason}`;
    if (reason === "token_expired") this.reason = "expired";
    if (reason === "finished") this.#end(words);
    else if (retry == null) throw new TailraceError("closed", words);
    // Sent on again without any headway: edges that send everybody away must not be asked in a hot loop.
    else if (this.#moved) this.#retry("offline", words, retry);
    else {
      this.#moved = true;
      this.#retry("connecting", words, retry, 0);
    }
  }

  /** Leaves the connection for another one, after what the server asked for and `more`. */
  #retry(state: Link["state"], reason: string, floor = 0, more = drawWait(this.#backoff, this.#failures++)): void {
    this.reading = false;
    this.floor = Math.min(floor, MAX_FLOOR);
    this.delay = this.floor + more;
    this.#change(state, reason, this.delay);
  }

  #end(reason: string): void {
    this.reading = false;
    this.ended = true;
    this.#change("closed", reason);
  }

  #change(state: Link["state"], reason?: string, retryIn?: number, more?: Partial<Link>): void {
    this.link = { ...this.link, state, reason, retryIn, ...more };
    this.#onLink(this.link);
  }
}

/** Returns the milliseconds that `Retry-After` asks for (RFC 9110, 10.2.3). */
function readRetryAfter(text: string | null): number {
  if (!text) return 0;
  return Math.max(0, /^\d+$/.test(text) ? +text * 1000 : Date.parse(text) - Date.now() || 0);
}
