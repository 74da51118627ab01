import assert from "node:assert/strict";
import { test } from "node:test";
import { advance } from "../../src/element/percent.ts";
import type { JobState } from "../../src/job.ts";

function show(...changes: Partial<JobState>[]): (number | undefined)[] {
  let shown: number | undefined;
  let before: JobState | undefined;
  return changes.map((change) => {
    const state: JobState = { id: "x", status: "running", started: "2026-01-31T12:00:00Z", total: 100, ...change };
    shown = advance(shown, before, state);
    before = state;
    return shown;
  });
}

test("percent never go back, and a complete job has all", () => {
  assert.deepEqual(show({ percent: 10 }, { percent: 60 }, { percent: 30 }, { status: "complete" }), [10, 60, 60, 100]);
});

test("another total, attempt or start begins anew", () => {
  for (const change of [{ total: 200 }, { attempt: 2 }, { started: "2026-01-31T12:00:01Z" }]) {
    assert.deepEqual(show({ percent: 40 }, { percent: 25, ...change }), [40, 25]);
  }
});

test("nobody knows how far it is where the state does not say so", () => {
  assert.deepEqual(show({}, { percent: 5 }, { percent: null }), [undefined, 5, undefined]);
});
