/** Bars and gauges of jobs. The element `<tailrace-progress>` is for applications; rows of a list need less. */
import { h, svg, write } from "./dom.js";
import { percentText } from "./format.js";

const AROUND = 2 * Math.PI * 52;

/**
 * @typedef {object} Reading
 * @property {number | null} percent null while nobody knows
 * @property {string} status
 * @property {string} text of it, for those who do not see it
 */

/**
 * @param {string} label
 */
export function makeBar(label) {
  const fill = h("i");
  const element = h("div", { class: "bar", role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 }, fill);
  return {
    element,
    /** @param {Reading} reading */
    draw({ percent, status, text }) {
      element.dataset.status = status;
      read(element, percent, text);
      fill.style.transform = percent === null ? "" : `translateX(${percent - 100}%)`;
    },
  };
}

/**
 * @param {string} label
 */
export function makeGauge(label) {
  const ring = { cx: 60, cy: 60, r: 52 };
  const value = svg("circle", { ...ring, class: "gauge-value", "stroke-dasharray": AROUND, transform: "rotate(-90 60 60)" });
  const image = svg("svg", { viewBox: "0 0 120 120", "aria-hidden": "true" }, svg("circle", { ...ring, class: "gauge-track" }), value);
  const number = h("b");
  const words = h("span");
  const element = h(
    "div",
    { class: "gauge", role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100 },
    image,
    h("div", { class: "gauge-text", "aria-hidden": "true" }, number, words),
  );
  return {
    element,
    /** @param {Reading & {words: string}} reading */
    draw({ percent, status, text, words: said }) {
      element.dataset.status = status;
      read(element, percent, text);
      value.setAttribute("stroke-dashoffset", String(AROUND * (1 - (percent ?? 25) / 100)));
      write(number, percent === null ? "–" : percentText(percent));
      write(words, said);
    },
  };
}

/**
 * @param {HTMLElement} element
 * @param {number | null} percent
 * @param {string} text
 */
function read(element, percent, text) {
  element.classList.toggle("unknown", percent === null);
  if (percent === null) element.removeAttribute("aria-valuenow");
  else element.setAttribute("aria-valuenow", String(Math.round(percent)));
  element.setAttribute("aria-valuetext", text);
}
