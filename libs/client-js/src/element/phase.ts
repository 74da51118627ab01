/** What a job and its link are doing, as far as one can know at the moment: all that decides how progress is shown. */
import type { JobSnapshot } from "../job.ts";
import type { Link } from "../link.ts";

/**
 * - `waiting`: nothing is known of the job yet;
 * - `running`, `retrying`, `worker-lost`: as its newest state says;
 * - `cancelling`: somebody asked for its end, which has not come yet;
 * - `complete`, `failed`, `cancelled`: it has ended;
 * - `deleted`: it was removed from the log;
 * - `refused`: an edge does not let this page see it, or the element was set up wrongly.
 */
export type Phase =
  | "waiting"
  | "running"
  | "retrying"
  | "worker-lost"
  | "cancelling"
  | "complete"
  | "failed"
  | "cancelled"
  | "deleted"
  | "refused";

export interface Condition {
  readonly phase: Phase;
  /** Undefined once nothing more can come. */
  readonly link: Link["state"] | undefined;
  /** Nothing more comes. */
  readonly ended: boolean;
  /** Work is known to be done right now. Whatever moves or counts down does so only then. */
  readonly moving: boolean;
}

const ENDS: readonly string[] = ["complete", "failed", "cancelled"];

/** Returns what a snapshot means; `asked` tells that this page has asked the job to cancel. */
export function judge({ state, link, error }: JobSnapshot, asked = false): Condition {
  const phase = readPhase(state?.status, error, asked || state?.cancelling);
  const ended = ENDS.includes(phase) || error !== undefined;
  const moving = !ended && link.state === "live" && (phase === "running" || phase === "cancelling");
  return { phase, link: ended ? undefined : link.state, ended, moving };
}

function readPhase(status: string | undefined, error: unknown, cancelling: boolean | undefined): Phase {
  if (status && ENDS.includes(status)) return status as Phase;
  if (error !== undefined) return (error as { code?: string } | null)?.code === "deleted" ? "deleted" : "refused";
  if (status === "worker_lost") return "worker-lost";
  if (!status || status === "retrying") return status ? "retrying" : "waiting";
  return cancelling ? "cancelling" : "running";
}
