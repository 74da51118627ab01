/** The button that cancels the job. */
import type { TailraceProgress } from "./element.ts";
import { addStyle, getRoot } from "./style.ts";
import type { Parts, Sight } from "./view.ts";
import type { Words } from "./words.ts";

const css = `
#cancel {
  background: none;
  border: 1px solid color-mix(in srgb, currentColor 55%, #0000);
  border-radius: .4em;
  color: inherit;
  cursor: pointer;
  font-family: inherit;
  font-size: .875em;
  grid-column: 2;
  justify-self: end;
  min-height: 24px;
  padding: .1em .8em;
}
#cancel:hover { background: var(--_track) }
`;

export function paintCancel({ cancel, bar }: Parts, { cancelable }: Sight, words: Words): void {
  const root = getRoot(cancel);
  addStyle(root, css);
  cancel.onclick = () => {
    const host = root.host as TailraceProgress;
    if (host.dispatchEvent(new CustomEvent("tr-cancel", { bubbles: true, composed: true, cancelable: true }))) {
      host.cancel().catch(() => {}); // the element says so itself
    }
  };
  const text = words.say("cancel");
  if (cancel.textContent !== text) cancel.textContent = text;
  // The bar takes the focus over, which would be lost.
  if (!cancelable && root.activeElement === cancel) bar.focus();
  cancel.hidden = !cancelable;
}
