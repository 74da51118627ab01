/** The button that cancels the job. */
import type { TailraceProgress } from "./element.ts";
import type { AllParts } from "./extras.ts";
import type { Condition } from "./phase.ts";
import { write } from "./view.ts";
import type { Words } from "./words.ts";

export const cancelCss = `
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

export function paintCancel(host: TailraceProgress, { cancel, bar }: AllParts, { phase, ended }: Condition, words: Words): void {
  cancel.onclick = () => {
    if (host.dispatchEvent(new CustomEvent("tr-cancel", { bubbles: true, composed: true, cancelable: true }))) {
      host.cancel().catch(() => {}); // the element says so itself
    }
  };
  const shown = host.cancelable && !ended && phase !== "cancelling" && !!host.state;
  // The bar takes the focus over, which would be lost.
  if (!shown && host.shadowRoot!.activeElement === cancel) {
    bar.tabIndex = -1;
    bar.focus();
  }
  write(cancel, shown ? words.say("cancel") : "");
}
