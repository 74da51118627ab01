/** How long to wait before the next attempt, so that a crowd of clients does not come back as one. */

export interface BackoffOptions {
  /** The first ceiling of the waits, 1,000 ms by default; it doubles with each failure in a row. */
  base?: number;
  /** Where that doubling stops, 30,000 ms by default. */
  cap?: number;
}

/**
 * Draws the milliseconds to wait after so many failures in a row before. The jitter comes after the cap, so that
 * clients stay spread however long it lasts.
 */
export function drawWait({ base = 1000, cap = 30_000 }: BackoffOptions = {}, failures = 0): number {
  return Math.random() * Math.min(cap, base * 2 ** failures);
}
