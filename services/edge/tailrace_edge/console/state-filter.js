/** Which states of jobs are shown: one, or all. */
import { h, write } from "./dom.js";
import { count } from "./format.js";
import { STATUSES } from "./job-row.js";
import { place } from "./place.js";

const ALL = "";

export class StateFilter {
  element = h("div", { class: "types", role: "group", "aria-label": "States" });

  #chosen = ALL;
  #onChange;
  /** By state. @type {Map<string, {element: HTMLButtonElement, number: HTMLElement}>} */
  #buttons = new Map();

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** @param {string} status */
  lets(status) {
    return this.#chosen === ALL || this.#chosen === status;
  }

  /** @param {string[]} statuses of all jobs */
  draw(statuses) {
    /** @type {Map<string, number>} */
    const counts = new Map([[ALL, statuses.length]]);
    for (const status of statuses) counts.set(status, (counts.get(status) ?? 0) + 1);
    const shown = [ALL, ...Object.keys(STATUSES)].filter((status) => counts.has(status) || status === this.#chosen);
    const buttons = shown.map((status) => {
      const button = this.#buttons.get(status) ?? this.#make(status);
      write(button.number, count(counts.get(status) ?? 0));
      button.element.setAttribute("aria-pressed", String(status === this.#chosen));
      return button.element;
    });
    place(this.element, buttons);
  }

  /** @param {string} status */
  #make(status) {
    const number = h("small");
    const element = h(
      "button",
      { type: "button", class: "type-filter", on: { click: () => this.#choose(status) } },
      status && h("i", { "data-status": status, "aria-hidden": "true" }),
      status ? STATUSES[status] : "All",
      number,
    );
    const button = { element, number };
    this.#buttons.set(status, button);
    return button;
  }

  /** @param {string} status */
  #choose(status) {
    this.#chosen = status;
    this.#onChange();
  }
}
