/**
 * What is added right after the first paint: all that a bar can be believed without. Icons, times, announcements, motion,
 * gauge, steps, warnings, and the button.
 */
import type { JobState } from "../job.ts";
import { Announcer } from "./announcer.ts";
import { cancelCss, paintCancel } from "./cancel.ts";
import type { TailraceProgress } from "./element.ts";
import { Estimate } from "./estimate.ts";
import { gaugeCss, paintGauge } from "./gauge.ts";
import { setIcon } from "./icons.ts";
import { listsCss, paintLists } from "./lists.ts";
import type { Condition } from "./phase.ts";
import type { Found } from "./sight.ts";
import { addStyle } from "./style.ts";
import { tellAgo, tellDuration, tellRate } from "./times.ts";
import { make, type Parts, type Sight } from "./view.ts";
import type { Words } from "./words.ts";

/** The parts that are added, with their tags. */
const ADDED = { cancel: "button", steps: "ol", warnings: "details", summary: "summary", list: "ul", status: "div", alert: "div" };
export type AllParts = Parts & Record<keyof typeof ADDED, HTMLElement>;

const css = `
svg { flex: none; width: 1em; height: 1em; margin-top: .225em;
fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round }
#facts > * { display: flex; gap: .4em }
#facts svg { margin-inline-start: -1.4em }
.live #link svg { color: var(--_good); stroke-width: 7 }
#fill { position: relative; transition: width .25s }
.indeterminate #fill { width: 35%; transition: none }
.moving.indeterminate #fill { animation: slide 1.5s linear infinite }
@keyframes slide { from { inset-inline-start: -35% } to { inset-inline-start: 100% } }
@media (prefers-reduced-motion) { #fill { animation-duration: 8s !important } }
:focus-visible { outline: 2px solid var(--_c); outline-offset: 2px }
${gaugeCss}${listsCss}${cancelCss}`;

export class Extras {
  #host: TailraceProgress;
  #parts: AllParts;

  // Of the job that is followed
  #estimate = new Estimate();
  #announcer = new Announcer();

  constructor(host: TailraceProgress, parts: Parts) {
    this.#host = host;
    addStyle(host.shadowRoot!, css);
    const added = Object.fromEntries(Object.entries(ADDED).map(([name, tag]) => [name, make(tag, name)]));
    const all = (this.#parts = { ...parts, ...added } as AllParts);
    all.step.after(all.cancel);
    all.warnings.append(all.summary, all.list);
    all.base.append(all.steps, all.warnings, all.status, all.alert);
    for (const region of [all.status, all.alert]) Object.assign(region, { role: region.id, className: "unseen" });
  }

  /** Another job is followed from now on. */
  begin(): void {
    this.#estimate = new Estimate();
    this.#announcer = new Announcer();
  }

  /** What is not said yet remains unsaid. */
  stop(): void {
    this.#announcer.stop();
  }

  /** Takes in a state that is known at `now`, in milliseconds of the browser's clock; `live` if it came just now. */
  take(state: JobState, now: number, live: boolean): void {
    this.#estimate.take(state, now, live);
  }

  /** Returns the seconds until the end; undefined while that means nothing. */
  get left(): number | undefined {
    return this.#estimate.left(Date.now());
  }

  find({ ended, moving }: Condition, words: Words): Found {
    const { eta, state } = this.#host;
    const age = ended || moving ? undefined : this.#estimate.age(Date.now());
    return {
      age: age === undefined ? undefined : words.say("age", tellAgo(words, age)),
      rate: moving && state?.rate ? tellRate(words, state.rate) : undefined,
      eta: eta === undefined ? undefined : words.say("eta", tellDuration(words, eta)),
    };
  }

  paint(condition: Condition, sight: Sight, words: Words): void {
    const { phase, link } = condition;
    setIcon(this.#parts.phase, phase);
    if (link) setIcon(this.#parts.link, link);
    paintGauge(this.#parts);
    paintLists(this.#host, this.#parts, words);
    paintCancel(this.#host, this.#parts, condition, words);
    this.#announcer.hear(this.#parts, this.#host.announce || "quarter", condition, sight, words);
  }
}
