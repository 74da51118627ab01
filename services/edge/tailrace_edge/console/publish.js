/** A test event, or some of them. */
import { copy, h, iconButton, say, write } from "./dom.js";
import { formatPublish } from "./event-detail.js";
import { count, explain } from "./format.js";
import { openDialog } from "./dialogs.js";
import { makeCombobox } from "./patterns.js";

let last = { topic: "", type: "message", data: '{"hello": "world"}' };

/**
 * @param {import("./session.js").Session} session
 * @param {string} topic to begin with
 */
export function openPublisher(session, topic) {
  const { input, element: field } = makeCombobox({
    session,
    id: "publish-topic",
    label: "Topic",
    placeholder: "orders.17",
    submits: true,
    onTake: (text) => {
      input.value = text.replace(/\.?>$/, ".");
    },
  });
  input.value = topic || last.topic;
  const type = h("input", { class: "mono", value: last.type, spellcheck: "false", autocomplete: "off" });
  const data = h("textarea", { class: "mono", rows: 7, value: last.data, spellcheck: "false" });
  const number = h("input", { type: "number", min: 1, max: 1000, value: "1", inputmode: "numeric" });
  const told = h("p", { class: "told", role: "status" });
  const curl = iconButton("copy", "Copy as curl", () => {
    const event = read();
    if (event) void copy(formatPublish(session, { ...event, text: JSON.stringify(event.data) }), curl);
  });

  /** @returns {{topic: string, type: string, data: unknown} | null} */
  function read() {
    try {
      const event = { topic: input.value.trim(), type: type.value.trim() || "message", data: parse(data.value) };
      last = { topic: event.topic, type: event.type, data: data.value };
      return event;
    } catch (error) {
      tell("bad", `The data is not JSON: ${explain(error)}`);
      return null;
    }
  }

  /**
   * @param {string} kind
   * @param {string} text
   */
  function tell(kind, text) {
    told.className = `told ${kind}`;
    write(told, text);
  }

  async function publish() {
    const event = read();
    if (!event) return;
    const body = Array.from({ length: Math.min(1000, Math.max(1, Number(number.value) || 1)) }, () => event);
    try {
      /** @type {{ids: string[]}} */
      const { ids } = await session.call("events", { method: "POST", body });
      tell("good", ids.length === 1 ? `Stored as ${ids.join("")}` : `${count(ids.length)} stored, up to ${ids.at(-1) ?? ""}`);
      say(told.textContent);
    } catch (error) {
      tell("bad", explain(error));
    }
  }

  openDialog({
    title: "Publish a test event",
    body: [
      labelled("Topic", field),
      h("div", { class: "pairs" }, label("Type", type), label("How many", number)),
      label("Data, any JSON", data),
      told,
    ],
    actions: [curl, h("button", { type: "submit", class: "primary" }, "Publish")],
    onSubmit: () => void publish(),
    first: input,
  });
}

/** @param {string} text */
function parse(text) {
  return text.trim() ? JSON.parse(text) : null;
}

/**
 * @param {string} words
 * @param {HTMLElement} control
 */
function label(words, control) {
  return h("label", { class: "field" }, h("span", { class: "label" }, words), control);
}

/**
 * @param {string} words
 * @param {HTMLElement} control with a label of its own
 */
function labelled(words, control) {
  return h("div", { class: "field" }, h("span", { class: "label", "aria-hidden": "true" }, words), control);
}
