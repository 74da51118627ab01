/** The console: views, the way between them, and the keys. */
import { openHelp, openSignIn } from "./dialogs.js";
import { fill, h, icon, write } from "./dom.js";
import { EdgesView } from "./edges-view.js";
import { EventsView } from "./events-view.js";
import { JobsView } from "./jobs-view.js";
import { Links } from "./links.js";
import { Session, readTenant } from "./session.js";
import { makeTheme } from "./theme.js";
import { TopicsView } from "./topics-view.js";

/**
 * @typedef {object} App
 * @property {Session} session
 * @property {Links} links
 * @property {(topics: string[], from: string) => void} follow shows the events of topics
 */

/**
 * @typedef {object} View
 * @property {string} name
 * @property {string} title
 * @property {HTMLElement} element
 * @property {(query: URLSearchParams) => void} show
 * @property {() => void} hide
 * @property {() => void} reset begins anew as somebody else
 * @property {() => void} [focusSearch]
 * @property {() => void} [closeDetail]
 */

const SHORTCUTS = [
  { keys: "1 2 3 4", words: "Events, jobs, topics, edges" },
  { keys: "/", words: "Search" },
  { keys: "p", words: "Pause, and go on" },
  { keys: "x", words: "Cut this page's connection for 3 s" },
  { keys: "n", words: "Publish a test event" },
  { keys: "↑ ↓ Home End", words: "Move in a list; End follows the newest" },
  { keys: "Esc", words: "Close what is open" },
  { keys: "k", words: "Tenant and token" },
  { keys: "t", words: "Light, dark, or as the system has it" },
  { keys: "?", words: "This list" },
];
const SHORTCUTS_OFF = "tailrace console keys off";

const switched = {
  get on() {
    return localStorage.getItem(SHORTCUTS_OFF) === null;
  },
  set on(value) {
    if (value) localStorage.removeItem(SHORTCUTS_OFF);
    else localStorage.setItem(SHORTCUTS_OFF, "yes");
  },
};

/** @param {string} id */
const find = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

const session = new Session();
const links = new Links();
const turnTheme = makeTheme(find("theme"));
await session.begin().catch(() => {}); // the streams will say that there is no edge

/** @type {App} */
const app = {
  session,
  links,
  follow(topics, from) {
    const query = new URLSearchParams([...topics.map((topic) => ["topic", topic]), ["from", from]]);
    location.hash = `#/events?${query}`;
  },
};
const events = new EventsView(app);
const jobs = new JobsView(app);
/** @type {View[]} */
const views = [events, jobs, new TopicsView(app), new EdgesView(app)];
/** @type {View | null} */
let current = null;

const anchors = views.map((view) =>
  h("a", { href: `#/${view.name}` }, icon(/** @type {"events"} */ (view.name)), h("span", {}, view.title)),
);
fill(find("nav"), anchors);
fill(find("help"), icon("help"));

function route() {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const tenant = readTenant();
  // Somebody put another address into this tab; what follows the change comes here again.
  if (tenant !== null && tenant !== session.tenant) {
    session.change({ tenant, token: session.readToken(), remember: session.remembered });
    return;
  }
  const view = views.find((each) => each.name === path) ?? events;
  if (current && current !== view) current.hide();
  anchors.forEach((anchor, index) => {
    if (views[index] === view) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  });
  if (current !== view) fill(find("main"), view.element);
  current = view;
  document.title = `${view.title} · Tailrace console`;
  view.show(new URLSearchParams(query));
}

function nameTenant() {
  const button = find("tenant");
  fill(button, icon(session.signed ? "lock" : "tenant"), h("span"));
  write(/** @type {Element} */ (button.querySelector("span")), session.tenant);
  button.title = `Tenant ${session.tenant}${session.signed ? ", with a token" : ""} (k)`;
  button.setAttribute("aria-label", button.title);
}

session.addEventListener("change", () => {
  nameTenant();
  for (const view of views) view.reset();
  if (readTenant() !== session.tenant) history.replaceState(null, "", location.hash.split("?")[0]);
  route();
});
links.onUnauthorized = (/** @type {string} */ why) => openSignIn(session, why);
find("tenant").addEventListener("click", () => openSignIn(session));
find("help").addEventListener("click", () => openHelp(SHORTCUTS, switched));
window.addEventListener("hashchange", route);

/** @type {Record<string, () => void>} */
const keys = {
  "/": () => current?.focusSearch?.(),
  "?": () => openHelp(SHORTCUTS, switched),
  Escape: () => current?.closeDetail?.(),
  k: () => openSignIn(session),
  n: () => events.publish(),
  p: () => events.togglePause(),
  t: turnTheme,
  x: () => events.cut(),
};
views.forEach((view, index) => {
  keys[String(index + 1)] = () => {
    location.hash = `#/${view.name}`;
  };
});

document.addEventListener("keydown", (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  const typing = target.closest("input, select, textarea, [contenteditable]");
  if (event.altKey || event.ctrlKey || event.metaKey || document.querySelector("dialog")) return;
  if (event.key === "Escape") {
    if (typing) target.blur();
    else keys["Escape"]?.();
    return;
  }
  const act = typing || !switched.on ? undefined : keys[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

nameTenant();
route();
// For tests, and for the browser's own console.
Object.assign(window, { tailrace: { session, events, jobs } });
