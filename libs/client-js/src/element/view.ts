/** The element's inside. Made of nodes, never of markup, so that no text of a job is taken for any. */
import { addStyle, css } from "./style.ts";

/** The parts that each part holds at once. */
const TREE = {
  root: "base",
  base: "label value bar facts step error",
  bar: "fill",
  facts: "phase link count failures rate eta",
};
type Text = "label" | "value" | "phase" | "link" | "count" | "failures" | "rate" | "eta" | "step" | "error";
export type Parts = Record<Text | "base" | "bar", HTMLElement>;

/** What is to be seen. */
export interface Sight {
  percent: number | undefined;
  valueText: string;
  /** The label is for those who do not see it. */
  unlabelled: boolean;
  /** By part; those without any are hidden. */
  texts: Record<Text, string | false | null | undefined> & { label: string };
}

export function build(root: ShadowRoot): Parts {
  addStyle(root, css);
  const parts: Record<string, Element | ShadowRoot> = { root };
  for (const [parent, names] of Object.entries(TREE)) {
    for (const name of names.split(" ")) parts[parent]!.append((parts[name] = make("div", name)));
  }
  const { bar } = parts as Parts;
  Object.assign(bar, { role: "progressbar", ariaValueMin: 0, ariaValueMax: 100 });
  bar.setAttribute("aria-labelledby", "label");
  return parts as Parts;
}

/** @param looks classes of the whole */
export function paint(parts: Parts, { percent, valueText, unlabelled, texts }: Sight, looks: string): void {
  const { base, bar, label } = parts;
  base.className = looks;
  bar.style.setProperty("--_p", `${percent ?? 0}`);
  bar.ariaValueNow = percent === undefined ? null : `${Math.floor(percent)}`;
  bar.ariaValueText = valueText;
  label.className = unlabelled ? "unseen" : "";
  for (const [name, text] of Object.entries(texts)) write(parts[name as Text], text || "");
}

/** Returns a part. */
export function make(tag: string, name: string): HTMLElement {
  const node = document.createElement(tag);
  node.id = node.part.value = name;
  return node;
}

/** Shows a text, which has the direction of its own letters; none hides the node. */
export function write(node: HTMLElement, text: string): void {
  node.hidden = !text;
  const isolated = node.querySelector("bdi") ?? node.appendChild(document.createElement("bdi"));
  if (isolated.textContent !== text) isolated.textContent = text;
}
