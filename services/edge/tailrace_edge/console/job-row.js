/** One job of the list. */
import { now } from "./clock.js";
import { fill, h, write } from "./dom.js";
import { decimal, percentText, span, took } from "./format.js";
import { makeBar } from "./gauges.js";

/** @typedef {import("./tailrace.js").JobState} JobState */

/** @type {Record<string, string>} */
export const STATUSES = {
  running: "Running",
  retrying: "Retrying",
  worker_lost: "Worker lost",
  cancelling: "Cancelling",
  complete: "Complete",
  failed: "Failed",
  cancelled: "Cancelled",
};

/** Percent below which no time is foretold, as `<tailrace-progress>` has it. */
const FORETOLD = 5;

/**
 * Returns what a job is doing: a job that was asked to stop still runs, but not as before.
 *
 * @param {JobState} state
 */
export function statusOf(state) {
  return state.cancelling && state.status === "running" ? "cancelling" : state.status;
}

/** @param {JobState} state */
export function percentOf(state) {
  return state.status === "complete" ? 100 : (state.percent ?? null);
}

/** @param {JobState} state */
export function amountOf({ done = 0, total, failed }) {
  const amount = total == null ? (done ? decimal(done) : "") : `${decimal(done)} of ${decimal(total)}`;
  return failed ? `${amount}, ${decimal(failed)} failed` : amount;
}

/**
 * Returns how fast a job is and how long it will take, while that means anything.
 *
 * @param {JobState} state
 */
export function paceOf(state) {
  if (statusOf(state) !== "running") {
    const end = state.ended ?? "";
    return end && state.started ? `took ${took((Date.parse(end) - Date.parse(state.started)) / 1000)}` : "";
  }
  const parts = [];
  if (state.rate) parts.push(`${decimal(state.rate)}/s`);
  if (state.eta != null && state.updated && (percentOf(state) ?? 0) >= FORETOLD) {
    const left = state.eta - (now() - Date.parse(state.updated)) / 1000;
    parts.push(left < 1 ? "nearly done" : `${span(left)} left`);
  }
  return parts.join(" · ");
}

/** @param {JobState} state */
export function describeJob(state) {
  const percent = percentOf(state);
  const known = percent === null ? "" : `, ${percentText(percent)}`;
  return `${STATUSES[statusOf(state)] ?? state.status}${known}`;
}

/** @param {JobState} state */
function wordOf(state) {
  if (state.error) return `${state.error.type}: ${state.error.message}`;
  return [state.step, state.message].filter(Boolean).join(" · ");
}

export class JobRow {
  state;
  element;

  #bar;
  #title = h("b");
  #id = h("span", { class: "mono id" });
  #word = h("span", { class: "word" });
  #percent = h("span", { class: "percent" });
  #amount = h("span");
  #pace = h("span");
  #badge = h("span", { class: "badge" });
  #button;

  /**
   * @param {string} topic
   * @param {JobState} state
   * @param {(event: MouseEvent) => void} onSelect
   */
  constructor(topic, state, onSelect) {
    this.state = state;
    this.#bar = makeBar(state.title ?? state.id);
    this.#button = h(
      "button",
      { type: "button", class: "job-name", "aria-expanded": "false", tabindex: "-1", on: { click: onSelect } },
      this.#title,
      this.#id,
    );
    this.element = h(
      "article",
      { class: "job", role: "listitem", "data-topic": topic },
      h("div", { class: "job-head" }, this.#button, this.#badge),
      h("div", { class: "job-bar" }, this.#bar.element, this.#percent),
      h("div", { class: "job-foot" }, this.#word, this.#amount, this.#pace),
    );
  }

  draw() {
    const { state } = this;
    const status = statusOf(state);
    const percent = percentOf(state);
    this.element.dataset.status = status;
    this.#badge.dataset.status = status;
    write(this.#title, state.title ?? state.id);
    write(this.#id, state.user ? `${state.id} of ${state.user}` : state.id);
    write(this.#badge, STATUSES[status] ?? status);
    write(this.#word, wordOf(state));
    write(this.#percent, percent === null ? "" : percentText(percent));
    write(this.#amount, amountOf(state));
    write(this.#pace, paceOf(state));
    this.#bar.draw({ percent, status, text: describeJob(state) });
  }

  /** @param {boolean} selected */
  mark(selected) {
    this.element.classList.toggle("selected", selected);
    this.#button.setAttribute("aria-expanded", String(selected));
  }

  focus() {
    this.#button.focus();
  }

  /** @param {boolean} reached with the Tab key: one row of the list is, arrows lead to the others */
  reach(reached) {
    this.#button.tabIndex = reached ? 0 : -1;
  }
}

/** @param {JobState} state */
export function listSteps(state) {
  return fill(
    h("ol", { class: "steps" }),
    (state.steps ?? []).map((step) => {
      const percent = step.status === "complete" ? 100 : (step.percent ?? null);
      const bar = makeBar(step.name);
      const word = STATUSES[step.status] ?? step.status;
      const text = percent === null || step.status === "complete" ? word : `${word}, ${percentText(percent)}`;
      bar.draw({ percent, status: step.status, text });
      return h("li", { "data-status": step.status }, h("span", {}, step.name), bar.element, h("small", {}, text));
    }),
  );
}
