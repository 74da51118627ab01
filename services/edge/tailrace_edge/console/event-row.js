/** A line of the events' list. */
import { fill, h } from "./dom.js";
import { shortTime, tone } from "./format.js";

/** Characters of the data that a line may show. */
const SHOWN = 400;

/**
 * @param {HTMLElement} node
 * @param {import("./store.js").Row} row
 */
export function renderRow(node, row) {
  node.classList.toggle("mark", row.kind === "mark");
  if (row.kind === "mark") {
    node.dataset.tone = row.tone;
    fill(node, h("time", {}, shortTime(row.time)), h("span", { class: "mark-text" }, row.text));
    node.title = row.text;
    return;
  }
  delete node.dataset.tone;
  node.removeAttribute("title");
  fill(
    node,
    h("time", {}, shortTime(row.time)),
    h("span", { class: "type", "data-tone": tone(row.type) }, row.type),
    h("span", { class: "topic" }, row.topic),
    h("span", { class: "data" }, row.text.slice(0, SHOWN)),
  );
}

