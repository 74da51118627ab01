/**
 * The whole policy of a stream that resumes by itself. No I/O: `Connection` adds sockets and timers.
 *
 * The cursor moves when an item is taken from `receive`, never before: what was read but not handed over is asked for
 * again. So the cursor is all there is to know about what was served, for resuming as for dropping doubles.
 */
import { drawWait, type BackoffOptions } from "./backoff.ts";
import type { Edges, TokenReason } from "./edges.ts";
import { isPassing, TailraceError } from "./errors.ts";
import { CONTROL_TYPE, isId, isPast, parseObject, type Control, type Item, type TailraceEvent } from "./items.ts";
import { CONNECTING, type Link } from "./link.ts";
import { SseDecoder, type SseEvent } from "./sse.ts";

/** Milliseconds of bytes coming in after which a connection counts as good, events or none. */
const HEALTHY_AFTER = 10_000;
/** Heartbeat intervals without a byte after which a connection counts as dead. */
const MISSED_HEARTBEATS = 2.5;
/** Milliseconds. A server that asks for more is asked again after this. */
const MAX_FLOOR = 3_600_000;

export class Session {
  /** Called with each change of the link. */
  onLink: (link: Link) => void = () => {};
  /** `closed` once nothing more comes, `unauthorized` while no attempt is to be made. */
  link = CONNECTING;
  /** When the next attempt is due, by `performance.now()`. */
  due = 0;
  /** Before when the server wants none. */
  floor = 0;
  /** Whether the connection is to be read on. */
  reading = false;
  /** Milliseconds to wait for bytes. Only waiting counts: a consumer that takes its time does not make the link stale. */
  patience: number;
  /** Behind the last item taken; undefined while no id is known. */
  cursor: string | undefined;
  /** Why the next token is asked for. */
  reason: TokenReason = "connect";
  /** When the last byte came, by the clock on the wall: others stand still while a laptop sleeps. */
  heardAt = 0;

  #backoff: BackoffOptions | undefined;
  #failures = 0;
  #timeout: number;
  #decoder = new SseDecoder();
  #openedAt = 0;
  #moved = false;
  #doubted = false;

  constructor({ timeout, backoff }: Pick<Edges, "timeout" | "backoff">, cursor: string | undefined) {
    this.cursor = cursor;
    this.patience = this.#timeout = timeout;
    this.#backoff = backoff;
  }

  /** Carries on where nothing more was to be tried: the stream is read anew, or somebody has signed in. */
  revive(from: "closed" | "unauthorized"): void {
    if (this.link.state !== from) return;
    this.reason = "connect";
    this.#change({ state: "connecting" });
  }

  /** Has the next attempt made soon, though not before the server wants it. */
  hasten(): void {
    this.due = Math.min(this.due, Math.max(this.floor, performance.now() + drawWait(this.#backoff)));
  }

  /** Takes in the head of an answer that is a stream. */
  open(): void {
    this.#decoder = Object.assign(new SseDecoder(), { retry: this.#decoder.retry });
    this.#openedAt = this.heardAt = Date.now();
    this.reading = true;
  }

  /** Yields what a chunk completes. Take all of it, or leave the connection. */
  *receive(chunk: Uint8Array): Generator<Item, void, void> {
    this.heardAt = Date.now();
    if (this.#doubted) this.#change({ state: "live" });
    try {
      for (const sse of this.#decoder.feed(chunk)) {
        const item = this.#take(sse);
        if (item) yield item;
        if (!this.reading) return;
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /**
   * Learns why there is no connection, or no more: it could not be made, broke, came to its end, or was given up because
   * it was `silent`. Throws what another attempt does not mend.
   */
  lose(error: unknown, silent = false): void {
    const { code, status = 0, retryAfter, message = `${error}` } = Object(error) as Partial<TailraceError>;
    if (this.reading && this.heardAt - this.#openedAt >= HEALTHY_AFTER) this.#makeHeadway();
    if (status === 204) this.leave("closed", "finished");
    else if (status === 401 && this.reason !== "unauthorized") this.reason = "unauthorized";
    else if (status === 401 || code === "unauthorized") this.leave("unauthorized", message);
    else if (status && !isPassing(status)) this.#fail(error);
    else {
      const stale = silent && /live|stale/.test(this.link.state);
      this.#retry(stale ? "stale" : "offline", message, retryAfter ?? this.#decoder.retry);
    }
  }

  /** Learns that the link may be dead, though nothing has failed: the next byte makes it live again. */
  doubt(state: "stale" | "offline", reason: string): void {
    if (!this.reading || this.link.state !== "live") return;
    this.#change({ state, reason }, true);
  }

  /** Has the connection left. Once the link is `closed`, it stays so until it is revived. */
  leave(state: Link["state"], reason?: string, retryIn?: number): void {
    this.reading = false;
    this.patience = this.#timeout;
    if (this.link.state !== "closed") this.#change({ state, reason, retryIn });
  }

  #fail(error: unknown): never {
    this.leave("closed", (error as Error).message);
    throw error;
  }

  #take({ event, data, lastEventId: id }: SseEvent): Item | undefined {
    const isControl = event === CONTROL_TYPE;
    const fields = parseObject<TailraceEvent & Control>(data);
    if (id ? !isId(id) : !isControl) throw new TailraceError("malformed", `the id ${id} is none`);
    if (isControl) return this.#obey(fields, id);
    if (isPast(this.cursor, id)) return;
    if (!fields.topic) throw new TailraceError("malformed", `what came as ${id} is no event`);
    this.cursor = id;
    this.#makeHeadway();
    return { ...(fields as TailraceEvent), kind: "event", id };
  }

  #makeHeadway(): void {
    this.#failures = 0;
    this.#moved = false;
  }

  #obey(control: Control, id: string): Item | undefined {
    const { kind, mode } = control;
    if (kind === "open") this.#greet(control);
    if (kind === "closing") this.#close(control);
    // Without an id the edge sends the start anew, and so it has to if this connection breaks.
    if (kind === "reset") this.cursor = id || undefined;
    // After an `open` with the mode `reset` that moves the cursor, once it has been handed over.
    else if (id && mode !== "reset" && !isPast(this.cursor, id)) this.cursor = id;
    return kind === "gap" || kind === "reset" ? (control as Item) : undefined;
  }

  #greet({ heartbeat = 0, edge }: Control): void {
    this.patience = MISSED_HEARTBEATS * heartbeat * 1000 || this.#timeout;
    this.reason = "connect";
    const reconnects = this.link.reconnects + (this.link.edge === undefined ? 0 : 1);
    this.#change({ state: "live", edge, reconnects });
  }

  #close({ reason, retry }: Control): void {
    const words = `closed: ${reason}`;
    if (reason === "token_expired") this.reason = "expired";
    if (reason === "finished") this.leave("closed", words);
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
    const wait = Math.min(floor, MAX_FLOOR);
    this.floor = performance.now() + wait;
    this.due = this.floor + more;
    this.leave(state, reason, wait + more);
  }

  #change(change: Partial<Link>, doubted = false): void {
    this.#doubted = doubted;
    this.link = { ...this.link, reason: undefined, retryIn: undefined, ...change };
    this.onLink(this.link);
  }
}
