/** Topics and the newest event of each, as they change. */
import { fill, h, iconButton, perFrame, write } from "./dom.js";
import { openDialog } from "./dialogs.js";
import { makeDetail } from "./event-detail.js";
import { Feed } from "./feed.js";
import { ago, count, explain, plural, tone } from "./format.js";
import { VirtualList } from "./list.js";

/** @typedef {import("./store.js").EventRow} EventRow */

const RATE = 2;
/** Topics that are held. */
const HELD = 20_000;

export class TopicsView {
  name = "topics";
  title = "Topics";
  element;

  #app;
  /** @type {Feed | null} */
  #feed = null;
  /** @type {Map<string, EventRow>} */
  #topics = new Map();
  /** In order. @type {EventRow[]} */
  #shown = [];
  #sorted = true;
  #list;
  #detail;
  #search;
  #told = h("p", { class: "told", role: "status" });
  #count = h("span", { class: "hint" });
  #empty = h("p", { class: "empty" });
  #draw = perFrame(() => this.#paint());

  /** @param {import("./main.js").App} app */
  constructor(app) {
    this.#app = app;
    this.#search = h("input", {
      type: "search",
      class: "mono",
      placeholder: "Search in topics",
      "aria-label": "Search in topics",
      on: { input: () => this.#resort() },
    });
    this.#list = new VirtualList({
      id: "topics",
      label: "Topics",
      render,
      onSelect: (row) => {
        this.#detail.show(row);
        this.element.classList.toggle("has-detail", row !== null);
      },
    });
    this.#detail = makeDetail({
      session: app.session,
      topics: () => [this.#list.selected?.topic ?? ">"],
      onClose: () => {
        this.#list.select(null);
        this.#list.element.focus();
      },
      onResume: (id) => app.follow([this.#list.selected?.topic ?? ">"], id),
      onTopic: (topic) => app.follow([topic], "start"),
      words: { topic: "All its events" },
      extra: (row) => [iconButton("clear", "Delete topic", () => this.#ask(row.topic), { class: "danger" })],
    });
    this.element = h(
      "section",
      { class: "view topics-view", "aria-label": "Topics" },
      h("div", { class: "filters", role: "search" }, this.#search, this.#count),
      this.#told,
      h("div", { class: "split" }, h("div", { class: "pane" }, this.#list.element, this.#empty), this.#detail.element),
    );
    setInterval(() => this.element.isConnected && this.#list.refresh(), 5000); // ages grow
    setInterval(() => this.#explain(), 1000);
  }

  show() {
    if (this.#feed) return;
    this.#topics.clear();
    this.#resort();
    this.#tell("", "");
    const { session, links } = this.#app;
    this.#feed = new Feed({
      session,
      links,
      name: "Topics",
      topics: [">"],
      from: "last",
      maxRate: RATE,
      onEvent: (event) => this.#take(event),
      onLoss: () => {},
      onEnd: (error) => {
        this.#tell("bad", error ? explain(error) : "");
        this.hide();
      },
    });
  }

  hide() {
    this.#feed?.stop();
    this.#feed = null;
  }

  reset() {
    this.hide();
    this.#list.select(null);
  }

  focusSearch() {
    this.#search.focus();
  }

  closeDetail() {
    if (this.#list.selected) this.#list.select(null);
  }

  /** @param {import("./tailrace.js").TailraceEvent} event */
  #take({ id, topic, type, time, data }) {
    const known = this.#topics.get(topic);
    if (type === "deleted") {
      this.#topics.delete(topic);
      this.#sorted = false;
      if (known && this.#list.selected === known) this.#list.select(null);
    } else {
      const text = JSON.stringify(data ?? null);
      if (known) Object.assign(known, { id, type, time, text });
      else if (this.#topics.size === HELD) this.#tell("warn", `These are ${count(HELD)} topics; there are more.`);
      else {
        this.#topics.set(topic, { kind: "event", n: 0, id, topic, type, time, text });
        this.#sorted = false;
      }
    }
    this.#draw();
  }

  /** Says why there is nothing to see, once it is known that there is nothing. */
  #explain() {
    if (this.#shown.length || this.#feed?.link.state !== "live") return;
    const none = `No topics yet in the tenant ${this.#app.session.tenant}. One is here as soon as something is published to it.`;
    write(this.#empty, this.#topics.size ? "No topic has these words." : none);
  }

  #resort() {
    this.#sorted = false;
    this.#draw();
  }

  #paint() {
    if (!this.#sorted) {
      const words = this.#search.value.trim().toLowerCase();
      this.#shown = [...this.#topics.values()].filter(({ topic }) => topic.toLowerCase().includes(words));
      this.#shown.sort((a, b) => (a.topic < b.topic ? -1 : 1));
      this.#sorted = true;
      const all = this.#topics.size;
      write(this.#count, words ? `${count(this.#shown.length)} of ${plural(all, "topic")}` : plural(all, "topic"));
    }
    if (this.#shown.length) write(this.#empty, "");
    this.#list.show(this.#shown);
    this.#list.refresh();
  }

  /** @param {string} topic */
  #ask(topic) {
    openDialog({
      title: "Delete this topic?",
      body: [h("p", {}, "All its events leave the log. Everybody who watches it hears of that."), h("p", { class: "mono topic-line" }, topic)],
      actions: [h("button", { type: "submit", class: "primary danger" }, "Delete")],
      onSubmit: () => {
        const path = `topics/${encodeURIComponent(topic)}`;
        this.#app.session.call(path, { method: "DELETE" }).catch((/** @type {unknown} */ error) => this.#tell("bad", explain(error)));
        return true;
      },
    });
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

/**
 * @param {HTMLElement} node
 * @param {EventRow} row
 */
function render(node, row) {
  fill(
    node,
    h("span", { class: "topic" }, row.topic),
    h("span", { class: "type", "data-tone": tone(row.type) }, row.type),
    h("span", { class: "data" }, row.text.slice(0, 400)),
    h("time", {}, ago(row.time)),
  );
}
