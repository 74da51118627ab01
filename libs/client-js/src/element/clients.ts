/** One client for all elements of a page that want the same. It holds nothing while it follows no job. */
import { createClient, type Client } from "../client.ts";
import type { GetToken } from "../edges.ts";

/** By what their tokens come from, which takes them along when it is gone. */
const clients = new WeakMap<object, Record<string, Client>>();

/** @param src URLs of edges, separated by white space; the page's own origin if empty. */
export function getClient(src: string, tenant: string, getToken: GetToken | undefined): Client {
  const owner = getToken ?? clients;
  const known = clients.get(owner) ?? {};
  clients.set(owner, known);
  const url = src.trim().split(/\s+/);
  return (known[`${url.join()} ${tenant}`] ??= createClient({ url, tenant, getToken }));
}
