/** What time it is where events are made: times of the log mean nothing by the clock of a browser that is wrong. */

/** Milliseconds that the edge's answers cannot tell: their `Date` is in whole seconds, and they were on their way. */
const DOUBT = 2000;

/** Milliseconds that the browser's clock is ahead. */
let ahead = 0;

/**
 * Learns from an answer of an edge.
 *
 * @param {Response} answer
 */
export function setClock(answer) {
  const told = Date.parse(answer.headers.get("date") ?? "");
  if (Number.isNaN(told)) return;
  const off = Date.now() - (told + 500);
  ahead = Math.abs(off) > DOUBT ? off : 0;
}

/** Returns the milliseconds since 1970, by the edges' clock. */
export function now() {
  return Date.now() - ahead;
}
