/** The edges of one tenant's client: where they are, and how they are asked. */
import type { BackoffOptions } from "./backoff.ts";
import { TailraceError } from "./errors.ts";

/** Why a token is asked for: `connect`; `expired`, after a stream ended with its token; `unauthorized`, after a 401. */
export type TokenReason = "connect" | "expired" | "unauthorized";

/**
 * Returns the token for one attempt; null where nobody is signed in. An error of the name
 * `InteractionRequiredAuthError` (MSAL's) says the same; after any other the attempt counts as failed, and another
 * one comes.
 */
export type GetToken = (why: { reason: TokenReason }) => string | null | undefined | Promise<string | null | undefined>;

export interface EdgeOptions {
  /** Of an edge or the load balancer before them; several are used in turn. Empty is the page's own origin. */
  url?: string | readonly string[];
  tenant: string;
  /** For the `Authorization` header; never in a URL. */
  getToken?: GetToken | undefined;
  /** Whether cookies go along: `same-origin` by default. */
  credentials?: RequestCredentials | undefined;
  /** Milliseconds for an edge to answer, and to open a stream; 10,000 by default. */
  timeout?: number | undefined;
  /** How long to wait before coming back: drawn evenly between 0 and a ceiling that doubles from `base` to `cap`. */
  backoff?: BackoffOptions | undefined;
  /** In place of the global one. */
  fetch?: typeof fetch | undefined;
}

export type Query = readonly (readonly [string, string])[];

export interface EdgeRequest {
  /** Of the edge; counts on past the last one to the first. */
  number: number;
  /** Below the tenant. */
  path: string;
  query?: Query | undefined;
  method?: string;
  body?: string | null;
  headers?: Record<string, string>;
  /** Why a token is asked for. */
  reason: TokenReason;
  signal: AbortSignal;
  /** Called when the waiting is for the edge, no more for a token. */
  asked?: () => void;
}

export class Edges {
  // Declared only: a field would be made twice, by itself and by the constructor.
  declare readonly urls: readonly string[];
  declare readonly tenant: string;
  declare readonly timeout: number;
  declare readonly credentials: RequestCredentials | undefined;
  declare readonly backoff: BackoffOptions | undefined;
  /** Aborts with the client. */
  readonly disposed = new AbortController();
  /** Undefined where no token is needed. */
  declare readonly getToken: GetToken | undefined;
  /** The number of the edge to begin with: the one that answered last. */
  first = 0;
  #fetch: typeof fetch | undefined;

  constructor({ url = "", tenant, timeout = 10_000, fetch, ...options }: EdgeOptions) {
    this.urls = [url].flat().map((each) => each.replace(/\/+$/, ""));
    if (/[?#@]/.test(this.urls.join())) throw new TailraceError("invalid", "url: user, query or fragment");
    if (!/^[a-z0-9][a-z0-9_-]{0,62}$/.test(tenant)) throw new TailraceError("invalid", `tenant: ${tenant}`);
    Object.assign(this, { tenant, timeout, ...options });
    this.#fetch = fetch;
  }

  format({ number, path, query }: Pick<EdgeRequest, "number" | "path" | "query">): string {
    const fields = query ? `?${new URLSearchParams(query as [string, string][])}` : "";
    return `${this.urls[number % this.urls.length]!}/v1/${this.tenant}/${path}${fields}`;
  }

  /** Rejects with the code `unauthorized` where nobody is signed in. */
  async fetch({ number, path, query, reason, asked, ...request }: EdgeRequest): Promise<Response> {
    const headers = { ...request.headers };
    if (this.getToken) {
      let token: string | null | undefined;
      try {
        token = await this.getToken({ reason });
      } catch (error) {
        if ((error as Error | null)?.name !== "InteractionRequiredAuthError") throw error;
      }
      request.signal.throwIfAborted();
      if (token == null) throw new TailraceError("unauthorized", "nobody is signed in");
      // What fetch says of such a header tells the token.
      if (!/^[!-~]+$/.test(token)) throw new TailraceError("invalid", "token: not printable");
      headers["authorization"] = `Bearer ${token}`;
    }
    asked?.();
    const send = this.#fetch ?? fetch; // a method of nothing: browsers refuse any other
    return send(this.format({ number, path, query }), {
      ...request,
      headers,
      cache: "no-store",
      credentials: this.credentials as RequestCredentials, // fetch has the same default
    });
  }
}
