/** The edges of the cluster, as they tell of themselves, and in development what can be made to go wrong. */
import { fill, h, write } from "./dom.js";
import { makeFaults } from "./faults.js";
import { bytes, compact, count, decimal, explain, plural, span } from "./format.js";
import { pair } from "./links.js";
import { place } from "./place.js";
import { makeSparkline } from "./sparkline.js";

/**
 * @typedef {object} EdgeStats
 * @property {string} name
 * @property {boolean} ready
 * @property {number} uptime
 * @property {number} head
 * @property {number} first
 * @property {number} lag
 * @property {number} tail_events
 * @property {number} tail_bytes
 * @property {number} connections
 * @property {number} live
 * @property {number} behind
 * @property {number} events
 * @property {number} deliveries
 * @property {number} bytes
 * @property {Record<string, number>} replays
 * @property {Record<string, number>} closes
 * @property {number} consumers
 */

const EVERY = 2000;
/** An answer that comes so many milliseconds after the one before is late. */
const LATE = 2.5 * EVERY;
/** Seconds that charts show. */
const HISTORY = 120;
/** Milliseconds after which an edge that does not answer is no longer one: another has taken its place. */
const GONE = 300_000;

export class EdgesView {
  name = "edges";
  title = "Edges";
  element;

  #app;
  #cards = h("div", { class: "cards" });
  #totals = h("dl", { class: "numbers totals" });
  #told = h("p", { class: "told", role: "status" });
  #faults;
  /** @type {Map<string, EdgeCard>} */
  #edges = new Map();
  #timer = 0;
  #asking = false;

  /** @param {import("./main.js").App} app */
  constructor(app) {
    this.#app = app;
    this.#faults = app.session.settings.faults ? makeFaults(app.session) : null;
    this.element = h(
      "section",
      { class: "view edges-view scroll", "aria-label": "Edges" },
      this.#totals,
      this.#told,
      this.#cards,
      this.#faults?.element,
    );
  }

  show() {
    clearInterval(this.#timer);
    this.#timer = window.setInterval(() => void this.#ask(), EVERY);
    void this.#ask();
  }

  hide() {
    clearInterval(this.#timer);
  }

  reset() {}

  async #ask() {
    if (this.#asking || document.hidden) return;
    this.#asking = true;
    try {
      const token = this.#app.session.readToken();
      const answer = await fetch(`${this.#app.session.base}/v1/stats?cluster=true`, {
        cache: "no-store",
        headers: token ? { authorization: `Bearer ${token}` } : {},
        signal: AbortSignal.timeout(EVERY * 2),
      });
      if (!answer.ok) throw new Error(`the edge answers ${answer.status}`);
      /** @type {{edges: EdgeStats[]}} */
      const { edges } = await answer.json();
      this.#draw(edges);
      this.#tell("", "");
      this.element.classList.remove("aged");
    } catch (error) {
      this.#tell("bad", `No answer from an edge: ${explain(error)}. What is shown is of before.`);
      this.element.classList.add("aged");
    } finally {
      this.#asking = false;
    }
  }

  /** @param {EdgeStats[]} edges */
  #draw(edges) {
    const sum = (/** @type {(edge: EdgeStats) => number} */ pick) => edges.reduce((total, edge) => total + pick(edge), 0);
    const head = Math.max(0, ...edges.map((edge) => edge.head));
    for (const edge of edges) {
      if (!this.#edges.has(edge.name)) this.#edges.set(edge.name, new EdgeCard(edge.name));
      this.#edges.get(edge.name)?.draw(edge);
    }
    for (const [name, card] of this.#edges) {
      if (edges.some((edge) => edge.name === name)) continue;
      if (performance.now() - card.heardAt > GONE) this.#edges.delete(name);
      else card.miss();
    }
    const cards = [...this.#edges.values()];
    fill(
      this.#totals,
      pair("edges", `${edges.filter((edge) => edge.ready).length} of ${cards.length} ready`),
      pair("open streams", count(sum((edge) => edge.connections))),
      pair("deliveries a second", decimal(cards.reduce((total, card) => total + card.rate, 0))),
      pair("oldest", count(Math.min(...edges.map((edge) => edge.first)))),
      pair("head", count(head)),
    );
    place(this.#cards, cards.map((card) => card.element));
    this.#faults?.name([...this.#edges.keys()]);
  }

  /**
   * @param {string} kind
   * @param {string} text
   */
  #tell(kind, text) {
    this.#told.className = `told ${kind}`;
    write(this.#told, text);
  }
}

class EdgeCard {
  element;
  /** Deliveries a second. */
  rate = 0;
  /** When it last answered. */
  heardAt = 0;

  #badge = h("span", { class: "badge" });
  #chart = makeSparkline({
    label: "Deliveries a second in the last two minutes",
    short: "deliveries/s, last 2 min",
    seconds: HISTORY,
    every: EVERY / 1000,
  });
  #facts = h("dl", { class: "facts" });
  /** @type {{at: number, value: number}[]} */
  #rates = [];
  /** @type {{at: number, deliveries: number} | null} */
  #before = null;

  /** @param {string} name */
  constructor(name) {
    this.element = h(
      "article",
      { class: "card", "aria-label": `Edge ${name}` },
      h("header", {}, h("h2", {}, name), this.#badge),
      this.#chart.element,
      this.#facts,
    );
  }

  /**
   * @param {EdgeStats} edge
   */
  draw(edge) {
    const now = performance.now();
    const before = this.#before;
    // An edge that was started again counts anew.
    const fresh = before === null || edge.deliveries < before.deliveries;
    this.rate = fresh ? 0 : ((edge.deliveries - before.deliveries) * 1000) / (now - before.at);
    // Of a longer time than between two answers only the mean is known, which is no point of a chart.
    if (!fresh && now - before.at < LATE) this.#rates.push({ at: now, value: this.rate });
    this.#before = { at: now, deliveries: edge.deliveries };
    this.heardAt = now;
    this.#drawChart(now);
    this.element.dataset.state = edge.ready ? "ready" : "unready";
    this.#badge.dataset.status = edge.ready ? "complete" : "retrying";
    write(this.#badge, edge.ready ? "Ready" : "Not ready");
    fill(
      this.#facts,
      pair("Streams", `${count(edge.connections)}${edge.behind ? `, ${count(edge.behind)} behind` : ""}`),
      pair("Deliveries", `${decimal(this.rate)}/s · ${compact(edge.deliveries)}`),
      pair("Sent", bytes(edge.bytes)),
      pair("Head", `${count(edge.head)}${edge.lag ? `, ${count(edge.lag)} behind` : ""}`),
      pair("Tail", `${plural(edge.tail_events, "event")}, ${bytes(edge.tail_bytes)}`),
      pair("Replays", `${compact(edge.replays["tail"] ?? 0)} memory, ${compact(edge.replays["jetstream"] ?? 0)} broker`),
      pair("Ended", list(edge.closes)),
      pair("Up", span(edge.uptime)),
    );
  }

  /** @param {number} now */
  #drawChart(now) {
    this.#rates = this.#rates.filter(({ at }) => now - at <= HISTORY * 1000);
    this.#chart.draw(this.#rates.map(({ at, value }) => ({ ago: (now - at) / 1000, value })));
  }

  /** It does not answer. */
  miss() {
    this.rate = 0;
    this.#before = null;
    this.#drawChart(performance.now());
    this.element.dataset.state = "gone";
    this.#badge.dataset.status = "worker_lost";
    write(this.#badge, "No answer");
  }
}

/** @param {Record<string, number>} closes by reason */
function list(closes) {
  const parts = Object.entries(closes).map(([reason, number]) => `${compact(number)} ${reason.replaceAll("_", " ")}`);
  return parts.join(", ") || "none";
}
