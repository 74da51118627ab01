import assert from "node:assert/strict";
import { test } from "node:test";
import { tellAgo, tellDuration, tellRate } from "../../src/element/times.ts";
import { Words } from "../../src/element/words.ts";

const english = new Words("en", undefined);
const HOUR = 3600;

test("a time is told in the largest unit that fits, and as finely as anybody knows it", () => {
  const told = [4, 44, 95, 1.6 * HOUR, 30 * HOUR, 82 * HOUR].map((seconds) => tellDuration(english, seconds));
  assert.deepEqual(told, ["10 sec", "40 sec", "2 min", "1.5 hr", "1.5 days", "3.5 days"]);
});

test("a time gone by is told in the page's language", () => {
  assert.equal(tellAgo(english, 72 * HOUR), "3 days ago");
  assert.equal(tellAgo(new Words("de", undefined), 2 * HOUR), "vor 2 Std.");
});

test("what takes longer than ten seconds for one is told by the minute", () => {
  assert.deepEqual([48.3, 0.05].map((rate) => tellRate(english, rate)), ["48/s", "3/min"]);
});
