/** Topics and patterns to type, with completions from the log (ARIA's combobox with a list). */
import { fill, h, icon } from "./dom.js";
import { findFault } from "./fault.js";
import { plural } from "./format.js";

const SHOWN = 8;
const KEPT_FOR = 10_000;
const PAGE = 10_000;
/** Of more topics, the first ones by name are known. */
const PAGES = 5;

/**
 * @typedef {object} Known
 * @property {string[]} topics by name
 * @property {boolean} cut whether there are more
 */

/** @type {Map<string, {at: number, known: Promise<Known>}>} */
const looked = new Map();

/**
 * Returns the topics below the tokens that are complete already.
 *
 * @param {import("./session.js").Session} session
 * @param {string} text
 * @returns {Promise<Known>}
 */
async function findTopics(session, text) {
  const base = text.slice(0, text.lastIndexOf(".") + 1);
  if (base) {
    const all = looked.get(`${session.tenant} `);
    if (all && Date.now() - all.at < KEPT_FOR && !(await all.known).cut) return all.known;
  }
  const key = `${session.tenant} ${base}`;
  const kept = looked.get(key);
  if (kept && Date.now() - kept.at < KEPT_FOR) return kept.known;
  // Without the right to all topics, or an edge, there are no completions; further below there may be some.
  const known = readNames(session, `${base}>`).catch(() => ({ topics: [], cut: true }));
  looked.set(key, { at: Date.now(), known });
  return known;
}

/**
 * @param {import("./session.js").Session} session
 * @param {string} match
 * @returns {Promise<Known>}
 */
async function readNames(session, match) {
  /** @type {string[]} */
  const topics = [];
  /** @type {string | null} */
  let next = null;
  for (let page = 0; page < PAGES; page++) {
    const query = /** @type {[string, string][]} */ ([["match", match], ["names", "true"], ["limit", String(PAGE)]]);
    if (next !== null) query.push(["page", next]);
    /** @type {{topics: string[], next: string | null}} */
    const answer = await session.call("topics", { query });
    topics.push(...answer.topics);
    next = answer.next;
    if (next === null) break;
  }
  return { topics, cut: next !== null };
}

/**
 * Returns what a text may be going to be: what is below its last token, each with how many topics that stands for.
 *
 * @param {string[]} topics
 * @param {string} text
 * @returns {{pattern: string, topics: number}[]}
 */
export function complete(topics, text) {
  /** @type {Map<string, number>} */
  const found = new Map();
  const depth = text.split(".").length;
  for (const topic of topics) {
    if (!covers(text, topic)) continue;
    const tokens = topic.split(".");
    const own = text.split(".");
    const begun = [...own.slice(0, -1), tokens[depth - 1]].join(".");
    const pattern = tokens.length > depth ? `${begun}.>` : begun;
    found.set(pattern, (found.get(pattern) ?? 0) + 1);
  }
  const all = [...found].map(([pattern, number]) => ({ pattern, topics: number }));
  all.sort((a, b) => b.topics - a.topics || a.pattern.localeCompare(b.pattern));
  if (text === "" && topics.length) all.unshift({ pattern: ">", topics: topics.length });
  return all;
}

/**
 * @param {string} text whose last token may be incomplete
 * @param {string} topic
 */
function covers(text, topic) {
  const own = text.split(".");
  const tokens = topic.split(".");
  if (tokens.length < own.length) return false;
  return own.every((token, index) =>
    index === own.length - 1 ? tokens[index]?.startsWith(token) : token === "*" || token === tokens[index],
  );
}

/**
 * A field with completions.
 *
 * @param {object} options
 * @param {import("./session.js").Session} options.session
 * @param {string} options.id
 * @param {string} options.label
 * @param {string} options.placeholder
 * @param {boolean} [options.eager] whether it offers something before anything is typed
 * @param {boolean} [options.submits] whether Enter, while nothing is chosen, is the form's
 * @param {(text: string) => void} options.onTake
 */
export function makeCombobox({ session, id, label, placeholder, eager = false, submits = false, onTake }) {
  let active = -1;
  let asked = 0;
  /** @type {{pattern: string, topics: number}[]} */
  let options = [];
  let cut = false;
  const list = h("ul", { id: `${id}-list`, role: "listbox", "aria-label": "Topics in the log", class: "options", hidden: true });
  const input = h("input", {
    id,
    class: "mono",
    role: "combobox",
    placeholder,
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: "false",
    enterkeyhint: "done",
    "aria-label": label,
    "aria-expanded": "false",
    "aria-autocomplete": "list",
    "aria-controls": `${id}-list`,
    on: { input: offer, focus: () => eager && offer(), blur: () => setTimeout(close, 120), keydown: press },
  });

  async function offer() {
    const number = ++asked;
    const text = input.value.trim();
    const { topics, cut: more } = await findTopics(session, text);
    if (number !== asked || document.activeElement !== input) return;
    cut = more;
    options = complete(topics, text).filter(({ pattern }) => pattern !== text).slice(0, SHOWN);
    active = -1;
    draw();
  }

  function draw() {
    list.hidden = !options.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    if (active < 0) input.removeAttribute("aria-activedescendant");
    else input.setAttribute("aria-activedescendant", `${id}-${active}`);
    fill(
      list,
      options.map(({ pattern, topics }, index) =>
        h(
          "li",
          {
            id: `${id}-${index}`,
            role: "option",
            "aria-selected": String(index === active),
            on: {
              mousedown: (/** @type {Event} */ event) => {
                event.preventDefault();
                take(pattern);
              },
            },
          },
          h("span", { class: "mono" }, pattern),
          h("small", {}, pattern.endsWith(">") ? plural(topics, "topic", cut ? "+" : "") : "topic"),
        ),
      ),
    );
  }

  function close() {
    asked++;
    options = [];
    draw();
  }

  /** @param {string} text */
  function take(text) {
    close();
    onTake(text);
  }

  /** @param {KeyboardEvent} event */
  function press(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (!options.length) return void offer();
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      active = active < 0 && step < 0 ? options.length - 1 : (active + step + options.length) % options.length;
      draw();
    } else if (event.key === "Enter" && submits && active < 0) close();
    else if (event.key === "Enter") {
      event.preventDefault();
      const chosen = options[active]?.pattern ?? input.value.trim();
      if (chosen) take(chosen);
    } else if (event.key === "Escape" && options.length) {
      event.stopPropagation();
      close();
    }
  }

  return { input, element: h("div", { class: "combobox" }, input, list) };
}

/**
 * Several patterns, each to be taken away again.
 *
 * @param {import("./session.js").Session} session
 * @param {string[]} initial
 * @param {(text: string) => void} onFault tells why something is none
 */
export function makePatterns(session, initial, onFault) {
  const patterns = new Set(initial);
  const chips = h("ul", { class: "chips", "aria-label": "Topics and patterns" });
  const { input, element: combobox } = makeCombobox({
    session,
    id: "pattern",
    label: "Add a topic or pattern",
    placeholder: "add a topic, jobs.* or >",
    eager: true,
    onTake: add,
  });

  input.addEventListener("input", () => input.removeAttribute("aria-invalid"));

  /** @param {string} text */
  function add(text) {
    const fault = findFault(text);
    if (fault) {
      input.setAttribute("aria-invalid", "true");
      onFault(fault);
      return;
    }
    patterns.add(text);
    input.value = "";
    draw();
  }

  function draw() {
    chips.hidden = !patterns.size;
    fill(
      chips,
      [...patterns].map((pattern) =>
        h(
          "li",
          { class: "chip mono" },
          pattern,
          h(
            "button",
            {
              type: "button",
              "aria-label": `Take ${pattern} away`,
              on: {
                click: () => {
                  patterns.delete(pattern);
                  draw();
                  input.focus();
                },
              },
            },
            icon("close"),
          ),
        ),
      ),
    );
  }
  draw();

  return {
    element: h("div", { class: "patterns" }, chips, combobox),
    input,
    /** Returns all patterns, the one that is still in the field included; null if that is none. */
    read() {
      if (input.value.trim()) add(input.value.trim());
      return input.value.trim() ? null : [...patterns];
    },
    /** @param {string[]} wanted */
    set(wanted) {
      patterns.clear();
      for (const pattern of wanted) patterns.add(pattern);
      draw();
    },
  };
}
