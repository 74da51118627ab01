/** What a job and its link are doing, as far as one can know at the moment: all that decides how progress is shown. */
import type { TailraceError } from "../errors.ts";
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

const ENDS: readonly unknown[] = ["complete", "failed", "cancelled"];

/** Returns what a snapshot means; `asked` tells that this page has asked the job to cancel. */
export function judge({ state, link, error }: JobSnapshot, asked = false): Condition {
  const over = ENDS.includes(state?.status);
  const refused = !over && error !== undefined;
  let phase = (state?.status.replace("_", "-") ?? "waiting") as Phase;
  const { code } = Object(error) as Partial<TailraceError>;
  if (refused) phase = code === "deleted" ? "deleted" : "refused";
  else if (phase === "running" && (asked || state?.cancelling)) phase = "cancelling";
  const ended = over || refused;
  const moving = !ended && link.state === "live" && ["running", "cancelling"].includes(phase);
  return { phase, link: ended ? undefined : link.state, ended, moving };
}
