/** Events as they arrive. */
import { COMPARED } from "./audit.js";
import { h, iconButton, say, write } from "./dom.js";
import { makeDetail } from "./event-detail.js";
import { renderRow } from "./event-row.js";
import { compact, decimal, explain, plural } from "./format.js";
import { Feed } from "./feed.js";
import { VirtualList } from "./list.js";
import { openPublisher } from "./publish.js";
import { Rate, SECONDS } from "./rate.js";
import { makeSparkline } from "./sparkline.js";
import { Store } from "./store.js";
import { SubscribeForm } from "./subscribe.js";
import { TypeFilter } from "./type-filter.js";
import { findFault } from "./fault.js";
import { matches } from "./tailrace.js";

const AWAY = 3000;

/** @typedef {import("./store.js").Row} Row */

export class EventsView {
  name = "events";
  title = "Events";
  element;

  #app;
  #store = new Store();
  /** @type {Feed | null} */
  #feed = null;
  #topics = [">"];
  #from = "now";
  #form;
  #list;
  #detail;
  #pauseButton;
  #cutButton;
  #endButton;
  #search;
  #topicFilter;
  #types = new TypeFilter(() => this.#filter());
  #told = h("p", { class: "told", role: "status" });
  #filterTold = h("p", { class: "told warn", role: "status" });
  #empty = h("p", { class: "empty" });
  #numbers = { total: h("dd"), rate: h("dd"), held: h("dd"), cursor: h("dd", { class: "mono" }) };
  #rate = new Rate();
  #chart = makeSparkline({ label: "Events published a second, in the last minute", short: "events/s, last min", seconds: SECONDS, every: 1 });

  /** @param {import("./main.js").App} app */
  constructor(app) {
    this.#app = app;
    this.#form = new SubscribeForm(
      app.session,
      (topics, from) => this.follow(topics, from),
      (text) => this.#tell("bad", text),
    );
    this.#pauseButton = iconButton("pause", "Pause", () => this.togglePause(), { title: "Pause (p)", class: "tool" });
    this.#cutButton = iconButton("cut", "Cut link", () => this.cut(), {
      title: "Close this tab's connection for 3 seconds, and see it resume (x)",
      class: "tool",
    });
    this.#endButton = iconButton("down", "Newest", () => this.#list.toEnd(), { class: "to-end", hidden: true });
    this.#search = h("input", {
      type: "search",
      placeholder: "Search",
      "aria-label": "Search in topic, type and data",
      on: { input: () => this.#filter() },
    });
    this.#topicFilter = h("input", {
      type: "search",
      class: "mono",
      placeholder: "topic or pattern",
      "aria-label": "Show only topics that match",
      spellcheck: "false",
      on: { input: () => this.#filter() },
    });
    this.#list = new VirtualList({
      id: "events",
      label: "Events",
      follow: true,
      render: renderRow,
      onSelect: (row) => this.#select(row),
      onFollow: (following) => {
        this.#endButton.hidden = following;
      },
    });
    this.#detail = makeDetail({
      session: app.session,
      topics: () => this.#topics,
      onClose: () => {
        this.#list.select(null);
        this.#list.element.focus();
      },
      onResume: (id) => this.follow(this.#topics, id),
      onTopic: (topic) => {
        this.#topicFilter.value = topic;
        this.#filter();
      },
    });
    this.element = this.#arrange();
    setInterval(() => this.#tick(), 1000);
    this.#update();
  }

  #arrange() {
    const numbers = h(
      "dl",
      { class: "numbers" },
      h("div", {}, h("dt", {}, "per second"), this.#numbers.rate),
      h("div", {}, h("dt", {}, "events"), this.#numbers.total),
      h("div", {}, h("dt", {}, "held here"), this.#numbers.held),
      h("div", { class: "wide" }, h("dt", {}, "cursor"), this.#numbers.cursor),
    );
    const tools = h(
      "div",
      { class: "toolbar", role: "toolbar", "aria-label": "Stream" },
      this.#pauseButton,
      this.#cutButton,
      iconButton("clear", "Clear", () => this.#clear(), { class: "tool", title: "Forget what is shown" }),
      iconButton("send", "Publish", () => this.publish(), { class: "tool", title: "Publish a test event (n)" }),
    );
    const filters = h("div", { class: "filters", role: "search" }, this.#search, this.#topicFilter, this.#types.element);
    return h(
      "section",
      { class: "view events", "aria-label": "Events" },
      this.#form.element,
      h("div", { class: "strip" }, this.#chart.element, numbers, tools),
      filters,
      this.#filterTold,
      this.#told,
      h(
        "div",
        { class: "split" },
        h("div", { class: "pane" }, this.#list.element, this.#empty, this.#endButton),
        this.#detail.element,
      ),
    );
  }

  /** @param {URLSearchParams} query */
  show(query) {
    const topics = query.getAll("topic");
    if (topics.length) this.#form.setTopics(topics);
    const from = query.get("from");
    if (from !== null) this.#form.setStart(from);
    const wanted = !this.#feed || topics.length ? this.#form.read() : null;
    if (wanted) this.follow(wanted.topics, wanted.from);
    else if (this.#feed) this.#address();
    this.#list.refresh();
  }

  /** The address says what is looked at: it can be passed on, and is what a reload goes on with. */
  #address() {
    const query = new URLSearchParams({ tenant: this.#app.session.tenant, from: this.#from });
    for (const topic of this.#topics) query.append("topic", topic);
    history.replaceState(null, "", `#/events?${query}`);
  }

  hide() {} // events are counted while others are looked at

  /** Begins anew as somebody else. */
  reset() {
    this.#stop();
    this.#clear();
  }

  /**
   * @param {string[]} topics
   * @param {string} from
   */
  follow(topics, from) {
    this.#stop();
    this.#rate.clear(from); // what is read anew is not to count twice
    this.#topics = topics;
    this.#from = from;
    this.#form.setStart(from);
    this.#address();
    this.#tell("", "");
    this.#store.mark("plain", `Following ${topics.join("  ")} from ${from}`);
    const { session, links } = this.#app;
    try {
      this.#feed = new Feed({
        session,
        links,
        name: "Events",
        topics,
        from,
        onEvent: (event) => {
          this.#store.add(event);
          this.#rate.add(event.time);
          this.#update();
        },
        onLoss: (item) => {
          const text =
            item.kind === "gap"
              ? `Gap: ${item.from} to ${item.to} are no longer stored (${item.why})`
              : `Reset: the log is another one, or lost its end (${item.why}); the stream goes on after ${item.cursor}`;
          this.#store.mark("bad", text);
          say(text);
          this.#update();
        },
        onResume: (cut) => this.#resumed(cut),
        onEnd: (error) => {
          if (error) this.#tell("bad", explain(error));
          this.#stop();
          this.#update();
        },
      });
    } catch (error) {
      this.#tell("bad", explain(error));
    }
    this.#list.toEnd();
    this.#update();
  }

  togglePause() {
    const feed = this.#feed;
    if (!feed) return;
    if (feed.paused) feed.resume();
    else feed.pause();
    say(feed.paused ? "Paused: nothing is read, nothing is lost" : "Reading on");
    this.#update();
  }

  /** Closes the connection, to show the resume. */
  cut() {
    if (!this.#feed || this.#feed.away) return;
    this.#feed.cut(AWAY);
    this.#store.mark("warn", `Connection cut after ${this.#feed.cursor ?? "nothing"}; back in ${AWAY / 1000} s`);
    this.#update();
  }

  publish() {
    const [first = ""] = this.#topics;
    openPublisher(this.#app.session, /[*>]/.test(first) ? "" : first);
  }

  focusSearch() {
    this.#search.focus();
  }

  closeDetail() {
    if (this.#list.selected) this.#list.select(null);
  }

  /** What a test, and the curious, may ask for. */
  get counts() {
    const recent = this.#rate.read().reduce((sum, { value }) => sum + value, 0);
    return { total: this.#store.total, held: this.#store.held, shown: this.#store.shown.length, recent };
  }

  /** @param {import("./feed.js").Cut} cut */
  #resumed(cut) {
    const row = this.#marks.get(cut) ?? this.#store.mark("good", "");
    this.#marks.set(cut, row);
    const { comparison } = cut;
    const where = `Resumed at ${cut.edge ?? "an edge"} after ${decimal(cut.away / 1000)} s`;
    row.text = where;
    if (comparison) {
      const { checked, lost, twice } = comparison;
      row.tone = lost || twice ? "bad" : "good";
      row.text += checked
        ? `. ${checked >= COMPARED ? "The first " : ""}${plural(checked, "event")} since, compared with the log: ${lost || "none"} lost, ${twice || "none"} twice`
        : ". Nothing came since";
      this.#tell(row.tone, row.text);
    }
    this.#list.refresh();
    this.#update();
  }

  /** @type {Map<import("./feed.js").Cut, import("./store.js").MarkRow>} */
  #marks = new Map();

  #stop() {
    this.#feed?.stop();
    this.#feed = null;
    this.#marks.clear();
  }

  #clear() {
    this.#store.clear();
    this.#rate.clear("now");
    this.#list.select(null);
    this.#update();
  }

  #filter() {
    const words = this.#search.value.trim().toLowerCase();
    const typed = this.#topicFilter.value.trim();
    const begun = typed.endsWith(".") ? `${typed}>` : typed; // somebody is still at it
    const fault = begun && findFault(begun);
    const pattern = fault ? "" : begun;
    this.#topicFilter.setAttribute("aria-invalid", String(fault !== ""));
    write(this.#filterTold, fault && `Not filtered by topic: ${fault}`);
    const types = this.#types;
    this.#store.filter(
      (row) =>
        types.lets(row.type) &&
        (!pattern || row.topic === pattern || matches(pattern, row.topic)) &&
        (!words || `${row.topic} ${row.type} ${row.text}`.toLowerCase().includes(words)),
    );
    this.#list.refresh();
    this.#update();
  }

  /** @param {Row | null} row */
  #select(row) {
    const event = row?.kind === "event" ? row : null;
    this.#detail.show(event);
    this.element.classList.toggle("has-detail", event !== null);
  }

  /**
   * @param {string} kind
   * @param {string} text
   */
  #tell(kind, text) {
    this.#told.className = `told ${kind}`;
    write(this.#told, text);
  }

  /** Says why there is nothing to see. */
  #explain() {
    const { held, passed } = this.#store;
    const { tenant } = this.#app.session;
    const why = passed
      ? ""
      : held
        ? `None of the ${plural(held, "event")} matches the search and the filters.`
        : this.#feed
          ? `No event yet in the tenant ${tenant} on ${this.#topics.join(", ")}. Publish one (n), or follow from an earlier start.`
          : "Nothing is followed.";
    write(this.#empty, why);
  }

  #update() {
    this.#explain();
    const { dropped } = this.#store;
    this.#store.dropped = 0;
    this.#list.show(this.#store.shown, dropped);
    const paused = this.#feed?.paused ?? false;
    this.#pauseButton.setAttribute("aria-pressed", String(paused));
    /** @type {HTMLButtonElement} */ (this.#pauseButton).disabled = !this.#feed;
    /** @type {HTMLButtonElement} */ (this.#cutButton).disabled = !this.#feed || paused;
    write(/** @type {Element} */ (this.#pauseButton.querySelector("span")), paused ? "Go on" : "Pause");
  }

  #tick() {
    const { total, held, types } = this.#store;
    if (!this.element.isConnected) return;
    const rates = this.#rate.read();
    const recent = rates.slice(-5);
    this.#chart.draw(rates);
    write(this.#numbers.rate, recent.length ? decimal(recent.reduce((sum, { value }) => sum + value, 0) / recent.length) : "–");
    write(this.#numbers.total, compact(total));
    write(this.#numbers.held, held === total ? compact(held) : `newest ${compact(held)}`);
    write(this.#numbers.cursor, this.#feed?.cursor ?? "–");
    this.#types.draw(types);
  }
}
