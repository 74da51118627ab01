import { parseObject } from "./items.ts";

/** What goes wrong for good. Whatever may mend itself is no error: the client tries again, and its link says so. */
export class TailraceError extends Error {
  override name = "TailraceError";
  /**
   * For programs: the last part of the problem's `type` where an edge refused (`forbidden`, `no-such-job`, `no-worker`,
   * ...); else `invalid` (what you passed), `disposed`, `malformed` (bytes that no edge sends), `no-stream` (something
   * else answers), `unavailable` (no edge answers a call), `unauthorized` (nobody is signed in), `deleted` (the job was).
   */
  declare readonly code: string;
  /** Of the HTTP answer, where there was one. */
  declare readonly status: number | undefined;
  /** Milliseconds to wait before asking again, as that answer says; 0 if it does not. */
  declare readonly retryAfter: number | undefined;

  constructor(code: string, message: string, status?: number, retryAfter?: number) {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** Whether an answer of this status may be another one soon. */
export function isPassing(status: number): boolean {
  return status >= 500 || [408, 425, 429].includes(status);
}

/** Returns the error that an answer stands for, from its problem+json where it has one (RFC 9457). */
export function readProblem({ status, headers }: Pick<Response, "status"> & { headers: Pick<Headers, "get"> }, body: string): TailraceError {
  const problem = parseObject<{ type: string | number; detail: string }>(body);
  const code = `${problem.type ?? ""}`.split(":").pop();
  const message = `${status}: ${problem.detail || body.slice(0, 200)}`;
  // Seconds, or a date (RFC 9110, 10.2.3)
  const after = headers.get("retry-after") ?? "";
  const retryAfter = Math.max(0, +after * 1000 || Date.parse(after) - Date.now() || 0);
  return new TailraceError(code || `http-${status}`, message, status, retryAfter);
}
