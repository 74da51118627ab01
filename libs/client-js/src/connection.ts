/**
 * A stream that resumes by itself: one connection after the other.
 *
 * The cursor moves when an item is taken, never before: what was read but not handed over is asked for again. So the
 * cursor is all there is to know about what was served, for resuming as for dropping doubles.
 */
import { drawWait } from "./backoff.ts";
import type { Edges, Query, TokenReason } from "./edges.ts";
import { isPassing, readProblem, TailraceError } from "./errors.ts";
import { CONTROL_TYPE, isId, isPast, parseObject, type Control, type Item, type TailraceEvent } from "./items.ts";
import { CONNECTING, type Link } from "./link.ts";
import type { Member } from "./page.ts";
import { Pause } from "./pause.ts";
import { until } from "./signals.ts";
import { SseDecoder, type SseEvent } from "./sse.ts";
import type { Transport } from "./transport.ts";

/** Milliseconds of bytes coming in after which a connection counts as good, events or none. */
const HEALTHY_AFTER = 10_000;
/** Heartbeat intervals without a byte after which a connection counts as dead. */
const MISSED_HEARTBEATS = 2.5;
/** Milliseconds. A server that asks for more is asked again after this. */
const MAX_FLOOR = 3_600_000;
/** Milliseconds by which a timer is late only where the page did not run: frozen, throttled, asleep. */
const LATE = 1000;
/** That much of its patience a link is given after that, before it counts as dead. */
const GRACE = 0.6;
const SILENCE = "nothing came for too long";

/** Where a stream's items come from. */
export interface Reader extends Member {
  readonly link: Link;
  readonly cursor: string | undefined;
  onLink: (link: Link) => void;
  /** Yields items, as they come together, until the end; carries on after the last one taken when called again. */
  read(): AsyncGenerator<Iterable<Item>, void, void>;
}

export interface ConnectionOptions {
  edges: Edges;
  transport: Transport;
  query: Query;
  cursor: string | undefined;
}

/** A stream of one's own, read only while somebody waits for items. */
export class Connection implements Reader {
  onLink: (link: Link) => void = () => {};
  /** `closed` once nothing more comes, `unauthorized` while no attempt is to be made. */
  link = CONNECTING;
  /** Behind the last item taken; undefined while no id is known. */
  cursor: string | undefined;

  #options: ConnectionOptions;
  #edges: Edges;
  /** Of the edge that is asked next. */
  #number: number;
  /** Why the next token is asked for. */
  #reason: TokenReason = "connect";
  /** When the next attempt is due, by `performance.now()`. */
  #due = 0;
  /** Before when the server wants none. */
  #floor = 0;
  #failures = 0;
  #moved = false;
  #frozen = false;
  #pause = new Pause();

  // Of the connection that is open
  /** Aborted when it is left. */
  #controller = new AbortController();
  #decoder = new SseDecoder();
  /** Milliseconds to wait for bytes. Only waiting counts: a consumer that takes its time does not make the link stale. */
  #patience!: number;
  /** Runs while they are waited for. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #openedAt = 0;
  /** When the last byte came, by the clock on the wall: others stand still while a laptop sleeps. */
  #heardAt = 0;
  #doubted = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#edges = options.edges;
    this.#number = options.edges.first;
    this.cursor = options.cursor;
  }

  /** Yields what each chunk completes. */
  async *read(): AsyncGenerator<Iterable<Item>, void, void> {
    const { query, transport } = this.#options;
    const edges = this.#edges;
    this.#frozen = false; // who does not read is not told that the page is back
    this.#revive("closed");
    try {
      for (;;) {
        const { state } = this.link;
        if (state === "closed") return;
        // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- the page may freeze it meanwhile
        const left = this.#frozen || state === "unauthorized" ? Infinity : this.#due - performance.now();
        if (left > 0) {
          await this.#pause.wait(left);
          continue; // much may have happened meanwhile
        }
        const { signal } = (this.#controller = new AbortController());
        const number = this.#number++;
        this.#patience = edges.timeout;
        try {
          const answer = await until(
            signal,
            transport({ edges, number, query, cursor: this.cursor, reason: this.#reason, signal, asked: () => this.#watch() }),
          );
          if (answer.status !== 200) throw readProblem(answer, await until(signal, answer.text()));
          // It may never end, whatever it is.
          const type = answer.headers.get("content-type") ?? "";
          if (!/^text\/event-stream *(;|$)/i.test(type)) throw new TailraceError("no-stream", type, 200);
          edges.first = number;
          this.#decoder = new SseDecoder(this.#decoder.retry);
          this.#openedAt = this.#heardAt = Date.now();
          const reader = answer.body!.getReader();
          while (!signal.aborted) {
            if (!answer.deaf) this.#watch();
            const { value } = await until(signal, reader.read());
            this.#unwatch();
            if (!value) throw new Error("the connection ended");
            yield this.#receive(value, signal);
          }
        } catch (error) {
          // Who leaves it says why.
          if (!signal.aborted) this.#lose(error);
        } finally {
          this.#unwatch();
          this.#controller.abort();
        }
      }
    } finally {
      this.#leave("closed");
    }
  }

  /** Ends the reading, also one that waits. */
  stop(): void {
    this.#leave("closed");
  }

  freeze(reason: string): void {
    this.#frozen = true;
    if (this.link.state !== "unauthorized") this.#leave("offline", reason);
  }

  resume(): void {
    this.#frozen = false;
    this.online();
  }

  online(): void {
    const soon = performance.now() + drawWait(this.#edges.backoff);
    this.#due = Math.min(this.#due, Math.max(this.#floor, soon));
    this.#pause.rouse();
    if (this.#timer) this.#probe();
  }

  offline(): void {
    this.#doubt("offline", "the browser is offline");
  }

  authorize(): void {
    this.#revive("unauthorized");
    this.#pause.rouse();
  }

  /** Carries on where nothing more was to be tried: the stream is read anew, or somebody has signed in. */
  #revive(from: "closed" | "unauthorized"): void {
    if (this.link.state !== from) return;
    this.#reason = "connect";
    this.#change({ state: "connecting" });
  }

  /** Gives the connection up if nothing comes for so long. */
  #watch(patience = this.#patience, grace = false): void {
    const since = Date.now();
    this.#unwatch();
    this.#timer = setTimeout(() => {
      // What came while the page did not run may still lie in the socket.
      if (!grace && Date.now() - since > patience + LATE) this.#probe();
      else this.#lose(new Error(SILENCE), true);
    }, patience);
  }

  #unwatch(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Has the connection show that it lives. */
  #probe(): void {
    if (Date.now() - this.#heardAt >= this.#patience) this.#doubt("stale", SILENCE);
    this.#watch(GRACE * this.#patience, true);
  }

  /** The link may be dead, though nothing has failed: the next byte makes it live again. */
  #doubt(state: "stale" | "offline", reason: string): void {
    if (this.link.state === "live") this.#change({ state, reason }, true);
  }

  /**
   * There is no connection, or no more: it could not be made, broke, came to its end, or is given up because it is
   * `silent`. Throws what another attempt does not mend.
   */
  #lose(error: unknown, silent = false): void {
    const { message = String(error) } = Object(error) as Partial<Error>;
    // Where there was no answer there may be one soon, as after a 500.
    const { code, status = 500, retryAfter } = (error instanceof TailraceError ? error : {}) as Partial<TailraceError>;
    if (status === 204) this.#leave("closed", "finished");
    else if (status === 401 && this.#edges.getToken && this.#reason !== "unauthorized") this.#reason = "unauthorized";
    else if (status === 401 || code === "unauthorized") this.#leave("unauthorized", message);
    else if (!isPassing(status)) this.#fail(error);
    else {
      const stale = silent && /live|stale/.test(this.link.state);
      this.#retry(stale ? "stale" : "offline", message, retryAfter ?? this.#decoder.retry);
    }
  }

  #fail(error: unknown): never {
    this.#leave("closed", (error as Error).message);
    throw error;
  }

  /** Leaves the connection for another one, after what the server asked for and `more`. */
  #retry(state: Link["state"], reason: string, floor = 0, more = drawWait(this.#edges.backoff, this.#failures++)): void {
    const wait = Math.min(floor, MAX_FLOOR);
    this.#floor = performance.now() + wait;
    this.#due = this.#floor + more;
    this.#leave(state, reason, wait + more);
  }

  /** Leaves the connection. Once the link is `closed`, it stays so until it is revived. */
  #leave(state: Link["state"], reason?: string, retryIn?: number): void {
    if (this.link.state !== "closed") this.#change({ state, reason, retryIn });
    this.#controller.abort();
    this.#pause.rouse();
  }

  #change(change: Partial<Link>, doubted = false): void {
    this.#doubted = doubted;
    this.link = { ...this.link, reason: undefined, retryIn: undefined, ...change };
    this.onLink(this.link);
  }

  *#receive(chunk: Uint8Array, signal: AbortSignal): Generator<Item, void, void> {
    this.#heardAt = Date.now();
    if (this.#heardAt - this.#openedAt >= HEALTHY_AFTER) this.#makeHeadway();
    if (this.#doubted) this.#change({ state: "live" });
    try {
      for (const sse of this.#decoder.feed(chunk)) {
        if (signal.aborted) return;
        const item = this.#take(sse);
        if (item) yield item;
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #take({ event, data, lastEventId: id }: SseEvent): Item | undefined {
    const isControl = event === CONTROL_TYPE;
    const fields = parseObject<TailraceEvent & Control>(data);
    if (!(isControl ? !id || isId(id) : isId(id) && fields.topic)) {
      throw new TailraceError("malformed", `no event: ${id}`);
    }
    if (isControl) return this.#obey(fields, id);
    if (isPast(this.cursor, id)) return;
    this.cursor = id;
    this.#makeHeadway();
    return { ...(fields as TailraceEvent), kind: "event", id };
  }

  #makeHeadway(): void {
    this.#moved = false;
    this.#failures = 0;
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
    this.#patience = MISSED_HEARTBEATS * heartbeat * 1000 || this.#patience;
    this.#reason = "connect";
    const reconnects = this.link.reconnects + (this.link.edge === undefined ? 0 : 1);
    this.#change({ state: "live", edge, reconnects });
  }

  #close({ reason, retry }: Control): void {
    const words = `closed: ${reason!}`;
    if (reason === "token_expired") this.#reason = "expired";
    if (reason === "finished") this.#leave("closed", words);
    else if (retry == null) throw new TailraceError("closed", words);
    // Sent on again without any headway: edges that send everybody away must not be asked in a hot loop.
    else if (this.#moved) this.#retry("offline", words, retry);
    else {
      this.#moved = true;
      this.#retry("connecting", words, retry, 0);
    }
  }
}
