import assert from "node:assert/strict";
import { test } from "node:test";
import { Estimate } from "../../src/element/estimate.ts";
import type { JobState } from "../../src/job.ts";

const START = Date.parse("2026-01-31T12:00:00Z");
/** Milliseconds by which the browser's clock is ahead of the worker's. */
const SKEW = 3_600_000;

/** A state that the worker took `seconds` after its start. */
function taken(seconds: number, percent: number | null, change: Partial<JobState> = {}): JobState {
  const updated = new Date(START + seconds * 1000).toISOString();
  return { id: "x", status: "running", started: "2026-01-31T12:00:00Z", total: 100, percent, updated, ...change };
}

const at = (seconds: number) => START + SKEW + seconds * 1000;

function feed(estimate: Estimate, ...states: [seconds: number, percent: number | null, change?: Partial<JobState>][]) {
  for (const [seconds, percent, change] of states) estimate.take(taken(seconds, percent, change), at(seconds), true);
}

test("the time left is the worker's, less what has passed by its own clock", () => {
  const estimate = new Estimate();
  feed(estimate, [10, 20, { eta: 40 }], [20, 40, { eta: 30 }]);
  assert.equal(estimate.left(at(20)), 30);
  assert.equal(estimate.left(at(25)), 25);
  assert.equal(estimate.left(at(99)), 0);
});

test("an event that was long on its way does not move the clock", () => {
  const estimate = new Estimate();
  feed(estimate, [10, 20, { eta: 40 }], [20, 40, { eta: 30 }]);
  estimate.take(taken(21, 41, { eta: 29 }), at(27), true);
  assert.equal(estimate.left(at(27)), 23);
});

test("without the worker's own guess it is computed, from three samples on", () => {
  const estimate = new Estimate();
  feed(estimate, [0, 10], [1, 11], [2, 12]);
  assert.equal(estimate.left(at(2)), undefined);
  feed(estimate, [3, 13]);
  assert.ok(Math.abs(estimate.left(at(3))! - 87) < 1e-6);
});

test("nothing is foretold below 5 percent, or while nobody knows how far it is", () => {
  const estimate = new Estimate();
  feed(estimate, [0, 1, { eta: 99 }], [1, 2, { eta: 98 }], [2, 3, { eta: 97 }], [3, 4.9, { eta: 96 }]);
  assert.equal(estimate.left(at(3)), undefined);
  feed(estimate, [4, 5, { eta: 95 }]);
  assert.equal(estimate.left(at(4)), 95);
  assert.equal(new Estimate().left(at(0)), undefined);
  feed(estimate, [5, null]);
  assert.equal(estimate.left(at(5)), undefined);
});

test("another total starts the rate anew", () => {
  const estimate = new Estimate();
  feed(estimate, [0, 10], [1, 20], [2, 30], [3, 40]);
  assert.ok(estimate.left(at(3)) !== undefined);
  feed(estimate, [4, 25, { total: 200 }]);
  assert.equal(estimate.left(at(4)), undefined);
});

test("a job that stands still has no time left to tell", () => {
  const estimate = new Estimate();
  feed(estimate, [0, 10], [1, 10], [2, 10], [3, 10]);
  assert.equal(estimate.left(at(3)), undefined);
});

test("the first state may be old: its age is by the browser's clock until a live one has come", () => {
  const estimate = new Estimate();
  estimate.take(taken(0, 40, { status: "worker_lost" }), START + 7_200_000, true);
  assert.equal(estimate.age(START + 7_200_000), 7200);
});

test("with a live one the age is by the worker's clock", () => {
  const estimate = new Estimate();
  feed(estimate, [0, 10], [10, 20]);
  assert.equal(estimate.age(at(100)), 90);
  assert.equal(new Estimate().age(at(0)), undefined);
});

test("a running state with a lease is fresh, even if it is the first", () => {
  const estimate = new Estimate();
  feed(estimate, [0, 10, { lease: 30 }]);
  assert.equal(estimate.age(at(45)), 45);
});

test("a state that was known before is not taken for fresh", () => {
  const estimate = new Estimate();
  estimate.take(taken(0, 10, { lease: 30 }), START + 60_000, false);
  assert.equal(estimate.age(START + 60_000), 60);
});
