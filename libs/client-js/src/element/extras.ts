/** What many pages never show: gauge, steps, warnings and the button. Loaded with the first of them. */
import { paintCancel } from "./cancel.ts";
import { paintGauge } from "./gauge.ts";
import { paintLists } from "./lists.ts";
import { addStyle, getRoot } from "./style.ts";
import type { Parts, Sight } from "./view.ts";
import type { Words } from "./words.ts";

/** Nothing else takes the focus. */
const css = ":focus-visible { outline: 2px solid var(--_c); outline-offset: 2px }";

export function paintExtras(parts: Parts, sight: Sight, words: Words): void {
  addStyle(getRoot(parts.base), css);
  paintGauge(parts);
  paintLists(parts, sight, words);
  paintCancel(parts, sight, words);
}
