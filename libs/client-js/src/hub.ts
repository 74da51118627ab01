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
  kind: "feed";
  after: string;
  upTo: string;
  items: Item[];
  /** Whose wishes are served. */
  keys: string[];
}

type Message =
  | Feed
  | { kind: "want"; tab: string; keys: string[]; cursor: string | undefined }
  | { kind: "link"; link: Link }
  | { kind: "ask" }
  | { kind: "authorize" }
  | { kind: "off" };

/** A stream of this tab. */
export interface HubMember {
  /** What it wants, as text. */
  readonly key: string;
  readonly cursor: string | undefined;
  readonly link: Link;
  onLink: (link: Link) => void;
  feed(feed: Feed): void;
  rouse(): void;
}

/** What this tab knows of the others. It lives while somebody reads. */
export class Hub {
  link = CONNECTING;
  /** Up to where the log was broadcast. */
  position: string | undefined;
  /** The shared connection was refused: everybody has their own. */
  off = false;
  /** The shared connection, while this tab leads. */
  connection: Connection | undefined;

  #sharing: Sharing;
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

  constructor(sharing: Sharing, name: string) {
    this.#sharing = sharing;
    this.#name = name;
  }

  join(reader: HubMember): void {
    const isFirst = !this.#readers.size;
    this.#readers.add(reader);
    if (isFirst) this.#start();
    else this.announce();
  }

  leave(reader: HubMember): void {
    if (!this.#readers.delete(reader) || this.#readers.size) return;
    this.#stop.abort();
    this.#resign();
    this.#channel?.close();
    this.#channel = undefined;
    clearTimeout(this.#watchdog);
  }

  /** Tells the leader what this tab wants. */
  announce(): void {
    const begun = [...this.#readers].filter((reader) => reader.cursor !== undefined && !this.off);
    this.#post({ kind: "want", tab: this.#tab, keys: begun.map(({ key }) => key), cursor: begun[0]?.cursor });
  }

  authorize(): void {
    this.#post({ kind: "authorize" });
  }

  #start(): void {
    const { signal } = (this.#stop = new AbortController());
    this.off = false;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => this.#hear(data);
    // Who gets this lock of a tab knows that the tab is gone.
    this.#hold(`${this.#name} ${this.#tab}`, { signal }, () => {
      this.announce();
      return new Promise((resolve) => signal.addEventListener("abort", resolve));
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
    this.#wants = undefined;
    this.connection?.stop();
    this.#pause.rouse();
  }

  #hold(name: string, options: LockOptions, act: () => Promise<unknown>): void {
    // Rejects when it is given up, or was stolen.
    navigator.locks.request(name, options, act).catch(() => {});
  }

  /** Takes the lead from a tab that gives no sign of life. */
  #watch(): void {
    const { signal } = this.#stop;
    clearTimeout(this.#watchdog);
    if (signal.aborted) return;
    this.#watchdog = setTimeout(
      () => {
        if (!this.#wants) this.#aspire({ steal: true });
        this.#watch();
      },
      HUNG * (1 + Math.random()),
    );
  }

  #post(message: Message): void {
    this.#channel?.postMessage(message);
    this.#hear(message);
  }

  #hear(message: Message): void {
    this.#watch();
    if (message.kind === "feed") {
      this.position = message.upTo;
      for (const reader of this.#readers) reader.feed(message);
    } else if (message.kind === "link") {
      this.link = message.link;
      for (const reader of this.#readers) reader.onLink(reader.link);
    } else if (message.kind === "ask") this.announce();
    else if (message.kind === "want") this.#want(message.tab, message.keys, message.cursor);
    else if (message.kind === "authorize") this.connection?.authorize();
    else {
      this.off = true;
      this.link = CONNECTING;
      for (const reader of this.#readers) reader.rouse();
    }
  }

  #want(tab: string, keys: string[], cursor: string | undefined): void {
    const wants = this.#wants;
    if (!wants) return;
    if (!wants.has(tab)) {
      const gone = async () => wants.delete(tab);
      this.#hold(`${this.#name} ${tab}`, { signal: this.#stop.signal }, gone);
    }
    wants.set(tab, keys);
    this.position ??= cursor;
    if (!keys.every((key) => this.#served.includes(key))) {
      this.#gathering ??= setTimeout(() => {
        this.#gathering = undefined;
        this.connection?.stop();
        this.#pause.rouse();
      }, GATHER);
      // Who has only just come does not know that it is served.
    } else if (this.position !== undefined) this.#feed(this.position, this.position, []);
  }

  #feed(after: string, upTo: string, items: Item[]): void {
    this.#post({ kind: "feed", after, upTo, items, keys: this.#served });
  }

  /** Reads for all tabs, as long as this one has the lock. */
  async #takeLead(signal: AbortSignal): Promise<void> {
    if (this.off || signal.aborted) return;
    const wants = (this.#wants = new Map<string, string[]>());
    const pulse = setInterval(() => this.#post({ kind: "link", link: this.link }), PULSE);
    this.#post({ kind: "ask" });
    try {
      while (this.#wants === wants) {
        const keys = (this.#served = [...new Set([...wants.values()].flat())]);
        if (!keys.length || this.position === undefined) {
          await this.#pause.wait();
          continue;
        }
        const connection = (this.connection = this.#sharing.connect(unite(keys), this.position));
        connection.onLink = (link) => {
          if (link.state !== "closed") this.#post({ kind: "link", link });
        };
        for await (const batch of connection.batches()) {
          const after = this.position;
          const items = [...batch];
          this.#feed(after, connection.cursor ?? after, items);
        }
      }
    } catch {
      // Which of the wishes it was, each finds out for itself.
      this.#post({ kind: "off" });
    } finally {
      clearInterval(pulse);
      clearTimeout(this.#gathering);
      this.#gathering = this.connection = this.#wants = undefined;
      this.#served = [];
    }
  }
}

/** Returns one stream of all that is wanted. */
function unite(keys: string[]): AskedStream {
  const all = keys.map((key): Pick<AskedStream, "topics" | "types"> => JSON.parse(key));
  const topics = [...new Set(all.flatMap((each) => each.topics))];
  const types = all.every((each) => each.types) ? [...new Set(all.flatMap((each) => each.types ?? []))] : undefined;
  return { topics, types, from: "now" };
}
