/** A document, for frameworks to render into. The network stays Node's own. Import it before any framework. */
import { afterEach } from "node:test";
import { setImmediate } from "node:timers/promises";
import { Window } from "happy-dom";

const window = new Window({ url: "http://page.test/" });
const names = ["document", "Node", "Element", "HTMLElement", "HTMLIFrameElement", "Event", "CustomEvent", "MutationObserver"];
Object.assign(globalThis, { window, ...Object.fromEntries(names.map((name) => [name, Reflect.get(window, name)])) });

export function makeHost(): HTMLElement {
  const host = document.createElement("main");
  document.body.append(host);
  return host;
}

let finished = 0;
afterEach(() => {
  finished++;
});

/** Resolves once a condition holds; the test's own timeout is the limit. */
export async function until(condition: () => unknown): Promise<void> {
  const before = finished;
  while (!condition()) {
    if (finished > before) throw new Error("the test is over");
    await setImmediate();
  }
}
