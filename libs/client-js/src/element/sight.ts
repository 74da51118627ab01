/** What is to be seen of a job, in words. */
import type { TailraceProgress } from "./element.ts";
import type { Condition } from "./phase.ts";
import type { Sight } from "./view.ts";
import type { Words } from "./words.ts";

/** What the element itself knows. */
export type Seen = Pick<TailraceProgress, "job" | "label" | "show" | "cancelable" | "snapshot" | "percent" | "eta">;

/**
 * @param age seconds since the newest state
 * @param refusal why the job was not cancelled
 */
export function describe(
  seen: Seen,
  { phase, link, ended, moving }: Condition,
  age: number | undefined,
  refusal: string,
  words: Words,
): Sight {
  const { percent, eta, snapshot: { state, error } } = seen;
  const { done, total, failed, rate, attempt = 1, step, message, steps, warnings, warned } = state ?? {};
  /** Whether it may be left out decides the attribute; whether it can be believed is always told. */
  const wanted = (name: string) => (seen.show ? seen.show.split(/\s+/).includes(name) : name !== "steps");
  const join = (...texts: (string | false | null | undefined)[]) => texts.filter(Boolean).join(" · ");
  const old = !ended && age !== undefined && words.say("age", words.ago(age));
  const live = link === "live";

  const texts: Sight["texts"] = {
    label: seen.label || state?.title || seen.job,
    value: wanted("percent") && percent !== undefined && words.percent(percent),
    phase:
      phase !== "running" &&
      (phase !== "waiting" || live) &&
      join(words.say(phase, words.number(attempt)), phase === "worker-lost" && live && old),
    link: link && join(words.say(link), !live && old),
    count:
      wanted("count") &&
      (total != null ? words.say("count", words.number(done ?? 0), words.number(total)) : !!done && words.number(done)),
    failures: wanted("failed") && !!failed && words.say("failures", words.number(failed)),
    rate: wanted("rate") && moving && !!rate && words.rate(rate),
    eta: wanted("eta") && eta !== undefined && words.say("eta", words.duration(eta)),
    step: join(wanted("step") && !ended && step, wanted("message") && message),
    error: join(state?.error?.message, phase === "refused" && (error as Error).message, refusal),
  };
  return {
    percent,
    texts,
    unlabelled: !wanted("label"),
    valueText: join(texts.value, texts.phase, !live && texts.link, texts.count, texts.eta, texts.step),
    icons: { phase, link },
    steps: (wanted("steps") && steps) || [],
    warnings: (wanted("warnings") && warnings) || [],
    warned,
    cancelable: seen.cancelable && !ended && phase !== "cancelling" && !!state,
  };
}
