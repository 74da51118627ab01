/** Sockets and timers of a stream; what is done with them says the `Session` that it is. */
import type { Edges, Query } from "./edges.ts";
import { readProblem, TailraceError } from "./errors.ts";
import type { Item } from "./items.ts";
import type { Link } from "./link.ts";
import type { Member } from "./page.ts";
import { Pause } from "./pause.ts";
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
  /** Yields items, as they come together, until the end; carries on after the last one taken when called again. */
  read(): AsyncGenerator<Iterable<Item>, void, void>;
}

export interface ConnectionOptions {
  edges: Edges;
  transport: Transport;
  query: Query;
  cursor: string | undefined;
}

/** A stream of one's own: one connection after the other, each read only while somebody waits for items. */
export class Connection extends Session implements Reader {
  #options: ConnectionOptions;
  #number: number;
  #controller = new AbortController();
  #pause = new Pause();
  #frozen = false;
  /** Runs while bytes are waited for. */
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ConnectionOptions) {
    const { edges, cursor } = options;
    super(edges, cursor);
    this.#options = options;
    this.#number = edges.first;
  }

  /** Yields what each chunk completes; the cursor moves as its items are taken. */
  async *read(): AsyncGenerator<Iterable<Item>, void, void> {
    const { edges, query, transport } = this.#options;
    this.revive("closed");
    try {
      while (await this.#isDue()) {
        const { signal } = (this.#controller = new AbortController());
        const { cursor, reason } = this;
        const number = this.#number++;
        const asked = () => this.#watch();
        try {
          const answer = await transport({ edges, number, query, cursor, reason, signal, asked });
          const { status } = answer;
          const type = answer.headers.get("content-type") ?? "";
          if (status !== 200) throw readProblem(answer, await answer.text());
          // It may never end, whatever it is.
          if (!/^text\/event-stream *(;|$)/i.test(type)) throw new TailraceError("no-stream", type, status);
          this.open();
          edges.first = number;
          const reader = answer.body!.getReader();
          while (this.reading) {
            if (!answer.deaf) this.#watch();
            const { value } = await reader.read();
            this.#unwatch();
            if (!value) throw new Error("the connection ended");
            yield this.receive(value);
          }
        } catch (error) {
          // Who aborts it says why.
          if (!signal.aborted) this.lose(error);
        } finally {
          this.#unwatch();
          this.#controller.abort();
        }
      }
    } finally {
      this.leave("closed");
    }
  }

  /** Ends the reading, also one that waits. */
  stop(): void {
    this.leave("closed");
    this.#interrupt();
  }

  freeze(reason: string): void {
    this.#frozen = true;
    if (this.link.state !== "unauthorized") this.leave("offline", reason);
    this.#interrupt();
  }

  resume(): void {
    this.#frozen = false;
    this.online();
  }

  online(): void {
    this.hasten();
    this.#pause.rouse();
    if (this.reading && this.#timer) this.#probe();
  }

  offline(): void {
    this.doubt("offline", "the browser is offline");
  }

  authorize(): void {
    this.revive("unauthorized");
    this.#pause.rouse();
  }

  #interrupt(): void {
    this.#controller.abort();
    this.#pause.rouse();
  }

  /** Resolves when the next attempt is to be made, to whether there is one. */
  async #isDue(): Promise<boolean> {
    for (;;) {
      const { link, due } = this;
      if (link.state === "closed") return false;
      const left = this.#frozen || link.state === "unauthorized" ? Infinity : due - performance.now();
      if (left <= 0) return true;
      await this.#pause.wait(left);
    }
  }

  /** Gives the connection up if nothing comes for so long. */
  #watch(patience = this.patience, grace = false): void {
    const since = Date.now();
    this.#unwatch();
    this.#timer = setTimeout(() => {
      // What came while the page did not run may still lie in the socket.
      if (!grace && this.reading && Date.now() - since > patience + LATE) this.#probe();
      else {
        this.lose(new Error(SILENCE), true);
        this.#controller.abort();
      }
    }, patience);
  }

  #unwatch(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Has the connection show that it lives. */
  #probe(): void {
    const { patience, heardAt } = this;
    if (Date.now() - heardAt >= patience) this.doubt("stale", SILENCE);
    this.#watch(GRACE * patience, true);
  }
}
