// Without a document: importing and rendering must do with what a server has.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createElement as h } from "react";
import { renderToString } from "react-dom/server";
import { createClient } from "../../src/index.ts";
import { TailraceProvider, useJob, useStream } from "../../src/react.ts";

function Page() {
  const { state, link } = useJob("7", { initial: { id: "7", status: "running", percent: 20 } });
  const { events } = useStream({ topics: "a.>" });
  return h("p", null, [state?.percent, link.state, events.length].join(" "));
}

test("a server renders what it was given, and connects nothing", async () => {
  assert.equal(typeof window, "undefined");
  let asked = 0;
  const client = createClient({ tenant: "acme", fetch: async () => new Response(`${asked++}`) });
  assert.equal(renderToString(h(TailraceProvider, { client }, h(Page))), "<p>20 connecting 0</p>");
  await new Promise(setImmediate);
  assert.equal(asked, 0);
});
