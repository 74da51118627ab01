/** The lists of steps and warnings, with their looks. */
import type { TailraceProgress } from "./element.ts";
import type { AllParts } from "./extras.ts";
import { setIcon, type Icon } from "./icons.ts";
import { wants } from "./sight.ts";
import { write } from "./view.ts";
import type { Words } from "./words.ts";

export const listsCss = `
ol, ul { color: var(--_soft); list-style: none; margin: 0; padding: 0 }
ol, details { font-size: .875em }
li { display: flex; gap: .4em }
summary { color: var(--_warn); cursor: pointer; display: inline-flex; gap: .4em }
`;
type Line = readonly [icon: Icon, text: string, meaning: string];
const shown = new WeakMap<HTMLElement, string>();

export function paintLists({ show, state }: TailraceProgress, parts: AllParts, words: Words): void {
  const steps = (wants(show, "steps") && state?.steps) || [];
  const warnings = (wants(show, "warnings") && state?.warnings) || [];
  list(parts.steps, steps.map(({ name, status, percent }) => {
    const far = percent == null || percent >= 100 ? "" : ` · ${words.percent(percent)}`;
    return [status, name + far, words.say(status)];
  }));
  write(parts.summary, words.say("warnings", words.number(state?.warned ?? warnings.length)));
  setIcon(parts.summary, "warnings");
  list(parts.list, warnings.map(({ message }) => ["warnings", message, words.say("warnings")] as const).reverse());
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
      write(line, text);
      setIcon(line, icon);
      line.append(unseen);
      return line;
    }),
  );
}
