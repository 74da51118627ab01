import assert from "node:assert/strict";
import { test } from "node:test";
import { judge } from "../../src/element/phase.ts";
import { TailraceError } from "../../src/errors.ts";
import type { JobSnapshot, JobState, JobStatus } from "../../src/job.ts";
import type { Link } from "../../src/link.ts";

function snapshot(status?: JobStatus, link: Link["state"] = "live", change: Partial<JobState> = {}, error?: unknown): JobSnapshot {
  return { state: status && { id: "x", status, ...change }, link: { state: link, reconnects: 0 }, error };
}

test("each status has its phase", () => {
  const phases = (["running", "retrying", "worker_lost", "complete", "failed", "cancelled"] as const).map(
    (status) => judge(snapshot(status)).phase,
  );
  assert.deepEqual(phases, ["running", "retrying", "worker-lost", "complete", "failed", "cancelled"]);
  assert.equal(judge(snapshot()).phase, "waiting");
});

test("what has ended has no link, and nothing moves", () => {
  for (const status of ["complete", "failed", "cancelled"] as const) {
    const { link, ended, moving } = judge(snapshot(status, "closed"));
    assert.deepEqual([link, ended, moving], [undefined, true, false]);
  }
});

test("work moves only while the link is live and the worker heard", () => {
  for (const link of ["connecting", "stale", "offline", "unauthorized", "closed"] as const) {
    assert.equal(judge(snapshot("running", link)).moving, false);
  }
  assert.equal(judge(snapshot("running")).moving, true);
  for (const status of ["retrying", "worker_lost"] as const) assert.equal(judge(snapshot(status)).moving, false);
  assert.equal(judge(snapshot()).moving, false);
});

test("cancelling is what the worker has heard, or what this page has asked", () => {
  assert.equal(judge(snapshot("running", "live", { cancelling: true })).phase, "cancelling");
  assert.equal(judge(snapshot("running"), true).phase, "cancelling");
  assert.equal(judge(snapshot("worker_lost", "live", { cancelling: true })).phase, "worker-lost");
  assert.equal(judge(snapshot("complete"), true).phase, "complete");
});

test("an error ends it, but not what has ended before", () => {
  const deleted = judge(snapshot("running", "closed", {}, new TailraceError("deleted", "jobs.x")));
  assert.deepEqual([deleted.phase, deleted.ended], ["deleted", true]);
  assert.equal(judge(snapshot(undefined, "closed", {}, new Error("403"))).phase, "refused");
  assert.equal(judge(snapshot("complete", "closed", {}, new Error("403"))).phase, "complete");
});
