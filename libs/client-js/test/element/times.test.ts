import assert from "node:assert/strict";
import { test } from "node:test";
import { tellAgo, tellDuration, tellRate } from "../../src/element/times.ts";
import { Words } from "../../src/element/words.ts";

const english = new Words("en", undefined);

test("times are rounded to what one can know", () => {
  const cases: [number, string][] = [[0, "10 sec"], [12, "10 sec"], [49, "50 sec"], [55, "1 min"], [121, "2 min"], [3000, "50 min"], [5000, "1.5 hr"], [90_000, "25 hr"]];
  for (const [seconds, text] of cases) assert.equal(tellDuration(english, seconds), text, `${seconds}`);
});

test("times gone by say how long ago", () => {
  assert.deepEqual([2, 31, 130, 4000].map((seconds) => tellAgo(english, seconds)), ["now", "30 sec. ago", "2 min. ago", "1 hr. ago"]);
});

test("a slow rate is given by the minute", () => {
  assert.deepEqual([123.4, 2.34, 0.05].map((rate) => tellRate(english, rate)), ["123/s", "2.3/s", "3/min"]);
});
