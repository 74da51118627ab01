import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, type Link } from "../src/index.ts";
import { fromMsal, type SilentRequest } from "../src/msal.ts";
import { event, FINISHED, opening, refuse, reply, ScriptedEdge, send } from "./scripted.ts";

const backoff = { base: 1, cap: 1 };
const failure = (name: string, errorCode: string) => Object.assign(new Error(errorCode), { name, errorCode });

test("MSAL's cache is passed by once an edge has refused what was in it", async () => {
  const edge = await ScriptedEdge.start(refuse(401), send(opening(), event(1), FINISHED));
  const requests: SilentRequest[] = [];
  const getToken = fromMsal(async (request) => ({ accessToken: `token${requests.push(request)}` }));
  await createClient({ url: edge.url, tenant: "acme", backoff, getToken }).stream({ topics: ">" }).forEach(() => {});
  assert.deepEqual(requests, [{ forceRefresh: false }, { forceRefresh: true }]);
  assert.deepEqual(edge.asked.map(({ headers }) => headers.authorization), ["Bearer token1", "Bearer token2"]);
});

for (const [why, acquire] of [
  ["interaction is required", () => Promise.reject(failure("InteractionRequiredAuthError", "consent_required"))],
  ["there is no account", () => Promise.reject(failure("BrowserAuthError", "no_account_error"))],
  ["the token is empty", () => Promise.resolve({ accessToken: "" })],
] as const) {
  test(`where ${why} the link is unauthorized, and MSAL is asked no more until somebody has signed in`, async () => {
    const edge = await ScriptedEdge.start(send(opening(), event(1), FINISHED));
    edge.calls["other"] = reply({});
    let signedIn = false;
    let asked = 0;
    const getToken = fromMsal(() => {
      asked++;
      return signedIn ? Promise.resolve({ accessToken: "token" }) : acquire();
    });
    const client = createClient({ url: edge.url, tenant: "acme", backoff, getToken });
    const stream = client.stream({ topics: ">" });
    const links: Link["state"][] = [];
    stream.on("link", ({ state }) => {
      links.push(state);
      // By the time of an answer, an attempt that came by itself would have been made.
      if (state === "unauthorized")
        void fetch(`${edge.url}/v1/acme/other`).then(() => {
          assert.equal(asked, 1);
          signedIn = true;
          client.authorize();
        });
    });
    await stream.forEach(() => {});
    assert.deepEqual(links, ["unauthorized", "connecting", "live", "closed"]);
    assert.equal(edge.streams.length, 1);
  });
}

test("whatever else MSAL fails by is tried again", async () => {
  const edge = await ScriptedEdge.start(send(opening(), event(1), FINISHED));
  let asked = 0;
  const getToken = fromMsal(async () => {
    if (++asked === 1) throw failure("BrowserAuthError", "timed_out");
    return { accessToken: "token" };
  });
  const stream = createClient({ url: edge.url, tenant: "acme", backoff, getToken }).stream({ topics: ">" });
  const links: Link["state"][] = [];
  stream.on("link", ({ state }) => links.push(state));
  await stream.forEach(() => {});
  assert.deepEqual(links, ["offline", "live", "closed"]);
});
