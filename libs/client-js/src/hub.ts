import type { AskedStream, Sharing } from "./client.ts";
import type { Connection } from "./connection.ts";
import type { Item } from "./items.ts";
import { CONNECTING, type Link } from "./link.ts";
import { Pause } from "./pause.ts";

/** Milliseconds in which wishes are gathered before the leader connects anew. */
const GATHER = 50;
/** Milliseconds between signs of life of the leader. */
const PULSE = 20_000;
/** Milliseconds without any after which another tab takes over; timers of hidden tabs run once a minute. */
const HUNG = 90_000;

/** Everything in `(after, upTo]` that is wanted by those who are served, in order. Whoever leads, that is true. */
export interface Feed {
  after: string;
  upTo: string;
  items: Item[];
  /** Whose wishes are served. */
  keys: string[];
}

/** What tabs tell each other, themselves included. */
interface Messages {
  feed: Feed;
  want: { tab: string; keys: string[]; cursor: string | undefined };
  link: Link;
  /** Say what you want. */
  ask: undefined;
  authorize: undefined;
  /** Have your own connections. */
  off: undefined;
}

/** What a stream wants: topics, and types if not all. */
export type Key = [topics: readonly string[], types: readonly string[] | null | undefined];

/** A stream of this tab. */
export interface HubMember {
  /** What it wants, a `Key` as JSON. */
  readonly key: string;
  readonly cursor: string | undefined;
  /** Called with each feed, and without where the hub is another than it was. */
  hear(feed?: Feed): void;
}

/** What this tab knows of the others. It lives while somebody reads. */
export class Hub {
  link = CONNECTING;
  /** Up to where the log was broadcast. */
  position: string | undefined;
  /** The shared connection was refused: everybody has their own. */
  off: boolean | undefined;
  /** The shared connection, if this tab leads. */
  connection: Connection | undefined;

  readonly connect: Sharing["connect"];
  #name: string;
  #tab = crypto.randomUUID();
  #readers = new Set<HubMember>();
  #channel: BroadcastChannel | undefined;
  #stop = new AbortController();
  #watchdog: ReturnType<typeof setTimeout> | undefined;

  // While this tab leads
  #wants: Map<string, string[]> | undefined;
  #served: string[] = [];
  #gathering: ReturnType<typeof setTimeout> | undefined;
  #pause = new Pause();

  constructor(connect: Sharing["connect"], name: string) {
    this.connect = connect;
    this.#name = name;
  }

  join(reader: HubMember): void {
    if (!this.#readers.size) this.#start();
    this.#readers.add(reader);
    this.announce();
  }

  leave(reader: HubMember): void {
    if (!this.#readers.delete(reader) || this.#readers.size) return;
    this.#stop.abort();
    this.#resign();
    this.#channel?.close();
    this.#channel = undefined;
    this.#watch();
  }

  /** Tells the leader what this tab wants. */
  announce(): void {
    const begun = [...this.#readers].filter((reader) => reader.cursor && !this.off);
    this.post("want", { tab: this.#tab, keys: begun.map(({ key }) => key), cursor: begun[0]?.cursor });
  }

  #start(): void {
    const { signal } = (this.#stop = new AbortController());
    this.link = CONNECTING;
    this.off = false;
    this.position = undefined;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data: [kind, value] }) => this.#hear(kind, value);
    // Who gets this lock of a tab knows that the tab is gone.
    this.#hold(this.#tab, () => {
      this.announce();
      return new Promise((resolve) => {
        signal.onabort = resolve;
      });
    });
    this.#aspire({ signal });
    this.#watch();
  }

  /** Leads from when this tab gets the lock until it is given up or stolen. */
  #aspire(options: LockOptions): void {
    const { signal } = this.#stop;
    navigator.locks
      .request(this.#name, options, () => this.#takeLead(signal))
      .catch(() => {
        this.#resign();
        if (!signal.aborted) this.#aspire({ signal });
      });
  }

  #resign(): void {
    clearTimeout(this.#gathering);
    this.#wants = this.#gathering = undefined;
    this.connection?.stop();
    this.#pause.rouse();
  }

  #hold(tab: string, act: () => Promise<unknown>): void {
    // Rejects when it is given up, or was stolen.
    navigator.locks.request(`${this.#name} ${tab}`, { signal: this.#stop.signal }, act).catch(() => {});
  }

  /** Gives a sign of life while this tab leads; takes the lead from one that gives none. */
  #watch(): void {
    clearTimeout(this.#watchdog);
    if (this.#stop.signal.aborted) return;
    this.#watchdog = setTimeout(
      () => {
        if (this.#wants) this.post("link", this.link);
        else {
          this.#aspire({ steal: true });
          this.#watch();
        }
      },
      this.#wants ? PULSE : HUNG * (1 + Math.random()),
    );
  }

  /** Tells all tabs. */
  post<Kind extends keyof Messages>(kind: Kind, value: Messages[Kind]): void {
    this.#channel?.postMessage([kind, value]);
    this.#hear(kind, value);
  }

  #hear<Kind extends keyof Messages>(kind: Kind, value: Messages[Kind]): void {
    this.#watch();
    this.#on[kind](value);
  }

  #on: { [Kind in keyof Messages]: (value: Messages[Kind]) => void } = {
    feed: (feed) => {
      this.position = feed.upTo;
      this.#tell(feed);
    },
    want: ({ tab, keys, cursor }) => this.#want(tab, keys, cursor),
    link: (link) => {
      this.link = link;
      this.#tell();
    },
    ask: () => this.announce(),
    authorize: () => this.connection?.authorize(),
    off: () => {
      this.link = CONNECTING;
      this.off = true;
      this.#tell();
    },
  };

  #tell(feed?: Feed): void {
    for (const reader of this.#readers) reader.hear(feed);
  }

  #want(tab: string, keys: string[], cursor: string | undefined): void {
    const wants = this.#wants;
    if (!wants) return;
    if (!wants.has(tab)) this.#hold(tab, async () => wants.delete(tab));
    wants.set(tab, keys);
    this.position ??= cursor;
    if (!keys.every((key) => this.#served.includes(key))) {
      this.#gathering ??= setTimeout(() => {
        this.#gathering = undefined;
        this.connection?.stop();
        this.#pause.rouse();
      }, GATHER);
    } else if (this.position) {
      // Who has only just come does not know that it is served.
      this.#feed(this.position, this.position, []);
      this.post("link", this.link);
    }
  }

  #feed(after: string, upTo: string, items: Item[]): void {
    this.post("feed", { after, upTo, items, keys: this.#served });
  }

  /** Reads for all tabs, as long as this one has the lock. */
  async #takeLead(signal: AbortSignal): Promise<void> {
    if (this.off || signal.aborted) return;
    const wants = (this.#wants = new Map<string, string[]>());
    this.post("ask", undefined);
    try {
      while (this.#wants === wants) {
        const keys = (this.#served = [...new Set([...wants.values()].flat())]);
        if (!keys.length || !this.position) {
          await this.#pause.wait();
          continue;
        }
        // Its own: what another tab broadcasts that does not know yet that it no longer leads is its own too.
        let after = this.position;
        const connection = (this.connection = this.connect(unite(keys), after));
        connection.onLink = (link) => {
          if (link.state !== "closed") this.post("link", link);
        };
        for await (const batch of connection.read()) {
          const items = [...batch];
          this.#feed(after, (after = connection.cursor ?? after), items);
        }
        // Not because it was stopped here: where the edge has no more for all, it may have for each.
        if (connection.link.reason) throw new Error();
      }
    } catch {
      this.#resign();
      // Which of the wishes it was, each finds out for itself.
      this.post("off", undefined);
    }
  }
}

/** Returns one stream of all that is wanted. */
function unite(keys: string[]): AskedStream {
  const all = keys.map((key) => JSON.parse(key) as Key);
  const topics = [...new Set(all.flatMap(([wanted]) => wanted))];
  const types = all.every(([, wanted]) => wanted) ? all.flatMap(([, wanted]) => wanted as string[]) : undefined;
  return { topics, types, from: "now" };
}
