export { createClient, type Client, type ClientOptions } from "./client.ts";
export type { BackoffOptions } from "./backoff.ts";
export type { CallOptions, Snapshot } from "./calls.ts";
export type { GetToken, TokenReason } from "./edges.ts";
export { TailraceError } from "./errors.ts";
export { matches, type Gap, type Item, type Reset, type TailraceEvent } from "./items.ts";
export {
  isTerminal,
  quoteToken,
  type Job,
  type JobEvents,
  type JobSnapshot,
  type JobState,
  type JobStatus,
  type JobStep,
  type JobWarning,
} from "./job.ts";
export type { Link } from "./link.ts";
export { SseDecoder, type SseEvent } from "./sse.ts";
export type { Start, Stream, StreamOptions } from "./stream.ts";
export type { Text } from "./text.ts";
