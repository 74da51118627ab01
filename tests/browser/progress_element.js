// What tests do on the page. `place` makes an element; `stub` gives one a job that does what the test says, at once.
import { TailraceProgress } from "/tailrace-element.js";

window.heard = [];
window.SECOND = 1000;

class StubJob {
  snapshot = { state: undefined, link: { state: "connecting", reconnects: 0 }, error: undefined };
  listeners = new Map();
  cancelled = 0;

  on(name, listener) {
    const all = this.listeners.get(name) ?? [];
    this.listeners.set(name, [...all, listener]);
    return () => this.listeners.set(name, this.listeners.get(name).filter((one) => one !== listener));
  }

  get listening() {
    return [...this.listeners.values()].flat().length;
  }

  async cancel() {
    this.cancelled += 1;
    if (this.refusal) throw Object.assign(new Error(this.refusal), { code: this.refusal });
  }

  /** Sets what is given: state, link (a word), error. */
  set({ state, link, error }) {
    const { snapshot } = this;
    this.snapshot = { state: state ?? snapshot.state, link: link ? { state: link, reconnects: 0 } : snapshot.link, error };
    const tell = (name, value) => (this.listeners.get(name) ?? []).forEach((listener) => listener(value));
    if (link) tell("link", this.snapshot.link);
    if (state) tell("progress", state);
    if (["complete", "failed", "cancelled"].includes(state?.status)) tell("end", state);
    if (error) tell("error", error);
  }
}

window.jobs = new Map();
window.stubs = {
  asked: [],
  job(id, options) {
    this.asked.push([id, options.user]);
    if (!window.jobs.has(id)) window.jobs.set(id, new StubJob());
    return window.jobs.get(id);
  },
};

window.place = (attributes, { client, getToken, strings } = {}) => {
  const element = document.createElement("tailrace-progress");
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (client) element.client = client;
  if (getToken) element.getToken = getToken;
  if (strings) element.strings = strings;
  for (const type of ["tr-progress", "tr-link", "tr-end", "tr-error"]) {
    element.addEventListener(type, ({ detail }) => window.heard.push([type, detail.status ?? detail.state ?? String(detail)]));
  }
  document.getElementById("place").append(element);
  return element;
};

window.element = (id) => document.querySelector(`tailrace-progress[job="${id}"]`);
window.part = (id, name) => window.element(id).shadowRoot.getElementById(name);
/** What is seen of a part; empty if it is hidden, or not made yet. */
window.text = (id, name) => {
  const node = window.part(id, name);
  return node?.checkVisibility() ? node.textContent : "";
};
/** Once what was told is painted. */
window.painted = () => new Promise((resolve) => setTimeout(() => requestAnimationFrame(() => setTimeout(resolve)), 250));

const ago = (seconds) => new Date(Date.now() - seconds * window.SECOND).toISOString();
const importing = { id: "x", status: "running", title: "Import of orders", done: 4200, total: 10000, percent: 42, rate: 48.3, eta: 121, step: "load rows", message: "orders-2026-11.csv", lease: 30 };
const steps = [
  { name: "Fetch", status: "complete", percent: 100 },
  { name: "Load", status: "running", percent: 64 },
  { name: "Check", status: "failed" },
];
const warnings = [{ message: "row 299 was skipped", time: "2026-01-31T12:00:00Z" }, { message: "row 599 was skipped", time: "2026-01-31T12:00:00Z" }];

/** Every state that can be seen, by name: attributes, then what becomes of the job. */
window.STATES = {
  connecting: [{ label: "Import of orders" }, {}],
  waiting: [{ label: "Import of orders" }, { link: "live" }],
  running: [{ cancelable: "" }, { link: "live", state: importing }],
  indeterminate: [{}, { link: "live", state: { ...importing, total: null, percent: null, eta: null, done: 317 } }],
  steps: [{ show: "percent failed steps warnings" }, { link: "live", state: { ...importing, failed: 3, steps, warnings, warned: 7 } }],
  stale: [{ cancelable: "" }, { link: "stale", state: importing, age: 130 }],
  offline: [{}, { link: "offline", state: importing, age: 45 }],
  unauthorized: [{}, { link: "unauthorized", state: importing, age: 4000 }],
  "worker-lost": [{}, { link: "live", state: { ...importing, status: "worker_lost", eta: null, rate: null }, age: 95 }],
  retrying: [{}, { link: "live", state: { ...importing, status: "retrying", attempt: 2, error: { type: "OSError", message: "disk full" } } }],
  cancelling: [{ cancelable: "" }, { link: "live", state: { ...importing, cancelling: true } }],
  complete: [{}, { link: "closed", state: { ...importing, status: "complete", done: 10000, percent: 100, step: null, message: "all rows are in" } }],
  failed: [{}, { link: "closed", state: { ...importing, status: "failed", error: { type: "ValueError", message: "row 4201 has no id" } } }],
  cancelled: [{}, { link: "closed", state: { ...importing, status: "cancelled" } }],
  refused: [{ label: "Import of orders" }, { link: "closed", error: new Error("403: you may not watch jobs.x") }],
  "gauge-running": [{ kind: "gauge", cancelable: "" }, { link: "live", state: importing }],
  "gauge-indeterminate": [{ kind: "gauge" }, { link: "live", state: { ...importing, total: null, percent: null, eta: null, done: 317 } }],
  "gauge-offline": [{ kind: "gauge" }, { link: "offline", state: importing, age: 130 }],
  "gauge-complete": [{ kind: "gauge" }, { link: "closed", state: { ...importing, status: "complete", done: 10000, percent: 100, step: null, message: null } }],
  "gauge-failed": [{ kind: "gauge" }, { link: "closed", state: { ...importing, status: "failed", error: { type: "ValueError", message: "row 4201 has no id" } } }],
};

/** Shows one of them. */
window.showState = (name, id = name) => {
  const [attributes, { state, age = 0, ...change }] = window.STATES[name];
  const element = window.place({ job: id, ...attributes }, { client: window.stubs });
  const job = window.jobs.get(id);
  const taken = state && { ...state, started: ago(300), updated: ago(age) };
  job.set({ ...change, ...(taken && { state: taken }) });
  return element;
};

/** Whoever drives the page may have a global object of its own, into which `import` would load. */
window.loadShim = () => import("/shim.js");
window.TailraceProgress = TailraceProgress;
window.ready = true;
