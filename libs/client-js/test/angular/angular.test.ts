import { makeHost, until } from "../dom.ts";
import "@angular/compiler"; // Angular's packages are compiled to the end when they are loaded
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Component, inject, Injector, PLATFORM_ID, provideZonelessChangeDetection, signal, type EnvironmentProviders, type Provider } from "@angular/core";
import { TestBed } from "@angular/core/testing";
import { BrowserTestingModule, platformBrowserTesting } from "@angular/platform-browser/testing";
import type { Client, JobState } from "../../src/index.ts";
import { injectTailrace, jobSignal, provideTailrace, streamSignal, type JobSignal } from "../../src/angular.ts";
import { event, hold, opening, refuse, reply, ScriptedEdge, type Play } from "../scripted.ts";

TestBed.initTestEnvironment(BrowserTestingModule, platformBrowserTesting());
afterEach(() => TestBed.resetTestingModule());

async function start(...plays: Play[]) {
  const edge = await ScriptedEdge.start(...plays);
  const options = { url: edge.url, tenant: "acme", backoff: { base: 1, cap: 1 } };
  return { edge, options };
}

function configure(...providers: (Provider | EnvironmentProviders)[]) {
  TestBed.configureTestingModule({ providers: [provideZonelessChangeDetection(), ...providers] });
}

function watched(...pieces: string[]) {
  const seen = { left: false };
  const play: Play = (answer, request) => {
    answer.on("close", () => (seen.left = true));
    hold(...pieces)(answer, request);
  };
  return { seen, play };
}

const progress = (sequence: number, percent: number) =>
  event(sequence, { type: "progress", topic: "jobs.7", data: { id: "7", status: "running", percent } satisfies JobState });

test("without a zone the view follows the job, and the component's end closes the stream", async () => {
  let proceed = () => {};
  const { seen, play } = watched(opening(), progress(1, 40));
  const { edge, options } = await start((answer, request) => {
    play(answer, request);
    proceed = () => answer.write(progress(2, 60));
  });
  configure(provideTailrace(options));
  const Bar = Component({ selector: "test-bar", template: "{{ job().state?.percent }} {{ job().link.state }}" })(
    class {
      readonly job = jobSignal("7");
    },
  );
  const fixture = TestBed.createComponent(Bar);
  makeHost().append(fixture.nativeElement as Node);
  const text = () => (fixture.nativeElement as HTMLElement).textContent;
  await until(() => text() === "40 live");
  proceed();
  await until(() => text() === "60 live");
  assert.equal(seen.left, false);
  fixture.destroy();
  await until(() => seen.left);
  assert.equal(edge.streams.length, 1);
});

test("a job's id is followed, and nothing while there is none", async () => {
  const first = watched(opening(), progress(1, 1));
  const { edge, options } = await start(first.play, hold(opening(), progress(2, 2)));
  configure(provideTailrace(options));
  const id = signal<string | undefined>(undefined);
  const job = TestBed.runInInjectionContext(() => jobSignal(id, { user: "u" }));
  TestBed.tick();
  assert.deepEqual(job(), { state: undefined, link: { state: "connecting", reconnects: 0 }, error: undefined });
  await assert.rejects(job.cancel(), { code: "invalid" });
  assert.equal(edge.streams.length, 0);
  id.set("7");
  await until(() => job().state?.percent === 1);
  id.set("8");
  assert.equal(job().state, undefined);
  await until(() => job().state?.percent === 2 && first.seen.left);
  assert.deepEqual(edge.streams.map(({ query }) => query.get("topic")), ["users.u.jobs.7", "users.u.jobs.8"]);
});

test("cancel asks the edge, and rejects with the code of what it refuses", async () => {
  const { edge, options } = await start(hold(opening(), progress(1, 1)));
  configure(provideTailrace(options));
  const job = TestBed.runInInjectionContext(() => jobSignal("7"));
  edge.calls["cancel"] = reply({ id: "7" }, 202);
  await job.cancel();
  edge.calls["cancel"] = refuse(409, { type: "urn:tailrace:problem:no-worker" });
  await assert.rejects(job.cancel(), { code: "no-worker" });
});

test("a stream's options are followed, and what comes to the same opens no other", async () => {
  const first = watched(opening(), event(1), event(2), event(3));
  const { edge, options } = await start(first.play, hold(opening(), event(7)));
  configure(provideTailrace(options));
  const topic = signal({ name: "a.>" });
  const lines = TestBed.runInInjectionContext(() => streamSignal<number>(() => ({ topics: topic().name, keep: 2 })));
  TestBed.runInInjectionContext(() => streamSignal({ topics: "a.>", keep: 2 }));
  const data = () => lines().events.map((each) => each.data).join();
  await until(() => data() === "2,3");
  topic.set({ name: "a.>" });
  TestBed.tick();
  await until(() => data() === "2,3");
  assert.equal(edge.streams.length, 1);
  topic.set({ name: "b.>" });
  await until(() => data() === "7");
  assert.deepEqual(edge.streams.map(({ query }) => query.get("topic")), ["a.>", "b.>"]);
  assert.equal(first.seen.left, false); // the other one is still watched
});

test("the client's options may be made of what is injected, and the client goes with its injector", async () => {
  const { edge, options } = await start(hold(opening(), event(1)));
  class Session {
    readonly token = "secret";
  }
  const made: Client[] = [];
  configure(
    Session,
    provideTailrace(() => {
      const { token } = inject(Session);
      return { ...options, getToken: () => token };
    }),
  );
  const lines = TestBed.runInInjectionContext(() => {
    made.push(injectTailrace(), injectTailrace());
    return streamSignal({ topics: "a.>" });
  });
  await until(() => lines().events.length);
  assert.equal(edge.asked[0]?.headers.authorization, "Bearer secret");
  assert.equal(made[0], made[1]);
  assert.equal(made[0]?.disposed, false);
  TestBed.resetTestingModule();
  assert.equal(made[1]?.disposed, true);
});

test("a server connects nothing", async () => {
  let asked = 0;
  const count: typeof fetch = async () => new Response(`${asked++}`);
  configure(provideTailrace({ tenant: "acme", fetch: count }), { provide: PLATFORM_ID, useValue: "server" });
  const { job, lines } = TestBed.runInInjectionContext(() => ({ job: jobSignal("7"), lines: streamSignal({ topics: "a" }) }));
  TestBed.tick();
  await new Promise(setImmediate);
  assert.deepEqual([job().link.state, lines().link.state], ["connecting", "connecting"]);
  assert.equal(asked, 0);
});

test("outside of an injection context it says so, and takes an injector", async () => {
  const { options } = await start(hold(opening(), progress(1, 1)));
  configure(provideTailrace(options));
  assert.throws(() => jobSignal("7"), /jobSignal\(\) can only be used within an injection context/);
  assert.throws(() => streamSignal({ topics: "a" }), /streamSignal\(\) can only be used within an injection context/);
  const job: JobSignal = jobSignal("7", { injector: TestBed.inject(Injector) });
  await until(() => job().state?.percent === 1);
});
