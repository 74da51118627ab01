import assert from "node:assert/strict";
import { test } from "node:test";
import { TailraceError } from "../src/errors.ts";
import type { Link } from "../src/link.ts";
import { Session } from "../src/session.ts";
import { event, opening } from "./scripted.ts";

function begin(): { session: Session; links: Link[] } {
  const links: Link[] = [];
  return { session: new Session(undefined, 10_000, undefined, (link) => links.push(link)), links };
}

const refusal = (status: number) => new TailraceError("x", "words", status);
const bytes = (text: string) => new TextEncoder().encode(text);

function open(session: Session, text: string): void {
  session.connect();
  session.open();
  for (const _ of session.receive(bytes(text)));
}

test("waits grow to the cap, the jitter comes after it, and only headway begins anew", (t) => {
  let drawn = 1;
  t.mock.method(Math, "random", () => drawn);
  const { session } = begin();
  const wait = () => {
    session.connect();
    session.refuse(refusal(503), null, false);
    return session.delay;
  };
  assert.deepEqual([wait(), wait(), wait(), wait(), wait(), wait(), wait()], [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  drawn = 0.5;
  assert.equal(wait(), 15_000);
  open(session, opening()); // opening a stream is no headway
  session.lose("cut");
  assert.equal(session.delay, 15_000);
  open(session, opening() + event(1));
  session.lose("cut");
  assert.equal(session.delay, 500);
});

test("ten seconds of bytes are headway, events or none", (t) => {
  t.mock.method(Math, "random", () => 1);
  t.mock.timers.enable({ apis: ["Date"], now: 0 });
  const { session } = begin();
  session.lose("refused");
  for (const [time, expected] of [
    [9_999, 2000],
    [10_000, 1000],
  ] as const) {
    open(session, opening());
    t.mock.timers.tick(time);
    for (const _ of session.receive(bytes(": hb\n")));
    session.lose("cut");
    assert.equal(session.delay, expected);
    session.refuse(refusal(204), null, false);
    session.ended = false;
  }
});

for (const status of [408, 425, 429, 500, 502, 503, 504]) {
  test(`${status} is tried again, no sooner than Retry-After`, (t) => {
    t.mock.method(Math, "random", () => 0);
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
      session.connect();
      session.refuse(refusal(status), text, false);
      assert.deepEqual(
        [session.delay, session.floor, links.at(-1)?.state, links.at(-1)?.reason],
        [expected, expected, "offline", "words"],
      );
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
