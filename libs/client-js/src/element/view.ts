/** The element's inside. Made of nodes, never of markup, so that no text of a job is taken for any. */
import { icons } from "./icons.ts";
import { css } from "./style.ts";

const ARC = "M20.3 81.7A42 42 0 1179.7 81.7";
let sheet: CSSStyleSheet | undefined;

/** What is to be seen. What is undefined or empty is hidden. */
export interface Sight {
  percent: number | undefined;
  valueText: string;
  cancel: string;
  /** The label is for those who do not see it. */
  unlabelled: boolean;
  /** By part. */
  texts: Record<Text, string | false | undefined>;
  icons: { phase: string; link: string };
  steps: readonly Line[];
  warnings: readonly Line[];
}

export interface Line {
  icon: string;
  /** What the icon says. */
  meaning: string;
  text: string;
}

export const TEXTS = ["label", "value", "phase", "link", "count", "failures", "rate", "eta", "step", "error"] as const;
export type Text = (typeof TEXTS)[number] | "warnings";

export class View {
  readonly status: HTMLElement;
  readonly alert: HTMLElement;
  #root: ShadowRoot;
  #nodes: Record<string, HTMLElement> = {};
  #listed: Record<string, string> = {};

  constructor(root: ShadowRoot, onCancel: () => void) {
    if (!sheet) (sheet = new CSSStyleSheet()).replaceSync(css);
    root.adoptedStyleSheets = [sheet];
    this.#root = root;
    const part = (name: string, tag = "span", ...children: Node[]): HTMLElement => {
      const node = (this.#nodes[name] = document.createElement(tag));
      node.id = name;
      node.setAttribute("part", name);
      node.append(...children);
      return node;
    };
    const region = (role: string): HTMLElement => {
      const node = part(role);
      node.className = "unseen";
      node.role = role;
      return node;
    };
    const arc = svg("0 0 100 88", ARC, ARC);
    arc.id = "arc";
    arc.removeAttribute("class");
    arc.setAttribute("part", "arc");
    const track = part("track", "div", part("fill", "div"), arc);
    track.id = "bar";
    track.role = "progressbar";
    track.ariaValueMin = "0";
    track.ariaValueMax = "100";
    track.setAttribute("aria-labelledby", "label");
    track.tabIndex = -1; // takes the focus over from the button
    const facts = ["phase", "link", "count", "failures", "rate", "eta"].map((name) => part(name));
    const button = part("cancel", "button") as HTMLButtonElement;
    button.type = "button";
    button.onclick = onCancel;
    const warnings = part("warnings", "details", part("summary", "summary"), part("list", "ul"));
    const base = [part("label"), part("value"), track, part("facts", "div", ...facts), part("step"), button, part("error"), part("steps", "ol"), warnings];
    root.append(part("base", "div", ...base, (this.status = region("status")), (this.alert = region("alert"))));
  }

  paint(sight: Sight): void {
    const { track, cancel } = this.#nodes as { track: HTMLElement; cancel: HTMLElement };
    const { percent, texts, valueText } = sight;
    track.style.setProperty("--_p", `${percent ?? 0}`);
    track.ariaValueNow = percent === undefined ? null : `${Math.floor(percent)}`;
    track.ariaValueText = valueText;
    this.#nodes["label"]!.className = sight.unlabelled ? "unseen" : "";
    for (const name of TEXTS) this.#write(name, texts[name], sight.icons[name as "phase"]);
    if (!sight.cancel && this.#root.activeElement === cancel) track.focus();
    this.#write("cancel", sight.cancel);
    this.#write("summary", texts.warnings, icons["warnings"]);
    this.#nodes["warnings"]!.hidden = !texts.warnings;
    this.#list("steps", sight.steps);
    this.#list("list", sight.warnings);
  }

  #write(name: string, wanted: string | false | undefined, icon?: string): void {
    const text = wanted || "";
    const node = this.#nodes[name]!;
    const key = `${icon} ${text}`;
    if (this.#listed[name] === key) return;
    this.#listed[name] = key;
    node.hidden = !text;
    node.replaceChildren(...(icon ? [svg("0 0 16 16", icon)] : []), isolate(text));
  }

  #list(name: string, lines: readonly Line[]): void {
    const node = this.#nodes[name]!;
    const key = JSON.stringify(lines);
    if (this.#listed[name] === key) return;
    this.#listed[name] = key;
    node.hidden = !lines.length;
    node.replaceChildren(
      ...lines.map(({ icon, meaning, text }) => {
        const line = document.createElement("li");
        const unseen = document.createElement("span");
        unseen.className = "unseen";
        unseen.textContent = meaning;
        line.append(svg("0 0 16 16", icon), isolate(text), unseen);
        return line;
      }),
    );
  }
}

/** Each text has the direction of its own letters. */
function isolate(text: string): HTMLElement {
  const node = document.createElement("bdi");
  node.textContent = text;
  return node;
}

function svg(box: string, ...paths: string[]): SVGElement {
  const make = (tag: string) => document.createElementNS("http://www.w3.org/2000/svg", tag) as SVGElement;
  const image = make("svg");
  image.setAttribute("viewBox", box);
  image.setAttribute("class", "icon");
  image.setAttribute("aria-hidden", "true");
  for (const d of paths) {
    const path = make("path");
    path.setAttribute("d", d);
    path.setAttribute("pathLength", "100");
    image.append(path);
  }
  return image;
}
