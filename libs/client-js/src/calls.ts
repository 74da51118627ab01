/** Calls that are answered with JSON: all but streams. */
import type { Edges, Query, TokenReason } from "./edges.ts";
import { TailraceError, readProblem } from "./errors.ts";
import type { TailraceEvent } from "./items.ts";
import { until } from "./signals.ts";

export interface CallOptions {
  method?: "GET" | "POST" | "DELETE" | undefined;
  query?: Query | undefined;
  /** Sent as JSON. */
  body?: unknown;
  /** Besides those of every request. */
  headers?: Record<string, string> | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Returns the JSON that a path below the tenant answers with. Reads try each URL once.
 *
 * Rejects with a `TailraceError`: an edge refused, or none answers (`unavailable`); with the signal's reason if that
 * is aborted.
 */
export async function call<T>(edges: Edges, path: string, options: CallOptions = {}): Promise<T> {
  const { method = "GET", query, body, headers, signal } = options;
  const gone = AbortSignal.any([edges.disposed.signal, ...(signal ? [signal] : [])]);
  const { first } = edges;
  let reason: TokenReason = "connect";
  for (let tried = 0; ; ) {
    gone.throwIfAborted();
    let answer: Response;
    let text: string;
    try {
      const asking = edges.fetch({
        number: first + tried,
        path,
        query,
        method,
        headers: { ...headers, ...(body !== undefined && { "content-type": "application/json" }) },
        body: body === undefined ? null : JSON.stringify(body),
        reason,
        signal: AbortSignal.any([gone, AbortSignal.timeout(edges.timeout)]),
      });
      answer = await until(gone, asking); // a token may be long in coming
      text = await answer.text();
    } catch (error) {
      gone.throwIfAborted();
      if (error instanceof TailraceError) throw error;
      if (method === "GET" && ++tried < edges.urls.length) continue;
      throw new TailraceError("unavailable", `no edge answers: ${String(error)}`);
    }
    edges.first = first + tried;
    if (answer.ok) return (text ? JSON.parse(text) : undefined) as T;
    if (answer.status !== 401 || reason !== "connect" || !edges.getToken) throw readProblem(answer, text);
    reason = "unauthorized";
  }
}

/** The newest event of each topic, and where to stream on `from` without a gap. */
export interface Snapshot<T = unknown> {
  events: TailraceEvent<T>[];
  cursor: string;
}

interface Topics<T> {
  events: Omit<TailraceEvent<T>, "kind">[];
  cursor: string;
  next: string | null;
}

/** Reads the newest event of each topic that matches. */
export async function readLast<T>(edges: Edges, pattern: string, signal?: AbortSignal): Promise<Snapshot<T>> {
  const events: TailraceEvent<T>[] = [];
  let cursor: string | undefined;
  for (let page: string | null = null; ; ) {
    const query: Query = [["match", pattern], ...(page === null ? [] : [["page", page] as const])];
    const answer: Topics<T> = await call(edges, "topics", { query, signal });
    for (const event of answer.events) events.push({ ...event, kind: "event" });
    cursor ??= answer.cursor;
    page = answer.next;
    if (page === null) return { events, cursor };
  }
}
