/** How a stream is connected at the moment, for those who show it. */
export interface Link {
  /**
   * - `connecting`: not yet, or on the way to another edge because the last one asked for it;
   * - `live`: an edge has opened the stream, and it is not known to be lost;
   * - `stale`: neither events nor heartbeats came for 2.5 heartbeat intervals: what is shown may be old;
   * - `offline`: the connection was lost, or none can be made; the next attempt is on its way;
   * - `unauthorized`: nobody is signed in; `client.authorize()` tries again;
   * - `closed`: nothing more comes.
   */
  readonly state: "connecting" | "live" | "stale" | "offline" | "unauthorized" | "closed";
  /** The name of the edge that serves the stream, or served it last. */
  readonly edge?: string | undefined;
  /** How many times the stream was opened again. */
  readonly reconnects: number;
  /** Milliseconds from this change to the next attempt, where one is waited for. */
  readonly retryIn?: number | undefined;
  /** Why the state is not `live`, in words. */
  readonly reason?: string | undefined;
}

export const CONNECTING: Link = { state: "connecting", reconnects: 0 };
