/** How bytes are got from an edge. */
import type { Edges, Query, TokenReason } from "./edges.ts";

/** What to ask an edge for. */
export interface StreamRequest {
  edges: Edges;
  number: number;
  query: Query;
  cursor: string | undefined;
  reason: TokenReason;
  signal: AbortSignal;
  /** To be called when the waiting is for the edge, no more for a token. */
  asked: () => void;
}

/** What is needed of a `Response`. */
export interface Answer {
  status: number;
  headers: { get(name: string): string | null };
  body: { getReader(): { read(): Promise<{ value?: Uint8Array | undefined }> } } | null;
  text(): Promise<string>;
  /** Heartbeats are not heard, so silence says nothing. */
  deaf?: boolean;
}

export type Transport = (request: StreamRequest) => Promise<Answer>;

/** Streams with fetch: back-pressure, headers, and the reason of a refusal. */
export const fetchStream: Transport = ({ edges, cursor, ...request }) =>
  edges.fetch({
    ...request,
    path: "events",
    headers: { accept: "text/event-stream", ...(cursor && { "last-event-id": cursor }) },
  });
