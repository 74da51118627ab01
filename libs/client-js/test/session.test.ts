import assert from "node:assert/strict";
import { test } from "node:test";
import { readProblem } from "../src/errors.ts";
import type { Link } from "../src/link.ts";
import { Session } from "../src/session.ts";
import { event, opening } from "./scripted.ts";

function begin(): { session: Session; links: Link[] } {
  const links: Link[] = [];
  const session = new Session({ timeout: 10_000, backoff: undefined }, undefined);
  session.onLink = (link) => links.push(link);
  return { session, links };
}

const refusal = (status: number, retryAfter: string | null = null) =>
  readProblem(new Response(null, { status, headers: retryAfter === null ? {} : { "retry-after": retryAfter } }), "words");
const CUT = new Error("cut");
const bytes = (text: string) => new TextEncoder().encode(text);

function open(session: Session, text: string): void {
  session.open();
  for (const _ of session.receive(bytes(text)));
}

test("waits grow to the cap, the jitter comes after it, and only headway begins anew", (t) => {
  let drawn = 1;
  t.mock.method(Math, "random", () => drawn);
  const { session, links } = begin();
  const wait = () => {
    session.lose(refusal(503));
    return links.at(-1)?.retryIn;
  };
  assert.deepEqual([wait(), wait(), wait(), wait(), wait(), wait(), wait()], [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  drawn = 0.5;
  assert.equal(wait(), 15_000);
  open(session, opening()); // opening a stream is no headway
  session.lose(CUT);
  assert.equal(links.at(-1)?.retryIn, 15_000);
  open(session, opening() + event(1));
  session.lose(CUT);
  assert.equal(links.at(-1)?.retryIn, 500);
});

test("ten seconds of bytes are headway, events or none", (t) => {
  t.mock.method(Math, "random", () => 1);
  t.mock.timers.enable({ apis: ["Date"], now: 0 });
  const { session, links } = begin();
  session.lose(CUT);
  for (const [time, expected] of [
    [9_999, 2000],
    [10_000, 1000],
  ] as const) {
    open(session, opening());
    t.mock.timers.tick(time);
    for (const _ of session.receive(bytes(": hb\n")));
    session.lose(CUT);
    assert.equal(links.at(-1)?.retryIn, expected);
    session.leave("closed");
    session.revive("closed");
  }
});

for (const status of [408, 425, 429, 500, 502, 503, 504]) {
  test(`${status} is tried again, no sooner than Retry-After`, (t) => {
    t.mock.method(Math, "random", () => 0);
    t.mock.method(performance, "now", () => 100);
    t.mock.timers.enable({ apis: ["Date"], now: Date.parse("2026-01-31T12:00:00Z") });
    for (const [text, expected] of [
      ["3", 3000],
      ["Sat, 31 Jan 2026 12:00:07 GMT", 7000],
      ["Sat, 31 Jan 2026 11:00:00 GMT", 0],
      ["soon", 0],
      ["-5", 0],
      [null, 0],
      ["999999", 3_600_000],
    ] as const) {
      const { session, links } = begin();
      session.lose(refusal(status, text));
      const { state, reason, retryIn } = links.at(-1) as Link;
      assert.deepEqual([state, reason, retryIn], ["offline", `${status}: words`, expected]);
      assert.deepEqual([session.due, session.floor], [100 + expected, 100 + expected]);
    }
  });
}

test("a doubtful link is live again with the next byte", () => {
  const { session, links } = begin();
  open(session, opening());
  session.doubt("stale", "silence");
  session.doubt("offline", "no network");
  for (const _ of session.receive(bytes(": hb\n")));
  assert.deepEqual(links.map(({ state }) => state), ["live", "stale", "live"]);
});
