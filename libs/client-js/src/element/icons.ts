import type { Strings } from "./strings.ts";

const RING = "M8 14A6 6 0 108 2a6 6 0 000 12";
const CROSS = "M4 4l8 8M12 4l-8 8";
const DOTS = "M3 8v.01M8 8v.01M13 8v.01";
const STOP = `${RING}M5 8h6`;
const WARNING = "M8 2l6.5 12h-13zM8 6.5v3M8 12v.01";

/** Strokes in a square of 16: whoever sees no colours sees these. */
const icons = {
  waiting: DOTS,
  running: "M5 3l8 5-8 5z",
  retrying: "M13.5 8A5.5 5.5 0 118 2.5c2 0 3.5 1 4.5 2.5M13 1.5V5H9.5",
  "worker-lost": WARNING,
  cancelling: STOP,
  complete: "M3 8.5l3.5 3.5 7-8",
  failed: CROSS,
  cancelled: STOP,
  deleted: CROSS,
  refused: `${RING}M4 4l8 8`,
  connecting: DOTS,
  live: "M8 8v.01",
  stale: `${RING}M8 5v3l2 1.5`,
  offline: "M2 2l12 12M8 13v.01M5.5 10.5a3.5 3.5 0 013-1M3 7.5A7 7 0 015 6.2M8 5a7 7 0 015 2.5",
  unauthorized: "M5 7V5a3 3 0 016 0v2M3.5 7h9v6.5h-9z",
  closed: CROSS,
  warnings: WARNING,
} satisfies Partial<Record<keyof Strings, string>>;
export type Icon = keyof typeof icons;

/** Has a node begin with an icon, and with no other one. */
export function setIcon(node: HTMLElement, icon: Icon): void {
  const before = node.querySelector("svg");
  if (before?.querySelector("path")?.getAttribute("d") === icons[icon]) return;
  before?.remove();
  node.prepend(draw("0 0 16 16", icons[icon]));
}

export function draw(box: string, ...paths: string[]): Element {
  const shape = (tag: string, name: string, value: string) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    node.setAttribute(name, value);
    return node;
  };
  const image = shape("svg", "viewBox", box);
  image.ariaHidden = "true";
  image.append(...paths.map((path) => shape("path", "d", path)));
  return image;
}
