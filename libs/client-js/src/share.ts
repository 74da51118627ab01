/**
 * One connection for all tabs of a browser. The tab that holds a Web Lock leads: its connection asks for what any tab
 * wants, and what comes is broadcast. A tab that was not reached (it came later, the leader was closed, too much came)
 * reads what it lacks from the log's history, from its own cursor on; so whoever leads, nobody misses anything.
 */
import type { Share } from "./client.ts";
import type { Here } from "./here.ts";
import { Hub } from "./hub.ts";
import { SharedReader } from "./shared-reader.ts";

/**
 * Makes the tabs of a browser share one connection: `createClient({ ..., share: share({ principal: user.id }) })`.
 *
 * `principal` is whoever is signed in: tabs share with tabs of the same one only. Streams with `maxRate` or `until`
 * have connections of their own, and so has everything where there are no Web Locks (pages that came over http).
 */
export function share({ principal }: { principal: string }): Share {
  return ({ edges: { urls, tenant }, connect }) => {
    if (!(globalThis as Here).navigator?.locks) return connect;
    const hub = new Hub(connect, `tailrace ${JSON.stringify([urls, tenant, principal])}`);
    return (stream, cursor) => new SharedReader(hub, stream, cursor);
  };
}

