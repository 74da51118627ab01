/** The lists of steps and warnings, with their looks. */
import type { icons } from "./icons.ts";
import { addStyle, getRoot } from "./style.ts";
import { fill, make, type Parts, type Sight } from "./view.ts";
import type { Words } from "./words.ts";

const css = `
ol, ul { color: var(--_soft); list-style: none; margin: 0; padding: 0 }
ol, details { font-size: .875em }
li { display: flex; gap: .4em }
summary { color: var(--_warn); cursor: pointer; display: inline-flex; gap: .4em }
`;
type Line = readonly [icon: keyof typeof icons, text: string, meaning: string];
const shown = new WeakMap<HTMLElement, string>();

export function paintLists(parts: Parts, { steps, warnings, warned }: Sight, words: Words): void {
  addStyle(getRoot(parts.steps), css);
  list(parts.steps, steps.map(({ name, status, percent }) => {
    const far = percent == null || percent >= 100 ? "" : ` · ${words.percent(percent)}`;
    return [status, name + far, words.say(status)];
  }));
  if (!parts.warnings.firstChild) parts.warnings.append(make("summary", "summary"), make("ul", "list"));
  const [summary, rows] = parts.warnings.children as unknown as [HTMLElement, HTMLElement];
  const text = words.say("warnings", words.number(warned ?? warnings.length));
  if (summary.textContent !== text) fill(summary, text, "warnings");
  list(rows, warnings.map(({ message }) => ["warnings", message, words.say("warnings")] as const).reverse());
  parts.steps.hidden = !steps.length;
  parts.warnings.hidden = !warnings.length;
}

function list(node: HTMLElement, lines: readonly Line[]): void {
  const key = JSON.stringify(lines);
  if (shown.get(node) === key) return;
  shown.set(node, key);
  node.replaceChildren(
    ...lines.map(([icon, text, meaning]) => {
      const line = document.createElement("li");
      const unseen = document.createElement("span");
      unseen.className = "unseen";
      unseen.textContent = meaning;
      fill(line, text, icon);
      line.append(unseen);
      return line;
    }),
  );
}
