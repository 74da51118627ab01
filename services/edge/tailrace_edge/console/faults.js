/** What goes wrong in the field, at the push of a button; in development only. */
import { fill, h, say, write } from "./dom.js";
import { explain } from "./format.js";

/** How often another connection is tried, until one leads to the edge that is meant. */
const TRIES = 40;

const FAULTS = [
  { fault: "close", title: "Close all streams", words: "as a deployment does: each is told, and comes back elsewhere", seconds: 0 },
  { fault: "kill", title: "Kill the edge", words: "as a crash does: nothing is told to anybody", seconds: 0 },
  { fault: "refuse", title: "Refuse new streams", words: "503 for some seconds: clients back off, with jitter", seconds: 10 },
  { fault: "silence", title: "Go silent", words: "streams stay open and get no byte, not even heartbeats: clients have to notice", seconds: 60 },
];

/**
 * @param {import("./session.js").Session} session
 */
export function makeFaults(session) {
  const edge = h("select", { "aria-label": "Edge" }, h("option", { value: "" }, "whichever answers"));
  const told = h("p", { class: "told", role: "status" });

  /**
   * @param {string} fault
   * @param {number} seconds
   */
  async function cause(fault, seconds) {
    const query = new URLSearchParams();
    if (edge.value) query.set("edge", edge.value);
    if (seconds) query.set("seconds", String(seconds));
    try {
      const { edge: hit } = await ask(`${session.base}/console/faults/${fault}?${query}`);
      told.className = "told good";
      write(told, `${hit}: ${fault}${seconds ? ` for ${seconds} s` : ""}, asked for at ${new Date().toLocaleTimeString()}`);
    } catch (error) {
      told.className = "told bad";
      write(told, explain(error));
    }
    say(told.textContent);
  }

  const element = h(
    "section",
    { class: "card faults", "aria-label": "Faults" },
    h("header", {}, h("h2", {}, "Faults"), h("label", { class: "inline" }, "at ", edge)),
    h("p", { class: "hint" }, "For development. Watch the link above, or the events view: nothing is lost, nothing comes twice."),
    h(
      "ul",
      {},
      ...FAULTS.map(({ fault, title, words, seconds }) => {
        const input = h("input", { type: "number", min: 1, max: 600, value: String(seconds), "aria-label": `${title}: seconds` });
        return h(
          "li",
          {},
          h("button", { type: "button", class: "danger", on: { click: () => void cause(fault, seconds && Number(input.value)) } }, title),
          h("span", {}, words),
          seconds > 0 && h("label", { class: "inline" }, input, " s"),
        );
      }),
    ),
    told,
  );

  return {
    element,
    /** @param {string[]} names of the edges there are */
    name(names) {
      if ([...edge.options].slice(1).map((option) => option.value).join() === names.join()) return;
      const chosen = edge.value;
      fill(edge, h("option", { value: "" }, "whichever answers"), names.map((name) => h("option", { value: name }, name)));
      edge.value = chosen;
    },
  };
}

/**
 * Edges share a port, so that nobody can say who answers: one that is not meant says so, and closes the connection.
 *
 * @param {string} url
 * @returns {Promise<{edge: string}>}
 */
async function ask(url) {
  for (let tried = 1; ; tried++) {
    const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
    if (answer.ok) return answer.json();
    /** @type {{detail?: string}} */
    const problem = await answer.json().catch(() => ({}));
    if (answer.status !== 421 || tried === TRIES) throw new Error(problem.detail ?? `the edge answers ${answer.status}`);
  }
}
