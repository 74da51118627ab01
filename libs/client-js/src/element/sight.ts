/** What is to be seen of a job, in words. */
import type { TailraceProgress } from "./element.ts";
import type { Condition } from "./phase.ts";
import type { Sight } from "./view.ts";
import type { Words } from "./words.ts";

/** What the element itself knows. */
export type Seen = Pick<TailraceProgress, "job" | "label" | "show" | "snapshot" | "percent">;

/** What takes longer to find out, in words. */
export interface Found {
  /** When the newest state was taken, if that is in question. */
  age: string | undefined;
  rate: string | undefined;
  eta: string | undefined;
}

/** Whether the attribute `show` asks for that. Whether what is shown can be believed is always told. */
export function wants(show: string, name: string): boolean {
  return show ? show.split(/\s+/).includes(name) : name !== "steps";
}

/** @param refusal why the job was not cancelled */
export function describe(
  { job, label, show, snapshot: { state, error }, percent }: Seen,
  { phase, link, ended }: Condition,
  found: Found | undefined,
  refusal: string,
  words: Words,
): Sight {
  const { done, total, failed, attempt = 1, step, message } = state ?? {};
  const wanted = (name: string) => wants(show, name);
  const join = (...texts: (string | false | null | undefined)[]) => texts.filter(Boolean).join(" · ");
  const live = link === "live";

  const texts: Sight["texts"] = {
    label: label || state?.title || job,
    value: wanted("percent") && percent !== undefined && words.percent(percent),
    phase:
      phase !== "running" &&
      (phase !== "waiting" || live) &&
      join(words.say(phase, words.number(attempt)), phase === "worker-lost" && live && found?.age),
    link: link && join(words.say(link), !live && found?.age),
    count:
      wanted("count") &&
      (total ? words.say("count", words.number(done ?? 0), words.number(total)) : !!done && words.number(done)),
    failures: wanted("failed") && !!failed && words.say("failures", words.number(failed)),
    rate: wanted("rate") && found?.rate,
    eta: wanted("eta") && found?.eta,
    step: join(wanted("step") && !ended && step, wanted("message") && message),
    error: join(state?.error?.message, phase === "refused" && (error as Error).message, refusal),
  };
  return {
    percent,
    texts,
    unlabelled: !wanted("label"),
    valueText: join(texts.value, texts.phase, !live && texts.link, texts.count, texts.eta, texts.step),
  };
}
