import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, type Stream } from "../src/index.ts";
import { cut, event, FINISHED, id, opening, ScriptedEdge, send, type Play } from "./scripted.ts";

async function collect(stream: Stream): Promise<unknown[]> {
  const got: unknown[] = [];
  await stream.forEach((item) => got.push(item.kind === "event" && item.id));
  return got;
}

test("what is asked for is kept nowhere", async () => {
  const asked: unknown[] = [];
  const fetch = async (_: unknown, options?: RequestInit) => {
    asked.push(options?.cache);
    return new Response(null, { status: 204 });
  };
  await collect(createClient({ url: "http://edge", tenant: "acme", fetch }).stream({ topics: ">" }));
  assert.deepEqual(asked, ["no-store"]);
});

test("a redirect is followed, and the way back begins at the first URL again", async () => {
  const other = await ScriptedEdge.start(cut(opening(), event(1)), send(opening(1), event(2), FINISHED));
  const redirect: Play = (answer, request) => {
    answer.writeHead(307, { location: `${other.url}${request.url}` });
    answer.end();
  };
  const edge = await ScriptedEdge.start(redirect, redirect);
  const client = createClient({ url: edge.url, tenant: "acme", backoff: { base: 1, cap: 1 } });
  assert.deepEqual(await collect(client.stream({ topics: ">", from: "start" })), [id(1), id(2)]);
  assert.deepEqual(edge.asked.map(({ headers }) => headers["last-event-id"]), [undefined, id(1)]);
  assert.equal(other.asked.length, 2);
});
