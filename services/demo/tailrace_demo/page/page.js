// Jobs, live, with the browser's own EventSource: it reconnects by itself and sends the id of the last event it saw.
const EDGE = document.querySelector("meta[name=edge]").content;
const TYPES = ["start", "progress", "warning", "log", "complete", "failed", "cancelled", "deleted"];
const WHOLE = "jobs.pack";
const SHOWN_PARTS = 12;
const SHOWN_LINES = 8;
const REOPEN_AFTER = 2000; // ms, where an edge answered with an error: EventSource then gives up

const parts = new Map(); // topic to state
const lines = [];
const served = []; // names of the edges, in the order they served
const stream = { state: "connecting", events: 0, resumes: 0, disordered: 0, id: "" };
let whole = null;
let seen = false;
let drawing = false;

const $ = (id) => document.getElementById(id);

function follow() {
  const element = $("job");
  $("tag").textContent = `<tailrace-progress job="pack" tenant="demo" src="${EDGE}" show="failed warnings">`;
  whole = element.state ?? null;
  element.addEventListener("tr-progress", ({ detail }) => {
    whole = detail;
    draw();
  });
}

function connect() {
  const query = new URLSearchParams({ topic: "jobs.>", from: "last" });
  if (stream.id) query.set("last_event_id", stream.id);
  const source = new EventSource(`${EDGE}/v1/demo/events?${query}`);
  $("source").textContent = `new EventSource("${EDGE}/v1/demo/events?topic=jobs.>&from=last")`;
  source.addEventListener("tailrace", (event) => control(JSON.parse(event.data)));
  for (const type of TYPES) source.addEventListener(type, take);
  source.addEventListener("error", () => {
    stream.state = "reconnecting";
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, REOPEN_AFTER);
    draw();
  });
}

function control(data) {
  if (data.kind !== "open") return;
  if (served.length > 0) stream.resumes += 1;
  if (served.at(-1) !== data.edge) served.push(data.edge);
  stream.state = "live";
  draw();
}

function take(event) {
  const { topic, type, data } = JSON.parse(event.data);
  const sequence = (id) => Number(id.split("-").at(-1));
  if (stream.id && sequence(event.lastEventId) <= sequence(stream.id) && !first(topic)) stream.disordered += 1;
  stream.id = event.lastEventId || stream.id;
  stream.events += 1;
  if (type === "log") lines.unshift(data.message);
  else if (topic === WHOLE) seen = true; // the element shows it
  else if (type === "deleted") parts.delete(topic);
  else parts.set(topic, data);
  lines.length = Math.min(lines.length, SHOWN_LINES);
  draw();
}

// Of a snapshot (from=last) every topic comes once, without an order among them.
function first(topic) {
  return topic.endsWith(".log") ? lines.length === 0 : !(topic === WHOLE ? seen : parts.has(topic));
}

function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    drawStream();
    if (whole) drawWhole();
    drawParts();
    drawList($("log"), lines.map((line) => element("li", line)));
  });
}

function drawStream() {
  $("link").dataset.state = stream.state;
  $("link-text").textContent = stream.state === "live" ? `live at ${served.at(-1)}` : stream.state;
  $("events").textContent = stream.events.toLocaleString("en");
  $("resumes").textContent = stream.resumes;
  $("disordered").textContent = stream.disordered;
  $("disordered").dataset.bad = stream.disordered > 0;
  $("edges").textContent = served.length ? served.slice(-4).join(" → ") : "–";
  $("id").textContent = stream.id || "–";
}

function drawWhole() {
  const ended = ["complete", "failed", "cancelled"].includes(whole.status);
  $("whole").dataset.status = whole.status;
  $("title").textContent = whole.title ?? whole.id;
  $("step").textContent = ended ? describeEnd(whole) : [whole.step, whole.message].filter(Boolean).join(" · ");
  $("percent").textContent = Math.floor(whole.percent ?? 0);
  $("done").textContent = `${format(whole.done ?? 0)} / ${format(whole.total)}`;
  const seconds = (Date.parse(whole.ended ?? whole.updated) - Date.parse(whole.started)) / 1000;
  const rate = ended ? whole.done / seconds : whole.rate;
  $("rate").textContent = rate == null ? "–" : `${format(rate)}/s`;
  $("eta").textContent = ended ? "none" : whole.eta == null ? "–" : formatSeconds(whole.eta);
  $("elapsed").textContent = formatSeconds(seconds);
}

function drawParts() {
  const states = [...parts.values()];
  const running = states.filter((state) => state.status === "running");
  const ended = states.filter((state) => state.status !== "running");
  ended.sort((a, b) => (a.ended < b.ended ? 1 : -1));
  $("count").textContent = states.length ? `${ended.length} done` : "";
  drawList($("parts"), [...running, ...ended].slice(0, SHOWN_PARTS).map(makePart));
}

function makePart(state) {
  const bar = element("span", "", "bar");
  bar.setAttribute("role", "progressbar");
  bar.setAttribute("aria-label", state.title);
  bar.append(document.createElement("i"));
  drawBar(bar, state.percent ?? 100);
  const item = document.createElement("li");
  item.dataset.status = state.status;
  const said = state.status === "running" || state.status === "complete" ? `${format(state.done ?? 0)} files` : state.status;
  item.append(element("span", state.title ?? state.id, "name"), bar, element("span", said, "said"));
  return item;
}

function drawBar(bar, percent) {
  bar.setAttribute("aria-valuenow", Math.floor(percent ?? 0));
  bar.firstElementChild.style.transform = `translateX(${(percent ?? 0) - 100}%)`;
}

function drawList(list, items) {
  if (items.length) list.replaceChildren(...items);
}

function describeEnd(state) {
  if (state.status !== "complete") return [state.status, state.error?.message].filter(Boolean).join(": ");
  const { bytes, files: _files, failed: _failed, ...sizes } = state.result ?? {};
  const [best, size] = Object.entries(sizes).sort((a, b) => a[1] - b[1])[0] ?? [];
  return best ? `complete · ${megabytes(bytes)} to ${megabytes(size)} (${best})` : "complete";
}

function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

function format(number) {
  return number == null ? "?" : number.toLocaleString("en", { maximumFractionDigits: number < 10 ? 1 : 0 });
}

function formatSeconds(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

function megabytes(bytes) {
  return `${format(bytes / 1e6)} MB`;
}

follow();
connect();
