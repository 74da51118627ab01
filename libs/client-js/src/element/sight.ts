/** What is to be seen of a job, in words. Pure. */
import type { JobSnapshot, JobState } from "../job.ts";
import type { Estimate } from "./estimate.ts";
import { icons } from "./icons.ts";
import type { Condition } from "./phase.ts";
import type { Strings } from "./strings.ts";
import type { Line, Sight } from "./view.ts";
import type { Words } from "./words.ts";

/** What may be left out with the attribute `show`. Whether it can be believed is always told. */
export const SHOWN = "label percent count failed rate eta step message warnings";

export interface Seen {
  snapshot: JobSnapshot;
  condition: Condition;
  estimate: Estimate;
  words: Words;
  now: number;
  /** By whoever made the page. */
  label: string;
  show: string;
  /** The button is wanted. */
  cancelable: boolean;
  /** Why it was not cancelled. */
  refusal: string;
}

export function describe({ snapshot, condition, estimate, words, now, show, ...seen }: Seen): Sight {
  const { link, phase, ended, moving } = condition;
  const state: Partial<JobState> = snapshot.state ?? {};
  const { percent } = estimate;
  const { failed, rate, attempt = 1, step, message, steps = [], warnings = [] } = state;
  const wanted = new Set(show.split(/\s+/));
  const age = estimate.age(now);
  const old = !ended && age !== undefined && words.say("age", words.ago(age));
  const left = moving ? estimate.left(now) : undefined;
  const is = (name: string, text: string | false | null | undefined) => (wanted.has(name) && text) || undefined;
  const join = (...texts: (string | false | null | undefined)[]) => texts.filter(Boolean).join(" · ");

  const texts: Sight["texts"] = {
    label: seen.label,
    value: is("percent", percent !== undefined && words.percent(percent)),
    phase:
      phase !== "running" &&
      (phase !== "waiting" || link === "live") &&
      join(words.say(phase, words.number(attempt)), phase === "worker-lost" && link === "live" && old),
    link: link && join(words.say(link), link !== "live" && old),
    count: is("count", count(state, words)),
    failures: is("failed", !!failed && words.say("failures", words.number(failed))),
    rate: is("rate", moving && !!rate && words.rate(rate)),
    eta: is("eta", left !== undefined && words.say("eta", words.duration(left))),
    step: join(is("step", !ended && step), is("message", message)),
    error: join(state.error?.message, phase === "refused" && (snapshot.error as Error).message, seen.refusal),
    warnings: is("warnings", !!warnings.length && words.say("warnings", words.number(state.warned ?? warnings.length))),
  };
  return {
    percent,
    texts,
    unlabelled: !wanted.has("label"),
    valueText: join(texts.value, texts.phase, link !== "live" && texts.link, texts.count, texts.eta, texts.step),
    cancel: seen.cancelable && !ended && phase !== "cancelling" && snapshot.state ? words.say("cancel") : "",
    icons: { phase: icons[phase]!, link: icons[link ?? "closed"] },
    steps: wanted.has("steps") ? steps.map((one) => line(one.status, join(one.name, percentOf(one.percent, words)), words)) : [],
    warnings: warnings.map(({ message }) => line("warnings", message, words)).reverse(),
  };
}

function count({ done = 0, total }: Partial<JobState>, words: Words): string {
  return total == null ? (done ? words.number(done) : "") : words.say("count", words.number(done), words.number(total));
}

function percentOf(percent: number | null | undefined, words: Words): string {
  return percent == null || percent >= 100 ? "" : words.percent(percent);
}

function line(name: keyof Strings, text: string, words: Words): Line {
  return { icon: icons[name]!, meaning: words.say(name), text };
}
