/** Elements made of data. Text stays text: nothing here takes markup. */

/** @typedef {Node | string | number | null | undefined | false} Child */

const SVG = "http://www.w3.org/2000/svg";

/**
 * Makes an element. `on` in the properties holds listeners, `class` and all others are attributes; those that are
 * false, null or undefined are left out.
 *
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, any>} [properties]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else if (key === "value" || key === "checked") Object.assign(element, { [key]: value });
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, String(value));
  }
  fill(element, ...children);
  return element;
}

/**
 * Puts children in the place of those an element has.
 *
 * @template {Element} E
 * @param {E} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
  const nodes = children.flat().filter((child) => child !== null && child !== undefined && child !== false);
  element.replaceChildren(...nodes.map((node) => (node instanceof Node ? node : String(node))));
  return element;
}

/**
 * Sets an element's text if it is another one.
 *
 * @param {Element} element
 * @param {string | number} text
 */
export function write(element, text) {
  const wanted = String(text);
  if (element.textContent !== wanted) element.textContent = wanted;
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {...Element} children
 */
export function svg(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** Paths on a grid of 24, drawn with a stroke. */
const ICONS = {
  events: "M4 6h16M4 12h16M4 18h10",
  jobs: "M4 7h10M4 12h16M4 17h6M18 15v4m-2-2h4",
  topics: "M4 5h6v6H4zM14 5h6v6h-6zM4 15h6v4H4zM14 15h6v4h-6z",
  edges: "M12 5v5m0 0L6 15m6-5 6 5M12 5h.01M6 17.5h.01M18 17.5h.01M12 3a2 2 0 1 0 0 4 2 2 0 0 0 0-4zM6 15.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4zM18 15.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4z",
  faults: "M13 3 5 14h6l-1 7 9-12h-6z",
  pause: "M9 5v14M15 5v14",
  play: "M7 5l12 7-12 7z",
  cut: "M4 12h5M15 12h5M9 8l6 8M9 16l6-8",
  clear: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  send: "M4 12l16-7-6 15-3-6z",
  close: "M6 6l12 12M18 6 6 18",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  down: "M12 5v13M6 13l6 6 6-6",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M5 19l1.4-1.4M17.6 6.4 19 5",
  moon: "M20 14.5A8 8 0 0 1 9.5 4 8 8 0 1 0 20 14.5z",
  auto: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 3v18M12 8l6-2M12 13l8.5-2M12 18l7-2",
  help: "M9 9a3 3 0 1 1 4 2.8c-.7.3-1 .9-1 1.7M12 17h.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z",
  tenant: "M4 20V8l8-4 8 4v12M9 20v-6h6v6",
  plus: "M12 5v14M5 12h14",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
};

/**
 * @param {keyof typeof ICONS} name
 */
export function icon(name) {
  return svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, svg("path", { d: ICONS[name] }));
}

/**
 * A button with an icon.
 *
 * @param {keyof typeof ICONS} name
 * @param {string} label
 * @param {() => void} act
 * @param {Record<string, any>} [properties]
 */
export function iconButton(name, label, act, properties = {}) {
  return h("button", { type: "button", on: { click: act }, ...properties }, icon(name), h("span", {}, label));
}

/**
 * Returns a function that calls `act` at most once a frame.
 *
 * @param {() => void} act
 */
export function perFrame(act) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      act();
    });
  };
}

/**
 * Calls `onHold` when a row is pressed, and `onRelease` when that is over, its click included: meanwhile nothing may
 * move, or the click is lost.
 *
 * @param {HTMLElement} list
 * @param {string} rows selector
 * @param {() => void} onHold
 * @param {() => void} onRelease
 */
export function hold(list, rows, onHold, onRelease) {
  list.addEventListener("pointerdown", (event) => {
    if (!(/** @type {Element} */ (event.target).closest(rows))) return;
    onHold();
    const over = new AbortController();
    const end = () => {
      over.abort();
      setTimeout(onRelease, event.pointerType === "mouse" ? 0 : 100); // the click comes after it, a finger's a little later
    };
    for (const type of ["pointerup", "pointercancel", "blur"]) window.addEventListener(type, end, { signal: over.signal });
  });
}

/**
 * Says something to those who do not see the page.
 *
 * @param {string} text
 */
export function say(text) {
  const said = document.getElementById("said");
  if (said) said.textContent = text;
}

/**
 * Puts a text into the clipboard, and says so on the button for a moment.
 *
 * @param {string} text
 * @param {HTMLElement} button
 */
export async function copy(text, button) {
  const label = /** @type {HTMLElement} */ (button.querySelector("span"));
  const before = label.dataset.label ?? label.textContent;
  label.dataset.label = before;
  try {
    await navigator.clipboard.writeText(text);
    label.textContent = "Copied";
  } catch {
    label.textContent = "Not allowed here";
  }
  say(label.textContent);
  setTimeout(() => (label.textContent = before), 1500);
}
