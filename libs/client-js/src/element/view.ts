/** The element's inside. Made of nodes, never of markup, so that no text of a job is taken for any. */
import type { JobState } from "../job.ts";
import { icons } from "./icons.ts";
import { addStyle, css } from "./style.ts";
import type { Words } from "./words.ts";

/** The parts that each part holds. */
const TREE = {
  root: "base",
  base: "label value bar facts step cancel error steps warnings status alert",
  bar: "fill",
  facts: "phase link count failures rate eta",
};
/** Of those that are no `div`. They are hidden until they are needed. */
const TAGS: Record<string, string> = { cancel: "button", steps: "ol", warnings: "details" };
type Text = "label" | "value" | "phase" | "link" | "count" | "failures" | "rate" | "eta" | "step" | "error";
type Icon = keyof typeof icons;
export type Parts = Record<Text | "base" | "bar" | "cancel" | "steps" | "warnings" | "status" | "alert", HTMLElement>;

/** What is to be seen. */
export interface Sight extends Required<Pick<JobState, "steps" | "warnings">> {
  percent: number | undefined;
  valueText: string;
  /** The label is for those who do not see it. */
  unlabelled: boolean;
  /** By part; those without any are hidden. */
  texts: Record<Text, string | false | undefined>;
  /** What has an icon, and which. */
  icons: Record<string, Icon | undefined>;
  warned: number | undefined;
  /** There is a button. */
  cancelable: boolean;
}

export class View {
  readonly parts: Parts;
  #written: Record<string, string> = {};
  #extras: boolean | undefined;

  constructor(root: ShadowRoot) {
    addStyle(root, css);
    const parts: Record<string, Element | ShadowRoot> = { root };
    for (const [parent, names] of Object.entries(TREE)) {
      for (const name of names.split(" ")) {
        const tag = TAGS[name];
        const node = (parts[name] = make(tag ?? "div", name));
        node.hidden = !!tag;
        parts[parent]!.append(node);
      }
    }
    const { bar, status, alert } = (this.parts = parts as unknown as Parts);
    Object.assign(bar, { role: "progressbar", ariaValueMin: 0, ariaValueMax: 100, tabIndex: -1 });
    bar.setAttribute("aria-labelledby", "label");
    for (const region of [status, alert]) Object.assign(region, { role: region.id, className: "unseen" });
  }

  /** @param looks classes of the whole */
  paint(sight: Sight, looks: string, words: Words): void {
    const { base, bar, label } = this.parts;
    const { percent, texts } = sight;
    base.className = looks;
    bar.style.setProperty("--_p", `${percent ?? 0}`);
    bar.ariaValueNow = percent === undefined ? null : `${Math.floor(percent)}`;
    bar.ariaValueText = sight.valueText;
    label.className = sight.unlabelled ? "unseen" : "";
    for (const [name, text] of Object.entries(texts)) this.#write(name as Text, text || "", sight.icons[name]);
    this.#extras ||= sight.cancelable || !!(sight.steps.length + sight.warnings.length) || base.matches(".gauge");
    if (this.#extras) void import("./extras.ts").then(({ paintExtras }) => paintExtras(this.parts, sight, words));
  }

  #write(name: Text, text: string, icon?: Icon): void {
    const key = `${icon} ${text}`;
    if (this.#written[name] === key) return;
    this.#written[name] = key;
    this.parts[name].hidden = !text;
    fill(this.parts[name], text, icon);
  }
}

/** Returns a part. */
export function make(tag: string, name: string): HTMLElement {
  const node = document.createElement(tag);
  node.id = node.part.value = name;
  return node;
}

/** Replaces what a node holds. Each text has the direction of its own letters. */
export function fill(node: HTMLElement, text: string, icon?: Icon): void {
  const isolated = document.createElement("bdi");
  isolated.textContent = text;
  node.replaceChildren(...(icon ? [draw("0 0 16 16", icons[icon])] : []), isolated);
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
