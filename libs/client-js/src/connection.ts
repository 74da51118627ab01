/** Sockets and timers of a stream; what is done with them says its `Session`. */
import { drawWait, type BackoffOptions } from "./backoff.ts";
import type { Edges, Query } from "./edges.ts";
import { readProblem, TailraceError } from "./errors.ts";
import type { Item } from "./items.ts";
import type { Link } from "./link.ts";
import type { Member } from "./page.ts";
import { Session } from "./session.ts";
import type { Transport } from "./transport.ts";

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
  /** Yields items until the end; carries on after the last one when called again. */
  read(): AsyncGenerator<Item, void, void>;
}

export interface ConnectionOptions {
  edges: Edges;
  transport: Transport;
  backoff: BackoffOptions | undefined;
  query: Query;
  cursor: string | undefined;
}

/** A stream of one's own: one connection after the other, each read only while somebody waits for items. */
export class Connection implements Reader {
  onLink: (link: Link) => void = () => {};
  #session: Session;
  #options: ConnectionOptions;
  #number: number;
  #controller: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #rouse = () => {};
  #due = 0;
  #floor = 0;
  #silent = false;
  #stopped = false;
  #suspended: string | undefined;
  #waiting = false;

  constructor(options: ConnectionOptions) {
    const { edges, cursor, backoff } = (this.#options = options);
    this.#number = edges.first;
    this.#session = new Session(cursor, edges.timeout, backoff, (link) => this.onLink(link));
  }

  get link(): Link {
    return this.#session.link;
  }

  get cursor(): string | undefined {
    return this.#session.cursor;
  }

  async *read(): AsyncGenerator<Item, void, void> {
    for await (const items of this.batches()) yield* items;
  }

  /** Yields what each chunk completes; the cursor moves as its items are taken. */
  async *batches(): AsyncGenerator<Iterable<Item>, void, void> {
    const session = this.#session;
    const { edges, query, transport } = this.#options;
    this.#stopped = false;
    try {
      while (await this.#isDue()) {
        const { signal } = (this.#controller = new AbortController());
        session.connect();
        try {
          const { cursor, reason } = session;
          const asked = () => this.#watch();
          const answer = await this.#tryTo(signal, () =>
            transport({ edges, number: this.#number++, query, cursor, reason, signal, asked }),
          );
          if (!answer) continue;
          const { status, headers, body } = answer;
          const type = headers.get("content-type") ?? "";
          if (status === 200 && /^text\/event-stream *(;|$)/i.test(type)) {
            session.open();
            edges.first = (this.#number - 1) % edges.urls.length;
          } else {
            // What answers 200 with something else may never end.
            const text = status === 200 ? type : await this.#tryTo(signal, () => answer.text());
            if (text === undefined) continue;
            const problem = status === 200 ? new TailraceError("no-stream", text, status) : readProblem(answer, text);
            session.refuse(problem, headers.get("retry-after"), !!edges.getToken);
          }
          const reader = session.reading && body?.getReader();
          while (reader && session.reading) {
            if (!answer.deaf) this.#watch();
            const chunk = await this.#tryTo(signal, async () => (await reader.read()).value, "the connection ended");
            if (!chunk) break;
            yield session.receive(chunk);
          }
        } finally {
          this.#controller.abort();
        }
      }
    } finally {
      this.#session.leave("closed");
    }
  }

  /** Ends the reading, also one that waits. */
  stop(): void {
    this.#stopped = true;
    this.#interrupt();
  }

  suspend(reason: string): void {
    this.#suspended = reason;
    this.#interrupt();
  }

  resume(): void {
    this.#suspended = undefined;
    this.#rouse();
  }

  wake(): void {
    const session = this.#session;
    this.#due = Math.min(this.#due, Math.max(this.#floor, performance.now() + drawWait(this.#options.backoff)));
    this.#rouse();
    if (!session.reading || !this.#waiting) return;
    const left = session.patience - (Date.now() - session.heardAt);
    if (left <= 0) this.#doubt();
    else this.#watch(Math.min(left, GRACE * session.patience), true);
  }

  offline(): void {
    this.#session.doubt("offline", "the browser is offline");
  }

  authorize(): void {
    if (this.link.state !== "unauthorized") return;
    this.#session.allow();
    this.#due = 0;
    this.#rouse();
  }

  #interrupt(): void {
    this.#controller?.abort();
    this.#rouse();
  }

  /** Resolves when the next attempt is to be made, to whether there is one. */
  async #isDue(): Promise<boolean> {
    const session = this.#session;
    const now = performance.now();
    this.#due = now + session.delay;
    this.#floor = now + session.floor;
    for (;;) {
      if (session.ended || this.#stopped) return false;
      const left = this.#suspended === undefined ? this.#due - performance.now() : Infinity;
      if (left <= 0) return true;
      await new Promise<void>((resolve) => {
        this.#rouse = resolve;
        if (left < Infinity) this.#timer = setTimeout(resolve, left);
      });
      clearTimeout(this.#timer);
    }
  }

  /** Resolves to what `act` does; to undefined if it fails or nothing comes in time, which the session then knows. */
  async #tryTo<T>(signal: AbortSignal, act: () => Promise<T>, reason = ""): Promise<T | undefined> {
    this.#silent = false;
    this.#waiting = true;
    try {
      signal.throwIfAborted();
      // Not everything that is waited for listens to the signal: a token is none of its business.
      const aborted = new Promise<never>((_, reject) => {
        signal.onabort = () => reject(signal.reason);
      });
      const result = await Promise.race([act(), aborted]);
      if (result !== undefined) return result;
    } catch (error) {
      if (error instanceof TailraceError && error.code === "unauthorized") {
        this.#session.bar(error.message);
        return;
      }
      reason = this.#silent ? SILENCE : `${error}`;
    } finally {
      this.#waiting = false;
      clearTimeout(this.#timer);
    }
    if (this.#stopped) this.#session.leave("closed");
    else if (this.#suspended !== undefined) this.#session.leave("offline", this.#suspended);
    else this.#session.lose(reason, this.#silent);
    return;
  }

  /** Gives the connection up if nothing comes for so long. */
  #watch(patience = this.#session.patience, grace = false): void {
    const since = Date.now();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // What came while the page did not run may still lie in the socket.
      if (!grace && this.#session.reading && Date.now() - since > patience + LATE) this.#doubt();
      else {
        this.#silent = true;
        this.#controller?.abort();
      }
    }, patience);
  }

  #doubt(): void {
    this.#session.doubt("stale", SILENCE);
    this.#watch(GRACE * this.#session.patience, true);
  }
}
