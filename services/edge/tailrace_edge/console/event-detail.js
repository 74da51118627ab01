/** One event, whole: what it carries, and what may be done with it. */
import { copy, fill, h, iconButton } from "./dom.js";
import { ago, bytes, json, quoteShell, timeOfDay, tone } from "./format.js";
import { pair } from "./links.js";

/** @typedef {import("./store.js").EventRow} EventRow */

/**
 * @param {object} options
 * @param {import("./session.js").Session} options.session
 * @param {() => string[]} options.topics that are followed
 * @param {() => void} options.onClose
 * @param {(id: string) => void} options.onResume
 * @param {(topic: string) => void} options.onTopic
 * @param {{topic: string}} [options.words] on buttons
 * @param {(row: EventRow) => HTMLElement[]} [options.extra] buttons
 */
export function makeDetail({ session, topics, onClose, onResume, onTopic, words = { topic: "Only this topic" }, extra = () => [] }) {
  const element = h("aside", { class: "detail", "aria-label": "Event", hidden: true });

  /** @param {EventRow} row */
  function draw(row) {
    const curl = iconButton("copy", "Copy as curl", () => void copy(formatStream(session, topics(), row.id), curl));
    const again = iconButton("copy", "Copy publish", () => void copy(formatPublish(session, row), again));
    const data = iconButton("copy", "Copy data", () => void copy(row.text, data));
    fill(
      element,
      h(
        "header",
        {},
        h("h2", {}, h("span", { class: "type", "data-tone": tone(row.type) }, row.type)),
        h("button", { type: "button", class: "quiet square", "aria-label": "Close", on: { click: onClose } }, "✕"),
      ),
      h("p", { class: "mono topic-line" }, row.topic),
      h(
        "dl",
        { class: "facts" },
        pair("Time", `${timeOfDay(row.time)} · ${ago(row.time)}`),
        pair("Id", row.id),
        pair("Data", bytes(new Blob([row.text]).size)),
      ),
      h(
        "div",
        { class: "acts" },
        iconButton("play", "Resume after this", () => onResume(row.id), { class: "primary" }),
        iconButton("search", words.topic, () => onTopic(row.topic)),
        curl,
        again,
        data,
        ...extra(row),
      ),
      json(JSON.parse(row.text)),
    );
  }

  return {
    element,
    /** @param {EventRow | null} row */
    show(row) {
      element.hidden = row === null;
      if (row) draw(row);
    },
  };
}

/**
 * The token stays where it is: the shell takes its own.
 *
 * @param {import("./session.js").Session} session
 */
function formatAuth(session) {
  return session.settings.auth === "none" ? "" : ` -H "Authorization: Bearer $TAILRACE_TOKEN"`;
}

/**
 * Returns the command that goes on after an event.
 *
 * @param {import("./session.js").Session} session
 * @param {string[]} topics
 * @param {string} id
 */
export function formatStream(session, topics, id) {
  const query = new URLSearchParams(topics.map((topic) => ["topic", topic]));
  const url = quoteShell(`${session.base}/v1/${session.tenant}/events?${query}`);
  return `curl -N ${url} -H 'Last-Event-ID: ${id}'${formatAuth(session)}`;
}

/**
 * Returns the command that publishes the same once more.
 *
 * @param {import("./session.js").Session} session
 * @param {{topic: string, type: string, text: string}} row
 */
export function formatPublish(session, { topic, type, text }) {
  const body = `{"topic":${JSON.stringify(topic)},"type":${JSON.stringify(type)},"data":${text}}`;
  return `curl ${quoteShell(`${session.base}/v1/${session.tenant}/events`)}${formatAuth(session)} -d ${quoteShell(body)}`;
}
