/** The streams of this page and how they stand. What the header says is the worst of them, never a better one. */
import { fill, h, say, write } from "./dom.js";
import { count, span } from "./format.js";

/**
 * @typedef {object} Known
 * @property {string} name of the stream
 * @property {import("./tailrace.js").Link} link
 * @property {string} topics
 * @property {boolean} paused nothing is read on purpose
 * @property {number} since when the link changed
 * @property {number} events that came
 * @property {string | undefined} cursor
 */

const WORST = ["unauthorized", "offline", "stale", "connecting", "paused", "live", "closed"];

const WORDS = {
  unauthorized: "Unauthorized",
  offline: "Offline",
  stale: "Stale",
  connecting: "Connecting",
  paused: "Paused",
  live: "Live",
  closed: "Closed",
  idle: "No stream",
};

export class Links {
  /** @type {Set<Known>} */
  #known = new Set();
  #button = /** @type {HTMLElement} */ (document.getElementById("link"));
  #panel = /** @type {HTMLElement} */ (document.getElementById("links"));
  #state = h("b");
  #more = h("span", { class: "more" });
  #rows = h("div", { class: "links" });
  #last = "";
  /** Called with the reason when an edge wants a token, or a better one. @type {(why: string) => void} */
  onUnauthorized = () => {};

  constructor() {
    fill(this.#button, h("i", { "aria-hidden": "true" }), h("span", { class: "unseen" }, "Link: "), this.#state, " ", this.#more);
    fill(this.#panel, h("h2", {}, "Streams of this page"), this.#rows);
    setInterval(() => this.draw(), 1000);
    this.#panel.addEventListener("toggle", () => this.draw());
    this.draw();
  }

  /**
   * Returns what is to be kept up to date for a stream; `draw` shows it.
   *
   * @param {string} name
   * @param {string} topics
   * @returns {Known}
   */
  add(name, topics) {
    /** @type {Known} */
    const known = {
      name,
      topics,
      link: { state: "connecting", reconnects: 0 },
      paused: false,
      since: Date.now(),
      events: 0,
      cursor: undefined,
    };
    this.#known.add(known);
    this.draw();
    return known;
  }

  /** @param {Known} known */
  remove(known) {
    this.#known.delete(known);
    this.draw();
  }

  draw() {
    const all = [...this.#known];
    const rank = (/** @type {Known} */ known) => WORST.indexOf(stateOf(known));
    const worst = all.sort((a, b) => rank(a) - rank(b))[0];
    const state = worst ? stateOf(worst) : "idle";
    this.#button.dataset.state = state;
    write(this.#state, WORDS[state]);
    write(this.#more, worst ? describe(worst) : "");
    if (state !== this.#last) say(`Link: ${WORDS[state]}`);
    if (state === "unauthorized" && state !== this.#last) this.onUnauthorized(worst?.link.reason ?? "");
    this.#last = state;
    if (this.#panel.matches(":popover-open")) this.#list(all);
  }

  /** @param {Known[]} all */
  #list(all) {
    if (!all.length) {
      fill(this.#rows, h("p", { class: "hint" }, "No stream is open. Views open one when they need it."));
      return;
    }
    fill(
      this.#rows,
      all.map((known) => {
        const { link } = known;
        const state = stateOf(known);
        return h(
          "article",
          { class: "link" },
          h("h3", {}, h("span", { class: "state", "data-state": state }, WORDS[state]), known.name),
          h("p", { class: "mono" }, known.topics),
          link.reason && state !== "live" && h("p", { class: "why" }, link.reason),
          h(
            "dl",
            {},
            pair("Edge", link.edge ?? "–"),
            pair("For", span((Date.now() - known.since) / 1000)),
            pair("Reconnects", link.reconnects),
            pair("Events", count(known.events)),
            pair("Cursor", known.cursor ?? "–"),
          ),
        );
      }),
    );
  }
}

/** @param {Known} known */
function stateOf({ link, paused }) {
  return paused && link.state === "live" ? "paused" : link.state;
}

/** @param {Known} known */
function describe({ link, since, paused }) {
  if (link.state === "live") return paused ? "nothing is read" : (link.edge ?? "");
  if (link.retryIn !== undefined && link.retryIn > 0) {
    const left = (since + link.retryIn - Date.now()) / 1000;
    return left > 0 ? `again in ${Math.ceil(left)} s` : "trying";
  }
  return link.state === "connecting" || link.state === "closed" ? "" : `for ${span((Date.now() - since) / 1000)}`;
}

/**
 * @param {string} name
 * @param {string | number} value
 */
export function pair(name, value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}
