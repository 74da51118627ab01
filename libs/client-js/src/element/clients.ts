/** One client for all elements of a page that want the same. */
import { createClient, type Client } from "../client.ts";
import type { GetToken } from "../edges.ts";

export interface Lease {
  readonly client: Pick<Client, "job" | "authorize">;
  /** Gives it back; the client ends with its last user. */
  release(): void;
}

interface Shared {
  key: string;
  getToken: GetToken | undefined;
  client: Client;
  users: number;
}

const clients = new Set<Shared>();

/** @param src URLs of edges, separated by white space; the page's own origin if empty. */
export function lease(src: string, tenant: string, getToken: GetToken | undefined): Lease {
  const url = src.split(/\s+/).filter(Boolean);
  const key = `${url} ${tenant}`;
  let shared = [...clients].find((one) => one.key === key && one.getToken === getToken);
  if (!shared) {
    const client = createClient({ url: url.length ? url : "", tenant, getToken });
    clients.add((shared = { key, getToken, client, users: 0 }));
  }
  const { client } = shared;
  shared.users++;
  return {
    client,
    release: () => {
      if (--shared.users) return;
      clients.delete(shared);
      client.dispose();
    },
  };
}
