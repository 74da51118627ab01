/** Jobs as they run, from their topics' newest events. */
import { h, hold, perFrame, write } from "./dom.js";
import { Feed } from "./feed.js";
import { count, explain, timeOfDay } from "./format.js";
import { JobDetail } from "./job-detail.js";
import { JobRow, statusOf } from "./job-row.js";
import { place } from "./place.js";
import { StateFilter } from "./state-filter.js";

/** @typedef {import("./tailrace.js").JobState} JobState */

const TOPICS = ["jobs.*", "users.*.jobs.*"];
/** Events a second and job: more than eyes take in, less than many jobs send. */
const RATE = 5;
/** Rows in the document. */
const SHOWN = 150;
/** Jobs that are held; of more, those that ended are let go. */
const HELD = 20_000;
/** Milliseconds between two sortings. */
const SORTED_EVERY = 250;
/** Rows that a page has for its keys. */
const PAGE = 8;
const ENDED = new Set(["complete", "failed", "cancelled"]);

export class JobsView {
  name = "jobs";
  title = "Jobs";
  element;

  #app;
  /** @type {Feed | null} */
  #feed = null;
  /** By topic. @type {Map<string, JobRow>} */
  #jobs = new Map();
  #words = "";
  #selected = "";
  /** In order. @type {JobRow[]} */
  #rows = [];
  /** The row that Tab leads to. @type {JobRow | undefined} */
  #reached;
  #list = h("div", { class: "jobs", role: "list", "aria-label": "Jobs" });
  #empty = h("p", { class: "empty", hidden: true });
  #more = h("p", { class: "hint more-jobs" });
  #filters = new StateFilter(() => this.#reorder());
  #held = false;
  #told = h("p", { class: "told", role: "status" });
  #detail;
  /** @type {Set<string>} */
  #dirty = new Set();
  #ordered = false;
  #sortedAt = 0;
  #draw = perFrame(() => this.#paint());

  /** @param {import("./main.js").App} app */
  constructor(app) {
    this.#app = app;
    this.#detail = new JobDetail(app.session, () => this.#select(""), (text) => this.#tell("bad", text));
    const search = h("input", {
      type: "search",
      placeholder: "Search",
      "aria-label": "Search in id and title",
      on: {
        input: () => {
          this.#words = search.value.trim().toLowerCase();
          this.#reorder();
        },
      },
    });
    this.search = search;
    this.element = h(
      "section",
      { class: "view jobs-view", "aria-label": "Jobs" },
      h("div", { class: "filters", role: "search" }, search, this.#filters.element),
      this.#told,
      h("div", { class: "split" }, h("div", { class: "pane scroll", tabindex: "-1" }, this.#list, this.#empty, this.#more), this.#detail.element),
    );
    this.#list.addEventListener("keydown", (event) => this.#press(event));
    this.#list.addEventListener("focusin", ({ target }) => {
      const element = /** @type {Element} */ (target).closest(".job");
      this.#reach(this.#rows.find((row) => row.element === element));
    });
    hold(
      this.#list,
      ".job",
      () => (this.#held = true),
      () => {
        this.#held = false;
        this.#draw();
      },
    );
    setInterval(() => this.#tick(), 1000);
  }

  show() {
    if (this.#feed) return;
    this.#jobs.clear();
    this.#reorder();
    const { session, links } = this.#app;
    this.#feed = new Feed({
      session,
      links,
      name: "Jobs",
      topics: TOPICS,
      from: "last",
      maxRate: RATE,
      onEvent: (event) => this.#take(event),
      onLoss: () => {}, // the newest event of a job holds all of its state
      onEnd: (error) => {
        this.#tell("bad", error ? explain(error) : "");
        this.#feed?.stop();
        this.#feed = null;
      },
    });
    this.#tell("", "");
  }

  hide() {
    this.#feed?.stop();
    this.#feed = null;
  }

  reset() {
    this.hide();
    this.#select("");
  }

  focusSearch() {
    this.search.focus();
  }

  closeDetail() {
    this.#select("");
  }

  /** What a test, and the curious, may ask for. */
  get count() {
    return this.#jobs.size;
  }

  /** @param {import("./tailrace.js").TailraceEvent} event */
  #take({ topic, type, data }) {
    const state = /** @type {JobState | null} */ (data);
    if (type === "deleted") {
      this.#jobs.delete(topic);
      if (topic === this.#selected) this.#select("");
      this.#reorder();
      return;
    }
    // Somebody may have written something else there.
    if (typeof state?.id !== "string" || typeof state.status !== "string") return;
    const known = this.#jobs.get(topic);
    if (!known || statusOf(known.state) !== statusOf(state)) this.#ordered = false;
    if (known) known.state = state;
    else this.#jobs.set(topic, new JobRow(topic, state, (event) => this.#open(topic, event)));
    if (this.#jobs.size > HELD) this.#forget();
    this.#dirty.add(topic);
    this.#draw();
  }

  #forget() {
    for (const [topic, { state }] of this.#jobs) {
      if (!ENDED.has(state.status)) continue;
      this.#jobs.delete(topic);
      return;
    }
  }

  /**
   * @param {string} topic
   * @param {MouseEvent} event
   */
  #open(topic, event) {
    this.#select(topic);
    if (event.detail === 0) this.#detail.focus(); // it was a key
  }

  /** @param {string} topic */
  #select(topic) {
    const active = document.activeElement;
    const within = active === document.body || this.#detail.element.contains(active);
    const before = this.#selected;
    this.#selected = topic;
    this.#jobs.get(before)?.mark(false);
    const job = this.#jobs.get(topic);
    job?.mark(true);
    this.#detail.show(job?.state ?? null, topic);
    this.element.classList.toggle("has-detail", job !== undefined);
    if (!topic && before && within) (this.#jobs.get(before) ?? this.#reached)?.focus();
  }

  #reorder() {
    this.#ordered = false;
    this.#draw();
  }

  #paint() {
    const due = this.#sortedAt + SORTED_EVERY - performance.now();
    if (!this.#ordered && !this.#held && due <= 0) this.#arrange();
    else if (!this.#ordered && !this.#held) setTimeout(this.#draw, due);
    for (const topic of this.#dirty) this.#jobs.get(topic)?.draw();
    if (this.#dirty.has(this.#selected)) this.#detail.show(this.#jobs.get(this.#selected)?.state ?? null, this.#selected);
    this.#dirty.clear();
  }

  /** Puts the rows in order: those that run first, then those that ended last. */
  #arrange() {
    this.#ordered = true;
    this.#sortedAt = performance.now();
    const all = [...this.#jobs.values()];
    this.#filters.draw(all.map(({ state }) => statusOf(state)));
    const wanted = all.filter(({ state }) => this.#lets(state));
    const rank = (/** @type {JobState} */ state) => (ENDED.has(state.status) ? 1 : 0);
    const when = (/** @type {JobState} */ state) => state.ended ?? state.started ?? "";
    wanted.sort((a, b) => rank(a.state) - rank(b.state) || when(b.state).localeCompare(when(a.state)));
    const rows = wanted.slice(0, SHOWN);
    for (const row of rows) row.draw();
    this.#place(rows);
    this.#empty.hidden = rows.length > 0;
    write(this.#empty, all.length ? "No job is in this state, or has these words." : `No jobs yet in the tenant ${this.#app.session.tenant}. A producer's jobs show here as soon as they begin.`);
    const more = wanted.length - rows.length;
    write(this.#more, more > 0 ? `${count(more)} more; search, or choose a state` : "");
  }

  /** @param {JobRow[]} rows */
  #place(rows) {
    const focused = this.#rows.findIndex((row) => row.element.contains(document.activeElement));
    this.#rows = rows;
    place(this.#list, rows.map((row) => row.element));
    if (!this.#reached || !rows.includes(this.#reached)) this.#reach(rows[Math.max(0, Math.min(focused, rows.length - 1))]);
    // The row that had the focus is gone: the one in its place has it.
    if (focused >= 0 && !this.#list.contains(document.activeElement)) this.#reached?.focus();
  }

  /** @param {JobRow | undefined} row */
  #reach(row) {
    this.#reached?.reach(false);
    this.#reached = row;
    row?.reach(true);
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const last = this.#rows.length - 1;
    const at = this.#rows.findIndex((row) => row === this.#reached);
    /** @type {Record<string, number>} */
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + PAGE, PageUp: at - PAGE, Home: 0, End: last };
    const wanted = to[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    this.#rows[Math.min(last, Math.max(0, wanted))]?.focus();
  }

  /** @param {JobState} state */
  #lets(state) {
    if (!this.#filters.lets(statusOf(state))) return false;
    return !this.#words || `${state.id} ${state.title ?? ""} ${state.user ?? ""}`.toLowerCase().includes(this.#words);
  }

  /** What is shown is only as good as the link that it came over. */
  #tick() {
    const feed = this.#feed;
    if (!feed || !this.element.isConnected) return;
    const good = feed.link.state === "live";
    this.element.classList.toggle("aged", !good);
    if (!good) this.#tell("warn", `As of ${timeOfDay(new Date(this.#heardAt).toISOString())}: the link is ${feed.link.state}`);
    else {
      this.#heardAt = Date.now();
      if (this.#told.classList.contains("warn")) this.#tell("", "");
      for (const [topic, job] of this.#jobs) if (!ENDED.has(job.state.status)) this.#dirty.add(topic);
      this.#draw();
    }
  }

  #heardAt = Date.now();

  /**
   * @param {string} kind
   * @param {string} text
   */
  #tell(kind, text) {
    this.#told.className = `told ${kind}`;
    write(this.#told, text);
  }
}
