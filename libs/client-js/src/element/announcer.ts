import type { AllParts } from "./extras.ts";
import type { Condition } from "./phase.ts";
import type { Sight } from "./view.ts";
import type { Words } from "./words.ts";

/** Milliseconds between two announcements: who listens wants to work meanwhile. */
const PAUSE = 10_000;

/** Tells a job's progress to those who do not look: each error once, of all else the newest word at most every 10 s. */
export class Announcer {
  #quarter = 0;
  #state = "";
  #next = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param mode what is worth it: `quarter`, `state` or `off` */
  hear({ status, alert }: AllParts, mode: string, { phase, link }: Condition, { percent, texts }: Sight, words: Words): void {
    const error = texts.error && `${texts.label}: ${texts.error}`;
    if (error && alert.textContent !== error) alert.textContent = error;
    const quarter = Math.floor((percent ?? 0) / 25);
    const told = phase !== "waiting" && texts.phase;
    const down = link && !["live", "connecting"].includes(link) && link;
    const worth = [told, down && words.say(down)].filter(Boolean).join(", ");
    const passed = quarter > this.#quarter && mode === "quarter";
    // Not the words, which tell how long ago the last update was.
    const state = worth && `${told ? phase : ""} ${down || ""}`;
    const changed = state !== this.#state;
    this.#quarter = Math.max(quarter, this.#quarter);
    if (changed && !worth && link === "connecting") return;
    this.#state = state;
    if (mode === "off" || !(passed || changed)) return;
    this.stop();
    const text = [texts.value, worth || (changed && texts.link)].filter(Boolean).join(", ");
    this.#timer = setTimeout(
      () => {
        this.#next = Date.now() + PAUSE;
        status.textContent = `${texts.label}: ${text}`;
      },
      this.#next - Date.now(),
    );
  }

  /** What is not said yet remains unsaid. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
