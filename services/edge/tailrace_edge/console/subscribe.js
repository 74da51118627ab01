/** What is followed, and from where: the form above the events. */
import { h } from "./dom.js";
import { findFault } from "./fault.js";
import { makePatterns } from "./patterns.js";

const STARTS = [
  ["now", "Now"],
  ["last", "Last of each topic, then live"],
  ["-1m", "One minute ago"],
  ["-10m", "Ten minutes ago"],
  ["-1h", "One hour ago"],
  ["start", "All that is stored"],
  ["", "An id or a time …"],
];

export class SubscribeForm {
  element;

  #patterns;
  #start;
  #exact;
  #onFault;

  /**
   * @param {import("./session.js").Session} session
   * @param {(topics: string[], from: string) => void} onFollow
   * @param {(text: string) => void} onFault tells what is wrong with what was entered
   */
  constructor(session, onFollow, onFault) {
    this.#onFault = onFault;
    this.#patterns = makePatterns(session, [">"], onFault);
    this.#exact = h("input", {
      class: "mono exact",
      placeholder: "5f2c91ab-1842 or 2026-01-31T12:00:00Z",
      "aria-label": "Event id or time to begin after",
      hidden: true,
      spellcheck: "false",
      autocomplete: "off",
    });
    this.#start = h(
      "select",
      { "aria-label": "From where", on: { change: () => this.#choose() } },
      STARTS.map(([value, words]) => h("option", { value }, words)),
    );
    this.element = h(
      "form",
      {
        class: "subscribe",
        "aria-label": "Subscribe",
        on: {
          submit: (/** @type {Event} */ event) => {
            event.preventDefault();
            const wanted = this.read();
            if (wanted) onFollow(wanted.topics, wanted.from);
          },
        },
      },
      h("span", { class: "field grow" }, h("span", { class: "label" }, "Topics"), this.#patterns.element),
      h("span", { class: "field" }, h("span", { class: "label" }, "From"), this.#start),
      this.#exact,
      h("button", { type: "submit", class: "primary" }, "Follow"),
    );
  }

  /** Returns what is wanted; null, and tells why, if that cannot be. */
  read() {
    const topics = this.#patterns.read();
    const from = this.#start.value || this.#exact.value.trim();
    const fault =
      topics === null
        ? null
        : topics.length === 0
          ? "Add a topic or a pattern; > is every topic."
          : (topics.map(findFault).find(Boolean) ?? (from ? "" : "Give an event id, or a time like 2026-01-31T12:00:00Z."));
    if (fault) this.#onFault(fault);
    return topics === null || fault ? null : { topics, from };
  }

  /** @param {string[]} topics */
  setTopics(topics) {
    this.#patterns.set(topics);
  }

  /** @param {string} from */
  setStart(from) {
    const known = STARTS.some(([value]) => value === from && value !== "");
    this.#start.value = known ? from : "";
    this.#exact.hidden = known;
    if (!known) this.#exact.value = from;
  }

  #choose() {
    this.#exact.hidden = this.#start.value !== "";
    if (!this.#exact.hidden) this.#exact.focus();
  }
}
