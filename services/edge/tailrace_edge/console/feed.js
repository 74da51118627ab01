/** A stream that is read without freezing the page, can be paused and cut, and looks after what came of it. */
import { COMPARED, compareWithLog } from "./audit.js";

/** Milliseconds of work before the page gets its turn. */
const SLICE = 8;

/**
 * @typedef {object} FeedOptions
 * @property {import("./session.js").Session} session
 * @property {import("./links.js").Links} links
 * @property {string} name for people
 * @property {string[]} topics
 * @property {string} from
 * @property {number} [maxRate]
 * @property {(event: import("./tailrace.js").TailraceEvent) => void} onEvent
 * @property {(item: import("./tailrace.js").Gap | import("./tailrace.js").Reset) => void} onLoss
 * @property {(cut: Cut) => void} [onResume] the stream is open again; called once more when the log was asked
 * @property {(error: unknown) => void} onEnd
 */

/**
 * What happened around the end of a connection.
 *
 * @typedef {object} Cut
 * @property {string | undefined} cursor of the last event before it
 * @property {number} at when the connection was gone
 * @property {number} away milliseconds until the next one was open
 * @property {string | undefined} edge that serves now
 * @property {string[]} ids that came since, the first ones of them
 * @property {number} events that came since
 * @property {import("./audit.js").Comparison} [comparison] with the log
 */

export class Feed {
  paused = false;

  #options;
  #stream;
  #known;
  #stopped = false;
  #away = 0;
  /** @type {Cut | null} */
  #cut = null;
  #unpause = () => {};

  /** @param {FeedOptions} options */
  constructor(options) {
    this.#options = options;
    const { session, links, name, topics, from, maxRate } = options;
    this.#known = links.add(name, topics.join("  "));
    this.#stream = session.client.stream({ topics, from, ...(maxRate !== undefined && { maxRate }) });
    this.#known.link = this.#stream.link;
    this.#stream.on("link", (link) => this.#mind(link));
    void this.#read();
  }

  get cursor() {
    return this.#stream.cursor;
  }

  get link() {
    return this.#known.link;
  }

  /** Whether its connection was cut, and is not to come back yet. */
  get away() {
    return this.#away > 0;
  }

  /** Ends it for good. */
  stop() {
    this.#stopped = true;
    this.#stream.close();
    this.resume();
    this.#options.links.remove(this.#known);
  }

  /** Stops reading. The edge keeps nothing for this page; its cursor stands, and so nothing is lost. */
  pause() {
    this.paused = this.#known.paused = true;
    this.#options.links.draw();
  }

  resume() {
    this.paused = this.#known.paused = false;
    this.#unpause();
    this.#options.links.draw();
  }

  /**
   * Closes the connection, and comes back after so long, as after any other loss.
   *
   * @param {number} away milliseconds
   */
  cut(away) {
    this.#away = away;
    this.#mind({ ...this.#known.link, state: "offline", reason: "cut here", retryIn: away });
    this.#stream.close();
    this.resume();
  }

  async #read() {
    const { onEnd } = this.#options;
    let error;
    try {
      do {
        await this.#readOn();
        if (this.#away && !this.#stopped) await new Promise((resolve) => setTimeout(resolve, this.#away));
        else break;
        this.#away = 0;
        // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- it may be stopped while it is away
      } while (!this.#stopped);
    } catch (caught) {
      error = caught;
    }
    if (!this.#stopped) onEnd(error);
  }

  async #readOn() {
    const { onEvent, onLoss } = this.#options;
    let until = performance.now() + SLICE;
    for await (const item of this.#stream) {
      if (this.paused) await new Promise((resolve) => (this.#unpause = () => resolve(undefined)));
      if (this.#stopped) return;
      if (item.kind === "event") {
        this.#known.events++;
        if (this.#cut) {
          this.#cut.events++;
          if (this.#cut.ids.length < COMPARED) this.#cut.ids.push(item.id);
        }
        onEvent(item);
      } else {
        this.#cut = null; // what is gone cannot be compared
        onLoss(item);
      }
      this.#known.cursor = this.#stream.cursor;
      if (performance.now() > until) {
        await new Promise((resolve) => setTimeout(resolve));
        until = performance.now() + SLICE;
      }
    }
  }

  /** @param {import("./tailrace.js").Link} link */
  #mind(link) {
    if (this.#away && link.state === "closed") return; // as it was told to
    const before = this.#known.link;
    this.#known.link = link;
    this.#known.since = Date.now();
    if (before.state === "live" && link.state !== "live") this.#lose();
    else if (link.state === "live" && this.#cut && !this.#cut.away) {
      // A link that was only doubted has lost nothing, and no connection either.
      if (link.reconnects > before.reconnects) this.#open(this.#cut, link);
      else this.#cut = null;
    }
    this.#options.links.draw();
  }

  #lose() {
    this.#cut = { cursor: this.#stream.cursor, at: Date.now(), away: 0, edge: undefined, ids: [], events: 0 };
  }

  /**
   * @param {Cut} cut
   * @param {import("./tailrace.js").Link} link
   */
  #open(cut, link) {
    const { session, topics, maxRate, onResume } = this.#options;
    cut.away = Math.max(1, Date.now() - cut.at);
    cut.edge = link.edge;
    if (!onResume) return;
    onResume(cut);
    const { cursor } = cut;
    if (cursor === undefined || maxRate !== undefined) return;
    compareWithLog(session, topics, cursor, cut)
      .then((comparison) => {
        if (this.#stopped || !comparison) return;
        cut.comparison = comparison;
        onResume(cut);
      })
      .catch(() => {}); // the line stays without the comparison
  }
}
