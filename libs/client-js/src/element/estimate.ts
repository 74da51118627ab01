/** What a job's states tell beyond the newest one: how long, how old. Pure: the caller brings the clock. */
import type { JobState } from "../job.ts";
import { advance, isAnew } from "./percent.ts";

/** Percent below which no time is foretold. */
const MIN_PERCENT = 5;
/** A rate means something from here on. */
const MIN_SAMPLES = 3;
/** Milliseconds over which the rate is smoothed: what lies that far back counts 1/e of what is new. */
const SPAN = 20_000;

export class Estimate {
  #percent: number | undefined;
  #state: JobState | undefined;
  #at = 0;
  #offset: number | undefined;
  #speed = 0;
  #weight = 0;
  #samples = 0;

  /** Takes in a state that is known at `now`, in milliseconds of the browser's clock; `live` if it came just now. */
  take(state: JobState, now: number, live: boolean): void {
    const before = this.#state;
    const at = Date.parse(state.updated ?? "");
    // The first one may be old, unless its worker renews it. No event is younger than it looks.
    if (live && at && state.status !== "worker_lost" && (before || (state.lease && state.status === "running"))) {
      this.#offset = Math.min(this.#offset ?? Infinity, now - at);
    }
    if (isAnew(before, state)) this.#samples = this.#speed = this.#weight = 0;
    else if (state.percent != null && at > this.#at) this.#sample(state.percent - (before?.percent ?? 0), at - this.#at);
    this.#percent = advance(this.#percent, before, state);
    this.#state = state;
    this.#at = at;
  }

  /** Returns the seconds until the end; undefined before that means something. */
  left(now: number): number | undefined {
    const { eta } = this.#state ?? {};
    if (!(this.#percent! >= MIN_PERCENT)) return;
    // By the worker's clock, whatever this browser's says.
    const passed = this.#offset === undefined ? 0 : (now - this.#offset - this.#at) / 1000;
    if (eta != null) return Math.max(0, eta - passed);
    if (this.#samples < MIN_SAMPLES || !(this.#speed > 0)) return;
    return Math.max(0, ((100 - this.#percent!) * this.#weight) / this.#speed / 1000 - passed);
  }

  /** Returns the seconds since the newest state; undefined if there is none. */
  age(now: number): number | undefined {
    return this.#at ? Math.max(0, now - (this.#offset ?? 0) - this.#at) / 1000 : undefined;
  }

  #sample(gained: number, passed: number): void {
    const fresh = 1 - Math.exp(-passed / SPAN);
    this.#speed += fresh * (gained / passed - this.#speed);
    this.#weight += fresh * (1 - this.#weight); // the part that is not the zero it began with
    this.#samples++;
  }
}
