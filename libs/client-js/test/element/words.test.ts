import assert from "node:assert/strict";
import { test } from "node:test";
import { Words } from "../../src/element/words.ts";

const english = new Words("en", undefined);

test("percent are rounded down", () => {
  assert.deepEqual([0, 0.9, 99.99, 100].map((value) => english.percent(value)), ["0%", "0%", "99%", "100%"]);
});

test("each language has its numbers, and what has no translation is English", () => {
  const german = new Words("de", { count: "{} von {}" });
  assert.equal(german.say("count", german.number(1234), german.number(99_999)), "1.234 von 99.999");
  assert.equal(german.say("live"), "Live");
  assert.equal(new Words("", undefined).say("count", "1", "$&"), "1 of $&");
});
