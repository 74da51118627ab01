/** Jobs as they run, from their topics' newest events. */
import { fill, h, perFrame, write } from "./dom.js";
import { Feed } from "./feed.js";
import { count, timeOfDay } from "./format.js";
import { JobDetail } from "./job-detail.js";
import { JobRow, STATUSES, statusOf } from "./job-row.js";

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
  #status = "";
  #words = "";
  #selected = "";
  #list = h("div", { class: "jobs", role: "list", "aria-label": "Jobs" });
  #filters = h("div", { class: "types", role: "group", "aria-label": "States" });
  #told = h("p", { class: "told", role: "status" });
  #detail;
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
      h("div", { class: "filters", role: "search" }, search, this.#filters),
      this.#told,
      h("div", { class: "split" }, h("div", { class: "pane scroll", tabindex: "-1" }, this.#list), this.#detail.element),
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
        this.#tell("bad", error ? String(/** @type {Error} */ (error).message ?? error) : "");
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

  /** @param {import("./tailrace.js").TailraceEvent} event */
  #take({ topic, type, data }) {
    const state = /** @type {JobState} */ (data);
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
    else this.#jobs.set(topic, new JobRow(topic, state, () => this.#select(topic)));
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

  /** @param {string} topic */
  #select(topic) {
    const before = this.#selected;
    this.#selected = topic;
    this.#jobs.get(before)?.mark(false);
    const job = this.#jobs.get(topic);
    job?.mark(true);
    this.#detail.show(job?.state ?? null, topic);
    this.element.classList.toggle("has-detail", job !== undefined);
    if (!topic && before) this.#jobs.get(before)?.focus();
  }

  #reorder() {
    this.#ordered = false;
    this.#draw();
  }

  #paint() {
    const due = this.#sortedAt + SORTED_EVERY - performance.now();
    if (!this.#ordered && due <= 0) this.#arrange();
    else if (!this.#ordered) setTimeout(this.#draw, due);
    for (const topic of this.#dirty) this.#jobs.get(topic)?.draw();
    if (this.#dirty.has(this.#selected)) this.#detail.show(this.#jobs.get(this.#selected)?.state ?? null, this.#selected);
    this.#dirty.clear();
  }

  /** Puts the rows in order: those that run first, then those that ended last. */
  #arrange() {
    this.#ordered = true;
    this.#sortedAt = performance.now();
    const all = [...this.#jobs.values()];
    this.#drawFilters(all);
    const wanted = all.filter(({ state }) => this.#lets(state));
    const rank = (/** @type {JobState} */ state) => (ENDED.has(state.status) ? 1 : 0);
    const when = (/** @type {JobState} */ state) => state.ended ?? state.started ?? "";
    wanted.sort((a, b) => rank(a.state) - rank(b.state) || when(b.state).localeCompare(when(a.state)));
    const rows = wanted.slice(0, SHOWN);
    for (const row of rows) row.draw();
    const more = wanted.length - rows.length;
    fill(
      this.#list,
      rows.map((row) => row.element),
      !rows.length && h("p", { class: "empty" }, all.length ? "No job is in this state." : "No jobs yet. A producer's jobs show here as soon as they begin."),
      more > 0 && h("p", { class: "hint" }, `${count(more)} more; search, or choose a state`),
    );
  }

  /** @param {JobState} state */
  #lets(state) {
    if (this.#status && statusOf(state) !== this.#status) return false;
    return !this.#words || `${state.id} ${state.title ?? ""} ${state.user ?? ""}`.toLowerCase().includes(this.#words);
  }

  /** @param {JobRow[]} all */
  #drawFilters(all) {
    /** @type {Map<string, number>} */
    const counts = new Map();
    for (const { state } of all) counts.set(statusOf(state), (counts.get(statusOf(state)) ?? 0) + 1);
    const choices = Object.keys(STATUSES).filter((status) => counts.has(status) || status === this.#status);
    fill(
      this.#filters,
      ["", ...choices].map((status) =>
        h(
          "button",
          {
            type: "button",
            class: "type-filter",
            "aria-pressed": String(status === this.#status),
            on: {
              click: () => {
                this.#status = status;
                this.#reorder();
              },
            },
          },
          status && h("i", { "data-status": status, "aria-hidden": "true" }),
          status ? STATUSES[status] : "All",
          h("small", {}, count(status ? (counts.get(status) ?? 0) : all.length)),
        ),
      ),
    );
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
