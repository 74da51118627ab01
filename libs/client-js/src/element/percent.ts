/** How far a job is, of which its states need not say the same. */
import type { JobState } from "../job.ts";

/** Whether percent of one state cannot be compared with those of the one before: another total, attempt or start. */
export function isAnew(before: JobState | undefined, state: JobState): boolean {
  return (["total", "attempt", "started"] as const).some((name) => before?.[name] !== state[name]);
}

/**
 * Returns 0 to 100, never less than was `shown` before unless the job begins anew; undefined while nobody knows.
 *
 * @param before the state before this one
 */
export function advance(shown: number | undefined, before: JobState | undefined, state: JobState): number | undefined {
  const percent = state.status === "complete" ? 100 : (state.percent ?? undefined);
  return percent === undefined || isAnew(before, state) ? percent : Math.max(percent, shown ?? 0);
}
