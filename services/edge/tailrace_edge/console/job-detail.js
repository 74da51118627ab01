/** One job, whole: gauge, steps, warnings, and what may be done with it. */
import { fill, h, iconButton, say } from "./dom.js";
import { openDialog } from "./dialogs.js";
import { ago, explain, json, plural, timeOfDay } from "./format.js";
import { makeGauge } from "./gauges.js";
import { STATUSES, amountOf, describeJob, listSteps, paceOf, percentOf, statusOf } from "./job-row.js";
import { pair } from "./links.js";

/** @typedef {import("./tailrace.js").JobState} JobState */

const ENDED = new Set(["complete", "failed", "cancelled"]);

export class JobDetail {
  element = h("aside", { class: "detail", "aria-label": "Job", hidden: true });

  #session;
  #onClose;
  #onProblem;
  #topic = "";
  #body = h("div", { class: "job-body" });
  /** @type {ReturnType<typeof makeGauge> | null} */
  #gauge = null;
  #cancel;
  #delete;
  /** @type {JobState | null} */
  #state = null;

  /**
   * @param {import("./session.js").Session} session
   * @param {() => void} onClose
   * @param {(text: string) => void} onProblem
   */
  constructor(session, onClose, onProblem) {
    this.#session = session;
    this.#onClose = onClose;
    this.#onProblem = onProblem;
    this.#cancel = h("button", { type: "button", on: { click: () => void this.#stop() } }, "Cancel job");
    this.#delete = iconButton("clear", "Delete", () => this.#ask(), { class: "danger" });
  }

  /**
   * @param {JobState | null} state
   * @param {string} topic
   */
  show(state, topic) {
    this.element.hidden = state === null;
    this.#state = state;
    if (!state) return;
    if (topic !== this.#topic || !this.#gauge) this.#begin(state, topic);
    const status = statusOf(state);
    this.#cancel.disabled = ENDED.has(state.status) || status === "cancelling";
    this.#gauge?.draw({
      percent: percentOf(state),
      status,
      text: describeJob(state),
      words: STATUSES[status] ?? status,
    });
    this.#fill(state);
  }

  /**
   * @param {JobState} state
   * @param {string} topic
   */
  #begin(state, topic) {
    this.#topic = topic;
    this.#gauge = makeGauge(state.title ?? state.id);
    fill(
      this.element,
      h(
        "header",
        {},
        h("h2", { tabindex: "-1" }, state.title ?? state.id),
        h("button", { type: "button", class: "quiet square", "aria-label": "Close", on: { click: this.#onClose } }, "✕"),
      ),
      h("p", { class: "mono topic-line" }, topic),
      this.#gauge.element,
      this.#body,
      h("div", { class: "acts" }, this.#cancel, this.#delete),
    );
  }

  /** For who opened it with the keyboard. */
  focus() {
    this.element.querySelector("h2")?.focus();
  }

  /** @param {JobState} state */
  #fill(state) {
    const { warnings = [], warned = 0, error } = state;
    fill(
      this.#body,
      error && h("p", { class: "told bad" }, `${error.type}: ${error.message}`),
      state.message && h("p", { class: "message" }, state.message),
      h(
        "dl",
        { class: "facts" },
        pair("Done", amountOf(state) || "–"),
        pair("Pace", paceOf(state) || "–"),
        state.started ? pair("Started", `${timeOfDay(state.started)} · ${ago(state.started)}`) : null,
        state.updated ? pair("Last word", ago(state.updated)) : null,
        (state.attempt ?? 1) > 1 ? pair("Attempt", state.attempt ?? 1) : null,
        state.user ? pair("Owner", state.user) : null,
        state.parent ? pair("Part of", state.parent) : null,
      ),
      (state.steps?.length ?? 0) > 0 && [h("h3", {}, "Steps"), listSteps(state)],
      warnings.length > 0 && [
        h("h3", {}, plural(Math.max(warned, warnings.length), "warning") + (warned > warnings.length ? `, the newest ${warnings.length}` : "")),
        h("ul", { class: "warnings" }, ...warnings.toReversed().map((warning) => h("li", {}, h("time", {}, timeOfDay(warning.time)), warning.message))),
      ],
      state.result !== undefined && state.result !== null && [h("h3", {}, "Result"), json(state.result)],
    );
  }

  async #stop() {
    const state = this.#state;
    if (!state) return;
    try {
      await this.#session.client.job(state.id, state.user ? { user: state.user } : {}).cancel();
      say("The worker has heard that it shall stop");
    } catch (error) {
      this.#onProblem(explain(error));
    }
  }

  #ask() {
    const state = this.#state;
    if (!state) return;
    openDialog({
      title: "Delete this job?",
      body: [
        h("p", {}, "Its events leave the log, and with them its state. Everybody who watches it hears of that."),
        h("p", { class: "mono topic-line" }, this.#topic),
      ],
      actions: [h("button", { type: "submit", class: "primary danger" }, "Delete")],
      onSubmit: () => {
        void this.#remove(state);
        return true;
      },
    });
  }

  /** @param {JobState} state */
  async #remove({ id, user }) {
    /** @type {[string, string][]} */
    const query = user ? [["user", user]] : [];
    try {
      await this.#session.call(`jobs/${encodeURIComponent(id)}`, { method: "DELETE", query });
    } catch (error) {
      this.#onProblem(explain(error));
    }
  }
}
